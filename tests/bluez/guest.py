"""What runs inside the virtual machine: real agents on a real kernel and bluetoothd.

``python3 -m tests.bluez.guest MODE`` prints a line for everything seen, and ends with 1 when
something that must hold did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.ble_agent.agents import COMMAND, AgentProcess, clock_at, environment
from tests.ble_agent.virtual_air.air_trace import findings, identifiers, sent
from tests.bluez.measure import measure
from tracing_core.protocol.advertisement import Advertisement

RATE = 200.0
# What the kernel or bluetoothd may leave on the air after an agent's death: the timeout that the
# radio asks for on such a clock, and a second to act.
LONGEST_ON_AIR = 20.0 + 1.0
ROTATIONS = 20
RADIOS = {"bluez": "bluez:hci0", "mgmt": "mgmt:hci1", "hci": "hci:hci-socket:2"}
SHARE = Path("/share")
WORK = Path("/tmp/bluez-test")
SETTINGS = "scan_seconds = 60\nleast_scan_gap_seconds = 480\nmost_scan_gap_seconds = 540\n"
BLUETOOTHD = "/usr/libexec/bluetooth/bluetoothd"

started = time.monotonic()
failures: list[str] = []


def say(text: str) -> None:
    sys.stdout.write(f"[{time.monotonic() - started:6.1f}] {text.strip()}\n")
    sys.stdout.flush()


def check(holds: bool, text: str) -> None:
    say(f"{'ok    ' if holds else 'FAILED'} {text}")
    if not holds:
        failures.append(text)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.5)
    return condition()


class AirProcess:
    """The virtual air, and its controllers in the kernel."""

    def __init__(self, mode: str) -> None:
        self.trace = WORK / "trace.jsonl"
        scenario = WORK / "scenario.toml"
        places = "".join(
            f'[[controller]]\nname = "{name}"\npath = [[0, {metres}, 0]]\n'
            for metres, name in enumerate(RADIOS)
        )
        scenario.write_text(
            f'[air]\nmode = "{"legacy" if mode == "measure" else mode}"\nnoise_db = 2.0\n{places}'
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bluez.vhci", str(scenario), str(self.trace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def order(self, order: str, name: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order} {name}\n")
        return self._process.stdout.readline().split()[-1]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def lines(self) -> list[dict[str, Any]]:
        """The trace so far; its last line may still be being written."""
        whole = self.trace.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def runs_since(self, name: str, moment: float) -> list[str]:
        """The identifiers that a controller began to send after a moment and has ended."""
        lines = [line for line in sent(self.lines(), name) if line["first"] > moment]
        return identifiers(lines, name)


class Bluetoothd:
    """The system's Bluetooth service."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        with (SHARE / "bluetoothd.log").open("ab") as log:
            self._process = subprocess.Popen([BLUETOOTHD, "-n", *options], stderr=log, stdout=log)
        owned = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus"]
        owned += ["/", "org.freedesktop.DBus.NameHasOwner", "string:org.bluez"]
        wait_until(
            lambda: b"true" in subprocess.run(owned, check=False, capture_output=True).stdout, 20
        )
        time.sleep(1.0)

    def end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(20)


