"""A day of a device's life with a real server: the ledger is what the proxy saw, line by line.

Each step of the day runs at its own hour, in processes of its own. The proxy between them and the
server notes every byte, and each process notes to which addresses it connects.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2
import pytest

from ble_agent.authority.cover import pause_seconds
from ble_agent.authority.ledger_notes import KINDS, request_kind
from ble_agent.owner.ledger import LedgerRequest, read_ledger, read_requests
from ble_agent.store.database import open_store
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, environment, side_by_side
from tests.ble_agent.app.page.browser.browsing import page_process
from tests.ble_agent.recording_proxy import Connection, RecordingProxy, recording_proxy
from tests.server.running import RunningServer, answer
from tracing_core.clock import ScaledClock

pytestmark = pytest.mark.slow

HOUR = 3_600
DAY = 24 * HOUR
BEGAN = 1_629_943_200.0
"""Nine in the morning of 26 August 2021 in Hà Nội."""

RATE = 60.0
"""How many times as fast the clock goes while the agent waits for its first check."""

UPLOAD = ["code", "certificate", "keys"]

# What every process of this journey runs first, by Python's own hook: it writes down each address
# of the network that is connected to, or that a name is looked up for.
_WATCH = """
import json, os, sys

def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        seen = list(arguments[1][:2])
    elif event in ("socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        seen = [event, *map(str, arguments[1])]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        seen = [event, str(arguments[0])]
    else:
        return
    with open(os.environ["WATCHED_CONNECTIONS"], "a") as file:
        file.write(json.dumps(seen) + "\\n")

sys.addaudithook(watch)
"""

# A cover report as the running agent sends it when its moment has come.
_COVER = """
import sys
from pathlib import Path
from random import SystemRandom
from ble_agent.authority.cover import CoverTraffic
from ble_agent.authority.link import ServerLink
from tracing_core.clock import ScaledClock

clock = ScaledClock.parse(sys.argv[2])
CoverTraffic(ServerLink(Path(sys.argv[1]), clock), SystemRandom()).send()
"""


@dataclass
class Seen:
    """A request as the proxy saw it."""

    came_at: float
    """The system's time at which its first byte came."""
    host: str
    what: str
    size: int
    is_cover: bool
    status: int


def statuses(received: bytes, methods: list[str]) -> Iterator[int]:
    """Split what a connection received into answers, and yield the status of each."""
    for method in methods:
        head, _, received = received.partition(b"\r\n\r\n")
        yield int(head.split(b" ", 2)[1])
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length is not None or method == "HEAD" or b" 304 " in head, head
        received = received[int(length[1]) if length and method != "HEAD" else 0 :]
    assert received == b""


def requests_of(connection: Connection) -> Iterator[Seen]:
    found: list[Seen] = []
    methods: list[str] = []
    sent, start = bytes(connection.sent), 0
    while start < len(sent):
        head = sent[start : sent.index(b"\r\n\r\n", start)]
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        host = re.search(rb"(?i)\r\nhost: ([^\r]+)", head)
        assert host is not None
        size = len(head) + 4 + (int(length[1]) if length else 0)
        came_at = max(at for before, at in connection.arrivals if before <= start)
        is_cover = b"\r\nx-chaff:" in head.lower()
        what = request_kind(method, target)
        found.append(Seen(came_at, host[1].decode(), what, size, is_cover, 0))
        methods.append(method)
        start += size
    for each, status in zip(found, statuses(bytes(connection.received), methods), strict=True):
        each.status = status
        yield each


@dataclass
class Day:
    """The device's day: one step after another, each at its hour."""

    server: RunningServer
    agent: AgentProcess
    proxy: RecordingProxy
    watched: Path
    steps: list[tuple[int, int, ScaledClock]] = field(default_factory=list)
    """First request of the step, in the ledger and at the proxy; the first after it; its clock."""

    @contextlib.contextmanager
    def at(self, hour: float, *, rate: float = 1.0) -> Iterator[ScaledClock]:
        """Let it be an hour of the day for the server and the device."""
        if self.server.process is not None:
            assert self.server.stop() == 0
        clock = clock_at(BEGAN + hour * HOUR, rate=rate)
        self.server.clock = self.agent.clock = clock
        self.server.start()
        first = len(self.seen())
        yield clock
        self.steps.append((first, len(self.seen()), clock))

    def seen(self) -> list[Seen]:
        # Each process asks alone, over one connection after another.
        return [each for one in self.proxy.connections for each in requests_of(one)]

    def ledger(self) -> list[LedgerRequest]:
        with open_store(self.agent.home) as db:
            return list(read_requests(db))

    def purposes(self, step: int) -> list[str]:
        first, end, _ = self.steps[step]
        return [each.what for each in self.ledger()[first:end]]


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    hooks, watched = tmp_path / "hooks", tmp_path / "connections.jsonl"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_WATCH)
    watched.touch()
    with (
        RunningServer(tmp_path / "server", clock_at(BEGAN - HOUR)) as server,
        AgentProcess(tmp_path / "an") as agent,
    ):
        server.init("--region", "VN")
        server.start()
        agent.variables = {"PYTHONPATH": str(hooks), "WATCHED_CONNECTIONS": str(watched)}
        with recording_proxy(server.url) as proxy:
            yield Day(server, agent, proxy, watched)


