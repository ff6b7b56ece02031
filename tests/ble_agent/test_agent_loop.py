"""The loop on a radio that fails as told, and on a clock that goes as fast as the loop asks."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import pytest

from ble_agent.agent import Agent
from ble_agent.encounter_log import EncounterLog
from ble_agent.key_ring import KeyRing
from ble_agent.radio import Capabilities, Finding, Heard
from ble_agent.schedule import Schedule
from ble_agent.store import open_store
from tracing_core.advertisement import Advertisement
from tracing_core.associated_encrypted_metadata import Metadata
from tracing_core.clock import ManualClock
from tracing_core.errors import AdvertisementFault, RadioError, RadioFault, StoreFull
from tracing_core.sighting import select_sightings

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
        return Capabilities(self.can_advertise, True, True, True)

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

    async def self_test(self) -> list[Finding]:
        return []

    @property
    def identifiers(self) -> list[bytes]:
        return [sent.rpi for _, sent in self.sent if sent is not None]


async def play(radio: ScriptedRadio, home: Path, *, seed: int = 1) -> None:
    with open_store(home) as db:
        agent = Agent(
            radio,
            KeyRing(db),
            EncounterLog(db, radio.clock),
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


async def test_what_cannot_be_written_down_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = EagerClock(START)
    claim = KeyRing._claim

    def full(self: KeyRing, interval: int) -> object:
        if 1800 <= clock.monotonic() < 7200:
            raise StoreFull("the disk is full: free some space")
        return claim(self, interval)

    monkeypatch.setattr(KeyRing, "_claim", full)
    radio = ScriptedRadio(clock, until=4 * 3600)
    with caplog.at_level(logging.WARNING):
        await play(radio, tmp_path)
    during = [sent for moment, sent in radio.sent if 1900 <= moment - START < 7200]
    assert during
    on_air = [sent for sent in during if sent is not None]
    assert on_air == []
    assert "free some space; nothing is sent until then" in caplog.text
    after = [sent for moment, sent in radio.sent if moment - START >= 7200]
    assert any(sent is not None for sent in after)


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
