from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import Settings
from server.publish.rules import RULES, Upload, apply_rules
from server.verification.certificate import Claims
from tests.server.homes import NOW, TODAY, days_of_keys, key, make_settings, upload_of
from tracing_core.configuration.transmission_risk import transmission_risks
from tracing_core.errors import PublishRejected
from tracing_core.http.publish_request import PublishedKey
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.interval import interval_number

CONFIRMED = Claims(ReportType.CONFIRMED_TEST)
SETTINGS = make_settings(Path("/nonexistent"))
INTERVAL = interval_number(NOW)
OLDEST = interval_number(NOW - SETTINGS.max_key_age_seconds)


def applied(
    *keys: PublishedKey, claims: Claims = CONFIRMED, settings: Settings = SETTINGS, **fields: object
) -> Upload:
    upload = Upload(upload_of(*keys, **fields), claims, settings, NOW)
    apply_rules(upload)
    return upload


def refusal(*keys: PublishedKey, **fields: object) -> str:
    with pytest.raises(PublishRejected) as caught:
        applied(*keys, **fields)
    assert caught.value.code == "bad_request"
    assert caught.value.status == 400
    return str(caught.value)


def test_good_keys_pass_unchanged() -> None:
    keys = days_of_keys(14)
    upload = applied(*keys)
    assert [each.key.key_data for each in upload.keys] == [each.key_data for each in keys]
    assert not upload.dropped
    assert not upload.warnings


def test_an_upload_needs_a_key() -> None:
    assert refusal() == "the upload has no keys"


