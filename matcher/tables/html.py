"""Results as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from matcher.tables.shown import ShownTable

__all__ = ["html_page"]


def html_page(
    facts: Iterable[tuple[str, str]], tables: Iterable[ShownTable], notes: Iterable[str] = ()
) -> str:
    """Return facts, tables and notes as one element; every text is escaped."""
    below = (f"<p>{escape(note)}</p>" for note in notes)
    return "\n".join(["<div>", *_table((), facts), *_tables(tables), *below, "</div>"])


def _tables(tables: Iterable[ShownTable]) -> Iterator[str]:
    for table in tables:
        if table.rows:
            yield from _table(table.names, table.rows)
        if table.note:
            yield f"<p>{escape(table.note)}</p>"


def _table(names: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "<table>"
    if head := "".join(f"<th>{escape(name)}</th>" for name in names):
        yield f"<thead><tr>{head}</tr></thead>"
    yield "<tbody>"
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table>"
