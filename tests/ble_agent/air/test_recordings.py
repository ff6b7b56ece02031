"""Real phones, recorded by others: every report they hold is in the log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ble_agent.store.damage import DATABASE_NAME
from matcher import match
from tests.ble_agent.agents import AgentProcess

FOLDER = os.environ.get("TRUYVET_RECORDINGS")
CAPTURES = {
    "exp29-calibration-pixel4-anechoic/23.btsnoop": 440,
    "exp29-calibration-pixel4-anechoic/24.btsnoop": 118,
    "exp29-calibration-pixel4-anechoic/03.btsnoop": 104,
    "exp25-calibration-iphone-to-android-anechoic/02.btsnoop": 197,
    "exp25-calibration-iphone-to-android-anechoic/103.pklg": 16,
    "exp27-calibration-iphone-to-iphone-anechoic/01.pklg": 33,
}


@pytest.mark.skipif(not FOLDER, reason="TRUYVET_RECORDINGS names no folder of recordings")
@pytest.mark.parametrize(("name", "reports"), CAPTURES.items())
def test_the_samples_in_the_log_add_up_to_the_reports(
    tmp_path: Path, name: str, reports: int
) -> None:
    assert FOLDER
    capture = Path(FOLDER) / "bt-captures" / "dp3t-bt-measurements" / name
    with AgentProcess(tmp_path / "home") as agent:
        agent.start(f"replay:{capture}")
        assert agent.process is not None
        assert agent.process.wait(60) == 0, agent.log()
        rows = agent.sightings()
        assert sum(len(row.rssi_dbm) for row in rows) == reports
        assert not any(row.clock_suspect for row in rows)
        result = match(agent.home / DATABASE_NAME, []).to_json()
    assert result["matched_keys"] == 0
