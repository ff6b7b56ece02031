"""Processes that are measured: ``truyvet server`` and PostgreSQL, and the time that they take."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "PostgreSQL",
    "Running",
    "cpu_seconds",
    "run_command",
    "running_postgresql",
    "running_servers",
]

_SERVER = (sys.executable, "-c", "from tracing_core.cli import main; main()", "server")
_TICKS = os.sysconf("SC_CLK_TCK")
_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# PostgreSQL refuses to run as root. This number has no rights on any system.
_USER = 65_534 if os.getuid() == 0 else None


def _environment(changes: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "TRUYVET" not in name}
    return kept | {f"TRUYVET_SERVER_{name.upper()}": value for name, value in changes.items()}


def run_command(*arguments: str, home: Path, **settings: str) -> str:
    """Run a command of the server to its end, and return what it printed."""
    command = [*_SERVER, arguments[0], "--home", str(home), *arguments[1:]]
    done = subprocess.run(
        command, env=_environment(settings), check=True, capture_output=True, text=True
    )
    return done.stdout


class Running(NamedTuple):
    """A process of a server."""

    pid: int
    port: int


@contextlib.contextmanager
def running_servers(number: int, home: Path, **settings: str) -> Iterator[list[Running]]:
    """Run some processes of one server, each on a port of its own."""
    command = [*_SERVER, "run", "--home", str(home), "--port", "0", "--json"]
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(number):
            process = subprocess.Popen(
                command, env=_environment(settings), stdout=subprocess.PIPE, text=True
            )
            stack.callback(_end, process)
            servers.append(Running(process.pid, _port_of(process)))
        yield servers


def _port_of(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    line = server.stdout.readline()
    if not line:
        raise SystemExit("the server did not start")
    return int(str(json.loads(line)["url"]).rpartition(":")[2])


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor's time of processes and of their children, ended ones included."""
    stats = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            stats[int(file.parent.name)] = [int(each) for each in fields[1:15]]
    ticks = 0
    for pid, (parent, *rest) in stats.items():
        if pid in pids:
            ticks += sum(rest[-4:])
        elif parent in pids:
            ticks += sum(rest[-4:-2])
    return ticks / _TICKS


class PostgreSQL:
    """A running PostgreSQL of one's own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"postgresql+psycopg://server@127.0.0.1:{port}/postgres"
        self.pid = int((folder / "data/postmaster.pid").read_text().split()[0])

    def run(self, name: str, *arguments: str) -> str:
        """Run one of its programs, connected to it, and return what it printed."""
        to = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "server"]
        done = subprocess.run(
            [_program(name), *to, *arguments, "postgres"],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


def _program(name: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, _INSTALLED)])
    found = shutil.which(name, path=path)
    if found is None:
        raise SystemExit(f"{name} is missing: apt install postgresql")
    return found


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Start one on a port of the loopback interface; what it commits is on the disk."""
    folder = Path(tempfile.mkdtemp(prefix="truyvet-benchmark-"))
    if _USER is not None:
        shutil.chown(folder, _USER)
    port = 20_000 + os.getpid() % 12_000

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, user=_USER, check=True, stdout=subprocess.DEVNULL)

    data, log = str(folder / "data"), str(folder / "log")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    try:
        run(_program("initdb"), "-D", data, "-A", "trust", "-U", "server", "--no-sync")
        run(_program("pg_ctl"), "-D", data, "-o", options, "-l", log, "-w", "start")
        try:
            yield PostgreSQL(folder, port)
        finally:
            run(_program("pg_ctl"), "-D", data, "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
