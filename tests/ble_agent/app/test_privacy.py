"""A running agent tells nobody anything: what it logs, and what it loads."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.database import open_store
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, environment, side_by_side
from tests.ble_agent.fake_server import fake_server
from tests.ble_agent.virtual_air.air_trace import read_trace
from tracing_core.protocol.rolling_proximity_identifier import rpis_of

RATE = 300.0
START = 1_800_000_000.0
# Everything of Python's logging, from every library, goes to standard error.
LOUD = (
    "import logging; logging.basicConfig(level=1, force=True);"
    "from tracing_core.cli import main; main()"
)
# What an installation with nothing but the extra [hci] does not have.
ABSENT = ["numpy", "numba", "llvmlite", "fastapi", "pydantic", "sqlalchemy", "rich", "bleak"]
WITHOUT = (
    "import sys; sys.modules.update(dict.fromkeys({absent!r}));"
    "from tracing_core.cli import main; main()"
)


def start(code: str, agent: AgentProcess, *arguments: str) -> subprocess.Popen[bytes]:
    # A pipe that nobody reads would fill, and stop the process in the middle of a line.
    said = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-c", code, "agent", "--home", str(agent.home), *arguments],
        env=environment(agent.clock),
        stdout=said,
        stderr=subprocess.STDOUT,
    )
    process.said = said
    return process


def finish(process: subprocess.Popen[bytes], *, stop: bool = True) -> str:
    if stop:
        process.terminate()
    code = process.wait(timeout=60)
    with process.said as said:
        said.seek(0)
        output = said.read().decode()
    assert code == 0, output
    return output


def forms(secret: bytes) -> list[str]:
    return [
        secret.hex(),
        secret.hex().upper(),
        secret[::-1].hex(),
        secret.hex(":"),
        secret[::-1].hex(":").upper(),
        base64.b64encode(secret).decode().rstrip("="),
        repr(secret)[2:-1],
    ]


def test_nothing_logged_at_any_level_holds_a_key_an_identifier_or_an_address(
    tmp_path: Path,
) -> None:
    clock = clock_at(START, rate=RATE)
    an, binh = AgentProcess(tmp_path / "an", clock), AgentProcess(tmp_path / "binh", clock)
    with fake_server(clock=clock) as server:
        said = finish(start(LOUD, an, "join", server.line, "--yes"), stop=False)
        server.configure(2, check_interval_seconds=60)
        with air_process(side_by_side("an", "binh"), tmp_path, clock) as (radios, trace_file):
            running = [
                start(LOUD, agent, "run", "-v", "--radio", radio)
                for agent, radio in zip((an, binh), radios.values(), strict=True)
            ]
            time.sleep(1500 / RATE)
            # A bad answer in between makes exceptions be logged too.
            asked = threading.Event()

            def nonsense() -> tuple[int, dict[str, str], bytes]:
                asked.set()
                return 200, {}, b"["

            server.special["/v1/trust"] = nonsense
            assert asked.wait(60)
            time.sleep(1500 / RATE)
            said += "".join(finish(process) for process in running)
    assert "checked 0 new key files" in said
    assert "makes no sense" in said
    assert len(said) > 1000
    trace = read_trace(trace_file)
    secrets = {bytes.fromhex(line["data"])[-20:-4] for line in trace}
    secrets |= {bytes.fromhex(line["data"])[-4:] for line in trace}
    secrets |= {bytes.fromhex(line["address"].replace(":", "")) for line in trace}
    for agent in (an, binh):
        with open_store(agent.home) as db:
            for tek in KeyRing(db).keys_to_report(clock.now()):
                secrets |= {tek.key_data, *rpis_of(tek)}
    assert len(secrets) > 250
    for secret in secrets:
        assert not [form for form in forms(secret) if form in said and len(form) >= 8]
    assert not re.search(r"([0-9A-F]{2}:){5}[0-9A-F]{2}", said, re.IGNORECASE)


FAULTS = """
import logging, sys, traceback
from pathlib import Path
from random import Random

logging.basicConfig(level=1, force=True)

