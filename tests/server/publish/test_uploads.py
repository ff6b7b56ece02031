from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from server.context import Server
from server.export.store import begin_window
from server.export.windows import Window
from server.publish.upload import take_upload
from server.store.diagnosis_keys import NewKey, StoredKey, find_keys, insert_keys
from server.verification.certificate import Claims
from tests.server.homes import NOW, TODAY, days_of_keys, key, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.errors import PublishRejected, StoreError
from tracing_core.http.publish_request import LeftOut, PublishedKey, PublishResponse
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, is_allowed_transition

CONFIRMED, LIKELY, SELF, NEGATIVE = (ReportType(number) for number in (1, 2, 3, 5))
HOUR = int(NOW // 3600 * 3600)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = open_server(tmp_path / "home")
    yield server
    server.close()


def publish(
    server: Server,
    report_type: ReportType,
    *keys: PublishedKey,
    token: str = "",
    by_operator: bool = False,
) -> PublishResponse:
    request = upload_of(*keys, revision_token=token)
    return take_upload(server, "VN", request, Claims(report_type), by_operator=by_operator)


def stored(server: Server, key: PublishedKey) -> StoredKey | None:
    with server.database.read() as conn:
        return find_keys(conn, [key.key_data]).get(key.key_data)


def code_of(server: Server, *args: object, **kwargs: object) -> str:
    with pytest.raises(PublishRejected) as caught:
        publish(server, *args, **kwargs)  # type: ignore[arg-type]
    assert caught.value.status == 400
    return caught.value.code


def test_keys_are_stored_with_what_devices_need(server: Server) -> None:
    keys = [*days_of_keys(3), key(TODAY)]
    response = publish(server, CONFIRMED, *keys)
    assert response.inserted_exposures == 4
    assert response.code == response.error == ""
    found = stored(server, keys[0])
    assert found is not None
    assert found.key == DiagnosisKey(
        keys[0].key_data,
        TODAY - 432,
        report_type=CONFIRMED,
        days_since_onset_of_symptoms=1,
        transmission_risk_level=2,
    )
    assert (found.created_at, found.revised_at, found.is_padding) == (HOUR, None, False)
    assert stored(server, keys[3]).created_at == (TODAY + 144) * 600 + 3600  # type: ignore[union-attr]


def test_dropped_keys_make_a_partial_failure(server: Server) -> None:
    response = publish(server, CONFIRMED, key(), key(period=0))
    assert response.code == "partial_failure"
    assert response.inserted_exposures == 1
    assert response.error.startswith("key 1 cannot be accepted")


def test_an_answer_says_what_was_taken_and_why_the_rest_was_not(server: Server) -> None:
    """exposure-notifications-verification-server PR 925: every key is far from the onset."""
    keys = days_of_keys(3)
    far = upload_of(*keys, symptom_onset_interval=TODAY - 144 * 28)
    response = take_upload(server, "VN", far, Claims(CONFIRMED))
    assert (response.accepted_exposures, response.inserted_exposures) == (0, 0)
    assert response.left_out == (LeftOut("far_from_onset", 3),)
    assert len(response.warnings) == 3

    mixed = [*keys, key(TODAY - 144 * 20), key(TODAY + 144), key(period=0), key(TODAY)]
    response = publish(server, CONFIRMED, *mixed)
    assert (response.accepted_exposures, response.inserted_exposures) == (4, 4)
    assert response.left_out == tuple(LeftOut(name, 1) for name in ("future", "invalid", "too_old"))
    # exposure-notifications-server#905: "already there" is not "none taken".
    again = publish(server, CONFIRMED, *keys)
    assert (again.accepted_exposures, again.inserted_exposures, again.left_out) == (3, 0, ())


def test_a_revision_counts_the_keys_that_the_server_has(server: Server) -> None:
    one, unknown = key(), key(TODAY - 288)
    token = publish(server, LIKELY, one).revision_token
    assert publish(server, NEGATIVE, one, unknown, token=token).accepted_exposures == 1
    assert publish(server, NEGATIVE, unknown).accepted_exposures == 0


def test_a_true_duplicate_is_dropped_silently(server: Server) -> None:
    """peers-live.md, B12: Google's Go client takes any `error` for a failure."""
    one = key()
    response = publish(server, CONFIRMED, one, one, key(TODAY - 288))
    assert (response.error, response.code, response.left_out) == ("", "", ())
    assert response.accepted_exposures == 2
    other = replace(one, rolling_period=100)
    response = publish(server, CONFIRMED, one, other)
    assert response.code == "partial_failure"
    assert "another start or period" in response.error


def test_one_key_that_overlaps_does_not_take_the_others_with_it(server: Server) -> None:
    """exposure-notifications-server#705, where all were refused."""
    keys = [key(TODAY - 144 * ago) for ago in range(10)]
    odd = key(TODAY - 100)
    response = publish(server, CONFIRMED, *keys[:4], odd, *keys[4:])
    assert (response.accepted_exposures, response.code) == (10, "partial_failure")
    assert response.error == "key 4 cannot be accepted: it overlaps a key with another start"
    assert response.left_out == (LeftOut("overlap", 1),)
    assert stored(server, odd) is None
    assert all(stored(server, each) for each in keys)


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        # Of two, the one that covers more; of equals, the earlier.
        ([(-144, 144), (-10, 10)], [0]),
        ([(-20, 20), (-144, 144)], [1]),
        ([(-200, 144), (-150, 144)], [0]),
        # Two of one start outweigh one; a long one gives way to the many that it covers.
        ([(-144, 144), (-60, 10), (-60, 20)], [1, 2]),
        ([(-500, 144), (-430, 40), (-380, 10)], [1, 2]),
        ([(-300, 100), (-201, 10), (-191, 10)], [0, 2]),
    ],
)
def test_as_few_keys_as_possible_are_dropped(
    server: Server, spans: list[tuple[int, int]], kept: list[int]
) -> None:
    keys = [key(TODAY + start, period) for start, period in spans]
    publish(server, CONFIRMED, *keys)
    assert [at for at, each in enumerate(keys) if stored(server, each)] == kept


