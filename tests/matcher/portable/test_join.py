"""What matches, at every edge, and always as the definition says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import SightingIndex, definition, match_keys
from matcher.portable.derivation import derive_identifiers
from matcher.portable.join import Join
from tests.matcher.examples import START, heard, key, keys, shuffled_logs
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik
from tracing_core.store.sighting import Sighting


def plain(matches: list[definition.KeyMatch]) -> list[definition.KeyMatch]:
    """Matches without where their keys stood, which the definition does not say."""
    return [replace(match, file_number=0, key_index=0) for match in matches]


def intervals(log: list[Sighting], *published: DiagnosisKey) -> list[int]:
    fast = match_keys(log, published)
    assert plain(fast) == definition.matches(log, published)
    return [interval for match in fast for interval in match.intervals]


@given(log=shuffled_logs, published=st.lists(keys(), max_size=8))
def test_fast_is_as_defined(log: list[Sighting], published: list[DiagnosisKey]) -> None:
    assert plain(match_keys(log, published)) == definition.matches(log, published)


@given(log=shuffled_logs, files=st.lists(st.lists(keys(), max_size=4), max_size=4))
def test_files_one_by_one_are_as_one(log: list[Sighting], files: list[list[DiagnosisKey]]) -> None:
    join = Join(SightingIndex(log))
    for file in files:
        join.add(file)
    published = [record for file in files for record in file]
    assert plain(join.matches()) == definition.matches(log, published)
    assert join.diagnosis_keys == len({record.key_data for record in published})
    for match in join.matches():
        stated = files[match.file_number][match.key_index]
        assert (stated.key_data, stated.report_type) == (
            match.key.key_data,
            match.key.report_type,
        )


@given(of=keys())
def test_derivation_is_the_core_s(of: DiagnosisKey) -> None:
    expected = derive_rpis(
        derive_rpik(of.key_data), of.rolling_start_interval_number, of.rolling_period
    )
    assert list(derive_identifiers(of)) == expected


@pytest.mark.parametrize(
    ("drift", "matched"), [(-13, False), (-12, True), (0, True), (12, True), (13, False)]
)
@pytest.mark.parametrize("second", [0, 599])
@pytest.mark.parametrize("interval", [START, START + 50, START + 143])
def test_clocks_may_differ_by_twelve_intervals(
    drift: int, matched: bool, second: int, interval: int
) -> None:
    log = [heard(key(), interval, at=(interval + drift) * 600 + second)]
    assert intervals(log, key()) == ([interval] if matched else [])


@pytest.mark.parametrize(("interval", "matched"), [(-1, False), (0, True), (9, True), (10, False)])
def test_only_the_key_s_own_intervals_count(interval: int, matched: bool) -> None:
    log = [heard(key(), START + interval)]
    assert bool(intervals(log, key(period=10))) is matched


def test_what_was_heard_in_one_second_stays_in_the_log_s_order() -> None:
    at = START * 600
    log = [heard(key(), START + number, at=at) for number in (2, 0, 1)]
    assert intervals(log, key()) == [START + 2, START, START + 1]


@pytest.mark.parametrize(("seconds", "count"), [(1200, 2), (1201, 1)])
def test_an_identifier_counts_for_twenty_minutes(seconds: int, count: int) -> None:
    first = (START + 3) * 600 + 17
    log = [heard(key(), START + 3, at=at) for at in (first + seconds, first)]
    assert len(intervals(log, key())) == count


def test_replay_is_judged_by_when_it_was_first_heard_even_too_early() -> None:
    interval = START + 50
    early = heard(key(), interval, at=(interval - 13) * 600)
    assert intervals([early, heard(key(), interval)], key()) == []


def test_a_suspect_clock_neither_matches_nor_says_what_was_first() -> None:
    first = heard(key(), START, at=START * 600 - 6000, suspect=True)
    assert intervals([first], key()) == []
    assert intervals([first, heard(key(), START)], key()) == [START]


def test_the_last_intervals_of_the_protocol() -> None:
    last = key(start=2**32 - 144)
    assert intervals([heard(last, 2**32 - 1)], last) == [2**32 - 1]
    first = key(start=0)
    assert intervals([heard(first, 0)], first) == [0]


def test_nothing_matches_nothing() -> None:
    assert match_keys([], []) == match_keys([], [key()]) == match_keys([heard(key(), 9)], []) == []


def test_an_index_counts_what_it_leaves_out() -> None:
    index = SightingIndex([heard(key(), START), heard(key(), START + 9, suspect=True)])
    assert (index.count, index.suspect_count) == (2, 1)
    assert index.last_seen_at == START * 600 + 300
    assert SightingIndex([]).last_seen_at is None
    assert match_keys(index, [key()]) == match_keys(index, [key(), key()])


def test_the_order_of_the_log_is_kept_within_a_second() -> None:
    log = [heard(key(), START, at=START * 600, rssi=rssi) for rssi in (-50, -70, -60)]
    (match,) = match_keys(log, [key()])
    assert [sighting.rssi_dbm for sighting in match.sightings] == [(-50,), (-70,), (-60,)]
    assert list(match.sightings) == log


def test_repr_shows_no_key_and_no_time() -> None:
    sighting = heard(key(), START)
    (match,) = match_keys([sighting], [key()])
    assert repr(key().key_data) not in repr(match)
    assert repr(sighting.rpi) not in repr(match)
    assert str(sighting.seen_at) not in repr(match)


T = ReportType


@pytest.mark.parametrize(
    ("types", "stands"),
    [
        ([T.SELF_REPORT, T.CONFIRMED_TEST], T.CONFIRMED_TEST),
        ([T.SELF_REPORT, T.CONFIRMED_CLINICAL_DIAGNOSIS, T.CONFIRMED_TEST],
         T.CONFIRMED_CLINICAL_DIAGNOSIS),
        ([T.CONFIRMED_TEST, T.REVOKED], T.CONFIRMED_TEST),
        ([T.CONFIRMED_CLINICAL_DIAGNOSIS, T.REVOKED], None),
        ([T.CONFIRMED_CLINICAL_DIAGNOSIS, T.REVOKED, T.CONFIRMED_TEST], None),
        ([T.UNKNOWN, T.REVOKED], None),
        ([T.REVOKED, T.CONFIRMED_TEST], None),
        ([T.RECURSIVE, T.CONFIRMED_TEST], None),
        ([T.UNKNOWN, T.SELF_REPORT, T.CONFIRMED_TEST], T.CONFIRMED_TEST),
        ([T.CONFIRMED_TEST, T.CONFIRMED_TEST], T.CONFIRMED_TEST),
    ],
)  # fmt: skip
def test_a_key_is_revised_once_at_most(types: list[ReportType], stands: ReportType | None) -> None:
    log = [heard(key(), START)]
    published = [key(report_type=report_type) for report_type in types]
    assert bool(intervals(log, *published)) is (stands is not None)
    assert [match.key.report_type for match in match_keys(log, published)] == (
        [] if stands is None else [stands]
    )


def test_a_revision_of_other_intervals_is_none() -> None:
    clinical = ReportType.CONFIRMED_CLINICAL_DIAGNOSIS
    log = [heard(key(), START)]
    published = [key(report_type=clinical), key(period=9, report_type=ReportType.REVOKED)]
    (match,) = match_keys(log, published)
    assert (match.key, match.key_index) == (published[0], 0)


@pytest.mark.parametrize(("stated", "stands"), [(None, 3), (1, 1)])
def test_a_revision_without_an_onset_keeps_it(stated: int | None, stands: int) -> None:
    first = key(report_type=ReportType.SELF_REPORT, onset=3)
    (match,) = match_keys([heard(first, START)], [first, key(onset=stated)])
    assert match.key.days_since_onset_of_symptoms == stands
    assert match.key_index == 1
