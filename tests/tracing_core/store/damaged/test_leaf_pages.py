from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracing_core.store.damaged.leaf_pages import PAGE_BYTES, LeafPages

INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.one_of(
    st.none(),
    INTEGERS,
    st.sampled_from([0, 1, -1, 127, 128, 2**31, 2**47, -(2**47) - 1]),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=50),
    st.binary(max_size=50),
    st.integers(3_900, 13_000).map(lambda size: b"\xa5" * size),
)
ROWS = st.lists(st.tuples(INTEGERS, st.lists(VALUES, min_size=3, max_size=3)), max_size=30)


def database(rows: list[tuple[int, list[Any]]]) -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("CREATE TABLE one (a, b, c)")
        connection.execute("CREATE INDEX of_one ON one (a)")
        for number, values in rows:
            connection.execute(
                "INSERT OR REPLACE INTO one (rowid, a, b, c) VALUES (?, ?, ?, ?)",
                [number, *values],
            )
        return connection.serialize()


def read(data: bytes) -> list[tuple[Any, ...]]:
    pages = LeafPages(io.BytesIO(data))
    return [(row.number, *row.values) for number in pages.numbers() for row in pages.rows(number)]


@given(ROWS)
def test_rows_are_read_as_sqlite_reads_them(rows: list[tuple[int, list[Any]]]) -> None:
    expected = {number: (number, *values) for number, values in rows}
    assert sorted(read(database(rows))) == sorted(expected.values())


@given(ROWS, st.data())
def test_whatever_stands_in_a_page_ends_in_rows_or_none(
    rows: list[tuple[int, list[Any]]], data: st.DataObject
) -> None:
    whole = bytearray(database(rows))
    for _ in range(data.draw(st.integers(1, 20))):
        whole[data.draw(st.integers(PAGE_BYTES, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    assert len(read(bytes(whole[:cut]))) <= cut


def test_a_page_that_leads_to_itself_ends() -> None:
    data = bytearray(database([(1, [b"\xa5" * 9_000, None, None])]))
    for at in range(PAGE_BYTES, len(data), PAGE_BYTES):
        if data[at] == 0:
            data[at : at + 4] = (at // PAGE_BYTES + 1).to_bytes(4)
    ((number, first, _, _),) = read(bytes(data))
    assert (number, len(first)) == (1, 9_000)