def test_keys_are_counted_by_the_rule_that_took_them_away(server: Server) -> None:
    registry = server.counters.registry

    def counted() -> list[float]:
        rules = (
            "keys_are_of_the_protocol",
            "keys_are_near_the_onset",
            "not_too_many_keys_begin_together",
        )
        return [
            registry.get_sample_value("truyvet_keys_rejected_total", {"rule": rule}) or 0
            for rule in rules
        ]

    before = counted()
    far = upload_of(key(), key(period=0), key(TODAY), symptom_onset_interval=TODAY - 144 * 15)
    take_upload(server, "VN", far, Claims(CONFIRMED))
    code_of(server, CONFIRMED, *(key(period=length) for length in range(1, 5)))
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 4]


def test_the_same_upload_twice_changes_nothing(server: Server) -> None:
    keys = days_of_keys(5)
    publish(server, CONFIRMED, *keys)
    before = [stored(server, each) for each in keys]
    again = publish(server, CONFIRMED, *keys)
    assert (again.inserted_exposures, again.code) == (0, "")
    assert [stored(server, each) for each in keys] == before


def test_repeating_what_others_published_gives_no_right_to_revise_it(server: Server) -> None:
    one = key()
    publish(server, LIKELY, one)
    with server.database.begin() as conn:
        begin_window(conn, "VN", Window(HOUR, HOUR + 3600))
    # From now on others may know the key.
    token = publish(server, LIKELY, one).revision_token
    assert code_of(server, NEGATIVE, one, token=token) == "invalid_revision_token"


