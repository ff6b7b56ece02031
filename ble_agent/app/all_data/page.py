"""Page with all data: any browser shows it, without network or scripts; another device reads it.

The owner reads a summary by days. Every row of the store is in an element that browsers do not
show (`ble_agent.store.importers.all_data` has the form), so a page of a full log opens at once.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ble_agent.app.all_data.summary import Summary
from ble_agent.app.outcome import Outcome
from ble_agent.app.situation import opened_to_read
from ble_agent.authority.ledger_notes import EVERYTHING, note
from ble_agent.config import AgentConfig
from ble_agent.exposures.local_days import local_date
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import path_text
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.all_rows import all_lines
from ble_agent.store.home import is_own_file
from ble_agent.store.importers.all_data import (
    ALL_DATA_MARK,
    ALL_DATA_VERSION,
    DATA_BEGINS,
    DATA_ENDS,
)
from ble_agent.store.own_sightings import unreadable_fault
from ble_agent.store.vault import open_vault
from ble_agent.store.working_folder import working_folder
from tracing_core.clock import Clock
from tracing_core.errors import StoreError
from tracing_core.store.database import Database
from tracing_core.store.files import whole_file
from tracing_core.store.sqlite import transaction

__all__ = ["export_page", "page_to_download"]

# Identifiers are random, so more effort makes the page hardly smaller.
_EFFORT = 1
_BLOCK_BYTES = 256 << 10
# Whole groups of three bytes, so that no line but the last is filled up.
_LINE_BYTES = 3 << 10

_STYLE = """
:root { --bg: #f6f5f0; --card: #fff; --ink: #17211c; --soft: #4d5a53; --line: #cdd4cf;
  --warn: #6f3d00; --warn-bg: #fff0d4; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #101613; --card: #19211d; --ink: #eef3f0; --soft: #b4c1ba; --line: #3d4a44;
    --warn: #ffd08a; --warn-bg: #38280d; }
}
* { box-sizing: border-box; min-width: 0; }
html { font: 100%/1.55 system-ui, "Noto Sans", "Segoe UI", sans-serif; color: var(--ink);
  background: var(--bg); }
body { margin: 0; }
main { padding: 1rem; max-width: 44rem; margin: 0 auto; }
h1 { font-size: 1.5rem; line-height: 1.3; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: .8rem 0 .2rem; }
section, .warn { background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: 1.1rem 1.2rem; margin: 0 0 1rem; }
.warn { background: var(--warn-bg); border: 2px solid var(--warn); }
p, li { overflow-wrap: anywhere; }
p { margin: .5rem 0; }
.soft { color: var(--soft); }
ul { margin: .2rem 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .45rem .4rem; border-bottom: 1px solid var(--line);
  vertical-align: top; font-weight: 400; }