def test_thirty_keys_are_taken_and_no_more() -> None:
    keys = [key(TODAY - 144 * (each // 2), 100 + each % 2) for each in range(30)]
    assert len(applied(*keys).keys) == 30
    assert "31 keys" in refusal(*keys, key())


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (replace(key(), key_text="AAAA"), "16 bytes"),
        (replace(key(), key_text="*" * 22), "base64"),
        (key(period=0), "rolling period"),
        (key(period=145), "rolling period"),
        (key(period=-1), "rolling period"),
        (key(start=-1), "32 bits"),
        (key(start=2**32), "32 bits"),
        (key(risk=9), "transmission risk"),
        (key(risk=-1), "transmission risk"),
        (key(start=OLDEST - 145), "too old"),
        (key(start=INTERVAL + 1), "future"),
    ],
)
def test_a_bad_key_is_dropped_and_the_others_stay(bad: PublishedKey, word: str) -> None:
    good = key()
    upload = applied(good, bad)
    assert [each.key.key_data for each in upload.keys] == [good.key_data]
    assert len(upload.dropped) == 1
    assert upload.dropped[0].startswith("key 1 ")
    assert word in upload.dropped[0]
    assert word in refusal(bad)


def test_a_key_named_twice_counts_once() -> None:
    one = key()
    upload = applied(one, replace(one, rolling_period=10))
    assert [each.key.rolling_period for each in upload.keys] == [144]
    assert "another start or period" in upload.dropped[0]


def test_age_is_that_of_the_last_use() -> None:
    assert applied(key(OLDEST - 144), symptom_onset_interval=OLDEST).keys
    assert "too old" in refusal(key(OLDEST - 145), symptom_onset_interval=OLDEST)


def test_a_key_may_begin_this_very_interval() -> None:
    assert applied(key(INTERVAL, 1)).keys


def test_the_upload_states_the_onset_before_the_certificate() -> None:
    claims = Claims(ReportType.CONFIRMED_TEST, TODAY - 144 * 3)
    stated = applied(key(TODAY - 144), claims=claims, symptom_onset_interval=TODAY - 144 * 2)
    assert stated.keys[0].key.days_since_onset_of_symptoms == 1
    certified = applied(key(TODAY - 144), claims=claims)
    assert certified.keys[0].key.days_since_onset_of_symptoms == 2


@pytest.mark.parametrize("onset", [0, -1, INTERVAL + 85, TODAY - 144 * 28 - 1, 2**62])
def test_an_impossible_onset_is_taken_as_four_days_ago(onset: int) -> None:
    upload = applied(key(TODAY - 144), symptom_onset_interval=onset)
    assert upload.keys[0].key.days_since_onset_of_symptoms == 3


@pytest.mark.parametrize("onset", [INTERVAL - 1, TODAY - 144 * 28])
def test_the_onset_may_be_28_days_ago_or_just_now(onset: int) -> None:
    assert applied(*days_of_keys(14), symptom_onset_interval=onset).onset_interval == onset


@pytest.mark.parametrize("onset", [INTERVAL, INTERVAL + 84])
def test_a_day_that_has_begun_only_further_east_is_today(onset: int) -> None:
    assert applied(key(TODAY - 144), symptom_onset_interval=onset).onset_interval == INTERVAL
    certified = applied(key(TODAY - 144), claims=replace(CONFIRMED, symptom_onset_interval=onset))
    assert certified.keys[0].key.days_since_onset_of_symptoms == -1


def test_keys_far_from_the_onset_are_left_out_with_a_warning() -> None:
    far = key(TODAY)
    upload = applied(key(TODAY - 144 * 6), far, symptom_onset_interval=TODAY - 144 * 15)
    assert [each.key.days_since_onset_of_symptoms for each in upload.keys] == [9]
    assert upload.warnings == ["key 1 is more than 14 days from the onset and was left out"]
    assert not upload.dropped
    assert not applied(far, symptom_onset_interval=TODAY - 144 * 15).keys


def test_keys_that_begin_together_may_overlap() -> None:
    assert len(applied(key(TODAY, 30), key(TODAY, 80), key(TODAY, 144)).keys) == 3
    assert "more than 3 keys" in refusal(*(key(TODAY, 30 + each) for each in range(4)))


@pytest.mark.parametrize("start", [TODAY - 143, TODAY - 1, TODAY - 72])
def test_other_keys_may_not_overlap(start: int) -> None:
    for keys, kept in (
        ([key(TODAY - 144), key(start, 1)], [0]),
        ([key(start, 1), key(TODAY - 144), key(TODAY - 144, 1)], [1, 2]),
    ):
        upload = applied(*keys)
        assert [each.number for each in upload.keys] == kept
        assert "overlap" in upload.dropped[0]


def test_keys_need_not_begin_at_midnight() -> None:
    assert len(applied(key(TODAY - 100, 50), key(TODAY - 50, 50), key(TODAY, 7)).keys) == 3


@pytest.mark.parametrize(
    ("report_type", "risk"),
    [
        (ReportType.CONFIRMED_TEST, 2),
        (ReportType.CONFIRMED_CLINICAL_DIAGNOSIS, 4),
        (ReportType.SELF_REPORT, 0),
        (ReportType.REVOKED, 6),
    ],
)
def test_risk_is_filled_in_only_where_none_is_stated(report_type: ReportType, risk: int) -> None:
    upload = applied(key(TODAY - 144), key(TODAY, risk=7), claims=Claims(report_type))
    assert [each.key.transmission_risk_level for each in upload.keys] == [risk, 7]
    assert {each.key.report_type for each in upload.keys} == {report_type}


@pytest.mark.parametrize("report_type", [ReportType.CONFIRMED_TEST, ReportType.REVOKED])
def test_risk_follows_the_onset_where_the_authority_wants_it(report_type: ReportType) -> None:
    keys = [key(TODAY - 144 * days) for days in range(9, -1, -1)]
    onset = TODAY - 144 * 3
    settings = make_settings(Path("/nonexistent"), risk_by_onset=True)
    claims = Claims(report_type)
    upload = applied(*keys, claims=claims, settings=settings, symptom_onset_interval=onset)
    found = [each.key.transmission_risk_level for each in upload.keys]
    if report_type is ReportType.REVOKED:
        assert found == [6] * 10
    else:
        assert found == list(transmission_risks(3))[9::-1]


def test_arrival_is_cut_down_to_the_hour() -> None:
    assert applied(key()).keys[0].created_at == NOW // 3600 * 3600


def test_a_key_in_use_is_held_back_until_after_its_last_use() -> None:
    upload = applied(key(TODAY), key(TODAY - 144))
    assert upload.keys[0].created_at == (TODAY + 144) * 600 + 3600
    assert upload.keys[1].created_at == NOW // 3600 * 3600
    assert applied(key(INTERVAL - 10, 10)).keys[0].created_at == NOW // 3600 * 3600


def test_a_short_key_in_use_waits_for_the_hour_after_its_end() -> None:
    end = (INTERVAL + 2) * 600
    assert applied(key(INTERVAL - 1, 3)).keys[0].created_at == (end + 3600) // 3600 * 3600


def test_every_rule_is_said_in_one_sentence() -> None:
    assert len(set(RULES)) == 13
    for rule in RULES:
        assert rule.__doc__
        assert rule.__doc__.endswith(".")


near = st.one_of(
    st.integers(-5, 5).map(lambda off: INTERVAL + off),
    st.integers(-5, 5).map(lambda off: OLDEST - 144 + off),
    st.integers(-17, 1).map(lambda days: TODAY + 144 * days),
    st.integers(OLDEST - 300, INTERVAL + 10),
)
any_key = st.builds(
    key,
    start=near,
    period=st.one_of(st.just(144), st.integers(-1, 146)),
    risk=st.integers(-1, 9),
    data=st.binary(min_size=15, max_size=17),
)
report_types = st.sampled_from([1, 2, 3, 5]).map(ReportType)


@given(st.lists(any_key, max_size=32), report_types, near)
def test_what_passes_is_sound_and_what_does_not_is_said(
    keys: list[PublishedKey], report_type: ReportType, onset: int
) -> None:
    try:
        upload = applied(*keys, claims=Claims(report_type), symptom_onset_interval=onset)
    except PublishRejected:
        return
    said = " ".join(upload.dropped + upload.warnings)
    unsaid = len(keys) - len(upload.keys) - len(upload.dropped) - len(upload.warnings)
    distinct = {
        (each.key_text, each.rolling_start_interval_number, each.rolling_period) for each in keys
    }
    assert 0 <= unsaid <= len(keys) - len(distinct)
    assert not any(each.key_text in said for each in keys)
    starts = [each.key.rolling_start_interval_number for each in upload.keys]
    assert all(starts.count(start) <= 3 for start in starts)
    for each in upload.keys:
        key = each.key
        assert len(key.key_data) == 16
        assert 1 <= key.rolling_period <= 144
        assert key.end_interval_number >= OLDEST
        assert key.rolling_start_interval_number <= INTERVAL
        assert 0 <= key.transmission_risk_level <= 8
        assert key.days_since_onset_of_symptoms is not None
        assert abs(key.days_since_onset_of_symptoms) <= 14
        assert each.created_at % 3600 == 0
        # The window that begins here ends, and is exported two hours later, after the last use.
        assert each.created_at + 3600 >= key.expires_at
        for other in upload.keys:
            if other.key.rolling_start_interval_number != key.rolling_start_interval_number:
                assert (
                    other.key.end_interval_number <= key.rolling_start_interval_number
                    or key.end_interval_number <= other.key.rolling_start_interval_number
                )


@given(st.lists(any_key, max_size=12), st.randoms())
def test_the_order_of_keys_does_not_matter(keys: list[PublishedKey], random: object) -> None:
    shuffled = list(keys)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def outcome(some: list[PublishedKey]) -> object:
        try:
            upload = applied(*some)
        except PublishRejected as error:
            return error.code
        return {(each.key, each.created_at) for each in upload.keys}

    if len({each.key_text for each in keys}) == len(keys):
        assert outcome(keys) == outcome(shuffled)
