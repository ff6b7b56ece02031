"""A real PostgreSQL server in a folder of its own, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.server.running import free_port

_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# PostgreSQL refuses to run as root.
_USER = "nobody" if os.getuid() == 0 else None


def _program(name: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, _INSTALLED)])
    found = shutil.which(name, path=path)
    if found is None or find_spec("psycopg") is None:
        pytest.skip("PostgreSQL or psycopg is not installed")
    return found


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Start one on a free port of the loopback interface and yield its URL."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="truyvet-postgresql-"))
    if _USER is not None:
        shutil.chown(folder, _USER)
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"

    def run(*command: str) -> None:
        subprocess.run(
            command, cwd=folder, user=_USER, check=True, timeout=120, stdout=subprocess.DEVNULL
        )

    try:
        run(initdb, "-D", f"{folder}/data", "-A", "trust", "-U", "server", "--no-sync")
        run(pg_ctl, "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg://server@127.0.0.1:{port}/postgres"
        finally:
            run(pg_ctl, "-D", f"{folder}/data", "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
