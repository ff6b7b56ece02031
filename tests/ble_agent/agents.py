"""Real `truyvet agent` and `truyvet air` processes, with homes and clocks of their own."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ble_agent.store.damage import DATABASE_NAME
from tests.json_schemas import printed
from tracing_core.clock import ScaledClock
from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, select_sightings
from tracing_core.store.sqlite import open_readonly

COMMAND = (sys.executable, "-c", "from tracing_core.cli import main; main()")
START_SECONDS = 60


def environment(clock: ScaledClock | None = None, **changes: str) -> dict[str, str]:
    values = {name: value for name, value in os.environ.items() if "TRUYVET" not in name}
    if clock is not None:
        values["TRUYVET_CLOCK"] = str(clock)
    return {**values, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1", **changes}


def clock_at(told: float, *, rate: float = 1.0) -> ScaledClock:
    """A clock that shows `told` now."""
    return ScaledClock(shown=told, real=time.time(), rate=rate)


@dataclass
class AgentProcess:
    """A device's home, and its commands."""

    home: Path
    clock: ScaledClock | None = None
    process: subprocess.Popen[str] | None = None
    prefix: tuple[str, ...] = ()
    """What comes before every command, such as a program that enters a name space."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of its environment beyond the usual ones."""

    @property
    def log_file(self) -> Path:
        return self.home.with_suffix(".log")

    def command(self, *arguments: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, *COMMAND, "agent", "--home", str(self.home), "--lang", lang, *arguments],
            env=environment(self.clock, **self.variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def in_terminal(self, *arguments: str, lang: str = "en", typed: str = "") -> tuple[int, str]:
        """Run a command in a terminal; return its exit code and what the terminal shows."""
        master, slave = pty.openpty()
        os.write(master, typed.encode())
        with subprocess.Popen(
            [*self.prefix, *COMMAND, "agent", "--home", str(self.home), "--lang", lang, *arguments],
            env=environment(self.clock, **self.variables),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            shown = b""
            # The other end being closed is an error on Linux.
            with contextlib.suppress(OSError):
                while piece := os.read(master, 65536):
                    shown += piece
            code = process.wait(60)
        os.close(master)
        return code, shown.decode().replace("\r\n", "\n")

    def answer(self, *arguments: str) -> Any:
        """Run a command with --json, which must succeed, and return what it printed.

        The status and a check may end with 1, since something needs the owner.
        """
        done = self.command(*arguments, "--json")
        well = (0, 1) if arguments[0] in ("status", "check") else (0,)
        assert done.returncode in well, done.stderr
        assert done.stderr == "" or done.returncode == 0, done.stderr
        return printed(f"agent {arguments[0]}", done.stdout)

    def refusal(self, *arguments: str, lang: str = "en") -> str:
        """Run a command, which must fail with one line, and return the line."""
        done = self.command(*arguments, lang=lang)
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("truyvet: ")
        return done.stderr.removeprefix("truyvet: ").strip()

    def start(self, radio: str, *arguments: str) -> None:
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *self.prefix,
                    *COMMAND,
                    "agent",
                    "--home",
                    str(self.home),
                    "--lang",
                    "en",
                    "run",
                    "--radio",
                    radio,
                    *arguments,
                ],
                env=environment(self.clock, **self.variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )

    def stop(self) -> int:
        """End it as a service manager does; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.process = None
        return code

    def kill(self) -> None:
        """Let it die at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        self.process = None

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def sightings(self) -> list[Sighting]:
        db = open_readonly(self.home / DATABASE_NAME, [SIGHTING_TABLE])
        try:
            return list(select_sightings(db))
        finally:
            db.close()

    def __enter__(self) -> AgentProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()


@contextlib.contextmanager
def air_process(
    scenario: str, folder: Path, clock: ScaledClock | None = None
) -> Iterator[tuple[dict[str, str], Path]]:
    """Serve a virtual air; yield the radio of each controller, and where the trace will be."""
    plan, trace = folder / "scenario.toml", folder / "trace.jsonl"
    plan.write_text(scenario)
    process = subprocess.Popen(
        [*COMMAND, "air", str(plan), "--trace", str(trace), "--json"],
        env=environment(clock),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ports = printed("air", process.stdout.readline())["controllers"]
        yield {name: f"hci:{port}" for name, port in ports.items()}, trace
    finally:
        process.terminate()
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()


def side_by_side(*names: str) -> str:
    """A scenario of controllers a metre from each other."""
    places = "".join(
        f'[[controller]]\nname = "{name}"\npath = [[0, {at}, 0]]\n' for at, name in enumerate(names)
    )
    return f'[air]\nmode = "legacy"\n{places}'
