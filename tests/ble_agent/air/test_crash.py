"""A real agent killed at fifty random moments while it logs what it hears on the air."""

from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path

from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.virtual_air.air_trace import Line, findings, heard, read_trace

ROUNDS = 50
RATE = 600.0
START = 1_800_000_000.0
# A third of a real second for whatever keeps this machine busy; scans are 210 s apart.
SAME_SCAN_SECONDS = 200


def test_fifty_kills_lose_at_most_the_scan_under_way_and_repeat_nothing(tmp_path: Path) -> None:
    clock = clock_at(START, rate=RATE)
    moments = random.Random(4)
    starts = []
    with (
        air_process(side_by_side("sender", "victim"), tmp_path, clock) as (radios, trace_file),
        AgentProcess(tmp_path / "sender", clock) as sender,
        AgentProcess(tmp_path / "victim", clock) as victim,
    ):
        sender.start(radios["sender"])
        # A busy machine is killed before its first scan now and then; then there are more lives.
        while len(starts) < ROUNDS or (
            len(starts) < 2 * ROUNDS and len(runs_of_victim(trace_file)) <= ROUNDS
        ):
            starts.append(clock.now())
            victim.start(radios["victim"])
            wait_until_running(victim, len(starts))
            time.sleep(moments.uniform(0.0, 0.6))
            victim.kill()
        starts.append(clock.now())
        victim.start(radios["victim"])
        wait_until_running(victim, len(starts))
        time.sleep(1.5)
        assert victim.stop() == 0
        assert sender.stop() == 0
    trace = read_trace(trace_file)

    assert [finding for finding in findings(trace) if "every" not in finding] == []
    logged = {(row.rpi.hex(), row.seen_at, len(row.rssi_dbm)) for row in victim.sightings()}
    runs = runs_of_victim(trace_file)
    assert len(runs) > ROUNDS
    lost_scans = 0
    for began, ended in itertools.pairwise([*starts, clock.now()]):
        lifetime = [run for run in runs if began <= run["first"] < ended]
        missing = [run for run in lifetime if not is_logged(run, logged)]
        if missing:
            lost_scans += 1
            # Only the last scan of a lifetime may be missing.
            assert missing == lifetime[-len(missing) :]
            assert missing[-1]["last"] - missing[0]["first"] < SAME_SCAN_SECONDS
    assert lost_scans < len(starts) - 1
    assert not any(row.clock_suspect for row in victim.sightings())


def runs_of_victim(trace_file: Path) -> list[Line]:
    # While the air lives, its last line may still be being written.
    whole = trace_file.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    return heard(lines, sender="sender", receiver="victim")


def wait_until_running(victim: AgentProcess, count: int) -> None:
    deadline = time.monotonic() + 60
    while victim.log().count("using the radio") < count:
        assert time.monotonic() < deadline, victim.log()
        assert victim.process is not None
        assert victim.process.poll() is None, victim.log()
        time.sleep(0.005)


def is_logged(run: dict[str, object], logged: set[tuple[str, int, int]]) -> bool:
    rpi = str(run["data"])[-40:-8]
    first = float(str(run["first"]))
    # The agent stamps a packet when it arrives, some real milliseconds after it was sent.
    return any(
        rpi == logged_rpi
        and 0 < count <= int(str(run["count"]))
        and -2 <= seen_at - first <= SAME_SCAN_SECONDS
        for logged_rpi, seen_at, count in logged
    )
