"""What Bluezone recorded against the authority's list: compared once, and never silently not."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ble_agent.authority.ledger_notes import AREAS, BLUEZONE, CHECK
from ble_agent.authority.membership import load_membership
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import CheckResult
from ble_agent.exposures.notifier import unseen_days
from ble_agent.exposures.others import LEAST_MINUTES
from ble_agent.exposures.seen import has_unseen, note_seen
from ble_agent.store.database import delete_old, forget_key_files
from ble_agent.store.state import BLUEZONE_LIST, CHECK_FAULT, LEDGER
from tests.ble_agent.exposures.test_exposure_check import DAY, NOW, checked, met, stranger
from tests.ble_agent.fake_server import Answer, FakeServer, new_key
from tests.bluezone import list_of, record_of, slots_of
from tracing_core.errors import ServerRefused, TracingError
from tracing_core.export_file import Signer
from tracing_core.export_file.bluezone_file import check_records, sign_list, write_list
from tracing_core.protocol.bluezone import BluezoneKey
from tracing_core.store.database import Database
from tracing_core.store.other_sighting import OtherSighting, insert_other_sightings
from tracing_core.store.sqlite import transaction

TODAY = int(NOW) // DAY * DAY
KEY = BluezoneKey(bytes(range(32)), TODAY - 3 * DAY, TODAY - 1)
OTHER = BluezoneKey(bytes([9]) * 32, TODAY - 3 * DAY, TODAY - 1)
JSON_PATH = "/exports/VN/bluezone.json"
SIG_PATH = "/exports/VN/bluezone.json.sig"


@dataclass
class Listed:
    """The list that a server in this process serves, and how often it sent it whole."""

    server: FakeServer
    data: bytes = b""
    signatures: bytes = b""
    sequence: int = 0
    sent: int = 0
    answers: dict[str, Callable[[], Answer]] = field(default_factory=dict)

    def publish(
        self,
        *keys: BluezoneKey,
        sequence: int | None = None,
        promised: int | None = None,
        region: str = "VN",
        signers: list[ec.EllipticCurvePrivateKey] | None = None,
    ) -> None:
        self.sequence = self.sequence + 1 if sequence is None else sequence
        data = write_list(region, self.sequence, check_records(list_of(keys)))
        self.serve(data, signers)
        self.promise(self.sequence if promised is None else promised)

    def serve(self, data: bytes, signers: list[ec.EllipticCurvePrivateKey] | None = None) -> None:
        keys = [self.server.export_key] if signers is None else signers
        self.data = data
        self.signatures = sign_list(data, [Signer(key, "452", "v1") for key in keys])
        self.server.special[JSON_PATH] = self._list
        self.server.special[SIG_PATH] = lambda: (200, {}, self.signatures)

    def promise(self, sequence: int | None) -> None:
        self.server.configure(load_sequence(self.server) + 1, bluezone_list=sequence)

    def withhold(self) -> None:
        self.server.special.pop(JSON_PATH)
        self.server.special.pop(SIG_PATH)

    def _list(self) -> Answer:
        tag = f'"{hashlib.sha256(self.data).hexdigest()}"'
        if self.server.headers[-1].get("If-None-Match") == tag:
            return 304, {}, b""
        self.sent += 1
        return 200, {"ETag": tag}, self.data


def load_sequence(server: FakeServer) -> int:
    payload = server.config.split(".")[1]
    sequence = json.loads(base64.urlsafe_b64decode(payload + "=="))["sequence"]
    assert isinstance(sequence, int)
    return sequence


@pytest.fixture
def listed(server: FakeServer) -> Listed:
    return Listed(server)


def hear(db: Database, key: BluezoneKey, minutes: int, *, day: int = 1) -> None:
    """Import recordings of a key's phone, a packet per minute, on a day counted from its first."""
    slot = slots_of(key)[96 * day + 20]
    later = slots_of(key)[96 * day + 21]
    sightings = []
    for n in range(minutes):
        identifier = (slot if n < 15 else later).identifier
        at = slot.first + 60 * n
        sightings.append(OtherSighting("bluezone", identifier, -70, None, at, at - 60))
    with transaction(db):
        insert_other_sightings(db, sightings, None)
        forget_key_files(db)


def code_of(error: TracingError | None) -> str | None:
    return error.code if isinstance(error, ServerRefused) else error and type(error).__name__


def text_of(db: Database, result: CheckResult, language: str = "en") -> str:
    return owner_text(result, load_membership(db), language)


def test_minutes_are_counted_by_day_and_strength_is_unknown(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, LEAST_MINUTES)
    listed.publish(OTHER, KEY)
    result = checked(db, server)
    assert (result.days, result.level, result.faults, result.other_fault) == ((), "none", (), None)
    (day,) = result.other.days
    assert (day.minutes, day.counts, day.level) == (LEAST_MINUTES, True, "unknown")
    assert result.to_json("")["recorded"] is True
    (found,) = result.to_json("")["others"]
    assert (found["strength"], found["compared"], found["sightings"]) == ("unknown", True, 15)
    english = text_of(db, result)
    assert "No exposure" not in english
    assert "about 15 minutes by Bluezone, strength unknown" in english
    assert "Stay home and call us." in english
    vietnamese = text_of(db, result, "vi")
    assert "khoảng 15 phút theo Bluezone, không rõ cường độ" in vietnamese
    assert "Ở nhà và gọi cho chúng tôi." in vietnamese


