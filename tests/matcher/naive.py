"""Windows and daily summaries once more, written from the protocol's description alone.

It shares no code with the matcher: sightings come in as figures already decrypted, one state
machine goes over them, and fractions take the place of floats.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple


class Heard(NamedTuple):
    at: int
    previous: int | None
    power: int
    rssi: tuple[int, ...]
    confidence: int


def windows(heard: list[Heard]) -> list[dict[str, Any]]:
    """Return windows of one key as plain figures."""
    done: list[dict[str, Any]] = []
    last_at = None
    for one in sorted(heard, key=lambda one: one.at):
        if one.power < -50 or one.power > 20:
            continue
        known = [rssi for rssi in one.rssi if rssi not in range(128) and rssi != -128]
        if not known:
            continue
        losses = [0 if one.power < rssi else one.power - rssi for rssi in known]
        if not done or one.at >= done[-1]["start"] + 30 * 60:
            done.append({"start": one.at, "confidence": one.confidence, "scans": []})
            last_at = None
        scans = done[-1]["scans"]
        if last_at is None or one.at - last_at > Fraction(3, 2) * (4 + 13):
            if one.previous is None or one.previous == 0:
                seconds = 120
            else:
                minutes = one.at // 60 - one.previous // 60
                seconds = 300 if minutes > 5 else 0 if minutes < 0 else minutes * 60
            scans.append({"seconds": seconds, "losses": []})
        scans[-1]["losses"] += losses
        last_at = one.at
    return [
        {
            "day": window["start"] // 86400,
            "confidence": window["confidence"],
            "scans": [
                (
                    math.floor(Fraction(sum(scan["losses"]), len(scan["losses"])) + Fraction(1, 2)),
                    sorted(scan["losses"])[0],
                    scan["seconds"],
                )
                for scan in window["scans"]
            ],
        }
        for window in done
    ]


class Scored(NamedTuple):
    day: int
    report_type: str
    duration: Fraction
    score: Fraction


def summaries(
    scored: list[Scored], *, minimum: Fraction, today: int, days_back: int
) -> dict[int, dict[str, tuple[Fraction, Fraction, Fraction]]]:
    """Return, by day and report type, the greatest score, the sum of scores and of durations."""
    answer: dict[int, dict[str, tuple[Fraction, Fraction, Fraction]]] = {}
    for one in scored:
        if one.score < minimum or (days_back and today - one.day > days_back):
            continue
        types = answer.setdefault(one.day, {})
        for name in (one.report_type, "all"):
            most, total, duration = types.get(name, (Fraction(0),) * 3)
            types[name] = (max(most, one.score), total + one.score, duration + one.duration)
    return answer


def weighted(
    scans: list[tuple[int, int, int]], thresholds: list[int], weights: list[Fraction]
) -> Fraction:
    """Return the seconds of a window, weighted by the bucket of each scan's attenuation."""
    total = Fraction(0)
    for typical, _, seconds in scans:
        bucket = sum(typical > threshold for threshold in thresholds)
        total += weights[bucket] * seconds
    return total
