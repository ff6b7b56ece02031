"""Reads a virtual air's trace as an eavesdropper would, and finds what links packets to a device.

Any test may use it on a trace it made: `findings` returns what is wrong, in words without
identifiers; an empty list is a clean trace.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tracing_core.errors import InvalidAdvertisement
from tracing_core.protocol.advertisement import Advertisement

PACKET_INTERVAL = (0.200, 0.270)
ENOUGH_TO_JUDGE = 8

Line = dict[str, Any]


def read_trace(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def sent(lines: Iterable[Line], sender: str | None = None) -> list[Line]:
    """The runs that were sent, in the order of time."""
    chosen = [line for line in lines if line["kind"] == "sent" and sender in (None, line["sender"])]
    return sorted(chosen, key=lambda line: line["first"])


def heard(lines: Iterable[Line], *, sender: str, receiver: str) -> list[Line]:
    return sorted(
        (
            line
            for line in lines
            if line["kind"] == "heard" and (line["sender"], line["receiver"]) == (sender, receiver)
        ),
        key=lambda line: line["first"],
    )


def identifiers(lines: Iterable[Line], sender: str) -> list[str]:
    """The different identifiers a sender sent, in the order of time."""
    return list(dict.fromkeys(_rpi(line) for line in sent(lines, sender)))


def change_gaps(lines: Iterable[Line], sender: str) -> list[float]:
    """Seconds from an identifier's first packet to the next identifier's first packet."""
    first: dict[str, float] = {}
    for line in sent(lines, sender):
        first.setdefault(_rpi(line), line["first"])
    moments = list(first.values())
    return [after - before for before, after in itertools.pairwise(moments)]


def times_on_air(lines: Iterable[Line], sender: str) -> list[float]:
    """Seconds from an identifier's first packet to its last."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for line in sent(lines, sender):
        first.setdefault(_rpi(line), line["first"])
        last[_rpi(line)] = line["last"]
    return [last[rpi] - moment for rpi, moment in first.items()]


def findings(
    lines: Sequence[Line],
    *,
    gaps: tuple[float, float] | None = None,
    slack: float = 0.0,
    packet_interval: tuple[float, float] | None = PACKET_INTERVAL,
) -> list[str]:
    """What is wrong with a trace.

    `packet_interval` is the shortest and longest time between packets, None where the agent does
    not choose it. `gaps` is the shortest and longest time between changes of a sender that was
    never interrupted; `slack` widens both ends.
    """
    found = _linked(lines) + _recognisable(lines)
    if packet_interval is not None:
        found += _intervals(lines, packet_interval)
    if gaps is not None:
        for sender in sorted({line["sender"] for line in sent(lines)}):
            for gap in change_gaps(lines, sender):
                if not gaps[0] - slack <= gap <= gaps[1] + slack:
                    found.append(f"{sender} changed its identifier after {gap:.1f} s")
    return found


def _rpi(line: Line) -> str:
    try:
        return Advertisement.decode(bytes.fromhex(line["data"])).rpi.hex()
    except InvalidAdvertisement:
        return line["data"]


def _linked(lines: Sequence[Line]) -> list[str]:
    found = []
    by_address: dict[str, set[str]] = defaultdict(set)
    by_identifier: dict[str, set[str]] = defaultdict(set)
    senders: dict[str, set[str]] = defaultdict(set)
    by_metadata: dict[tuple[str, bytes], set[str]] = defaultdict(set)
    for line in sent(lines):
        rpi = _rpi(line)
        by_address[line["address"]].add(rpi)
        by_identifier[rpi].add(line["address"])
        senders[rpi].add(line["sender"])
        by_metadata[line["sender"], bytes.fromhex(line["data"])[-4:]].add(rpi)
    for what, table in (
        ("an address carried {} identifiers", by_address),
        ("an identifier went under {} addresses", by_identifier),
        ("an identifier was sent by {} devices", senders),
        ("the same metadata went with {} identifiers", by_metadata),
    ):
        found += [what.format(len(values)) for values in table.values() if len(values) > 1]
    for line in lines:
        if line["kind"] == "heard" and line["address"] not in by_identifier[_rpi(line)]:
            found.append("something was heard that nobody sent")
    return found


def _recognisable(lines: Sequence[Line]) -> list[str]:
    """Anything that stays the same from one identifier to the next, beyond what all send."""
    found = []
    for sender in sorted({line["sender"] for line in sent(lines)}):
        runs = {_rpi(line): line for line in sent(lines, sender)}
        frames = {line["data"][:-40] for line in runs.values()}
        if len(frames) > 1:
            found.append(f"{sender} changed the shape of its packets")
        if any(int(line["address"][:2], 16) >> 6 for line in runs.values()):
            found.append(f"{sender} used an address that is not non-resolvable private")
        if len(runs) < ENOUGH_TO_JUDGE:
            continue
        # 16 bytes of identifier, 4 of metadata and 6 of address: each must vary.
        fields = [
            bytes.fromhex(line["data"][-40:] + line["address"].replace(":", ""))
            for line in runs.values()
        ]
        for position, values in enumerate(zip(*fields, strict=True)):
            if len(set(values)) == 1:
                found.append(f"{sender}: byte {position} of 26 never changed")
    return found


def _intervals(lines: Sequence[Line], interval: tuple[float, float]) -> list[str]:
    found = []
    for line in sent(lines):
        if line["count"] > 1:
            mean = (line["last"] - line["first"]) / (line["count"] - 1)
            if not interval[0] <= mean <= interval[1]:
                found.append(f"{line['sender']} sent a packet every {mean:.4f} s")
    return found