@contextlib.contextmanager
def browser(day: Day) -> Iterator[tuple[httpx2.Client, str]]:
    """Open the page as a browser does, without one; yield the session and its path."""
    agent = day.agent
    with (
        page_process(agent.home, agent.clock, language="en", variables=agent.variables) as page,
        httpx2.Client(base_url=page.origin, headers={"Origin": page.origin}, timeout=60) as http,
    ):
        entered = http.post("/enter", data={"token": page.token})
        yield http, entered.headers["Location"].rsplit("/", 1)[0]


def fields_of(page: str, form: str) -> dict[str, str]:
    """Return the hidden fields of the form that leads to a screen."""
    found = re.search(rf'<form [^>]*action="[^"]*/{form}"(.*?)</form>', page, re.DOTALL)
    assert found is not None, page
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', found[1])
    return {name: html.unescape(value) for name, value in pairs}


def join_on_the_page(day: Day) -> None:
    line = f"{day.proxy.url}#{day.server.join.partition('#')[2]}"
    with browser(day) as (http, path):
        fields = fields_of(http.get(f"{path}/join").text, "join/preview")
        shown = http.post(f"{path}/join/preview", data={**fields, "line": line})
        assert not (day.agent.home / "agent.db").exists()
        assert len(day.seen()) == 1, "the last day is asked for before the owner agrees"
        http.post(f"{path}/join/confirm", data=fields_of(shown.text, "join/confirm"))
        assert "has joined the health authority of VN" in http.get(f"{path}/today").text


def run_until_it_has_checked(day: Day, folder: Path) -> None:
    """Let the agent run beside a radio, on a faster clock, until its first check is over."""
    agent = day.agent
    with air_process(side_by_side("an"), folder, agent.clock) as (radios, _):
        agent.start(radios["an"])
        deadline = time.monotonic() + 60
        while "INFO checked " not in agent.log():
            assert time.monotonic() < deadline, agent.log()
            time.sleep(0.1)
        assert agent.stop() == 0
    day.watched.write_text(
        "".join(
            line
            for line in day.watched.read_text().splitlines(keepends=True)
            if json.loads(line)[1] != int(radios["an"].rpartition(":")[2])
        )
    )


def send_on_the_page(day: Day, code: str) -> None:
    with browser(day) as (http, path):
        asked = http.get(f"{path}/send").text
        before = len(day.seen())
        fields = fields_of(asked, "send/preview")
        shown = http.post(f"{path}/send/preview", data={**fields, "code": code})
        assert len(day.seen()) == before, "nothing is sent before the owner agrees"
        sent = http.post(f"{path}/send/confirm", data=fields_of(shown.text, "send/confirm"))
        assert sent.headers["Location"] == f"{path}/send/done", sent.text


def check_on_the_page(day: Day) -> None:
    with browser(day) as (http, path):
        fields = fields_of(http.get(f"{path}/today").text, "check")
        assert http.post(f"{path}/check", data=fields).status_code == 303


