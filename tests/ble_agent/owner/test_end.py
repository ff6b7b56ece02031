"""After the last day: silent at once, and empty as soon as it is certain that it is over."""

from __future__ import annotations

import datetime
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ble_agent.air.clock_watch import ClockWatch
from ble_agent.air.key_ring import KeyRing
from ble_agent.app import commands
from ble_agent.app.status import status
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import agreed_last_day, load_membership, refresh
from ble_agent.config import AgentConfig
from ble_agent.owner.end import End
from ble_agent.owner.last_day import LastDay, answer_last_day
from ble_agent.store.database import DATABASE_NAME, open_store
from ble_agent.store.home import (
    OVER_NAME,
    end_home,
    erase_home,
    exclusive_use,
    finish_ending,
    is_over,
)
from ble_agent.store.recovery import open_recovered
from ble_agent.store.state import LAST_DAY, OVER, REPORT, SCAN
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.cards import can_mount, card
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.ble_agent.virtual_air.air_trace import read_trace, sent
from tracing_core.clock import ManualClock
from tracing_core.errors import NotPossible, TrustError
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.last_day import end_of_day, usual_last_day

HOUR = 3_600
DAY = 86_400
STEP = 4 * HOUR
LAST = datetime.date(2027, 2, 1)
END = end_of_day(LAST)
START = END - 2 * DAY
RATE = 120.0
MARGIN = 80 * 60
"""Enough for the processes to start, by the fast clock."""

needs_a_card = pytest.mark.skipif(not can_mount(), reason="no name spaces for this user here")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def server(clock: ManualClock) -> Iterator[FakeServer]:
    with fake_server(clock=clock, last_day=LAST) as fake:
        yield fake


def config_of(home: Path) -> AgentConfig:
    return AgentConfig(home, lang="en")


class Device:
    """A device that has joined, with secrets that a search must not find after the end."""

    def __init__(self, home: Path, server: FakeServer, clock: ManualClock) -> None:
        self.home, self.clock, self.server = home, clock, server
        commands.join(config_of(home), clock, JoinLine.parse(server.line))
        rpi, place = secrets.token_bytes(16), "Trạm y tế Bến Nghé"
        with open_store(home) as db:
            assert KeyRing(db, {}).next_advertisement(clock.now(), Metadata(0)) is not None
            with transaction(db):
                insert_sightings(db, [Sighting(rpi, bytes(4), (-60,), int(clock.now()), None)])
                REPORT.set(db, {"code": "12345678", "secret": place})
                SCAN.set(db, {"at": int(clock.now()), "clock": ClockWatch(clock).state})
        (home / "download.part").write_bytes(rpi)
        (home / ".working-x").mkdir()
        (home / ".working-x" / "import").write_bytes(rpi)
        self.secrets = [rpi, place.encode(), server.fingerprint.encode(), b"127.0.0.1"]
        self.secrets += [path.read_bytes() for path in home.glob("*.key")]

    def end(self) -> End:
        return End(ServerLink(self.home, self.clock))

    def ran_until(self, moment: float) -> None:
        """Let the agent run, whose scans note the time."""
        watch = ClockWatch(self.clock)
        with open_store(self.home) as db:
            watch.remember((SCAN.get(db) or {}).get("clock"))
            self.clock.advance(moment - self.clock.now())
            watch.is_suspect()
            with transaction(db):
                SCAN.set(db, {"at": int(self.clock.now()), "clock": watch.state})

    def steps(self, seconds: float, *, end: End | None = None) -> bool:
        """Wait in the time after the last day; return whether the wait is over."""
        end = end or self.end()
        assert end.is_reached()
        watch = end.begin()
        for _ in range(int(seconds / STEP)):
            if end.step(watch):
                return True
            self.clock.advance(STEP)
        return False

    def check_is_empty(self) -> None:
        assert [path.name for path in self.home.iterdir()] == [OVER_NAME]
        found = (self.home / OVER_NAME).read_bytes()
        assert [each for each in self.secrets if each in found] == []
        assert found.decode().splitlines() == [
            "Ngày cuối đã qua. Mọi thứ truyvet lưu ở đây đã được xóa.",
            "The last day is over. Everything that truyvet held here is deleted.",
        ]


@pytest.fixture
def device(tmp_path: Path, server: FakeServer, clock: ManualClock) -> Device:
    return Device(tmp_path / "home", server, clock)


def asked(server: FakeServer) -> list[str]:
    return [path for _, path, _ in server.asked]


