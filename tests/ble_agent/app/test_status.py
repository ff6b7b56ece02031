"""What the owner is told: each check by itself, also where the disk cannot be written."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.persistence import note_radio
from ble_agent.app.status import status
from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join
from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.store.database import open_store
from ble_agent.store.home import exclusive_use
from ble_agent.store.state import LAST_CHECK
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.fixtures import old_homes
from tracing_core.clock import Clock, ManualClock
from tracing_core.errors import RadioFault, StoreFull
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine

NOW = 1_800_000_000.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def server(clock: ManualClock) -> Iterator[FakeServer]:
    with fake_server(clock=clock) as fake:
        yield fake


def work(home: Path, server: FakeServer, clock: ManualClock) -> None:
    """Leave what an agent that works leaves."""
    with open_store(home) as db, ServerClient(server.url, clock) as client:
        join(db, client, JoinLine.parse(server.line), NOW)
        note_radio(db, "hci:usb:0", None)
        log = EncounterLog(db, clock)
        scan = log.begin()
        scan.hear(Advertisement(bytes(16), bytes(4)), -60, clock.now())
        log.commit(scan)
        with transaction(db):
            LAST_CHECK.set(db, {"at": int(NOW), "level": "none", "days": 0})


def checks(
    home: Path, clock: Clock, lang: str = "en", **limits: int
) -> tuple[dict[str, bool], str]:
    outcome = status(AgentConfig(home, lang), clock, **limits)
    found: dict[str, Any] = {check["name"]: check["ok"] for check in outcome.facts["checks"]}
    assert outcome.facts["ok"] == all(found.values())
    return found, outcome.text


def test_everything_works(tmp_path: Path, server: FakeServer, clock: ManualClock) -> None:
    work(tmp_path, server, clock)
    with exclusive_use(tmp_path):
        found, text = checks(tmp_path, clock)
    names = ["joined", "running", "radio", "scan", "check", "disk", "clock"]
    assert found == dict.fromkeys(names, True)
    assert text.count("✔") == 7
    assert "✘" not in text


def test_each_thing_that_fails_is_told_by_itself(
    tmp_path: Path, server: FakeServer, clock: ManualClock
) -> None:
    work(tmp_path, server, clock)
    found, text = checks(tmp_path, clock)
    assert [name for name, ok in found.items() if not ok] == ["running"]
    assert "truyvet agent run" in text
    with open_store(tmp_path) as db:
        note_radio(db, "hci:usb:0", RadioFault.CONNECTION_LOST)
    found, text = checks(tmp_path, clock, "vi")
    assert found["radio"] is False
    assert "hãy cắm lại" in text
    clock.advance(3600)
    assert checks(tmp_path, clock)[0]["scan"] is False
    assert checks(tmp_path, clock)[0]["check"] is True
    clock.advance(9 * 3600)
    assert checks(tmp_path, clock)[0]["check"] is False
    clock.jump(NOW - 7200)
    found, text = checks(tmp_path, clock)
    assert found["clock"] is False
    assert "set the clock" in text
    clock.jump(1000.0)
    assert "never set" in checks(tmp_path, clock)[1]


@pytest.mark.parametrize(
    ("minutes", "english", "vietnamese"),
    [
        (119, "Last scan: 119 minutes ago", "119 phút trước"),
        (2_879, "Last scan: 47 hours ago", "47 giờ trước"),
        (2_893, "Last scan: 2 days ago", "2 ngày trước"),
    ],
)
def test_what_was_long_ago_is_told_in_hours_and_days(
    tmp_path: Path,
    server: FakeServer,
    clock: ManualClock,
    minutes: int,
    english: str,
    vietnamese: str,
) -> None:
    work(tmp_path, server, clock)
    clock.advance(60.0 * minutes)
    assert english in checks(tmp_path, clock)[1]
    assert f"Lần thu tín hiệu gần nhất: {vietnamese}" in checks(tmp_path, clock, "vi")[1]


def hear(home: Path, clock: ManualClock, *strengths: int, undelivered: int = 0) -> None:
    with open_store(home) as db:
        log = EncounterLog(db, clock)
        scan = log.begin()
        for rssi_dbm in strengths:
            scan.hear(Advertisement(bytes(16), bytes(4)), rssi_dbm, clock.now())
        scan.note_unmeasured(undelivered)
        log.commit(scan)


def test_an_adapter_that_reports_no_strength_earns_no_tick(
    tmp_path: Path, server: FakeServer, clock: ManualClock
) -> None:
    # Issue 9, F6: 127 and 0 are what adapters and hosts report for "unknown" (hbldh/bleak#181).
    work(tmp_path, server, clock)
    hear(tmp_path, clock, -60, -60, 0)
    found, text = checks(tmp_path, clock)
    assert "strength" not in found
    assert "Without a signal strength: 1 of 4 signals on 15 January 2027 (UTC)." in text
    hear(tmp_path, clock, undelivered=2)
    found, text = checks(tmp_path, clock)
    assert found["strength"] is False
    assert "no signal strength for 3 of 6 signals" in text
    assert "không báo cường độ cho 3 trong số 6 tín hiệu" in checks(tmp_path, clock, "vi")[1]
    assert status(AgentConfig(tmp_path, "en"), clock).facts["unmeasured_signals"] == 3
    clock.advance(86_400)
    hear(tmp_path, clock)
    assert checks(tmp_path, clock)[0]["strength"] is False
    hear(tmp_path, clock, -60)
    assert "signal strength" not in checks(tmp_path, clock)[1]


def test_a_full_disk_is_told(tmp_path: Path, server: FakeServer, clock: ManualClock) -> None:
    work(tmp_path, server, clock)
    found, text = checks(tmp_path, clock, least_free_bytes=1 << 62)
    assert found["disk"] is False
    assert "make room" in text


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small, which can be made read-only or full."""
    folder = tmp_path / "card"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "card", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_card_that_became_read_only_is_told_and_read(
    card: Path, server: FakeServer, clock: ManualClock
) -> None:
    work(card, server, clock)
    subprocess.run(["mount", "-o", "remount,ro", str(card)], check=True)
    found, text = checks(card, clock)
    assert found["disk"] is False
    assert found["joined"] is True
    assert "cannot be written" in text
    assert "  15 January 2027: 1" in text.partition("Identifiers heard (not people")[2]