def test_any_packet_a_case_is_not_our_rule(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, LEAST_MINUTES - 1)
    listed.publish(KEY)
    result = checked(db, server)
    assert [(day.minutes, day.counts) for day in result.other.days] == [(14, False)]
    english = text_of(db, result)
    assert "do not count as an exposure" in english
    assert "Stay home" not in english
    assert not has_unseen(db, result.found_days)


def test_people_heard_in_the_same_minutes_count_once(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 10)
    hear(db, OTHER, 10)
    listed.publish(KEY, OTHER)
    assert [day.minutes for day in checked(db, server).other.days] == [10]


def test_it_is_sent_and_compared_once(db: Database, server: FakeServer, listed: Listed) -> None:
    hear(db, KEY, 20)
    listed.publish(KEY)
    first = checked(db, server)
    assert listed.sent == 1
    assert checked(db, server).other == first.other
    assert listed.sent == 1
    # A server or a mirror without ETags sends it again; it is not compared again.
    server.special[JSON_PATH] = lambda: (200, {}, listed.data)
    listed.signatures = b""
    assert checked(db, server).other == first.other


def test_new_recordings_and_new_lists_are_compared(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    listed.publish(KEY)
    assert checked(db, server).other.days == ()
    hear(db, KEY, 20)
    result = checked(db, server)
    assert [day.minutes for day in result.other.days] == [20]
    # A corrected list takes the place of the former one.
    listed.publish(OTHER)
    result = checked(db, server)
    assert result.other.days == ()
    assert "no one on it was recorded" in text_of(db, result)
    assert "chưa ghi nhận ai trong danh sách" in text_of(db, result, "vi")


def test_every_device_asks_alike_and_notes_it(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    listed.publish(KEY)
    server.asked.clear()
    checked(db, server)
    without = [path for _, path, _ in server.asked]
    assert without[-3:] == [JSON_PATH, SIG_PATH, "/v1/areas/VN"]
    hear(db, KEY, 20)
    server.asked.clear()
    checked(db, server)
    assert [path for _, path, _ in server.asked] == without
    kinds = [(each["kind"], each["times"]) for each in LEDGER.get(db) or ()]
    assert kinds == [(CHECK, 2), (BLUEZONE, 2), (AREAS, 2)]


def test_without_a_promise_nothing_is_asked(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    listed.publish(KEY)
    listed.promise(None)
    hear(db, KEY, 20)
    result = checked(db, server)
    assert listed.sent == 0
    assert "Bluezone could not be compared: your health authority publishes no list" in text_of(
        db, result
    )
    assert result.other.to_json()[0]["compared"] is False


def test_a_withdrawn_list_takes_nothing_that_was_found(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 20)
    listed.publish(KEY)
    found = checked(db, server).other.days
    listed.promise(None)
    listed.withhold()
    result = checked(db, server)
    assert (result.other.days, result.failure) == (found, None)


def unsigned(listed: Listed) -> None:
    listed.signatures = b""


def cut(listed: Listed) -> None:
    listed.data = listed.data[:-20]


def signed_by_another(listed: Listed) -> None:
    listed.publish(KEY, signers=[new_key()])


def of_another_region(listed: Listed) -> None:
    listed.publish(KEY, region="LA")


def rolled_back(listed: Listed) -> None:
    listed.publish(KEY, sequence=3, promised=4)


def too_many(listed: Listed) -> None:
    records = [record_of(KEY)] * 10_001
    listed.serve(json.dumps({"region": "VN", "sequence": 9, "data": records}).encode())


def ten_million(listed: Listed) -> None:
    listed.publish(KEY)
    listed.data = b'{"data":[' + b"{}," * 10_000_000 + b"{}]}"


def not_json(listed: Listed) -> None:
    listed.serve(b"[" * 100_000)


def absent(listed: Listed) -> None:
    listed.withhold()


def broken(listed: Listed) -> None:
    listed.server.special[JSON_PATH] = lambda: (500, {}, b"")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (unsigned, "bluezone_signature"),
        (cut, "bluezone_signature"),
        (signed_by_another, "bluezone_signature"),
        (of_another_region, "bluezone_region"),
        (rolled_back, "bluezone_older"),
        (too_many, "bluezone_form"),
        (ten_million, "too_large"),
        (not_json, "bluezone_form"),
        (absent, "bluezone_missing"),
        (broken, "server"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_and_hides_nothing(
    db: Database,
    server: FakeServer,
    listed: Listed,
    spoil: Callable[[Listed], None],
    code: str,
) -> None:
    key = met(db)
    hear(db, KEY, 20)
    server.add_file("1.zip", [stranger(), key])
    listed.publish(KEY)
    spoil(listed)
    for _ in range(2):
        result = checked(db, server)
        assert result.level == "high"
        assert (result.faults, code_of(result.other_fault)) == ((), code)
        assert code_of(result.failure) == code
        assert result.other.days == ()
        english = text_of(db, result)
        assert "risk: high" in english
        assert "does not cover all that you took over from Bluezone" in english
        assert "no one on it was recorded" not in english
    # The key files were checked, whatever became of the list.
    assert CHECK_FAULT.get(db) is None


def test_an_older_list_is_refused_though_the_configuration_would_take_it(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 20)
    listed.publish(KEY, sequence=7, promised=5)
    found = checked(db, server).other.days
    listed.publish(OTHER, sequence=6, promised=5)
    result = checked(db, server)
    assert code_of(result.other_fault) == "bluezone_older"
    assert result.other.days == found


def test_bad_records_are_left_out_and_named(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 20)
    good = record_of(KEY)
    bad: list[dict[str, Any]] = [
        {**good, "max": 0},
        {**good, "max": 289},
        {**good, "time_end": KEY.time_start + 31 * DAY},
        good,
    ]
    listed.publish(OTHER)
    listed.serve(json.dumps({"region": "VN", "sequence": 1, "data": bad}).encode())
    for _ in range(2):
        result = checked(db, server)
        assert [day.minutes for day in result.other.days] == [20]
        assert code_of(result.other_fault) == "bluezone_partly"


def test_a_list_replaced_between_the_two_requests_is_fetched_again(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 20)
    listed.publish(OTHER)
    answer = server.special[JSON_PATH]

    def replace() -> Answer:
        first = answer()
        listed.publish(KEY)
        server.special[JSON_PATH] = listed._list
        return first

    server.special[JSON_PATH] = replace
    assert [day.minutes for day in checked(db, server).other.days] == [20]


def test_any_of_several_export_keys_may_sign_it(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 20)
    listed.publish(KEY, signers=[new_key(), server.export_key, new_key()])
    assert [day.minutes for day in checked(db, server).other.days] == [20]
    # A rotation of the export key: the next trust document names another.
    server.export_key = new_key()
    server.trust(server.config_key, server.config_key)
    listed.publish(KEY)
    assert checked(db, server).failure is None


def test_recordings_that_cannot_be_read_are_named_each_time(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    hear(db, KEY, 20)
    # As damage leaves it; the table itself would refuse it.
    db.execute("PRAGMA ignore_check_constraints = ON")
    with transaction(db):
        db.execute("UPDATE other_sighting SET previous_scan_at = -1 WHERE rowid = 3")
    listed.publish(KEY)
    for _ in range(2):
        result = checked(db, server)
        assert result.other_fault is not None
        assert "1 recording on this device cannot be read (row 3)" in str(result.other_fault)
        assert "does not cover all that you took over" in text_of(db, result)
    assert listed.sent == 1


def test_it_is_notified_of_and_seen_like_any_exposure(
    db: Database, server: FakeServer, listed: Listed
) -> None:
    key = met(db)
    hear(db, KEY, 20)
    listed.publish(KEY)
    result = checked(db, server)
    assert has_unseen(db, result.found_days)
    assert [day.level for day in unseen_days(db, result.found_days)] == ["unknown"]
    note_seen(db, result.found_days)
    assert not has_unseen(db, result.found_days)
    # A key file adds to it: the day has the authority's level, and is new again.
    server.add_file("1.zip", [key])
    result = checked(db, server)
    assert has_unseen(db, result.found_days)
    assert "high" in [day.level for day in unseen_days(db, result.found_days)]


def test_days_leave_after_fourteen_days(db: Database, server: FakeServer, listed: Listed) -> None:
    hear(db, KEY, 20, day=0)
    hear(db, KEY, 5, day=2)
    listed.publish(KEY)
    assert len(checked(db, server).other.days) == 2
    with transaction(db):
        delete_old(db, TODAY + 12 * DAY)
    known = BLUEZONE_LIST.get(db)
    assert known is not None
    assert len(known["days"]) == 1
    with transaction(db):
        delete_old(db, TODAY + 15 * DAY)
    known = BLUEZONE_LIST.get(db)
    assert known is not None
    assert known["days"] == {}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minutes=st.lists(st.integers(0, 30), min_size=3, max_size=3), listed_keys=st.booleans())
def test_the_days_are_those_of_the_definition(
    db: Database, server: FakeServer, minutes: list[int], listed_keys: bool
) -> None:
    listed = Listed(server, sequence=load_sequence(server))
    with transaction(db):
        db.execute("DELETE FROM other_sighting")
    for day, count in enumerate(minutes):
        hear(db, KEY, count, day=day)
    listed.publish(KEY if listed_keys else OTHER)
    found = {day.date.toordinal(): day.minutes for day in checked(db, server).other.days}
    first = 719_163 + KEY.time_start // DAY
    expected = {first + day: count for day, count in enumerate(minutes) if count and listed_keys}
    assert found == expected