def send_cover(day: Day) -> None:
    agent = day.agent
    done = subprocess.run(
        [sys.executable, "-c", _COVER, str(agent.home), str(agent.clock)],
        env=environment(agent.clock, **agent.variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def cover_hours() -> list[float]:
    """The hours of a day on which the schedule's dice make several cover reports due."""
    for seed in range(1000):
        random, hours = Random(seed), [0.0]
        while hours[-1] < 24:
            hours.append(hours[-1] + pause_seconds(random) / HOUR)
        if len(due := [hour for hour in hours[1:-1] if 2 < hour < 23]) >= 3:
            return due
    raise AssertionError("no such day in a thousand")


def live(day: Day, folder: Path) -> list[str]:
    """Live the day; return what each of its steps was."""
    plan: list[tuple[float, str]] = [(hour, "cover") for hour in cover_hours()]
    plan += [(0, "join"), (1, "run"), (4, "check"), (12, "report"), (15, "check")]
    plan += [(19, "page_check"), (23.5, "check")]
    for hour, what in sorted(plan):
        with day.at(hour, rate=RATE if what == "run" else 1.0) as clock:
            if what == "join":
                join_on_the_page(day)
            elif what == "run":
                run_until_it_has_checked(day, folder)
            elif what == "report":
                code = day.server.issue(testType="confirmed", symptomDate="2021-08-26")
                send_on_the_page(day, code)
            elif what == "cover":
                send_cover(day)
            elif what == "page_check":
                answer("export", home=day.server.home, clock=clock)
                check_on_the_page(day)
            else:
                day.agent.answer("check")
    return [what for _, what in sorted(plan)]


def test_a_day_is_in_the_ledger_line_by_line(day: Day, tmp_path: Path) -> None:
    plan = live(day, tmp_path)
    day.proxy.close()
    seen, ledger = day.seen(), day.ledger()
    assert [(each.host, each.what, each.size, each.is_cover, each.answer) for each in ledger] == [
        (each.host, each.what, each.size, each.is_cover, each.status) for each in seen
    ]
    # Each was noted before it was sent, in its step of the day.
    for first, end, clock in day.steps:
        for noted, each in zip(ledger[first:end], seen[first:end], strict=True):
            came_at = clock.shown + (each.came_at - clock.real) * clock.rate
            assert int(clock.shown) <= noted.at <= came_at
    assert day.steps[-1][1] == len(seen)
    # The day had all that it should have.
    assert day.purposes(0)[0] == "trust"
    for step, what in enumerate(plan):
        if what in ("cover", "report"):
            assert [each for each in day.purposes(step) if each in UPLOAD] == UPLOAD
            first, end, _ = day.steps[step]
            of_it = [each for each in ledger[first:end] if each.what in UPLOAD]
            assert {(each.is_cover, each.answer) for each in of_it} == {(what == "cover", 200)}
        else:
            assert "signed_index" in day.purposes(step) or what == "join", what
            assert not set(UPLOAD) & set(day.purposes(step))
    assert "key_file" in {each.what for each in ledger}
    assert {each.what for each in ledger} <= set(KINDS)
    no_other_connection(day)
    the_days_say_the_same(day, plan)
    # Beyond the marked header, a cover report and the real one have the same lengths.
    sizes = [
        [each.size for each in ledger[first:end] if each.what in UPLOAD]
        for what, (first, end, _) in zip(plan, day.steps, strict=True)
        if what in ("cover", "report")
    ]
    assert len({tuple(each) for each in sizes}) == 1


def no_other_connection(day: Day) -> None:
    host, _, port = day.proxy.url.rpartition("/")[2].partition(":")
    lines = [json.loads(line) for line in day.watched.read_text().splitlines()]
    connected = [line for line in lines if line[0] != "socket.getaddrinfo"]
    assert connected == [[host, int(port)]] * len(day.proxy.connections)
    assert {line[1] for line in lines if line[0] == "socket.getaddrinfo"} <= {host}


def the_days_say_the_same(day: Day, plan: list[str]) -> None:
    """The ledger's own entries count what the requests show."""
    with open_store(day.agent.home) as db:
        days = read_ledger(db)
    times = {"cover": 0, "report": 0}
    for entry in (entry for each in days for entry in each.entries):
        if entry["kind"] in times:
            times[entry["kind"]] += entry["times"]
    assert times == {"cover": plan.count("cover"), "report": 1}
    assert [each for one in reversed(days) for each in one.requests] == day.ledger()
