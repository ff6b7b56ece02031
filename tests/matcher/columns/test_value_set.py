"""Sets of 16-byte values against Python's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matcher.columns.value_set import KnownKeys, ValueSet
from matcher.key_files import KeyFiles

values = st.one_of(
    st.sampled_from([bytes(16), bytes(8) + b"\1" * 8, b"\1" * 8 + bytes(8), b"\xff" * 16]),
    st.integers(0, 40).map(lambda number: number.to_bytes(16)),
    st.binary(min_size=16, max_size=16),
)
rounds = st.lists(st.lists(values, max_size=30), max_size=5)


def column(rows: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), 16)


def firsts(rows: list[bytes], known: set[bytes]) -> list[bool]:
    answer = []
    for row in rows:
        answer.append(row not in known)
        known.add(row)
    return answer


@given(rounds, st.lists(values))
def test_it_is_a_set(parts: list[list[bytes]], others: list[bytes]) -> None:
    ours, known = ValueSet(), set[bytes]()
    for part in parts:
        assert ours.add(column(part)).tolist() == firsts(part, known)
        assert ours.count == len(known)
        asked = [*others, *known]
        assert ours.contains(column(asked)).tolist() == [value in known for value in asked]


@given(rounds, st.booleans())
def test_known_keys_tell_what_is_new(parts: list[list[bytes]], ascending: bool) -> None:
    ours, known = KnownKeys(), set[bytes]()
    for part in parts:
        rows = sorted(set(part)) if ascending else part
        assert ours.add(column(rows)).tolist() == firsts(rows, known)
        assert ours.count == len(known)


def test_it_grows_and_keeps_the_value_of_zeros() -> None:
    rng = np.random.default_rng(1)
    ours = ValueSet()
    many = rng.integers(0, 256, (20_000, 16), np.uint8)
    many[7_000] = 0
    for at in range(0, len(many), 1_000):
        assert ours.add(many[at : at + 1_000]).all()
    assert ours.count == len(many)
    assert ours.contains(many).all()
    assert not ours.add(many).any()
    assert not ours.contains(rng.integers(0, 256, (1_000, 16), np.uint8)).any()


def test_what_is_expected_takes_no_memory_before_it_comes() -> None:
    known = KnownKeys(10**12)
    assert known.add(np.zeros((2, 16), np.uint8)).tolist() == [True, False]


def test_files_are_not_believed_to_hold_what_would_be_refused(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 40)
    assert KeyFiles([tmp_path]).estimated_keys() < 10**7