def self_test(radio: str, *, lang: str = "en", before: tuple[str, ...] = ()) -> tuple[int, str]:
    done = subprocess.run(
        [*before, *COMMAND, "agent", f"--lang={lang}", "self-test", f"--radio={radio}"],
        env=environment(clock_at(1_800_000_000.0, rate=4.0)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    text = (done.stdout + done.stderr).strip()
    say(
        f"self-test {radio}{' (' + ' '.join(before) + ')' if before else ''}: exit"
        f" {done.returncode}"
    )
    for line in text.splitlines():
        say(f"· {line}")
    return done.returncode, text


def self_tests(mode: str, bluetoothd: Bluetoothd, air: AirProcess) -> None:
    """What the owner is told; a start of Python takes seconds here, so each mode has its share."""
    if mode == "legacy":
        code, text = self_test("bluez")
        check(code != 0 and "bluetoothd is not running" in text, "bluetoothd missing is named")
        code, text = self_test("auto", lang="vi")
        check(code == 0 and "Đã chọn: mgmt" in text, "auto takes mgmt where bluetoothd is missing")
        bluetoothd.start()
        code, text = self_test("bluez:hci0")
        check(code == 0 and "--experimental" in text, "bluetoothd without --experimental is named")
        bluetoothd.end(signal.SIGTERM)
        bluetoothd.start("--experimental")
        code, text = self_test("bluez:hci0")
        check(code == 0 and "✘" not in text, "bluez sends and listens")
        return
    bluetoothd.start("--experimental")
    subprocess.run(["rfkill", "block", "bluetooth"], check=True)
    for radio in ("bluez:hci0", "mgmt:hci1"):
        code, text = self_test(radio)
        check(code != 0 and "rfkill unblock bluetooth" in text, f"{radio}: rfkill is named")
    subprocess.run(["rfkill", "unblock", "bluetooth"], check=True)
    with AgentProcess(WORK / "lasting", clock_at(1_800_000_000.0)) as agent:
        agent.home.mkdir()
        agent.start(RADIOS["bluez"])
        began = time.monotonic()
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        code, text = self_test("mgmt:hci1", before=nobody)
        check(code != 0 and "CAP_NET_ADMIN" in text, "mgmt without the right says so")
        # bluetoothd switches every adapter on after rfkill; a user channel wants it off.
        switch_off("hci2")
        code, text = self_test("hci:hci-socket:2")
        check(code == 0 and "✘" not in text, "hci sends and listens")
        time.sleep(max(0.0, began + 40.0 - time.monotonic()))
        agent.stop()
    # Extended controllers keep an advertisement's time themselves, up to 65 s only.
    runs = [line["last"] - line["first"] for line in sent(air.lines(), "bluez")]
    check(max(runs) > 22, f"an advertisement of 20 minutes was still sent after {max(runs):.0f} s")


def switch_off(adapter: str) -> None:
    subprocess.run(
        [
            "dbus-send",
            "--system",
            "--print-reply",
            "--dest=org.bluez",
            f"/org/bluez/{adapter}",
            "org.freedesktop.DBus.Properties.Set",
            "string:org.bluez.Adapter1",
            "string:Powered",
            "variant:boolean:false",
        ],
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def agents() -> Iterator[dict[str, AgentProcess]]:
    clock = clock_at(1_800_000_000.0, rate=RATE)
    with contextlib.ExitStack() as stack:
        found = {}
        for name, radio in RADIOS.items():
            agent = stack.enter_context(AgentProcess(WORK / name, clock))
            agent.home.mkdir()
            (agent.home / "agent.toml").write_text(SETTINGS)
            agent.start(radio)
            found[name] = agent
        yield found


def rotations(air: AirProcess, since: float, wanted: int, seconds: float) -> None:
    def counts() -> dict[str, int]:
        return {name: len(air.runs_since(name, since)) for name in RADIOS}

    wait_until(lambda: min(counts().values()) >= wanted, seconds)
    found = counts()
    check(min(found.values()) >= wanted, f"identifiers sent and ended: {found}")


def recovered(air: AirProcess, names: list[str], since: float, what: str) -> None:
    moments = {}
    for name in names:
        if wait_until(lambda name=name: bool(air.runs_since(name, since)), 40):  # type: ignore[misc]
            moments[name] = round(time.time() - since, 1)
    check(len(moments) == len(names), f"{what}: a new identifier has been sent, after {moments} s")


def heard_each_other(all_agents: dict[str, AgentProcess], air: AirProcess) -> None:
    lines = air.lines()
    for name, agent in all_agents.items():
        heard = agent.sightings()
        kept = {each.rpi.hex() for each in heard}
        counts = {
            other: f"{len(kept & set(identifiers(lines, other)))}/{len(identifiers(lines, other))}"
            for other in RADIOS
            if other != name
        }
        enough = all(
            len(kept & set(identifiers(lines, other))) >= ROTATIONS // 2
            for other in RADIOS
            if other != name
        )
        check(enough, f"{name} heard of the others' identifiers: {counts}, {len(heard)} sightings")


def killed(mode: str, all_agents: dict[str, AgentProcess], air: AirProcess) -> None:
    """Kill the agents that leave their advertisement to others; the air must fall silent.

    On legacy controllers the guardian of the mgmt radio is killed as well, so that the kernel's own
    timeout must do; nothing else could on extended ones.
    """
    names = ("bluez", "mgmt")
    before = {}
    for name in names:
        process = all_agents[name].process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        # An agent that runs would notice its guardian's end, and fall silent by itself.
        process.send_signal(signal.SIGSTOP)
        for child in children if mode == "legacy" else ():
            os.kill(int(child), signal.SIGKILL)
        all_agents[name].kill()
        before[name] = time.time()
    time.sleep(LONGEST_ON_AIR + 1.0)
    lines = air.lines()
    for name in names:
        left = max(line["last"] for line in sent(lines, name)) - before[name]
        allowed = f"{LONGEST_ON_AIR - 1:.0f} s allowed"
        check(
            left <= LONGEST_ON_AIR, f"{name} killed: silent after {max(0.0, left):.1f} s, {allowed}"
        )
    old = {name: set(identifiers(lines, name)) for name in names}
    again = time.time()
    for name in names:
        all_agents[name].start(RADIOS[name])
    recovered(air, list(names), again, "started anew")
    for name in names:
        check(
            not old[name] & set(air.runs_since(name, again)),
            f"{name}: no identifier of before was sent again",
        )


def judge(air: AirProcess, since: float) -> None:
    lines = [line for line in air.lines() if line["first"] >= since]
    wrong = findings(lines, packet_interval=None)
    sizes = {name: len(identifiers(lines, name)) for name in RADIOS}
    addresses = len({line["address"] for line in sent(lines)})
    for text in wrong:
        say(f"    {text}")
    check(
        not wrong,
        f"the trace: {sizes} identifiers under {addresses} addresses; none is linked to another",
    )
    for name in RADIOS:
        runs = [line for line in sent(lines, name) if line["count"] > 5]
        gaps = sorted((line["last"] - line["first"]) / (line["count"] - 1) for line in runs)
        frames = sorted({line["data"][:-40] for line in runs})
        data = Advertisement.decode(bytes.fromhex(runs[0]["data"]))
        assert len(data.service_data) == 20
        say(f"    {name}: a packet every {1000 * gaps[len(gaps) // 2]:.0f} ms, frame {frames}")


def main(mode: str) -> int:
    WORK.mkdir()
    Path("/etc/bluetooth/main.conf").write_text("[Policy]\nAutoEnable=false\n")
    say(
        f"{mode} controllers, kernel {os.uname().release}, "
        + subprocess.run([BLUETOOTHD, "-v"], check=False, capture_output=True, text=True).stdout
    )
    air, bluetoothd = AirProcess(mode), Bluetoothd()
    adapters = {name: air.order("plug", name) for name in RADIOS}
    check(list(adapters.values()) == ["hci0", "hci1", "hci2"], f"adapters: {adapters}")
    time.sleep(2.0)
    if mode == "measure":
        sender = RADIOS["hci"]
        asyncio.run(measure({"mgmt": RADIOS["mgmt"]}, sender, say))
        for options in ((), ("--experimental",)):
            bluetoothd.start(*options)
            name = " ".join(("bluez", *options))
            asyncio.run(measure({name: RADIOS["bluez"]}, sender, say))
            bluetoothd.end(signal.SIGTERM)
        return 0
    self_tests(mode, bluetoothd, air)
    began = time.time()
    with agents() as running:
        rotations(air, began, ROTATIONS, 240)
        heard_each_other(running, air)
        moment = time.time()
        bluetoothd.end(signal.SIGKILL)
        time.sleep(1.0)
        bluetoothd.start("--experimental")
        recovered(air, ["bluez", "mgmt"], moment, "bluetoothd killed and started")
        for name in RADIOS:
            air.order("unplug", name)
            # The number is free again when the agent has let go of it.
            time.sleep(8.0 if name == "hci" else 1.0)
            moment = time.time()
            adapters[name] = air.order("plug", name)
        check(list(adapters.values()) == ["hci0", "hci1", "hci2"], f"plugged in again: {adapters}")
        recovered(air, list(RADIOS), moment, "adapters removed and back")
        killed(mode, running, air)
        codes = {name: agent.stop() for name, agent in running.items()}
        check(set(codes.values()) == {0}, f"stopped: {codes}")
        for name, agent in running.items():
            (SHARE / f"{name}.log").write_text(agent.log())
    time.sleep(1.0)
    air.close()
    (SHARE / "trace.jsonl").write_bytes(air.trace.read_bytes())
    judge(air, began)
    bluetoothd.end(signal.SIGTERM)
    say(f"{mode}: {'all of it holds' if not failures else f'{len(failures)} FAILED'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
