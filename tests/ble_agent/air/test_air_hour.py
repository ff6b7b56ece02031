"""Two real agents on the virtual air for an hour, one of them killed and restarted."""

from __future__ import annotations

import time
from pathlib import Path

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.database import open_store
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.virtual_air.air_trace import (
    change_gaps,
    findings,
    heard,
    identifiers,
    read_trace,
    times_on_air,
)
from tracing_core.protocol.interval import interval_number
from tracing_core.protocol.rolling_proximity_identifier import rpis_of

RATE = 90.0
START = 1_800_000_000.0


def sleep_until(clock_now: float, moment: float) -> None:
    time.sleep(max(0.0, (moment - clock_now) / RATE))


def test_an_hour_with_a_kill_links_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    clock = clock_at(START, rate=RATE)
    with (
        air_process(side_by_side("an", "binh"), tmp_path, clock) as (radios, trace_file),
        AgentProcess(tmp_path / "an", clock) as an,
        AgentProcess(tmp_path / "binh", clock) as binh,
    ):
        an.start(radios["an"])
        binh.start(radios["binh"])
        sleep_until(clock.now(), START + 1800)
        binh.kill()
        killed_at = clock.now()
        sleep_until(clock.now(), killed_at + 60)
        binh.start(radios["binh"])
        sleep_until(clock.now(), START + 4200)
        assert an.stop() == 0
        assert binh.stop() == 0
    trace = read_trace(trace_file)

    assert findings(trace) == []
    # A tenth of a second of this machine's delay is nine of the scaled clock's.
    slack = 10.0
    gaps = change_gaps(trace, "an")
    assert len(gaps) >= 2
    assert all(600 - slack <= gap <= 1200 + slack for gap in gaps), gaps
    assert all(seconds <= 1200 + slack for seconds in times_on_air(trace, "an"))
    sent = [line for line in trace if line["kind"] == "sent" and line["sender"] == "binh"]
    before = {line["data"] for line in sent if line["first"] < killed_at}
    after = {line["data"] for line in sent if line["first"] > killed_at + 30}
    assert before
    assert after
    assert not before & after

    check_intervals(tmp_path / "binh", trace, "binh")
    check_intervals(tmp_path / "an", trace, "an")
    for device, receiver, sender in ((an, "an", "binh"), (binh, "binh", "an")):
        log = device.sightings()
        assert {row.rpi.hex() for row in log} <= set(identifiers(trace, sender))
        in_air = {line["data"] for line in heard(trace, sender=sender, receiver=receiver)}
        assert len({row.rpi for row in log}) >= len(in_air) - 1
        assert all(row.seen_at > START for row in log)


def check_intervals(home: Path, trace: list[dict[str, object]], sender: str) -> None:
    """Every identifier on the air is the key's of the interval it was first sent in."""
    with open_store(home) as db:
        (tek,) = KeyRing(db).keys_to_report(START + 4000)
    interval_of = {
        rpi.hex(): interval
        for interval, rpi in enumerate(rpis_of(tek), tek.rolling_start_interval_number)
    }
    intervals = [interval_of[rpi] for rpi in identifiers(trace, sender)]
    assert intervals == sorted(set(intervals))
    first_sent = {
        str(line["data"])[-40:-8]: float(str(line["first"]))
        for line in reversed(trace)
        if line["kind"] == "sent" and line["sender"] == sender
    }
    for rpi, moment in first_sent.items():
        assert interval_of[rpi] in (interval_number(moment), interval_number(moment - 30))
