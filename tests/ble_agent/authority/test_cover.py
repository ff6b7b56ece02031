"""A report and one that only pretends, as an observer of the network sees them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.client import ServerClient
from ble_agent.authority.cover import (
    COVER_REPORTS_PER_DAY,
    CoverTraffic,
    pause_seconds,
    send_cover_report,
)
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import join, load_membership
from ble_agent.authority.report import report
from ble_agent.store.database import open_store
from ble_agent.store.threads import repeat
from tests.ble_agent.agents import clock_at
from tests.ble_agent.air.test_agent_loop import EagerClock
from tests.ble_agent.recording_proxy import Connection, RecordingProxy, recording_proxy
from tests.server.running import RunningServer, answer
from tests.server.running import clock_at as server_clock_at
from tracing_core.clock import ScaledClock
from tracing_core.errors import ServerRefused
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine

DAY = 86_400
NOON = 20_900 * DAY + DAY // 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("cover")
    with RunningServer(folder / "server", server_clock_at(NOON)) as running:
        running.init()
        running.start()
        yield running


@pytest.fixture
def clock() -> ScaledClock:
    return clock_at(NOON)


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[RecordingProxy]:
    with recording_proxy(server.url) as recording:
        yield recording


@pytest.fixture
def db(tmp_path: Path, server: RunningServer, clock: ScaledClock) -> Iterator[Database]:
    with open_store(tmp_path) as opened:
        with ServerClient(server.url, clock) as client:
            join(opened, client, JoinLine.parse(server.join), clock.now())
        yield opened


def in_earnest(
    db: Database, server: RunningServer, proxy: RecordingProxy, clock: ScaledClock, days: int
) -> Connection:
    for day in range(days):
        KeyRing(db).next_advertisement(NOON - day * DAY, Metadata(0))
    with ServerClient(proxy.url, clock) as client:
        # Keys that an earlier report sent are not new.
        assert report(db, client, clock, server.issue()).number >= days - 1
    return proxy.connections[-1]


def pretended(db: Database, proxy: RecordingProxy, clock: ScaledClock) -> Connection:
    authority = load_membership(db).config.health_authority_id
    with ServerClient(proxy.url, clock, is_cover=True) as client:
        send_cover_report(client, clock, authority)
    return proxy.connections[-1]


def test_on_the_wire_nothing_tells_a_report_from_one_that_pretends(
    db: Database, server: RunningServer, proxy: RecordingProxy, clock: ScaledClock
) -> None:
    before = server.log()
    pretending = [pretended(db, proxy, clock) for _ in range(2)]
    assert server.log() == before
    earnest = [in_earnest(db, server, proxy, clock, days) for days in (1, 14)]
    assert server.log() == before
    proxy.close()
    # One connection each, closed by the device; three requests of equal length, three answers.
    assert len(proxy.connections) == 4
    assert all(seen.is_closed_by_client for seen in proxy.connections)
    assert len({tuple(seen.runs) for seen in (*pretending, *earnest)}) == 1
    assert len(earnest[0].runs) == 6
    names = {header_names(seen) for seen in earnest}, {header_names(seen) for seen in pretending}
    assert [len(each) for each in names] == [1, 1]
    # But for one header, whose two names are of equal length, the heads are the same.
    assert {re.sub("X-Plain", "X-Chaff", each) for each in names[0]} == names[1]


def header_names(seen: Connection) -> str:
    heads = re.findall(rb"POST [^\n]+\r\n(?:[A-Za-z-]+: [^\n]+\r\n)+\r\n", bytes(seen.sent))
    assert len(heads) == 3
    # The sizes are part of the head, so they are compared here too.
    # The secret by which a lost answer is repeated is random, and always as long.
    return re.sub(r'"[\w-]{43}"', '"43 letters"', b"".join(heads).decode())


def test_requests_follow_each_other_at_drawn_distances(
    db: Database, server: RunningServer, proxy: RecordingProxy, clock: ScaledClock
) -> None:
    for seen in (pretended(db, proxy, clock), in_earnest(db, server, proxy, clock, 2)):
        starts = seen.began[::2]
        assert len(starts) == 3
        gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
        # Only the lower end is certain on a machine that does other things too.
        assert all(gap >= 0.28 for gap in gaps)


def test_a_refused_report_ends_as_early_as_a_refused_pretence(
    db: Database, server: RunningServer, proxy: RecordingProxy, clock: ScaledClock
) -> None:
    KeyRing(db).next_advertisement(NOON, Metadata(0))
    with ServerClient(proxy.url, clock) as client, pytest.raises(ServerRefused):
        report(db, client, clock, "00000000")
    refused = proxy.connections[-1].runs
    whole = pretended(db, proxy, clock).runs
    # As long as an answer that grants something, but for the few letters of its status line.
    assert refused[0] == whole[0]
    assert abs(refused[1] - whole[1]) < 20


def contents(server: RunningServer) -> list[str]:
    with contextlib.closing(sqlite3.connect(server.home / "server.db")) as connection:
        rows = connection.iterdump()
        # How long the server has run is stored too, by the worker and by each command.
        return [row for row in rows if not row.startswith('INSERT INTO "known_time"')]


def test_pretending_changes_nothing_at_the_server(
    db: Database, server: RunningServer, proxy: RecordingProxy, clock: ScaledClock
) -> None:
    before = answer("export", home=server.home, clock=server.clock), contents(server)
    pretended(db, proxy, clock)
    assert (answer("export", home=server.home, clock=server.clock), contents(server)) == before
    assert "X-Chaff: 1" in bytes(proxy.connections[-1].sent).decode()


def test_what_is_sent_at_random_says_so_in_all_three_requests(
    db: Database, tmp_path: Path, server: RunningServer, proxy: RecordingProxy, clock: ScaledClock
) -> None:
    before = contents(server)
    CoverTraffic(ServerLink(tmp_path, clock, proxy.url), random.Random(1)).send()
    (seen,) = proxy.connections
    assert header_names(seen).count("X-Chaff: 1\r\n") == 3
    assert contents(server) == before


async def test_pretences_are_a_poisson_process() -> None:
    clock = EagerClock(NOON)
    moments: list[float] = []
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    drawn = random.Random(7)

    def send(cancelled: object) -> float:
        moments.append(clock.now())
        if len(moments) == 400:
            loop.call_soon_threadsafe(over.set)
        return pause_seconds(drawn)

    running = asyncio.create_task(repeat(clock, pause_seconds(drawn), send))
    await over.wait()
    running.cancel()
    del moments[400:]
    gaps = [later - earlier for earlier, later in itertools.pairwise([NOON, *moments])]
    mean = sum(gaps) / len(gaps)
    # The mean and the spread of an exponential distribution are equal; 5 sigma of 400 is a quarter.
    assert abs(mean * COVER_REPORTS_PER_DAY / DAY - 1) < 0.25
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert 0.7 < spread / mean < 1.3


def test_a_server_that_is_away_is_no_news(
    db: Database, tmp_path: Path, clock: ScaledClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ble_agent.authority.cover")
    # Nothing listens there.
    CoverTraffic(ServerLink(tmp_path, clock, "http://127.0.0.1:9"), random.Random(1)).send()
    told = [each for each in caplog.records if each.name == "ble_agent.authority.cover"]
    assert [(each.levelname, each.getMessage()) for each in told] == [
        ("DEBUG", "cover: ServerUnreachable")
    ]


def test_who_has_joined_no_server_pretends_nothing(
    tmp_path: Path, proxy: RecordingProxy, clock: ScaledClock
) -> None:
    with open_store(tmp_path):
        pass
    CoverTraffic(ServerLink(tmp_path, clock, proxy.url), random.Random(1)).send()
    assert proxy.connections == []
