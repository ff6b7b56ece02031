"""GAEN through slots is what it was over intervals, at every edge of both rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from matcher import definition, match_keys
from matcher.portable.slots import heard_in
from tests.matcher import interval_definition
from tests.matcher.examples import START, heard, key, keys, shuffled_logs
from tests.matcher.portable.test_join import plain
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.slots import Run
from tracing_core.store.sighting import Sighting

LAST_START = 2**32 - 144


@st.composite
def edges(draw: st.DrawFn) -> tuple[list[Sighting], DiagnosisKey]:
    """A key anywhere in the protocol's range, and its identifiers near the edges of both rules."""
    start = draw(st.sampled_from([0, 1, 11, 12, START, START + 77, LAST_START]))
    of = key(start=start, period=draw(st.sampled_from([1, 2, 143, 144])))
    log = []
    for _ in range(draw(st.integers(1, 3))):
        interval = start + draw(st.integers(0, of.rolling_period - 1))
        edge = draw(st.sampled_from([interval - 12, interval, interval + 1, interval + 13])) * 600
        first = edge + draw(st.sampled_from([-1201, -1200, -601, -1, 0, 1, 599]))
        later = draw(st.lists(st.sampled_from([0, 1, 1199, 1200, 1201, 15_000]), max_size=3))
        log += [
            heard(of, interval, at=at, suspect=draw(st.integers(0, 5)) == 0)
            for at in (first, *(first + seconds for seconds in later))
            if 0 <= at < 2**32 * 600
        ]
    return draw(st.permutations(log)), of


@given(given=edges())
def test_every_edge_is_where_it_was(given: tuple[list[Sighting], DiagnosisKey]) -> None:
    log, of = given
    expected = interval_definition.matches(log, [of])
    assert definition.matches(log, [of]) == plain(match_keys(log, [of])) == expected


@given(log=shuffled_logs, published=st.lists(keys(), max_size=8))
def test_logs_and_revisions_are_as_they_were(
    log: list[Sighting], published: list[DiagnosisKey]
) -> None:
    assert definition.matches(log, published) == interval_definition.matches(log, published)


class Index:
    """A log as a plain list."""

    def __init__(self, log: list[tuple[bytes, int]]) -> None:
        self.log = log

    def heard(self, identifiers: object) -> set[bytes]:
        return {identifier for identifier, _ in self.log} & set(identifiers)  # type: ignore[call-overload]

    def positions(self, identifier: bytes) -> list[int]:
        return [place for place, (each, _) in enumerate(self.log) if each == identifier]

    def seen_at(self, position: int) -> int:
        return self.log[position][1]


names = st.sampled_from([b"a", b"b", b"c", b"d"])


@given(
    log=st.lists(st.tuples(names, st.integers(0, 60))),
    identifiers=st.lists(names, max_size=4, unique=True),
    first=st.integers(0, 20_000),
    step=st.integers(0, 20_000),
    length=st.integers(0, 20_000),
    longest=st.none() | st.integers(0, 30),
)
def test_the_search_is_as_defined_for_any_slots(
    log: list[tuple[bytes, int]],
    identifiers: list[bytes],
    first: int,
    step: int,
    length: int,
    longest: int | None,
) -> None:
    run = Run(identifiers, first, step, length)
    every = [run.slot(number) for number in range(len(identifiers))]
    assert heard_in(run, Index(log), longest) == definition.counting(every, log, longest)
