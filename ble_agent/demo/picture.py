"""The picture of the demo: who was near whom, what was sent and heard, and each answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from ble_agent.demo.story import AFFECTED, NAMES, SECONDS, Story
from ble_agent.demo.texts import demo_text
from ble_agent.demo.truth import scans
from ble_agent.virtual_air.trace import Trace
from tracing_core.configuration.env2 import NO_LEVEL

__all__ = ["Card", "Picture"]

_WIDTH = 1240
_LEFT, _RIGHT = 168, 900
_CARD = 930
_TOP = 118
_STRIP = 24
_LANE, _GAP = 138, 14
_NEAREST_M, _FARTHEST_M = 0.5, 100.0
_LOUDEST_DBM, _FAINTEST_DBM = -35, -95

_INK, _SOFT, _FAINT, _RULE = "#1d2733", "#5b6875", "#94a0ab", "#dfe4e9"
_COLOURS: Mapping[str, str] = {
    "an": "#b3362b",
    "binh": "#1f6f8b",
    "chi": "#7a4fa3",
    "dung": "#4f7f3a",
}
_LEVELS: Mapping[str, str] = {"high": "#b3362b", "low": "#c77d0a", NO_LEVEL: "#3d7f52"}


@dataclass(frozen=True, slots=True)
class Card:
    """One agent's answer, in words for a reader of the picture."""

    level: str
    """The level of risk, or `NO_LEVEL`."""
    lines: tuple[str, ...]
    """The answer, line by line."""
    true: bool
    """Whether the air's trace agrees."""


def _text(
    x: float, y: float, text: str, *, size: float = 13, fill: str = _INK, rest: str = ""
) -> str:
    style = f'font-size="{size}" fill="{fill}" {rest}'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{stroke}" stroke-width="{width}"/>'
    )


def _distance_y(top: float, distance_m: float) -> float:
    """Return the height of a distance in a lane: near is high, on a logarithmic scale."""
    held = min(max(distance_m, _NEAREST_M), _FARTHEST_M)
    part = math.log(held / _NEAREST_M) / math.log(_FARTHEST_M / _NEAREST_M)
    return top + 10 + part * 52


def _signal_y(top: float, rssi_dbm: float) -> float:
    part = (_LOUDEST_DBM - rssi_dbm) / (_LOUDEST_DBM - _FAINTEST_DBM)
    return top + 74 + min(max(part, 0.0), 1.0) * 54