thead th { color: var(--soft); font-size: .9rem; }
.num { text-align: right; font-variant-numeric: tabular-nums; }
summary { min-height: 1.6rem; cursor: pointer; }
pre { overflow-x: auto; padding: .6rem .8rem; background: var(--bg); border-radius: .5rem; }
"""


def export_page(
    config: AgentConfig, clock: Clock, file: Path, *, overwrite: bool, with_keys: bool = False
) -> Outcome:
    """Write the page; replace a file only with `overwrite`.

    Parameters
    ----------
    config, clock
        The agent's settings and clock.
    file
        The page.
    overwrite
        Whether to replace a file of that name.
    with_keys
        Whether this device's own keys, and what is secret about a report, are in it.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``), or the file is one of its own
        (``own_file``).
    FileIsThere
        When there is such a file and `overwrite` is False.
    StoreSealed
        When the keys are wanted and cannot be opened.
    StoreError
        When the database cannot be read or the file not be written.
    """
    if is_own_file(config.home, file):
        raise not_possible("own_file")
    counts: Counter[str] = Counter()
    with opened_to_read(config.home, clock.now()) as db:
        summary = Summary(db, config, clock)
        with whole_file(file, overwrite=overwrite) as out, _one_moment(db):
            for line in _head(summary, config, clock, with_keys=with_keys):
                out.write(f"{line}\n".encode())
            about = {
                "version": ALL_DATA_VERSION,
                "date": local_date(clock.now()).isoformat(),
                "keys": with_keys,
            }
            vault = open_vault(config.home) if with_keys else None
            _write_data(out, all_lines(db, about, vault, counts))
        # A full disk must not keep the owner from what was written elsewhere.
        with contextlib.suppress(StoreError), transaction(db):
            note(db, clock.now(), EVERYTHING, items=counts["sighting"])
    lines = [say("all_page_written", config.lang, path=path_text(file))]
    if with_keys:
        lines.append(say("all_page_with_keys", config.lang))
    facts = {"exported": counts["sighting"], "rows": dict(counts), "with_keys": with_keys}
    return Outcome(facts, "\n".join(lines), unreadable_fault(summary.left_out))


@contextlib.contextmanager
def page_to_download(
    config: AgentConfig, clock: Clock, *, with_keys: bool
) -> Iterator[tuple[Path, Outcome]]:
    """Make the page in a working folder of the home; it is overwritten and removed at the end.

    Raises
    ------
    NotPossible, StoreError
        As `export_page`.
    """
    with working_folder(config.home) as folder:
        path = folder / f"truyvet-{local_date(clock.now()).isoformat()}.html"
        yield path, export_page(config, clock, path, overwrite=False, with_keys=with_keys)


@contextlib.contextmanager
def _one_moment(db: Database) -> Iterator[None]:
    """Read everything as it is at one moment, whatever the agent writes meanwhile."""
    db.conn.execute("BEGIN")
    try:
        yield
    finally:
        db.conn.rollback()


def _head(summary: Summary, config: AgentConfig, clock: Clock, *, with_keys: bool) -> Iterator[str]:
    """Yield what stands before the data."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield "<!DOCTYPE html>"
    yield ALL_DATA_MARK
    yield f'<html lang="{config.lang}">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{summary.say('file_title')}</title>"
    yield f"<style>{_STYLE}</style></head>"
    yield "<body><main>"
    yield f"<h1>{summary.say('file_title')}</h1>"
    yield summary.paragraph("file_made", date=summary.date(local_date(clock.now())))
    yield '<div class="warn">'
    yield summary.paragraph("file_private")
    yield summary.paragraph("file_with_keys" if with_keys else "file_without_keys")
    yield "</div>"
    yield summary.paragraph("file_times")
    yield from summary.sections()
    yield "<section>"
    yield f"<h2>{summary.say('file_data')}</h2>"
    yield summary.paragraph("file_data_how")
    yield summary.paragraph("file_data_by_hand")
    yield "</section>"
    yield "</main>"


def _write_data(out: BinaryIO, lines: Iterator[str]) -> None:
    """Write the data and the end of the page, in bounded memory."""
    out.write(f"{DATA_BEGINS}\n".encode())
    # The same store gives the same bytes: no time stands in the gzip header.
    packing = zlib.compressobj(_EFFORT, wbits=31)
    plain, packed = bytearray(), bytearray()
    for line in lines:
        plain += line.encode() + b"\n"
        if len(plain) >= _BLOCK_BYTES:
            packed += packing.compress(plain)
            plain.clear()
            _write_lines(out, packed)
    packed += packing.compress(plain) + packing.flush()
    _write_lines(out, packed)
    out.write(base64.b64encode(packed) + b"\n")
    out.write(f"{DATA_ENDS}\n</body>\n</html>\n".encode())


def _write_lines(out: BinaryIO, packed: bytearray) -> None:
    whole = len(packed) // _LINE_BYTES * _LINE_BYTES
    for start in range(0, whole, _LINE_BYTES):
        out.write(base64.b64encode(packed[start : start + _LINE_BYTES]) + b"\n")
    del packed[:whole]