def test_a_home_of_an_older_version_is_read_on_a_card_that_became_read_only(card: Path) -> None:
    home = old_homes.unpack("sqlite/agent", card)
    facts = json.loads((old_homes.FOLDER / "sqlite" / "facts.json").read_text())
    subprocess.run(["mount", "-o", "remount,ro", str(card)], check=True)
    outcome = status(AgentConfig(home, "en"), ManualClock(old_homes.NOW))
    expected = facts["status"]["agent"]
    for name in ("identifiers_by_day", "joined", "region", "keys"):
        assert outcome.facts[name] == expected[name]


def test_a_log_outlives_a_full_card_and_writes_again(
    card: Path, server: FakeServer, clock: ManualClock
) -> None:
    work(card, server, clock)
    filler = card / "filler"
    with open_store(card) as db:
        log = EncounterLog(db, clock)
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while file.write(bytes(4096)):
                file.flush()
        failed = 0
        for number in range(1, 40):
            clock.advance(300)
            scan = log.begin()
            for part in range(100):
                heard = Advertisement(bytes([number, part]) + bytes(14), bytes(4))
                scan.hear(heard, -60, clock.now())
            try:
                log.commit(scan)
            except StoreFull:
                failed += 1
        assert failed > 30
        found, text = checks(card, clock)
        assert found["disk"] is False
        assert "stays" in text
        filler.unlink()
        clock.advance(300)
        log.commit(log.begin())
        (rows,) = db.conn.execute("SELECT count(*) FROM sighting").fetchone()
    assert rows == 1 + 39 * 100


@pytest.mark.parametrize("fault", RadioFault)
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_what_to_do_about_a_radio_is_said_in_both_languages(
    tmp_path: Path, fault: RadioFault, lang: str
) -> None:
    with open_store(tmp_path) as db:
        note_radio(db, "mgmt", fault)
    _, text = checks(tmp_path, Clock(), lang)
    assert say(f"error_{fault.name.lower()}", lang) in text
