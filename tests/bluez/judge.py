"""What must hold of an agent's home after every cut of the power, whatever was being written."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.database import open_store
from matcher import SightingIndex, match_keys
from tests.ble_agent.virtual_air.air_trace import Line, findings, identifiers
from tracing_core.export_file import read_export
from tracing_core.protocol.rolling_proximity_identifier import rpis_of
from tracing_core.store.sighting import Sighting, select_sightings

AGENT = "agent"


@dataclass
class Life:
    """From a boot to the cut of the power, or to a clean end."""

    batches_found: set[str]
    """The key files that the disk said were used, at the boot."""
    facts: list[dict[str, Any]] = field(default_factory=list)
    """What the agent told, in its order."""
    trace: list[Line] = field(default_factory=list)
    """What was on the air."""

    def told(self, name: str) -> list[Any]:
        return [fact[name] for fact in self.facts if name in fact]

    def scans(self) -> list[tuple[set[tuple[str, int]], bool]]:
        """Of every scan what it heard, and whether the agent told that it was written."""
        found: list[tuple[set[tuple[str, int]], bool]] = []
        for fact in self.facts:
            if "heard" in fact:
                found.append(({(rpi, seen_at) for rpi, seen_at in fact["heard"]}, False))
            elif "logged" in fact:
                found[-1] = (found[-1][0], True)
        return found


@dataclass
class Verdict:
    """What was wrong, and what the home held."""

    wrong: list[str] = field(default_factory=list)
    batches: set[str] = field(default_factory=set)
    scans_lost: int = 0
    """Scans of the last life that were heard and are not there."""
    sightings: int = 0
    matched: int = 0

    def check(self, holds: bool, text: str) -> None:
        if not holds:
            self.wrong.append(text)


def judge(home: Path, lives: list[Life], exports: Path) -> Verdict:
    """Look at a home as the disk had it after the last of these lives."""
    verdict = Verdict()
    with open_store(home) as db:
        state = db.conn.execute("PRAGMA integrity_check").fetchall()
        verdict.check(state == [("ok",)], f"the database is damaged: {str(state)[:200]}")
        sightings = list(select_sightings(db))
        _judge_scans(verdict, lives, sightings)
        rows = db.conn.execute("SELECT rolling_start, last_interval FROM own_key").fetchall()
        last_interval = dict(rows)
        now = 600.0 * max(last_interval.values(), default=0)
        sendable: dict[str, int] = {}
        key_data = []
        for key in KeyRing(db).keys_to_report(now):
            start = key.rolling_start_interval_number
            key_data.append(key.key_data)
            for interval, rpi in enumerate(rpis_of(key), start):
                if interval <= last_interval[start]:
                    sendable[rpi.hex()] = interval
        verdict.check(len(key_data) == len(rows), "a key is missing")
        verdict.check(len(set(key_data)) == len(key_data), "a key is there twice")
        _judge_identifiers(verdict, lives, sendable)
        verdict.batches = {name for (name,) in db.conn.execute("SELECT name FROM batch")}
        matched = {key for (key,) in db.conn.execute("SELECT key_data FROM matched_key")}
    _judge_batches(verdict, lives, matched, sightings, exports)
    return verdict


def _judge_scans(verdict: Verdict, lives: list[Life], sightings: list[Sighting]) -> None:
    stored = Counter((each.rpi.hex(), each.seen_at) for each in sightings)
    verdict.sightings = len(sightings)
    verdict.check(max(stored.values(), default=1) == 1, "a sighting is there twice")
    verdict.check(not any(each.clock_suspect for each in sightings), "the clock was suspected")
    for number, life in enumerate(lives, 1):
        scans = life.scans()
        missing = [len(rows - stored.keys()) for rows, _ in scans]
        halves = sum(0 < gone < len(rows) for gone, (rows, _) in zip(missing, scans, strict=True))
        verdict.check(halves == 0, f"life {number}: {halves} scans are there in part")
        lost = [is_logged for gone, (_, is_logged) in zip(missing, scans, strict=True) if gone]
        verdict.check(not any(lost), f"life {number}: {sum(lost)} scans that were written are lost")
        verdict.check(
            not any(missing[:-1]), f"life {number}: of {len(scans)} scans {len(lost)} are lost"
        )
        verdict.scans_lost = len(lost)


def _judge_identifiers(verdict: Verdict, lives: list[Life], sendable: dict[str, int]) -> None:
    intervals = list(itertools.chain.from_iterable(life.told("interval") for life in lives))
    verdict.check(
        intervals == sorted(set(intervals)), "an interval's number was used again after a cut"
    )
    before: set[str] = set()
    for number, life in enumerate(lives, 1):
        given = zip(life.told("sent"), life.told("interval"), strict=True)
        unknown = sum(sendable.get(rpi) != interval for rpi, interval in given)
        verdict.check(unknown == 0, f"life {number}: {unknown} intervals used are forgotten")
        on_air = set(identifiers(life.trace, AGENT))
        unknown = len(on_air - sendable.keys())
        verdict.check(
            unknown == 0, f"life {number}: {unknown} identifiers on the air are of nothing known"
        )
        verdict.check(not on_air & before, f"life {number}: sent an identifier of before again")
        before |= on_air
    trace = [line for life in lives for line in life.trace if line["sender"] == AGENT]
    verdict.wrong += findings(trace)


def _judge_batches(
    verdict: Verdict,
    lives: list[Life],
    matched: set[bytes],
    sightings: list[Sighting],
    exports: Path,
) -> None:
    for number, life in enumerate(lives, 1):
        taking = life.told("taking")
        again = len(taking) - len(set(taking) - life.batches_found)
        verdict.check(again == 0, f"life {number}: {again} batches were matched twice")
        lost = len(set(life.told("taken")) - verdict.batches)
        verdict.check(lost == 0, f"life {number}: {lost} batches used are forgotten")
    index = SightingIndex(sightings)
    expected = set()
    for name in verdict.batches:
        export = read_export(exports / name)
        expected |= {match.key.key_data for match in match_keys(index, export.keys)}
    verdict.matched = len(matched)
    verdict.check(
        matched == expected,
        f"of the batches used, {len(expected)} keys match, {len(matched)} are remembered",
    )
