"""The loop on a radio that fails as told, and on a clock that goes as fast as the loop asks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import resource
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import pytest

from ble_agent.air.agent import Agent, Keys
from ble_agent.air.encounter_log import EncounterLog, Upkeep
from ble_agent.air.key_ring import KeyRing
from ble_agent.air.persistence import Persistence
from ble_agent.air.schedule import CONTINUOUS, Schedule
from ble_agent.radio.protocol import Capabilities, Finding, Heard
from ble_agent.store.database import open_store
from ble_agent.store.state import RADIO
from tracing_core.clock import ManualClock
from tracing_core.errors import (
    AdvertisementFault,
    RadioError,
    RadioFault,
    StoreBusy,
    StoreFull,
    StoreReadOnly,
)
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.protocol.interval import interval_number, rolling_start
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, select_sightings

START = 1_800_000_000.0


class EagerClock(ManualClock):
    """Time passes as soon as somebody waits for it."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.advance(max(0.0, seconds))


@dataclass
class ScriptedRadio:
    """Notes what it is told to do, and fails when told to."""

    clock: ManualClock
    fail: Callable[[str], RadioError | None] = lambda _: None
    until: float = 3600.0
    can_advertise: bool = True
    listens_while_sending: bool = True
    exhausted: bool = False
    stop: Callable[[], None] = lambda: None
    name: str = "scripted"
    rejected: Counter[AdvertisementFault] = field(default_factory=Counter)
    without_rssi: int = 0
    sent: list[tuple[float, Advertisement | None]] = field(default_factory=list)
    scans: list[float] = field(default_factory=list)
    opened: int = 0
    open: bool = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            self.can_advertise,
            True,
            True,
            True,
            listens_while_sending=self.listens_while_sending,
        )

    def _act(self, what: str) -> None:
        if self.clock.monotonic() >= self.until:
            self.stop()
        error = self.fail(what)
        if error is not None:
            raise error

    async def __aenter__(self) -> Self:
        self.opened += 1
        self._act("open")
        self.open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.open = False
        self.sent.append((self.clock.now(), None))

    async def rotate(self, advertisement: Advertisement | None) -> None:
        assert self.open
        self._act("rotate")
        self.clock.advance(0.2)
        self.sent.append((self.clock.now(), advertisement))

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        assert self.open
        self.scans.append(self.clock.now())
        heard(Heard(Advertisement(bytes(16), bytes(4)), -60, self.clock.now()))
        self._act("scan")
        await self.clock.sleep(seconds)

    async def rest(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def self_test(self) -> list[Finding]:
        return []

    @property
    def identifiers(self) -> list[bytes]:
        return [sent.rpi for _, sent in self.sent if sent is not None]


@dataclass
class GuardedKeys:
    """Keys of a disk that may fail: `check` raises while it does."""

    keys: Keys
    check: Callable[[], None]

    def next_advertisement(self, now: float, metadata: Metadata) -> Advertisement | None:
        self.check()
        return self.keys.next_advertisement(now, metadata)

    def silent_seconds(self, now: float) -> float:
        return self.keys.silent_seconds(now)


async def play(
    radio: ScriptedRadio,
    home: Path,
    *,
    seed: int = 1,
    check_disk: Callable[[], None] = lambda: None,
    upkeep: Upkeep | None = None,
) -> None:
    with open_store(home) as db:
        agent = Agent(
            radio,
            GuardedKeys(KeyRing(db), check_disk),
            EncounterLog(db, radio.clock, upkeep=upkeep or Upkeep()),
            Schedule(Random(seed)),
            Metadata(0),
        )
        radio.stop = agent.stop
        await asyncio.wait_for(agent.run(), 30)


def failing(
    reason: RadioFault, *what: str, times: int, skip: int = 0
) -> Callable[[str], RadioError | None]:
    count = itertools.count()

    def fail(done: str) -> RadioError | None:
        if done in what and skip <= next(count) < skip + times:
            return RadioError(reason, "the adapter went away: plug it in again")
        return None

    return fail


async def test_a_day_sends_a_new_identifier_every_ten_to_twenty_minutes(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(START), until=86_400.0)
    await play(radio, tmp_path)
    moments = [moment for moment, sent in radio.sent if sent is not None]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(600 <= gap <= 1200 for gap in gaps)
    assert len(set(radio.identifiers)) == len(radio.identifiers) > 70
    scan_gaps = [later - earlier for earlier, later in itertools.pairwise(radio.scans)]
    assert all(210 <= gap <= 300 for gap in scan_gaps)
    with open_store(tmp_path) as db:
        assert len(list(select_sightings(db))) == len(radio.scans)


async def test_a_slow_card_keeps_no_identifier_longer_on_the_air(tmp_path: Path) -> None:
    clock = EagerClock(START)
    compacted: list[float] = []

    def compact(_: Database) -> bool:
        compacted.append(clock.now())
        clock.advance(120.0)
        return False

    radio = ScriptedRadio(clock, until=86_400.0)
    await play(radio, tmp_path, upkeep=Upkeep(compact=compact, compact_every_seconds=0.0))
    assert len(compacted) > 20
    moments = [moment for moment, sent in radio.sent if sent is not None]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(600 <= gap <= 1200 for gap in gaps)


async def test_stopping_falls_silent_before_the_radio_is_closed(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(START), until=100.0)
    await play(radio, tmp_path)
    assert [sent is None for _, sent in radio.sent][-2:] == [True, True]
    assert not radio.open


async def test_a_scan_cut_short_by_stopping_is_kept(tmp_path: Path) -> None:
    radio = ScriptedRadio(ManualClock(START))
    playing = asyncio.create_task(play(radio, tmp_path))
    while not radio.scans:
        radio.clock.advance(1)
        await asyncio.sleep(0)
    radio.stop()
    await playing
    with open_store(tmp_path) as db:
        assert len(list(select_sightings(db))) == 1


async def test_an_adapter_absent_at_the_start_is_an_error(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(START), fail=failing(RadioFault.NO_ADAPTER, "open", times=1))
    with pytest.raises(RadioError, match="plug it in"):
        await play(radio, tmp_path)


async def test_status_learns_of_an_adapter_that_could_not_even_be_opened(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(START), fail=failing(RadioFault.NO_ADAPTER, "open", times=1))
    with Persistence(tmp_path, radio.clock) as store:
        store.open()
        store.note_radio("scripted", None)
        agent = Agent(
            radio,
            store,
            store.log,
            Schedule(Random(1)),
            Metadata(0),
            on_radio_change=lambda fault: store.note_radio("scripted", fault),
        )
        with pytest.raises(RadioError):
            await agent.run()
    with open_store(tmp_path) as db:
        assert RADIO.get(db)["fault"] == "no_adapter"


def test_a_disk_that_cannot_even_be_read_is_no_fault_of_the_radio(tmp_path: Path) -> None:
    with Persistence(tmp_path, EagerClock(START)) as store:
        store.open()
        with open_store(tmp_path) as db:
            db.execute("DROP TABLE state")
        store.note_radio("scripted", None)


@pytest.mark.parametrize("what", ["scan", "rotate"])
async def test_an_adapter_that_goes_away_is_waited_for_and_nothing_is_sent_twice(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    lost = failing(RadioFault.CONNECTION_LOST, what, times=3, skip=1)
    radio = ScriptedRadio(EagerClock(START), fail=lost, until=3 * 3600)
    with caplog.at_level(logging.WARNING):
        await play(radio, tmp_path)
    assert radio.opened == 4
    assert len(set(radio.identifiers)) == len(radio.identifiers) >= 7
    assert [record.getMessage() for record in caplog.records] == [
        "the adapter went away: plug it in again; trying again"
    ] * 3


async def test_retries_wait_longer_and_longer_up_to_five_minutes(tmp_path: Path) -> None:
    clock = EagerClock(START)
    opened: list[float] = []

    def fail(what: str) -> RadioError | None:
        if what == "open":
            opened.append(clock.now())
        return RadioError(RadioFault.CONNECTION_LOST, "gone: plug it in") if opened[1:] else None

    radio = ScriptedRadio(clock, fail=fail, until=3600)
    radio.fail = lambda what: (
        fail(what)
        or (RadioError(RadioFault.CONNECTION_LOST, "gone: plug it in") if what == "scan" else None)
    )
    await play(radio, tmp_path)
    waits = [round(later - earlier) for earlier, later in itertools.pairwise(opened)]
    assert waits[:8] == [2, 4, 8, 16, 32, 64, 128, 256]
    assert max(waits) == 300


async def test_after_suspend_the_identifier_changes_first(tmp_path: Path) -> None:
    clock = EagerClock(START)
    asleep = iter([7 * 3600.0])

    def suspend(what: str) -> RadioError | None:
        if what == "scan" and clock.monotonic() > 1800:
            clock.advance(next(asleep, 0.0))
        return None

    radio = ScriptedRadio(clock, fail=suspend, until=9 * 3600)
    await play(radio, tmp_path)
    resumed = next(
        later for earlier, later in itertools.pairwise(radio.scans) if later - earlier > 3600
    )
    changes = [moment for moment, sent in radio.sent if sent is not None]
    slept_from = max(moment for moment in radio.scans if moment < resumed)
    assert any(slept_from + 7 * 3600 <= moment <= resumed for moment in changes)
    assert len(set(radio.identifiers)) == len(radio.identifiers)


async def test_where_listening_would_change_the_address_nothing_is_sent_meanwhile(
    tmp_path: Path,
) -> None:
    radio = ScriptedRadio(EagerClock(START), listens_while_sending=False, until=86_400.0)
    await play(radio, tmp_path)
    for began in radio.scans:
        last = max((moment, sent) for moment, sent in radio.sent if moment <= began)
        assert last[1] is None
    moments = [moment for moment, sent in radio.sent if sent is not None]
    assert len(set(radio.identifiers)) == len(radio.identifiers) == len(moments) > 70
    # One scan before each but the first, which had the scan of the start.
    assert len(moments) - 1 <= len(radio.scans) <= len(moments) + 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(600 <= gap <= 1200 for gap in gaps)


async def test_what_cannot_be_written_down_is_not_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = EagerClock(START)

    def check_disk() -> None:
        if 1800 <= clock.monotonic() < 7200:
            raise StoreFull("the disk is full: free some space")

    radio = ScriptedRadio(clock, until=4 * 3600)
    with caplog.at_level(logging.WARNING):
        await play(radio, tmp_path, check_disk=check_disk)
    during = [sent for moment, sent in radio.sent if 1900 <= moment - START < 7200]
    assert during
    on_air = [sent for sent in during if sent is not None]
    assert on_air == []
    assert "free some space; nothing is sent until then" in caplog.text
    after = [sent for moment, sent in radio.sent if moment - START >= 7200]
    assert any(sent is not None for sent in after)


async def test_a_database_that_another_process_holds_is_asked_again_soon(tmp_path: Path) -> None:
    clock = EagerClock(START)

    def check_disk() -> None:
        if 1800 <= clock.monotonic() < 3020:
            raise StoreBusy("another process holds it: try again")

    radio = ScriptedRadio(clock, until=7200)
    await play(radio, tmp_path, check_disk=check_disk)
    moments = [moment - START for moment, sent in radio.sent if sent is not None]
    assert not any(1800 <= moment < 3020 for moment in moments)
    assert any(3020 <= moment < 3040 for moment in moments)


async def test_a_clock_set_back_falls_silent_until_it_is_later_again(tmp_path: Path) -> None:
    clock = EagerClock(START)
    jumps = iter([3 * 3600.0])

    def set_back(_: str) -> RadioError | None:
        if clock.monotonic() > 3600:
            clock.jump(clock.now() - next(jumps, 0.0))
        return None

    radio = ScriptedRadio(clock, fail=set_back, until=8 * 3600)
    await play(radio, tmp_path)
    assert len(set(radio.identifiers)) == len(radio.identifiers)
    with open_store(tmp_path) as db:
        rows = list(select_sightings(db))
    back = [row for row in rows if row.clock_suspect]
    assert 30 < len(back) < 60
    assert not rows[-1].clock_suspect


async def test_a_recording_is_played_to_its_end_without_waiting(tmp_path: Path) -> None:
    radio = ScriptedRadio(ManualClock(START), can_advertise=False)

    def end(what: str) -> RadioError | None:
        radio.clock.advance(300)
        radio.exhausted = len(radio.scans) == 5
        return None

    radio.fail = end
    radio.clock.sleep = lambda _: asyncio.sleep(0)  # type: ignore[method-assign]
    await play(radio, tmp_path)
    assert len(radio.scans) == 5
    assert radio.identifiers == []
    with open_store(tmp_path) as db:
        assert len(list(select_sightings(db))) == 5
        assert db.table("own_key").count == 0


async def test_a_damaged_recording_is_an_error_and_not_played_again(tmp_path: Path) -> None:
    radio = ScriptedRadio(
        EagerClock(START),
        can_advertise=False,
        fail=failing(RadioFault.UNREADABLE_CAPTURE, "scan", times=1, skip=2),
    )
    with pytest.raises(RadioError):
        await play(radio, tmp_path)
    assert radio.opened == 1


async def test_a_clock_not_yet_set_sends_nothing_and_what_it_hears_never_matches(
    tmp_path: Path,
) -> None:
    clock = EagerClock(100.0)
    set_at = 3600.0

    def ntp(_: str) -> RadioError | None:
        if clock.monotonic() > set_at and clock.now() < START:
            clock.jump(START)
        return None

    radio = ScriptedRadio(clock, fail=ntp, until=3 * 3600)
    suspects = [row.clock_suspect for row in await rows_of(radio, tmp_path)]
    assert all(moment >= START for moment, sent in radio.sent if sent is not None)
    assert len(radio.identifiers) >= 6
    with open_store(tmp_path) as db:
        starts = [start for (start,) in db.execute("SELECT rolling_start FROM own_key")]
        assert all(start > 2_000_000 for start in starts)
    # Those of 1970 are older than 14 days when the clock is right.
    assert len(suspects) > 15
    assert not any(suspects[1:])


async def rows_of(radio: ScriptedRadio, home: Path) -> list[Sighting]:
    await play(radio, home)
    with open_store(home) as db:
        return list(select_sightings(db))


async def test_sightings_before_the_clock_was_set_are_marked(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(100.0), until=3600)
    rows = await rows_of(radio, tmp_path)
    assert len(rows) > 10
    assert all(row.clock_suspect for row in rows)
    assert radio.identifiers == []


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_clock_set_three_hours_either_way_rolls_keys_rightly(
    tmp_path: Path, hours: int
) -> None:
    # Late in the day, so that three hours ahead is tomorrow, and early, so that back is yesterday.
    midnight = START // 86_400 * 86_400
    clock = EagerClock(midnight + (22 if hours > 0 else 1) * 3600.0)
    jumps = iter([hours * 3600.0])

    def jump(_: str) -> RadioError | None:
        if clock.monotonic() > 3600:
            clock.jump(clock.now() + next(jumps, 0.0))
        return None

    radio = ScriptedRadio(clock, fail=jump, until=10 * 3600)
    rows = await rows_of(radio, tmp_path)
    assert len(set(radio.identifiers)) == len(radio.identifiers) > 25
    with open_store(tmp_path) as db:
        keys = {
            key.rolling_start_interval_number: key
            for key in KeyRing(db).keys_to_report(midnight + 2 * 86_400)
        }
    for moment, sent in radio.sent:
        if sent is not None:
            # Sent at most a moment after its interval was written down.
            intervals = {interval_number(moment), interval_number(moment - 1)}
            assert sent.rpi in {
                derive_rpi(keys[rolling_start(each)], each)
                for each in intervals
                if rolling_start(each) in keys
            }
    suspect = [row.clock_suspect for row in rows]
    # Ahead, only the scan in which it happened; back, until the clock is where it was.
    assert sum(suspect) == 1 if hours > 0 else 30 < sum(suspect) < 60
    assert not any(suspect[-20:])


async def test_a_clock_that_runs_far_ahead_for_an_hour_deletes_nothing(tmp_path: Path) -> None:
    clock = EagerClock(START)
    jumps = iter([60 * 86_400.0])
    back = iter([60 * 86_400.0])

    def jump(_: str) -> RadioError | None:
        if clock.monotonic() > 3600:
            clock.jump(clock.now() + next(jumps, 0.0))
        if clock.monotonic() > 7200:
            clock.jump(clock.now() - next(back, 0.0))
        return None

    radio = ScriptedRadio(clock, fail=jump, until=3 * 3600)
    rows = await rows_of(radio, tmp_path)
    assert len(rows) == len(radio.scans)
    with open_store(tmp_path) as db:
        assert len(KeyRing(db).keys_to_report(clock.now())) >= 1


async def test_a_large_jump_ahead_is_believed_after_a_day(tmp_path: Path) -> None:
    clock = EagerClock(START)
    jumps = iter([60 * 86_400.0])

    def jump(_: str) -> RadioError | None:
        if clock.monotonic() > 3600:
            clock.jump(clock.now() + next(jumps, 0.0))
        return None

    radio = ScriptedRadio(clock, fail=jump, until=26 * 3600)
    rows = await rows_of(radio, tmp_path)
    assert min(row.seen_at for row in rows) > START + 86_400


async def test_a_disk_that_fails_keeps_the_loop_going_and_loses_nothing_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    clock = EagerClock(START)

    def disk(_: str) -> RadioError | None:
        # What every write to a file beyond so many bytes meets: EFBIG, from the kernel itself.
        failing = 1800 <= clock.monotonic() < 9000
        resource.setrlimit(resource.RLIMIT_FSIZE, (512 if failing else hard, hard))
        return None

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    radio = ScriptedRadio(clock, fail=disk, until=4 * 3600)
    try:
        with caplog.at_level(logging.INFO):
            await play(radio, home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    with open_store(home) as db:
        rows = list(select_sightings(db))
    assert len(rows) == len(radio.scans) > 40
    assert len(set(radio.identifiers)) == len(radio.identifiers)
    during = [sent for moment, sent in radio.sent if 3100 <= moment - START < 9000]
    on_air = [sent for sent in during if sent is not None]
    assert on_air == []
    assert "nothing is sent until then" in caplog.text
    assert "kept in memory until then" in caplog.text
    assert caplog.text.count("the disk can be written to again") == 1


async def test_a_start_without_a_disk_is_mended_within_six_minutes_of_one(tmp_path: Path) -> None:
    clock = EagerClock(START)

    def opened(home: Path) -> contextlib.AbstractContextManager[Database]:
        if clock.monotonic() < 7200:
            raise StoreReadOnly("the disk can only be read: check or replace it")
        return open_store(home)

    radio = ScriptedRadio(clock, until=3 * 3600)
    with Persistence(tmp_path, clock, open_database=opened) as store:
        agent = Agent(radio, store, store.log, Schedule(Random(1)), Metadata(0))
        radio.stop = agent.stop
        await asyncio.wait_for(agent.run(), 30)
    moments = [moment - START for moment, sent in radio.sent if sent is not None]
    assert 7200 <= moments[0] <= 7200 + 365
    with open_store(tmp_path) as db:
        assert len(list(select_sightings(db))) == len(radio.scans) > 35


async def test_listening_all_the_time_still_changes_identifiers(tmp_path: Path) -> None:
    radio = ScriptedRadio(EagerClock(START), until=6 * 3600)
    with open_store(tmp_path) as db:
        agent = Agent(
            radio,
            KeyRing(db),
            EncounterLog(db, radio.clock),
            Schedule(Random(1), CONTINUOUS),
            Metadata(0),
        )
        radio.stop = agent.stop
        await asyncio.wait_for(agent.run(), 30)
        gaps = [
            row.seen_at - row.previous_scan_at
            for row in select_sightings(db)
            if row.previous_scan_at is not None
        ]
    assert 60 * len(radio.scans) > 0.98 * 6 * 3600
    assert all(60 <= gap <= 125 for gap in gaps)
    assert sum(gap <= 62 for gap in gaps) > 0.97 * len(gaps)
    moments = [moment for moment, sent in radio.sent if sent is not None]
    assert all(600 <= later - earlier <= 1200 for earlier, later in itertools.pairwise(moments))
    assert len(moments) >= 17