@pytest.mark.parametrize("kind", [CONFIRMED, NEGATIVE])
def test_an_answer_that_was_lost_leaves_a_right_to_revise(server: Server, kind: ReportType) -> None:
    """A server was killed after the commit; the retry's token held no keys."""
    keys = [*days_of_keys(3), key(TODAY)]
    publish(server, LIKELY, *keys[:2])
    again = publish(server, LIKELY, *keys)
    assert (again.inserted_exposures, again.accepted_exposures) == (2, 4)
    revised = publish(server, kind, *keys, token=again.revision_token)
    assert revised.accepted_exposures == 4
    assert all(stored(server, each).revised_report_type is kind for each in keys)  # type: ignore[union-attr]


def test_padding_is_no_key_that_a_device_sent_before(server: Server) -> None:
    made = DiagnosisKey(bytes(16), TODAY - 144, report_type=LIKELY)
    with server.database.begin() as conn:
        insert_keys(conn, "VN", [NewKey(made, HOUR, is_padding=True)])
        begin_window(conn, "VN", Window(HOUR, HOUR + 3600))
    token = publish(server, LIKELY, key(data=bytes(16))).revision_token
    assert code_of(server, NEGATIVE, key(data=bytes(16)), token=token) == "invalid_revision_token"


@pytest.mark.parametrize(("old", "new"), list(product([CONFIRMED, LIKELY, SELF], [1, 2, 3, 5])))
def test_report_types_change_as_the_table_says(server: Server, old: ReportType, new: int) -> None:
    one = key()
    token = publish(server, old, one).revision_token
    if new == old:
        assert publish(server, ReportType(new), one, token=token).code == ""
        assert stored(server, one).revised_at is None  # type: ignore[union-attr]
    elif is_allowed_transition(old, ReportType(new)):
        assert publish(server, ReportType(new), one, token=token).inserted_exposures == 0
        found = stored(server, one)
        assert found is not None
        assert (found.key.report_type, found.revised_report_type) == (old, ReportType(new))
        assert found.revised_at == HOUR
    else:
        code = code_of(server, ReportType(new), one, token=token)
        assert code == "invalid_report_type_transition"


def test_a_key_is_revised_only_once(server: Server) -> None:
    one = key()
    token = publish(server, LIKELY, one).revision_token
    token = publish(server, CONFIRMED, one, token=token).revision_token
    assert code_of(server, NEGATIVE, one, token=token) == "key_already_revised"
    assert publish(server, CONFIRMED, one, token=token).code == ""


def test_revising_needs_the_token(server: Server) -> None:
    one, other = key(), key()
    publish(server, LIKELY, one)
    others = publish(server, LIKELY, other).revision_token
    assert code_of(server, CONFIRMED, one) == "missing_revision_token"
    assert code_of(server, CONFIRMED, one, token=others) == "invalid_revision_token"
    assert code_of(server, CONFIRMED, one, token="AAAA") == "invalid_revision_token"
    assert publish(server, CONFIRMED, key(), token="AAAA").inserted_exposures == 1


def test_an_operator_revises_without_a_token(server: Server) -> None:
    one = key()
    publish(server, LIKELY, one)
    publish(server, CONFIRMED, one, by_operator=True)
    assert stored(server, one).revised_report_type is CONFIRMED  # type: ignore[union-attr]


def test_tokens_add_up_over_uploads(server: Server) -> None:
    first, second = key(), key(TODAY - 288)
    token = publish(server, LIKELY, first).revision_token
    token = publish(server, LIKELY, second, token=token).revision_token
    publish(server, NEGATIVE, first, second, token=token)
    assert stored(server, first).revised_report_type is NEGATIVE  # type: ignore[union-attr]


def test_a_negative_test_is_no_news(server: Server) -> None:
    one = key()
    assert publish(server, NEGATIVE, one).inserted_exposures == 0
    assert stored(server, one) is None


def test_a_key_keeps_its_start_and_period(server: Server) -> None:
    one = key()
    publish(server, CONFIRMED, one)
    assert code_of(server, CONFIRMED, replace(one, rolling_period=143)) == "bad_request"


