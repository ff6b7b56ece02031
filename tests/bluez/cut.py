"""Cuts the power of a virtual machine while an agent writes, ten times over; looks what is left.

``python3 -m tests.bluez.cut FOLDER MODE`` boots the machine that `build.sh` made, with the disk of
`tests.bluez.disk` that holds the agent's home. On this side of it are a virtual air with people in
it, whose keys are published, and a real server. At a random moment QEMU is killed in the middle of
a write; the next boot is from the same disk. MODE is ``cut``, or ``cut-unsafe``: then the agent
does not wait for the disk, and the check must fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ble_agent.radio.opening import open_radio
from ble_agent.virtual_air.air import Air
from ble_agent.virtual_air.scenario import AirMode, Place, Scenario, Waypoint
from tests.ble_agent.agents import AgentProcess
from tests.ble_agent.virtual_air.air_trace import read_trace
from tests.bluez.disk import Disk
from tests.bluez.judge import AGENT, Life, Verdict, judge
from tests.server.running import RunningServer, answer
from tracing_core.clock import ScaledClock
from tracing_core.errors import TracingError
from tracing_core.http.publish_request import PublishedKey, PublishRequest
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.interval import ENIntervalNumber, interval_number, interval_start
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_aemk

ROUNDS = 10
UNSAFE_ROUNDS = 2
RATE = 60.0
# Half an hour before midnight: the day's key changes on the way.
START = 20_834 * 86_400 - 1800.0
PEOPLE = ("ba", "bon", "nam", "sau", "bay")
# Most rounds wait for a scan to be written first, so that there is something to lose.
EARLY_ROUNDS = 0.25
CUT_AFTER_SECONDS = (0.2, 8.0)
LONGEST_WRITES_SECONDS = 60.0
BOOT_SECONDS = 180.0
CATCH_UP_SECONDS = 90.0
# Mostly it is switched on again at once, within the interval; now and then hours later.
PAUSES_SECONDS = (20.0, 60.0, 400.0, 5400.0)
# Devices refuse a server whose clock is two hours off.
MOST_SERVER_AHEAD_SECONDS = 3600.0
SETTINGS = """scan_seconds = 5
least_scan_gap_seconds = 60
most_scan_gap_seconds = 80
notify_desktop = false
"""
SERVER_SETTINGS = """check_interval_seconds = 180
export_min_window_age_seconds = 0
export_padding_keys = 5
export_padding_spread = 1
export_period_seconds = 120
max_keys_on_publish = 1000
max_same_start_interval_keys = 1000
truncate_window_seconds = 60
"""

began = time.monotonic()


def say(text: str) -> None:
    sys.stdout.write(f"[{time.monotonic() - began:6.1f}] {text}\n")
    sys.stdout.flush()


@dataclass
class People:
    """Those whom the agent hears; each has a key for ten minutes, published after them."""

    keys: dict[tuple[str, int], TemporaryExposureKey] = field(default_factory=dict)
    published: set[tuple[str, int]] = field(default_factory=set)

    def key(self, name: str, interval: int) -> TemporaryExposureKey:
        if (name, interval) not in self.keys:
            self.keys[name, interval] = TemporaryExposureKey(
                secrets.token_bytes(16), ENIntervalNumber(interval), 1
            )
        return self.keys[name, interval]

    async def walk(self, name: str, transport: str, clock: ScaledClock) -> None:
        """Send what one of them sends, until cancelled."""
        async with open_radio(f"hci:{transport}", clock) as radio:
            while True:
                interval = interval_number(clock.now())
                tek = self.key(name, interval)
                rpi = derive_rpi(tek, interval)
                aem = encrypt_aem(derive_aemk(tek.key_data), rpi, Metadata(0))
                await radio.rotate(Advertisement(rpi, aem))
                await clock.sleep(interval_start(interval + 1) + 1.0 - clock.now())

    def publish(self, server: RunningServer, file: Path) -> int:
        """Publish every key that is over and was not yet published; return how many."""
        assert server.clock is not None
        now = interval_number(server.clock.now())
        over = {who for who, key in self.keys.items() if key.end_interval_number < now}
        new = sorted(over - self.published)
        if new:
            request = PublishRequest(
                tuple(PublishedKey.of(self.keys[who]) for who in new), "truyvet"
            )
            file.write_text(json.dumps(request.to_json() | {"reportType": "confirmed"}))
            taken = answer("publish-keys", str(file), home=server.home, clock=server.clock)
            assert taken["insertedExposures"] == len(new), taken
            self.published |= set(new)
        return len(new)


class Machine:
    """A virtual machine that runs `tests.bluez.cut_guest`, until it is killed."""

    def __init__(self, folder: Path, share: Path, disk: Path) -> None:
        self._told = share / "told"
        for name in ("found", "left", "status", "told"):
            path = share / name
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
        for order in share.glob("order-*"):
            order.unlink()
        self._share = share
        self._orders = 0
        drive = "if=none,id=root,format=raw"
        agent = f"driver=nbd,node-name=agent,server.type=unix,server.path={disk}"
        shared = f"local,path={share},mount_tag=share,security_model=none,multidevs=remap"
        command = [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "768"),
            *("-smp", "2", "-display", "none", "-monitor", "none", "-no-reboot", "-snapshot"),
            *("-serial", f"file:{share / 'console'}", "-serial", f"file:{self._told}"),
            *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd"), "-append"),
            "root=/dev/vda rw console=ttyS0 quiet init=/init panic=-1 net.ifnames=0",
            *("-drive", f"file={folder / 'disk.img'},{drive}"),
            *("-device", "virtio-blk-pci,drive=root", "-blockdev", agent, "-device"),
            "virtio-blk-pci,drive=agent,write-cache=on,discard=off,write-zeroes=off",
            *("-virtfs", shared),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def facts(self) -> list[dict[str, Any]]:
        """What it told on its second serial line; the last may be cut short."""
        text = self._told.read_text() if self._told.exists() else ""
        return [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]

    async def wait_for(self, holds: Callable[[list[dict[str, Any]]], bool], seconds: float) -> None:
        """Wait until what was told is enough."""
        deadline = time.monotonic() + seconds
        while not holds(self.facts()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = self._share / "output"
                raise RuntimeError(
                    f"the machine ended or hangs after {self.facts()[-1:]}:"
                    f" {output.read_text()[-2000:] if output.exists() else 'no output'}"
                )
            await asyncio.sleep(0.02)

    def order(self, **what: Any) -> None:
        file = self._share / f"order-{self._orders}"
        self._orders += 1
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps(what))
        partial.rename(file)


def named(name: str, value: Any) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda facts: any(fact.get(name) == value for fact in facts)


class Cuts:
    """All lives of one agent."""

    def __init__(self, folder: Path, mode: str, seed: int) -> None:
        self.folder, self.share, self.host = folder, folder / mode, folder / f"{mode}-host"
        self.is_unsafe = mode.endswith("unsafe")
        self.rounds = UNSAFE_ROUNDS if self.is_unsafe else ROUNDS
        self.random = Random(seed)
        self.image = self.host / "agent.img"
        self.server = RunningServer(self.host / "server")
        self.exports = self.server.home / "exports"
        self.people = People()
        self.told = START
        self.lives: list[Life] = []
        self.published: set[str] = set()
        self.failures = 0
        self.summary = ""

    def prepare(self) -> None:
        """Let the agent join the server, and put its home on a new disk."""
        shutil.rmtree(self.host, ignore_errors=True)
        self.host.mkdir(parents=True)
        self.server.clock = ScaledClock(shown=START, real=time.time(), rate=RATE)
        self.server.init()
        with (self.server.home / "server.toml").open("a") as settings:
            settings.write(SERVER_SETTINGS)
        self.server.start()
        root = self.host / "root"
        agent = AgentProcess(root / "agent", self.server.clock)
        agent.home.mkdir(parents=True, mode=0o700)
        (agent.home / "agent.toml").write_text(SETTINGS)
        agent.answer("join", self.server.join, "--yes")
        self.server.stop()
        command = ["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-L", "agent", "-d", str(root)]
        subprocess.run([*command, str(self.image), "48M"], check=True, capture_output=True)

    def between(self) -> str:
        """What happens while the machine boots: keys are published, the cut disk is looked at."""
        if self.server.clock is not None and self.server.process is not None:
            self.server.stop()
            # Nothing that is done between two lives takes any of the clock's time.
            now = self.server.clock.now()
            self.server.clock = ScaledClock(shown=now, real=time.time(), rate=0.001)
            self.people.publish(self.server, self.host / "keys.json")
        copy = self.host / "copy.img"
        shutil.copy(self.image, copy)
        done = subprocess.run(
            ["e2fsck", "-f", "-p", str(copy)], capture_output=True, text=True, check=False
        )
        return "" if done.returncode in (0, 1) else f"e2fsck: {done.stdout[-300:]}"

    def start_server(self) -> None:
        assert self.server.clock is not None
        now = self.server.clock.now()
        if now - self.told > MOST_SERVER_AHEAD_SECONDS:
            self.told = now
        told = max(self.told, now)
        self.server.clock = ScaledClock(shown=told, real=time.time(), rate=RATE)
        self.server.start()

    @contextlib.asynccontextmanager
    async def world(self, trace: Path) -> AsyncIterator[tuple[ScaledClock, int]]:
        """The air and who is in it; yields its clock, and the port of the agent's controller."""
        clock = ScaledClock(shown=self.told, real=time.time(), rate=RATE)
        places = [Place(AGENT, (Waypoint(0.0, 0.0, 0.0),))]
        places += [
            Place(name, (Waypoint(0.0, metres, 0.0),)) for metres, name in enumerate(PEOPLE, 1)
        ]
        scenario = Scenario(tuple(places), mode=AirMode.LEGACY, noise_db=2.0)
        async with Air(scenario, clock, trace=trace) as air:
            walks = [
                asyncio.create_task(self.people.walk(name, air.transports[name], clock))
                for name in PEOPLE
            ]
            yield clock, int(air.transports[AGENT].rpartition(":")[2])
            for walk in walks:
                walk.cancel()
            for outcome in await asyncio.gather(*walks, return_exceptions=True):
                if not isinstance(outcome, asyncio.CancelledError):
                    raise RuntimeError(f"somebody left early: {outcome!r}")

    async def live(self, number: int, *, is_last: bool) -> None:
        """One life, up to the cut, or to a clean end of the last one."""
        disk, socket = Disk(self.image), self.host / f"disk-{number}"
        async with disk.serve(socket):
            machine = Machine(self.folder, self.share, socket)
            try:
                damage = await asyncio.to_thread(self.between)
                await machine.wait_for(named("handed", "found"), BOOT_SECONDS)
                found = await asyncio.to_thread(
                    judge, self.share / "found", self.lives, self.exports
                )
                self.report(found, damage)
                await machine.wait_for(named("loaded", True), BOOT_SECONDS)
                await asyncio.to_thread(self.start_server)
                life = Life(found.batches)
                self.lives.append(life)
                trace = self.host / f"trace-{number}.jsonl"
                async with self.world(trace) as (clock, port):
                    machine.order(
                        told=clock.now(),
                        rate=RATE,
                        radio=port,
                        port=self.server.port,
                        unsafe=self.is_unsafe,
                    )
                    if is_last:
                        await self.end(machine)
                    else:
                        await self.cut(machine, disk, number)
                    # The air notices a moment later that nobody holds the controller.
                    await asyncio.sleep(0.2)
                    self.told = clock.now() + self.random.choice(PAUSES_SECONDS)
                life.facts = machine.facts()
                if life.told("forgetting"):
                    raise RuntimeError("a scan was written too late: this machine is too busy")
                life.trace = read_trace(trace)
            finally:
                machine.process.kill()
                machine.process.wait()

    async def cut(self, machine: Machine, disk: Disk, number: int) -> None:
        """Cut the power at a random moment, at a random one of the writes that follow it."""
        seconds, countdown = self.random.uniform(*CUT_AFTER_SECONDS), self.random.randint(1, 12)
        chance = None if number % 2 else self.random
        done = asyncio.Event()

        def on_write() -> None:
            nonlocal countdown
            countdown -= 1
            if countdown == 0:
                machine.process.kill()
                waiting, lost = disk.cut(chance)
                kept = "keeps" if chance is None else f"forgets {lost} of"
                self.summary = (
                    f"round {number}: cut {time.monotonic() - start:4.1f} s after the start, at"
                    f" write {disk.writes}; the disk {kept} {waiting} sectors not flushed"
                )
                done.set()

        start = time.monotonic()
        if self.random.random() > EARLY_ROUNDS:
            await machine.wait_for(lambda facts: any("logged" in fact for fact in facts), 60)
        await asyncio.sleep(seconds)
        disk.on_write = on_write
        await asyncio.wait_for(done.wait(), LONGEST_WRITES_SECONDS)
        machine.process.wait()

    async def end(self, machine: Machine) -> None:
        """Let the agent catch up with everything published by now, and end it cleanly."""
        index = (self.exports / "VN" / "index.txt").read_text().splitlines()

        def is_done(facts: list[dict[str, Any]]) -> bool:
            life = Life(set(), facts)
            taken = self.lives[-1].batches_found | set(life.told("taken"))
            return set(index) <= taken and len(life.told("logged")) >= 3

        await machine.wait_for(is_done, CATCH_UP_SECONDS)
        machine.order(stop=True)
        await machine.wait_for(named("stopped", 0), BOOT_SECONDS)
        self.published = set(index)

    def report(self, verdict: Verdict, damage: str) -> None:
        """Say what the disk held after the last life."""
        if not self.lives:
            return
        wrong = verdict.wrong + ([damage] if damage else [])
        life = self.lives[-1]
        say(
            f"{self.summary}; it wrote {len(life.told('logged'))} scans,"
            f" {len(life.told('sent'))} identifiers, {len(life.told('taken'))} batches;"
            f" lost {verdict.scans_lost} scan; {'ok' if not wrong else 'FAILED'}"
        )
        for text in wrong:
            say(f"    FAILED {text}")
        self.failures += len(wrong)

    async def run(self) -> int:
        """Live, and judge the whole at the end."""
        self.prepare()
        for number in range(1, self.rounds + 1):
            await self.live(number, is_last=False)
        await self.live(self.rounds + 1, is_last=True)
        verdict = judge(self.share / "left", self.lives, self.exports)
        missed = len(self.published - verdict.batches)
        verdict.check(missed == 0, f"{missed} batches were missed")
        verdict.check(
            verdict.matched >= self.rounds, "hardly any key matched: the check proves little"
        )
        self.summary = "after them: ended cleanly"
        self.report(verdict, "")
        say(
            f"{self.rounds} cuts: {verdict.sightings} sightings, {len(verdict.batches)} batches,"
            f" {verdict.matched} keys matched,"
            f" {sum(len(life.told('sent')) for life in self.lives)} identifiers sent;"
            f" {'all of it holds' if not self.failures else f'{self.failures} FAILED'}"
        )
        return 1 if self.failures else 0


def main(folder: Path, mode: str) -> int:
    seed = int(os.environ.get("SEED") or secrets.randbelow(1_000_000))
    say(f"{mode}: power cuts with seed {seed} (SEED={seed} repeats the choices)")
    cuts = Cuts(folder.resolve(), mode, seed)
    try:
        with cuts.server:
            return asyncio.run(cuts.run())
    except (RuntimeError, TimeoutError, TracingError) as error:
        say(f"FAILED {error!r}")
        return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