def test_a_clock_that_ran_to_the_end_is_believed(device: Device) -> None:
    device.ran_until(END - 60)
    assert not device.end().is_reached()
    device.server.asked.clear()
    device.clock.advance(60)
    assert device.steps(STEP)
    device.check_is_empty()
    assert asked(device.server) == []


def test_a_device_that_was_off_waits_a_day_and_asks_the_server(device: Device) -> None:
    device.clock.jump(END + 30 * DAY)
    device.server.asked.clear()
    assert not device.steps(DAY - STEP)
    assert asked(device.server) == []
    assert (device.home / DATABASE_NAME).exists()
    # A restart does not begin the day again.
    assert device.steps(3 * STEP)
    device.check_is_empty()
    assert asked(device.server) == ["/v1/trust"]


def test_a_server_that_has_ended_vouches_for_the_time_too(device: Device) -> None:
    device.clock.jump(END + 30 * DAY)
    device.server.special["/v1/trust"] = lambda: (410, {}, b'{"code": "ended"}')
    assert device.steps(DAY + 2 * STEP)
    device.check_is_empty()


def test_a_clock_a_year_ahead_deletes_nothing_and_back_it_goes_on(
    device: Device, server: FakeServer
) -> None:
    server.clock = ManualClock(START)
    device.clock.jump(END + 365 * DAY)
    assert not device.steps(6 * DAY)
    assert not device.steps(7 * DAY)
    assert set(asked(server)[2:]) == {"/v1/trust"}
    device.clock.jump(START + 13 * DAY - DAY * 12)
    end = device.end()
    assert not end.is_reached()
    with open_store(device.home) as db:
        assert db.table("sighting").count == 1
        assert OVER.get(db) is not None
        load_membership(db)
    # Seen while it waits, too.
    device.clock.jump(END + DAY)
    assert end.is_reached()
    watch = end.begin()
    device.clock.jump(START + DAY)
    assert end.step(watch)
    assert not is_over(device.home)
    with open_store(device.home) as db:
        assert OVER.get(db) is None


@pytest.mark.parametrize("server_is", ["gone", "lying"])
def test_after_14_days_of_running_no_server_is_needed(
    device: Device, server: FakeServer, server_is: str
) -> None:
    if server_is == "lying":
        server.clock = ManualClock(START)
    else:
        server.special["/v1/trust"] = lambda: (503, {"Date": "nonsense"}, b"")
    device.clock.jump(END + DAY)
    assert not device.steps(7 * DAY)
    assert not device.steps(7 * DAY - STEP)
    # What passed between two processes is not counted.
    assert device.steps(6 * STEP)
    device.check_is_empty()


def test_a_device_that_nothing_is_known_of_believes_no_clock(device: Device) -> None:
    with open_store(device.home) as db, transaction(db):
        SCAN.clear(db)
    device.server.clock = ManualClock(START)
    device.clock.jump(END + DAY)
    assert not device.steps(2 * DAY)
    assert (device.home / DATABASE_NAME).exists()


def test_an_owner_who_was_never_asked_is_asked_once_and_nothing_ends_before(
    device: Device,
) -> None:
    now = device.clock.now()
    with open_store(device.home) as db:
        with transaction(db):
            LAST_DAY.clear(db)
        membership = load_membership(db)
        known = LastDay.read(db, membership, now)
        assert (known.agreed, known.offered, known.is_open) == (None, LAST, True)
    facts = status(config_of(device.home), device.clock)
    assert facts.needs_owner
    assert facts.facts["last_day_open"] is True
    device.clock.jump(END + 400 * DAY)
    assert not device.end().is_reached()
    device.clock.jump(now)
    with open_store(device.home) as db:
        answer_last_day(db, membership, None, now)
        assert not LastDay.read(db, membership, now).is_open
        with pytest.raises(NotPossible) as refused:
            answer_last_day(db, membership, LAST + datetime.timedelta(1), now)
        assert refused.value.code == "last_day_changed"
        answer_last_day(db, membership, LAST, now)
        for other in (None, LAST, LAST + datetime.timedelta(1)):
            with pytest.raises(NotPossible) as refused:
                answer_last_day(db, membership, other, now)
            assert refused.value.code == "last_day_fixed"
    device.clock.jump(END)
    assert device.end().is_reached()


