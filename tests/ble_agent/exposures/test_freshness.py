"""A list of key files that stands still is named (the freeze of TUF's list of attacks)."""

from __future__ import annotations

import pytest

from ble_agent.exposures.files.key_files import KeyFile
from ble_agent.exposures.files.used_files import note_used
from ble_agent.exposures.freshness import freshness_fault, note_newest_end
from ble_agent.messages.explanation import explain
from ble_agent.store.state import KEY_FILES
from tests.ble_agent.exposures.test_exposure_check import NOW, checked, met, stranger
from tests.ble_agent.fake_server import FakeServer
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerRefused
from tracing_core.export_file import ExportFile
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

HOUR = 3_600


def code_of(db: Database) -> str | None:
    fault = freshness_fault(db)
    return None if fault is None else fault.code


def clock_of(server: FakeServer) -> ManualClock:
    assert isinstance(server.clock, ManualClock)
    return server.clock


def test_before_the_first_check_nothing_is_stale(db: Database) -> None:
    assert freshness_fault(db) is None
    assert KEY_FILES.get(db) is None


def test_a_list_that_stands_still_for_a_day_is_named(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    assert checked(db, server).faults == ()
    assert (known := KEY_FILES.get(db)) is not None
    assert known["newest_end"] == NOW
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


def googles(db: Database, server: FakeServer, *ends_hours_ago: int) -> None:
    """Check at a server that writes no file for a window without keys."""
    checked(db, server)
    with transaction(db):
        KEY_FILES.set(
            db, {"since": 0, "newest_end": None, "window_seconds": 0, "every_window": False}
        )
        for hours in ends_hours_ago:
            end = int(NOW) - hours * HOUR
            export = ExportFile(end - HOUR, end, "VN", ())
            note_used(
                db, KeyFile(f"{hours}.zip", export, f"{hours:064x}", f"{hours:064x}"), server.clock
            )
            note_newest_end(db, start=end - HOUR, end=end)


@pytest.mark.parametrize(
    ("ends_hours_ago", "word"),
    [
        # Too few files to know how often windows come.
        ([], None),
        (range(100, 300, 40), None),
        # Windows of four hours that stopped a day ago.
        (range(20, 120, 4), None),
        (range(25, 120, 4), "keys_stale"),
        # A quiet region, with gaps of two days.
        (range(100, 600, 48), None),
        (range(200, 700, 48), "keys_stale"),
    ],
)
def test_a_quiet_region_of_googles_server_raises_no_false_alarm(
    db: Database, server: FakeServer, ends_hours_ago: list[int], word: str | None
) -> None:
    googles(db, server, *ends_hours_ago)
    assert code_of(db) == word