from ble_agent.store.vault import KEY_FILE
from ble_agent.config import AgentConfig
from ble_agent.authority.cover import CoverTraffic
from ble_agent.authority.link import ServerLink
from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.report import report
from ble_agent.authority.client import ServerClient
from ble_agent.app.status import status
from ble_agent.store.database import open_store
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.clock import clock_from_environment
from tracing_core.errors import TracingError

home, url = Path(sys.argv[1]), sys.argv[2]
clock = clock_from_environment()
with open_store(home) as db:
    ring = KeyRing(db)
    print(ring.next_advertisement(clock.now(), Metadata(0)))
    print(ring.keys_to_report(clock.now()), vars(ring))
    CoverTraffic(ServerLink(home, clock), Random(1)).send()
    print(status(AgentConfig(home, "en"), clock))
    for code in ("12345678", "87654321"):
        try:
            with ServerClient(url, clock) as client:
                report(db, client, clock, code)
        except TracingError:
            traceback.print_exc()
    (home / KEY_FILE).write_bytes(bytes(32))
    try:
        KeyRing(db).keys_to_report(clock.now())
    except TracingError:
        traceback.print_exc()
        logging.exception("refused")
"""


def test_faults_of_reports_cover_and_key_ring_show_no_secret(tmp_path: Path) -> None:
    clock = clock_at(START)
    agent = AgentProcess(tmp_path / "an", clock)
    with fake_server(clock=clock) as server:
        finish(start(LOUD, agent, "join", server.line, "--yes"), stop=False)
        granted = {"token": "T" * 20, "testtype": "likely", "certificate": "C" * 20}
        server.special["/api/verify"] = lambda: (200, {}, json.dumps(granted).encode())
        server.special["/api/certificate"] = server.special["/api/verify"]
        server.special["/v1/publish"] = lambda: (500, {}, b"{")
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, str(agent.home), server.url],
            env=environment(clock),
            capture_output=True,
            text=True,
            check=True,
        )
    said = done.stdout + done.stderr
    assert "the server has a fault" in said
    assert "is missing or wrong" in said
    asked = [path for method, path, _ in server.asked if method == "POST"]
    assert asked == ["/api/verify", "/api/certificate", "/v1/publish"] * 3
    with open_store(agent.home) as db:
        state = json.loads(db.execute("SELECT value FROM state WHERE name='report'").fetchone()[0])
        sealed = [row[0] for row in db.execute("SELECT key_data FROM own_key")]
    assert len(sealed) == 1
    secrets = [base64.b64decode(state["secret"]), *sealed]
    for secret in secrets:
        assert not [form for form in forms(secret) if form in said]
    for text in ("12345678", "87654321", granted["token"], granted["certificate"]):
        assert text not in said
    # Nothing of 16 bytes or more is shown in hexadecimal or base64 but the pinned fingerprint.
    assert not re.search(r"\b[0-9a-f]{32}\b", said)


def test_it_runs_where_only_what_hci_needs_is_installed(tmp_path: Path) -> None:
    clock = clock_at(START, rate=RATE)
    agent = AgentProcess(tmp_path / "an", clock)
    code = WITHOUT.format(absent=ABSENT)
    with fake_server(clock=clock) as server:
        server.add_file("1.zip")
        finish(start(code, agent, "join", server.line, "--yes"), stop=False)
        with air_process(side_by_side("an"), tmp_path, clock) as (radios, trace_file):
            running = start(code, agent, "run", "--radio", radios["an"])
            time.sleep(1500 / RATE)
            said = finish(running)
        done = subprocess.run(
            [sys.executable, "-c", code, "agent", "--home", str(agent.home), "check", "--json"],
            env=environment(clock),
            capture_output=True,
            check=True,
        )
    assert "using the radio" in said
    assert read_trace(trace_file)
    assert json.loads(done.stdout)["recorded"] is False


def test_help_is_quick_because_it_loads_nothing() -> None:
    code = (
        "import sys; sys.argv = ['truyvet', 'agent', 'run', '--help']\n"
        "from tracing_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    heavy = {"httpx2", "cryptography", "bumble", "numpy", "asyncio"}
    assert not loaded & heavy
