"""Signals that come without a strength are counted, whether the radio delivers them or not."""

from __future__ import annotations

from pathlib import Path

from ble_agent.store.database import open_store
from ble_agent.store.state import SCAN
from tests.ble_agent.air.test_agent_loop import START, EagerClock, ScriptedRadio, play


async def test_identifiers_without_a_strength_are_counted_with_the_others(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(START))

    def hear(what: str) -> None:
        radio.without_rssi += 3 * (what == "scan")

    radio.fail = hear
    await play(radio, tmp_path)
    with open_store(tmp_path) as db:
        signals = (SCAN.get(db) or {})["signals"]
    scans = len(radio.scans)
    assert signals == {"day": int(START) // 86_400, "heard": 4 * scans, "unmeasured": 3 * scans}