def test_a_refused_upload_leaves_nothing(server: Server) -> None:
    old, new = key(), key(TODAY - 288)
    publish(server, LIKELY, old)
    assert code_of(server, CONFIRMED, new, old) == "missing_revision_token"
    assert stored(server, new) is None


def test_a_report_of_a_weaker_kind_refuses_new_keys_too_as_googles_server_does(
    server: Server,
) -> None:
    old, new = key(), key(TODAY - 288)
    token = publish(server, CONFIRMED, old).revision_token
    for report_type in (LIKELY, NEGATIVE):
        code = code_of(server, report_type, new, old, token=token)
        assert code == "invalid_report_type_transition"
        assert stored(server, new) is None
    found = stored(server, old)
    assert found is not None
    assert (found.key.report_type, found.revised_at) == (CONFIRMED, None)
    assert publish(server, LIKELY, new, token=token).inserted_exposures == 1


def test_a_key_held_back_does_not_leave_early_by_being_revised(server: Server) -> None:
    one = key(TODAY)
    token = publish(server, LIKELY, one).revision_token
    publish(server, CONFIRMED, one, token=token)
    found = stored(server, one)
    assert found is not None
    assert found.revised_at == found.created_at == (TODAY + 144) * 600 + 3600


@pytest.mark.parametrize("days_until_revised", [None, -1, 1])
def test_padding_is_answered_as_real_keys_are(
    server: Server, days_until_revised: int | None
) -> None:
    real, invented = key(), key()
    token = publish(server, LIKELY, real).revision_token
    invented_key = DiagnosisKey(invented.key_data, TODAY - 144, report_type=LIKELY)
    padding = NewKey(invented_key, HOUR, is_padding=True)
    if days_until_revised is not None:
        revised = replace(padding.key, report_type=CONFIRMED)
        moment = HOUR + 86_400 * days_until_revised
        padding = replace(padding, revised=revised, revised_at=moment)
    with server.database.begin() as conn:
        insert_keys(conn, "VN", [padding])
    if days_until_revised == -1:
        publish(server, CONFIRMED, real, token=token)

    def outcome(report_type: ReportType, key: PublishedKey, token: str) -> object:
        try:
            return publish(server, report_type, key, token=token).inserted_exposures
        except PublishRejected as error:
            return error.code

    for report_type, other in product([CONFIRMED, LIKELY, SELF, NEGATIVE], ["", "AAAA"]):
        assert outcome(report_type, real, other) == outcome(report_type, invented, other)


def test_a_clock_set_back_opens_no_window_that_has_left(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    server = open_server(tmp_path / "home", clock)
    with server.database.begin() as conn:
        begin_window(conn, "VN", Window(HOUR - 3600, HOUR))
    clock.jump(NOW - 7200)
    one = key(TODAY - 288)
    publish(server, CONFIRMED, one)
    assert stored(server, one).created_at == HOUR  # type: ignore[union-attr]
    server.close()


def test_keys_that_would_wait_for_years_are_not_said_to_be_taken(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    server = open_server(tmp_path / "home", clock)
    with server.database.begin() as conn:
        begin_window(conn, "VN", Window(HOUR - 3600, HOUR))
    clock.jump(HOUR - 86_401)
    one = key(TODAY - 144 * 3)
    with pytest.raises(StoreError, match="set the clock right") as caught:
        publish(server, CONFIRMED, one)
    assert "\n" not in str(caught.value)
    assert stored(server, one) is None
    clock.jump(HOUR - 86_400)
    publish(server, CONFIRMED, one)
    assert stored(server, one).created_at == HOUR  # type: ignore[union-attr]
    server.close()


def test_a_failing_database_is_said_and_nothing_is_stored(server: Server) -> None:
    with server.database.begin() as conn:
        conn.exec_driver_sql("PRAGMA query_only=ON")
    try:
        with pytest.raises(StoreError):
            publish(server, CONFIRMED, key())
    finally:
        with server.database.read() as conn:
            conn.exec_driver_sql("PRAGMA query_only=OFF")