@pytest.mark.parametrize("days", [-1, 1, 300])
def test_a_server_that_sends_another_day_is_refused(
    device: Device, server: FakeServer, days: int
) -> None:
    server.last_day = LAST + datetime.timedelta(days)
    server.trust(server.config_key, server.config_key)
    with open_store(device.home) as db:
        link = ServerLink(device.home, device.clock)
        membership = load_membership(db)
        with (
            link.download_client(db, membership) as client,
            pytest.raises(TrustError, match="moved its last day"),
        ):
            refresh(db, client, membership, device.clock.now())
        assert agreed_last_day(db) == LAST


def test_a_day_that_the_server_names_later_does_not_move_the_agreed_one(
    tmp_path: Path, clock: ManualClock
) -> None:
    with fake_server(clock=clock) as old:
        home = tmp_path / "late"
        joined = commands.join(config_of(home), clock, JoinLine.parse(old.line))
        usual = usual_last_day(clock.now())
        assert joined.facts["last_day"] == usual.isoformat()
        old.last_day = LAST
        old.trust(old.config_key, old.config_key)
        with open_store(home) as db:
            membership = load_membership(db)
            with ServerLink(home, clock).download_client(db, membership) as client:
                newer = refresh(db, client, membership, clock.now())
            assert newer.named_last_day == LAST
            assert agreed_last_day(db) == usual
        # Only the owner's own yes, at joining again, takes the day that is named now.
        again = commands.join(config_of(home), clock, JoinLine.parse(old.line), agreed=LAST)
        assert again.facts["last_day"] == LAST.isoformat()


def test_what_was_shown_is_what_is_agreed_to(device: Device, server: FakeServer) -> None:
    line = JoinLine.parse(server.line)
    with pytest.raises(NotPossible) as refused:
        commands.join(
            config_of(device.home), device.clock, line, agreed=LAST + datetime.timedelta(1)
        )
    assert refused.value.code == "last_day_changed"
    terms = commands.join_terms(config_of(device.home), device.clock, line)
    assert (terms.last_day, terms.is_named) == (LAST, True)
    device.clock.jump(END)
    with pytest.raises(NotPossible) as refused:
        commands.join_terms(config_of(device.home), device.clock, line)
    assert refused.value.code == "last_day_over"


def test_a_report_that_is_under_way_at_the_end_is_not_sent(
    device: Device, server: FakeServer, clock: ManualClock
) -> None:
    device.ran_until(END - 60)
    with open_store(device.home) as db, transaction(db):
        REPORT.clear(db)

    def verify() -> tuple[int, dict[str, str], bytes]:
        clock.jump(END)
        return 200, {}, b'{"testtype": "confirmed", "token": "token", "padding": ""}'

    server.special["/api/verify"] = verify
    server.asked.clear()
    with pytest.raises(NotPossible) as refused:
        commands.report(config_of(device.home), clock, "12345678")
    assert refused.value.code == "after_last_day"
    assert asked(server) == ["/api/verify"]
    for command in (
        lambda: commands.check(config_of(device.home), clock),
        lambda: commands.report(config_of(device.home), clock, "12345678"),
        lambda: commands.import_log(config_of(device.home), clock, Path(os.devnull), dry_run=False),
    ):
        with pytest.raises(NotPossible) as refused:
            command()
        assert refused.value.code == "after_last_day"
    assert asked(server) == ["/api/verify"]
    said = status(config_of(device.home), clock)
    assert "sends, records, checks and reports no more" in said.text
    assert device.steps(STEP)
    device.check_is_empty()


def test_a_home_that_is_over_says_so_and_can_join_again(device: Device, server: FakeServer) -> None:
    device.ran_until(END)
    assert device.steps(STEP)
    config = config_of(device.home)
    said = status(config, device.clock)
    assert said.facts == {"ended": True}
    assert said.text.startswith("The last day is over. Everything")
    assert not said.needs_owner
    with pytest.raises(NotPossible) as refused:
        commands.check(config, device.clock)
    assert refused.value.code == "over"
    with (
        pytest.raises(NotPossible) as refused,
        open_recovered(device.home, device.clock.now()),
    ):
        pass
    assert refused.value.code == "over"
    # The line of what has ended does not begin it again.
    with pytest.raises(NotPossible) as refused:
        commands.join(config, device.clock, JoinLine.parse(server.line))
    assert refused.value.code == "last_day_over"
    device.check_is_empty()
    with fake_server(clock=device.clock, last_day=LAST + datetime.timedelta(100)) as new:
        commands.join(config, device.clock, JoinLine.parse(new.line))
    assert not is_over(device.home)
    with open_store(device.home) as db:
        assert db.table("sighting").count == 0


