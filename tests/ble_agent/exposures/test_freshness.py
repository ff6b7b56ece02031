"""A list of key files that stands still is named (the freeze of TUF's list of attacks)."""

from __future__ import annotations

import pytest

from ble_agent.exposures.freshness import freshness_fault, newest_end
from ble_agent.messages.explanation import explain
from tests.ble_agent.exposures.test_exposure_check import NOW, checked, met, stranger
from tests.ble_agent.fake_server import FakeServer
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerRefused
from tracing_core.store.database import Database

HOUR = 3_600


def code_of(db: Database) -> str | None:
    fault = freshness_fault(db)
    return None if fault is None else fault.code


def clock_of(server: FakeServer) -> ManualClock:
    assert isinstance(server.clock, ManualClock)
    return server.clock


def test_before_the_first_check_nothing_is_stale(db: Database) -> None:
    assert freshness_fault(db) is None
    assert newest_end(db) is None


def test_a_list_that_stands_still_for_a_day_is_named(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    assert checked(db, server).faults == ()
    assert newest_end(db) == NOW
    clock_of(server).advance(24 * HOUR)
    assert checked(db, server).faults == ()
    clock_of(server).advance(1)
    result = checked(db, server)
    assert [(fault.error.code, fault.key_files) for fault in result.faults] == [("keys_stale", 0)]  # type: ignore[attr-defined]
    assert isinstance(result.failure, ServerRefused)
    assert code_of(db) == "keys_stale"
    server.add_file("2.zip", [met(db)])
    result = checked(db, server)
    assert (result.level, result.faults, code_of(db)) == ("high", (), None)


def test_an_empty_list_is_named_a_day_after_the_first_check(
    db: Database, server: FakeServer
) -> None:
    assert checked(db, server).faults == ()
    clock_of(server).advance(24 * HOUR + 1)
    assert isinstance(checked(db, server).failure, ServerRefused)
    assert code_of(db) == "keys_stale"


def test_a_list_of_one_old_file_is_named_at_once(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    clock_of(server).advance(5 * 24 * HOUR)
    checked(db, server)
    assert code_of(db) == "keys_stale"


def test_windows_of_a_day_are_awaited_for_two(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()], hours=24)
    checked(db, server)
    clock_of(server).advance(50 * HOUR)
    checked(db, server)
    assert code_of(db) is None
    clock_of(server).advance(1)
    checked(db, server)
    assert code_of(db) == "keys_stale"


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_line_says_what_to_do(db: Database, server: FakeServer, language: str) -> None:
    server.add_file("1.zip", [stranger()])
    clock_of(server).advance(2 * 24 * HOUR)
    failure = checked(db, server).failure
    assert failure is not None
    text = explain(failure, language)
    assert {"en": "inform the authority", "vi": "báo cho cơ quan y tế"}[language] in text


def test_every_kind_of_fault_is_counted(db: Database, server: FakeServer) -> None:
    server.add_file("3.zip", [met(db)])
    server.files["1.zip"] = server.files["2.zip"] = b"no key file"
    server.special["/exports/VN/3.zip"] = lambda: (404, {}, b"")
    assert sorted(fault.key_files for fault in checked(db, server).faults) == [1, 2]
