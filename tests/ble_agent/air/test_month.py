"""A month of a device's life in a place where 200 identifiers an hour go by: it stays small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.ble_agent.agents import environment

# Everything an installation for a Pi does not have is hidden, since a library may import numpy
# where it finds it.
MONTH = """
import asyncio, json, sys
sys.modules.update(dict.fromkeys(["numpy", "numba", "pandas", "rich", "fastapi"]))
from collections import Counter, deque
from pathlib import Path
from random import Random

from ble_agent.air.agent import Agent
from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.key_ring import KeyRing
from ble_agent.radio.protocol import Capabilities, Heard
from ble_agent.air.schedule import Schedule
from ble_agent.store.database import open_store
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.clock import ManualClock

DAYS, AN_HOUR, HEARD_FOR, SAMPLES = int(sys.argv[2]), 200, 900.0, 12
START = 20_000 * 86_400.0


class Eager(ManualClock):
    async def sleep(self, seconds):
        await asyncio.sleep(0)
        self.advance(max(0.0, seconds))


class Street:
    name, exhausted, rejected, without_rssi = "street", False, Counter(), 0
    capabilities = Capabilities(True, True, True, True)

    def __init__(self, clock):
        self.clock, self.random = clock, Random(1)
        self.near, self.seen = deque(), 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def rotate(self, advertisement):
        self.clock.advance(0.1)

    async def rest(self, seconds):
        await self.clock.sleep(seconds)

    async def scan(self, seconds, heard):
        now = self.clock.now()
        while self.near and self.near[0][0] < now:
            self.near.popleft()
        while START + self.seen * 3600 / AN_HOUR <= now:
            came = START + self.seen * 3600 / AN_HOUR
            self.near.append((came + HEARD_FOR, Advertisement(self.random.randbytes(16), bytes(4))))
            self.seen += 1
        for _, advertisement in self.near:
            for _ in range(SAMPLES):
                heard(Heard(advertisement, self.random.randrange(-100, -40), now))
        await self.clock.sleep(seconds)
        measure(now)


days = []


def measure(now):
    day = int(now - START) // 86_400
    if day < len(days):
        return
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    size = sum(path.stat().st_size for path in home.iterdir())
    days.append({"day": day, "megabytes": pages * 4096 / 1e6, "disk": size / 1e6})
    if day >= DAYS:
        agent.stop()


home = Path(sys.argv[1])
with open_store(home) as db:
    # Whether a commit reaches the disk is tested elsewhere.
    db.conn.execute("PRAGMA synchronous = OFF")
    clock = Eager(START)
    agent = Agent(
        Street(clock), KeyRing(db), EncounterLog(db, clock), Schedule(Random(1)), Metadata(0)
    )
    asyncio.run(agent.run())
    (rows,) = db.conn.execute("SELECT count(*) FROM sighting").fetchone()
    (keys,) = db.conn.execute("SELECT count(*) FROM own_key").fetchone()
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1e3
print(json.dumps({"days": days, "rows": rows, "keys": keys, "peak_megabytes": peak}))
"""


def test_a_month_leaves_a_small_database_and_a_small_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MONTH, str(tmp_path), "31"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    month = json.loads(done.stdout)
    days = month["days"]
    assert len(days) == 32
    assert month["keys"] in (14, 15, 16)
    # Each of 200 an hour is in three or four scans.
    assert 14 * 24 * 200 * 3 < month["rows"] < 14.1 * 24 * 200 * 4
    assert max(day["disk"] for day in days) < 20, days
    settled = [day["disk"] for day in days if day["day"] >= 16]
    assert max(settled) < 1.1 * min(settled), settled
    assert month["peak_megabytes"] < 80, month
    memory = [day["megabytes"] for day in days if day["day"] >= 16]
    # A day measured while the file is compacted holds a copy of it for a moment; what leaks stays.
    assert max(memory) < min(memory) + 25, memory
    # What the allocator gives back comes and goes, over 62 days too; what leaks raises the highest.
    assert max(memory[-5:]) < max(memory[:5]) + 1, memory