def test_erasing_removes_the_note_too(device: Device) -> None:
    device.ran_until(END)
    assert device.steps(STEP)
    assert erase_home(device.home) == []
    assert not device.home.exists()


def test_a_removal_that_is_killed_at_any_moment_is_finished(device: Device, tmp_path: Path) -> None:
    device.ran_until(END)
    kept = tmp_path / "kept"
    device.home.rename(kept)
    killed = begun = 0
    for step in (1, 10, 40, 80, 120, 160, 200, 250, 300, 350, 400, 500, 600, 800, 1_000, 1_500):
        subprocess.run(["rm", "-rf", device.home], check=True)
        subprocess.run(["cp", "-a", kept, device.home], check=True)
        died = _killed(step, lambda: _end(device.home))
        killed += died
        if not is_over(device.home):
            # Nothing is removed before the note is there.
            with open_store(device.home) as db:
                assert db.table("sighting").count == 1
            continue
        begun += died
        finish_ending(device.home)
        device.check_is_empty()
        if not died:
            break
    assert killed >= begun >= 4


def _end(home: Path) -> None:
    with exclusive_use(home):
        end_home(home)


def _killed(step: int, work: Callable[[], None]) -> bool:
    """Do work in another process that dies at its n-th call; return whether it died."""
    child = os.fork()
    if not child:
        left = step

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal left
            left -= event in ("call", "c_call")
            if left <= 0:
                os._exit(9)

        sys.setprofile(count)
        try:
            work()
        finally:
            sys.setprofile(None)
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def wait(condition: Callable[[], Any], agent: AgentProcess) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, agent.log()
        time.sleep(0.05)


def test_an_agent_that_runs_over_the_end_falls_silent_and_leaves_nothing(tmp_path: Path) -> None:
    early = clock_at(START)
    with fake_server(clock=early, last_day=LAST) as server:
        agent = AgentProcess(tmp_path / "owner", early)
        assert agent.answer("join", server.line, "--yes")["last_day"] == LAST.isoformat()
    clock = agent.clock = clock_at(END - MARGIN, rate=RATE)
    with (
        air_process(side_by_side("owner", "other"), tmp_path, clock) as (radios, trace),
        agent,
        AgentProcess(tmp_path / "other", clock) as other,
    ):
        agent.start(radios["owner"])
        other.start(radios["other"])
        wait(lambda: "using" in agent.log(), agent)
        assert agent.process is not None
        code = agent.process.wait(120)
        agent.process = None
        assert code == 0, agent.log()
        assert clock.now() >= END
        assert [path.name for path in agent.home.iterdir()] == [OVER_NAME]
        # It starts, says that it is over, and ends well, so that no service manager insists.
        agent.start(radios["owner"])
        assert agent.process.wait(60) == 0
        agent.process = None
        assert agent.log().count("The last day is over. Everything") == 2
        assert agent.answer("status") == {"ended": True}
        assert "over" in agent.refusal("check")
        assert other.stop() == 0
    runs = sent(read_trace(trace), "owner")
    assert runs
    # Reading the clock and stopping the radio take a moment, which is longer by a fast clock.
    assert all(run["last"] <= END + 5 * RATE for run in runs)


@needs_a_card
def test_a_card_that_can_only_be_read_is_emptied_later(tmp_path: Path) -> None:
    early = clock_at(START)
    with (
        fake_server(clock=early, last_day=LAST) as server,
        card(tmp_path / "card") as its,
        AgentProcess(its.folder / "home", early, prefix=its.prefix) as agent,
    ):
        agent.answer("join", server.line, "--yes")
        clock = agent.clock = server.clock = clock_at(END - MARGIN, rate=RATE)
        with air_process(side_by_side("owner"), tmp_path, clock) as (radios, trace):
            agent.start(radios["owner"])
            wait(lambda: "using" in agent.log(), agent)
            assert agent.stop() == 0
            its.make_read_only()
            agent.start(radios["owner"])
            wait(lambda: "not everything could be deleted" in agent.log(), agent)
            silent_at = clock.now()
            assert agent.answer("status")["joined"] is True
            assert agent.stop() == 0
            its.make_writable()
            agent.start(radios["owner"])
            assert agent.process is not None
            assert agent.process.wait(120) == 0, agent.log()
            agent.process = None
        left = subprocess.run(
            [*its.prefix, "ls", "-A", agent.home], capture_output=True, text=True, check=True
        )
    assert left.stdout.split() == [OVER_NAME]
    assert silent_at >= END
    assert not [run for run in sent(read_trace(trace), "owner") if run["last"] > END + 5 * RATE]