class Picture:
    """Draws one story as SVG."""

    def __init__(
        self,
        story: Story,
        trace: Trace,
        *,
        began: float,
        cards: Mapping[str, Card],
        steps: Sequence[tuple[str, str]],
        title: str,
        subtitle: str,
        language: str = "en",
    ) -> None:
        self._story = story
        self._trace = trace
        self._began = began
        self._cards = cards
        self._steps = steps
        self._title = title
        self._subtitle = subtitle
        self._language = language

    def svg(self) -> str:
        """Return the whole picture."""
        pairs = [(name, AFFECTED) for name in NAMES if name != AFFECTED] + [("dung", "chi")]
        strips_end = _TOP + 26 + _STRIP * len(NAMES)
        lanes_top = strips_end + 46
        steps_top = lanes_top + len(pairs) * (_LANE + _GAP) + 34
        height = steps_top + 112
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" font-family="DejaVu Sans, Noto Sans, sans-serif">',
            f"<title>{escape(self._title)}</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            _text(32, 46, self._title, size=23, rest='font-weight="bold"'),
            _text(32, 72, self._subtitle, size=13.5, fill=_SOFT),
            *self._identifiers(),
            *self._minutes(strips_end + 16, lanes_top, steps_top - 34 - _GAP),
        ]
        for number, (person, other) in enumerate(pairs):
            parts += self._lane(lanes_top + number * (_LANE + _GAP), person, other)
        parts += self._legend(lanes_top)
        parts += self._what_followed(steps_top)
        return "\n".join([*parts, "</svg>"]) + "\n"

    def _words(self, name: str, /, **values: object) -> str:
        return demo_text(name, **values).in_(self._language)

    def _x(self, seconds: float) -> float:
        part = min(max(seconds / SECONDS, 0.0), 1.0)
        return _LEFT + part * (_RIGHT - _LEFT)

    def _identifiers(self) -> Iterator[str]:
        yield _text(32, _TOP + 4, self._words("sent"), size=13.5, rest='font-weight="bold"')
        yield _text(
            _LEFT,
            _TOP + 4,
            self._words("sent_note"),
            size=12,
            fill=_SOFT,
        )
        for row, (name, shown) in enumerate(NAMES.items()):
            y = _TOP + 18 + row * _STRIP
            yield _text(32, y + 13, shown, fill=_COLOURS[name], rest='font-weight="bold"')
            runs = sorted(
                (run for run in self._trace.sent if run.sender == name), key=lambda run: run.first
            )
            for number, run in enumerate(runs):
                left, right = self._x(run.first - self._began), self._x(run.last - self._began)
                opacity = 0.9 if number % 2 == 0 else 0.68
                yield (
                    f'<rect x="{left:.1f}" y="{y}" width="{max(1.5, right - left - 1.5):.1f}"'
                    f' height="16" rx="3" fill="{_COLOURS[name]}" opacity="{opacity}"/>'
                )
                if right - left > 22:
                    rest = 'text-anchor="middle"'
                    yield _text(
                        (left + right) / 2, y + 12, str(number + 1), size=11, fill="#fff", rest=rest
                    )

    def _minutes(self, labels: float, top: float, bottom: float) -> Iterator[str]:
        for minute in range(0, SECONDS // 60 + 1, 5):
            x = self._x(minute * 60)
            yield _line(x, top, x, bottom, _RULE)
            label = self._words("minute", count=0) if minute == 0 else str(minute)
            yield _text(x, labels + 12, label, size=11.5, fill=_SOFT, rest='text-anchor="middle"')

    def _lane(self, top: float, person: str, other: str) -> Iterator[str]:
        colour = _COLOURS[person]
        yield (
            f'<rect x="{_LEFT}" y="{top}" width="{_RIGHT - _LEFT}" height="{_LANE}" rx="6"'
            f' fill="{colour}" opacity="0.05"/>'
        )
        yield _text(32, top + 30, NAMES[person], size=19, fill=colour, rest='font-weight="bold"')
        yield _text(32, top + 50, self._words("near", name=NAMES[other]), fill=_SOFT)
        yield from self._scales(top)
        yield self._distance(top, person, other, colour)
        yield from self._signals(top, person, other, colour)
        yield from self._card(top, person, other)

    def _legend(self, top: float) -> Iterator[str]:
        colour = _COLOURS["binh"]
        yield _line(33, top + 82, 45, top + 82, colour, 1.8)
        yield _text(52, top + 86, self._words("legend_distance"), size=10.5, fill=_FAINT)
        yield f'<circle cx="39" cy="{top + 101}" r="4.2" fill="{colour}"/>'
        yield _text(52, top + 105, self._words("legend_heard"), size=10.5, fill=_FAINT)
        yield _text(52, top + 119, self._words("legend_scan"), size=10.5, fill=_FAINT)

    def _scales(self, top: float) -> Iterator[str]:
        anchor = 'text-anchor="end"'
        for distance, label in ((1, "1 m"), (10, "10 m"), (100, "100 m +")):
            y = _distance_y(top, distance)
            yield _text(_LEFT - 8, y + 4, label, size=10.5, fill=_FAINT, rest=anchor)
        for rssi in (-50, -80):
            y = _signal_y(top, rssi)
            yield _line(_LEFT, y, _RIGHT, y, _RULE)
            yield _text(_LEFT - 8, y + 4, f"{rssi} dBm", size=10.5, fill=_FAINT, rest=anchor)

    def _distance(self, top: float, person: str, other: str, colour: str) -> str:
        moments = [second * 10 for second in range(SECONDS // 10 + 1)]
        line = " L".join(
            f"{self._x(moment):.1f} "
            f"{_distance_y(top, self._story.distance_m(person, other, moment)):.1f}"
            for moment in moments
        )
        floor = _distance_y(top, _FARTHEST_M)
        return (
            f'<path d="M{_LEFT} {floor:.1f} L{line} L{_RIGHT} {floor:.1f} Z" fill="{colour}"'
            f' opacity="0.16"/><path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        )

    def _signals(self, top: float, person: str, other: str, colour: str) -> Iterator[str]:
        runs = [run for run in self._trace.heard if run.receiver == person and run.sender == other]
        for scan in scans(runs):
            if scan.first < self._began:
                continue
            x = self._x(scan.first - self._began)
            low, high = _signal_y(top, scan.rssi_min), _signal_y(top, scan.rssi_max)
            yield _line(x, high, x, low, colour, 1.5)
            y = _signal_y(top, scan.rssi_mean)
            yield (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" fill="{colour}" stroke="#fff"'
                ' stroke-width="1.2"/>'
            )
        if not runs:
            rest = 'text-anchor="middle" font-style="italic"'
            middle = (_LEFT + _RIGHT) / 2
            words = self._words("never_heard_of", name=NAMES[other])
            yield _text(middle, _signal_y(top, -66), words, fill=_FAINT, rest=rest)

    def _card(self, top: float, person: str, other: str) -> Iterator[str]:
        width = _WIDTH - _CARD - 32
        if other != AFFECTED:
            words = self._words("not_positive", name=NAMES[other])
            yield _text(_CARD + 18, top + 62, words, fill=_SOFT)
            yield _text(_CARD + 18, top + 82, self._words("not_published"), fill=_SOFT)
            return
        card = self._cards[person]
        colour = _LEVELS.get(card.level, _INK)
        yield (
            f'<rect x="{_CARD}" y="{top}" width="{width}" height="{_LANE}" rx="8" fill="#fff"'
            f' stroke="{colour}" stroke-width="1.6"/>'
            f'<rect x="{_CARD}" y="{top}" width="7" height="{_LANE}" rx="3" fill="{colour}"/>'
        )
        words = self._words("found_out", name=NAMES[person])
        yield _text(_CARD + 20, top + 26, words, size=12, fill=_SOFT)
        yield _text(
            _CARD + 20, top + 50, card.lines[0], size=16, fill=colour, rest='font-weight="bold"'
        )
        for number, line in enumerate(card.lines[1:]):
            yield _text(_CARD + 20, top + 72 + number * 19, line, size=12.5)
        verdict = self._words("card_true" if card.true else "card_wrong")
        verdict_colour = _LEVELS[NO_LEVEL] if card.true else _LEVELS["high"]
        yield _text(_CARD + 20, top + _LANE - 12, verdict, size=12, fill=verdict_colour)

    def _what_followed(self, top: float) -> Iterator[str]:
        yield _text(32, top, self._words("followed"), size=13.5, rest='font-weight="bold"')
        width = (_WIDTH - 64 - 18 * (len(self._steps) - 1)) / len(self._steps)
        for number, (when, what) in enumerate(self._steps):
            x = 32 + number * (width + 18)
            yield (
                f'<rect x="{x:.1f}" y="{top + 14}" width="{width:.1f}" height="62" rx="8"'
                f' fill="#f4f6f8"/>'
            )
            yield _text(x + 14, top + 38, when, size=11.5, fill=_SOFT)
            yield _text(x + 14, top + 60, what, size=13)
        for number, _ in enumerate(pairwise(self._steps)):
            x = 32 + (number + 1) * (width + 18) - 9
            yield (
                f'<path d="M{x - 4:.1f} {top + 39} l7 6 l-7 6" fill="none" stroke="{_FAINT}"'
                ' stroke-width="2"/>'
            )
