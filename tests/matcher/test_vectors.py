"""The sightings of a real phone, found and measured as its own tool did."""

from __future__ import annotations

from matcher import match_keys
from matcher.risk.attenuation import measured_sightings
from tests.tracing_core.vectors import load
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import interval_start
from tracing_core.store.sighting import Sighting


def test_real_phone() -> None:
    vector = load("real_phone_match.json")
    log = [
        Sighting(
            bytes.fromhex(row["rpi"]),
            bytes.fromhex(row["aem"]),
            (row["rssi_dbm"],),
            interval_start(row["interval"]),
        )
        for row in vector["sightings"]
    ]
    key = DiagnosisKey(
        bytes.fromhex(vector["tek"]),
        vector["rolling_start_interval_number"],
        vector["rolling_period"],
    )
    (match,) = match_keys(log, [key])
    assert list(match.sightings) == log
    assert list(match.intervals) == [row["interval"] for row in vector["sightings"]]
    assert [measured.attenuations_db for measured in measured_sightings(match)] == [
        (row["attenuation_db"],) for row in vector["sightings"]
    ]
