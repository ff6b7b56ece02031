"""Real agents and a real server: join, report by code, export, check; and every refusal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.client import ServerClient
from ble_agent.authority.report import report
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.authority.requests import CERTIFY, PUBLISH, VERIFY
from ble_agent.authority.transport import HTTPTransport, Timeouts
from ble_agent.store.database import make_home, open_store
from ble_agent.store.state import REPORT
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.server.running import RunningServer, command
from tests.server.running import clock_at as server_clock_at
from tracing_core.clock import ScaledClock
from tracing_core.errors import ServerRefused, ServerUnreachable
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOON = 20_900 * DAY + DAY // 2


@pytest.fixture
def clock() -> ScaledClock:
    return clock_at(NOON)


@pytest.fixture
def server(tmp_path: Path, clock: ScaledClock) -> Iterator[RunningServer]:
    with RunningServer(tmp_path / "server", clock) as running:
        running.init()
        running.start()
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("shared") / "server", clock_at(NOON)) as running:
        running.init()
        running.start()
        yield running


def device(folder: Path, server: RunningServer, name: str, clock: ScaledClock) -> AgentProcess:
    process = AgentProcess(folder / name, clock)
    joined = process.answer("join", server.join, "--yes")
    assert datetime.date.fromisoformat(joined.pop("last_day"))
    assert joined == {"region": "VN", "url": server.url}
    return process


def send(agent: AgentProcess, moment: float) -> Advertisement:
    """Claim an identifier as a running agent would."""
    make_home(agent.home)
    with open_store(agent.home) as db:
        sent = KeyRing(db).next_advertisement(moment, Metadata(0))
    assert sent is not None
    return sent


def hear(agent: AgentProcess, sent: Advertisement, moment: int, *, scans: int = 4) -> None:
    rows = [
        Sighting(sent.rpi, sent.aem, (-50,) * 9, moment + 240 * scan, moment + 240 * (scan - 1))
        for scan in range(scans)
    ]
    with open_store(agent.home) as db, transaction(db):
        insert_sightings(db, rows)


def test_who_was_near_is_told_and_who_was_not_is_not(
    server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    an, binh, chi = (device(tmp_path, server, name, clock) for name in ("an", "binh", "chi"))
    for days in (2, 1, 0):
        sent = send(an, NOON - days * DAY)
        if days == 2:
            hear(binh, sent, NOON - days * DAY)
    hear(chi, send(chi, NOON - DAY), NOON - DAY)
    assert an.answer("report", server.issue(), "--yes") == {"reported_keys": 3}

    assert server.stop() == 0
    server.clock = binh.clock = chi.clock = an.clock = server_clock_at(NOON + DAY)
    server.start()
    # The server's worker may have exported before we ask it to.
    command("export", home=server.home, clock=server.clock)
    told = binh.answer("check", "--server", server.url)
    assert told["batches"] >= 1
    assert told["recorded"] is True
    (day,) = told["days"]
    assert day["date"] == "2027-03-21"
    assert day["minutes"] == 16
    assert told["level"] == day["level"] == "high"
    assert "21 March 2027" in told["text"]
    none = chi.answer("check")
    assert (none["recorded"], none["days"], none["level"]) == (False, [], "none")
    assert binh.answer("check")["batches"] == 0
    assert binh.answer("status")["level"] == "high"
    assert binh.answer("status")["last_check_minutes_ago"] == 0

    # What was found stays to be read while the server is away, and that it is away is told.
    server.stop()
    away = binh.command("check", "--json")
    assert away.returncode == 1
    assert "the server does not answer" in away.stderr
    assert json.loads(away.stdout) == {**told, "batches": 0}
    assert "does not answer" in chi.refusal("check")
    assert chi.command("check").stdout == ""


def test_a_code_is_refused_in_one_line_of_the_owners_language(
    server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    an, binh = device(tmp_path, server, "an", clock), device(tmp_path, server, "binh", clock)
    code = server.issue()
    assert "nothing to report" in an.refusal("report", code, "--yes")
    send(an, NOON)
    send(binh, NOON)
    assert "check each letter" in an.refusal("report", "00000000", "--yes")
    assert an.answer("report", code, "--yes") == {"reported_keys": 1}
    assert "already been used" in binh.refusal("report", code, "--yes")
    assert "đã được sử dụng" in binh.refusal("report", code, "--yes", lang="vi")
    late = server.issue()
    server.stop()
    server.clock = binh.clock = server_clock_at(NOON + 7200)
    server.start()
    assert "expired" in binh.refusal("report", late, "--yes")
    assert "hết hạn" in binh.refusal("report", late, "--yes", lang="vi")


def test_without_consent_nothing_is_sent(
    shared: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    an = device(tmp_path, shared, "an", clock)
    send(an, NOON)
    code = shared.issue()
    done = an.command("report", code)
    assert done.returncode == 1
    assert "keys for 1 day (23 March 2027)" in done.stderr
    assert an.answer("report", code, "--yes") == {"reported_keys": 1}


def test_a_wrong_clock_and_a_server_that_is_down_are_one_line(
    server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    an = device(tmp_path, server, "an", clock)
    send(an, NOON)
    an.clock = clock_at(NOON + 3 * 3600)
    assert "set the clock" in an.refusal("check")
    assert "chỉnh lại đồng hồ" in an.refusal("report", "1", "--yes", lang="vi")
    an.clock = clock
    server.stop()
    assert "does not answer" in an.refusal("check")
    assert "không kết nối được" in an.refusal("check", lang="vi")


def test_a_report_that_broke_off_goes_on_with_the_same_code(
    shared: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    an = device(tmp_path, shared, "an", clock)
    send(an, NOON)
    code = shared.issue()
    with open_store(an.home) as db, ServerClient(shared.url, clock) as client:
        for step in (CERTIFY, PUBLISH):
            _fail_once(client, step)
            with pytest.raises(ServerUnreachable):
                report(db, client, clock, code)
        assert report(db, client, clock, code)[:2] == (1, False)
        assert REPORT.get(db)["revision_token"]
        with pytest.raises(ServerRefused, match="already been used"):
            report(db, client, clock, code)
        # The keys of today may be sent again, with the revision token kept from the first time.
        assert report(db, client, clock, shared.issue())[:2] == (1, False)


def test_what_was_granted_by_a_clock_that_was_set_back_since_is_not_fresh() -> None:
    made = [ReportProgress(certified_at=NOON - age) for age in (0, 599, 600, -1)]
    assert [each.has_certificate(NOON) for each in made] == [True, True, False, False]
    assert not ReportProgress().has_certificate(NOON)


def test_a_negative_test_takes_back_what_was_reported_and_what_was_told(
    server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    an, binh = (device(tmp_path, server, name, clock) for name in ("an", "binh"))
    hear(binh, send(an, NOON - DAY), NOON - DAY)
    negative = server.issue(testType="negative")
    # Nothing was reported that could be taken back; the code is not used up by asking.
    assert "cannot be reported" in an.refusal("report", negative, "--yes")
    likely = server.issue(testType="likely")
    assert an.answer("report", likely, "--yes") == {"reported_keys": 1}
    later = NOON + DAY // 2
    clock = restart(server, later, an, binh)
    assert binh.answer("check")["level"] == "high"

    # Today's key is of after the report, and is not sent.
    send(an, later)
    negative = server.issue(testType="negative")
    taken_back = an.answer("report", negative, "--yes")
    assert taken_back == {"reported_keys": 0, "taken_back_keys": 1}
    clock = restart(server, later + DAY // 2, an, binh)
    assert binh.answer("check")["recorded"] is False

    # Who falls ill all the same reports the keys since then, and no refusal keeps them back.
    assert an.answer("report", server.issue(), "--yes") == {"reported_keys": 1}


def restart(server: RunningServer, moment: float, *agents: AgentProcess) -> ScaledClock:
    """Let server and agents go on at a later moment, as after a reboot."""
    server.stop()
    clock = clock_at(moment)
    server.clock = clock
    server.start()
    for agent in agents:
        agent.clock = clock
    command("export", home=server.home, clock=clock)
    return clock


def _fail_once(client: ServerClient, failing: object) -> None:
    def post(step: Any, request: Any, attempt: str = "") -> Any:
        if step is failing:
            del client.post
            raise ServerUnreachable("gone")
        return ServerClient.post(client, step, request, attempt)

    client.post = post  # type: ignore[method-assign]


def test_uploads_are_of_equal_size_whatever_they_hold(
    shared: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    sizes: list[tuple[str, int]] = []

    class Recording(HTTPTransport):
        def exchange(self, method: str, url: str, **options: Any) -> Any:
            sizes.append((urlsplit(url).path, len(options["content"])))
            return super().exchange(method, url, **options)

    for name, days in (("an", 1), ("binh", 14)):
        agent = device(tmp_path, shared, name, clock)
        for day in range(days):
            send(agent, NOON - day * DAY)
        for _ in range(2):
            transport = Recording(shared.url, Timeouts())
            with (
                open_store(agent.home) as db,
                ServerClient(shared.url, clock, transport=transport) as client,
            ):
                assert report(db, client, clock, shared.issue())[:2] == (days, False)
    assert set(sizes) == {
        (VERIFY.path, 2048),
        (CERTIFY.path, 2048),
        (PUBLISH.path, 16_384),
    }
