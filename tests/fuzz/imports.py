"""Mutated logs of other apps, imported as an owner would, by the thousand.

    python -m tests.fuzz.imports --count 76000 --seconds 310

It ends after that many imports or seconds. It prints what was tried and how it came out, and exits
with 1 if an import raised an unforeseen error, removed a file or changed the log it read.
"""

from __future__ import annotations

import functools
import gzip
import random
import resource
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from ble_agent.store.importers import Tally, open_source
from tests.ble_agent.store.importers.foreign_logs import MICROG_SCHEMA
from tests.ble_agent.store.importers.hostile_journals import (
    leave_journal,
    leave_wal,
    super_record,
    with_right_checksums,
)
from tests.fuzz import agent_inputs
from tracing_core.errors import TracingError
from tracing_core.store.sighting import Sighting, write_json_lines

SEEN_MS = 1_797_000_000_000
_ROWS = 12
_SPECIAL = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\0\0\2\0")
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Log:
    """A log as its app left it: the database and one file beside it, or one file."""

    name: str
    files: dict[str, bytes]
    mutated: str
    """Which of the files is mutated, by what its name adds to the log's."""


@functools.cache
def _home() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="truyvet-fuzz-")


def _victim() -> Path:
    path = Path(_home().name, "thesis.txt")
    path.touch()
    return path


def _database(path: Path) -> None:
    """Write microG's database, with pages so small that a mutation meets every kind of them."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 512")
    connection.executescript(MICROG_SCHEMA)
    connection.executemany(
        "INSERT INTO advertisements VALUES (?, ?, ?, ?, ?)",
        [(number.to_bytes(16), b"abcd", SEEN_MS + number, -60, 360_000) for number in range(_ROWS)],
    )
    connection.commit()
    connection.close()


@functools.cache
def logs() -> tuple[Log, ...]:
    """Return the logs that are mutated."""
    path = Path(_home().name, "made", "log")
    path.parent.mkdir(exist_ok=True)
    _database(path)
    alone = path.read_bytes()
    made = [Log("database", {"": alone}, "")]
    for name, leave in (("-wal", leave_wal), ("-journal", leave_journal)):
        _database(path)
        left = leave(path)
        made.append(Log(f"database{name}", {"": path.read_bytes(), name: left}, name))
        Path(f"{path}{name}").unlink()
    both = {**made[1].files, "-journal": made[2].files["-journal"]}
    made.append(Log("database-wal-journal", both, "-wal"))
    write_json_lines(
        path,
        [Sighting(bytes(16), bytes(4), (-60,), SEEN_MS // 1000 + number) for number in range(5)],
    )
    lines = path.read_bytes()
    made += [Log("json-lines", {"": lines}, ""), Log("gzip", {"": gzip.compress(lines)}, "")]
    return tuple(made)


def check_log(log: Log, data: bytes) -> str:
    """Import a log one file of which is replaced; return how that came out.

    Raises
    ------
    AssertionError
        When a file was removed or changed, or the error is not one line.
    """
    victim = _victim()
    folder = Path(_home().name, "log")
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    files = {**log.files, log.mutated: data}
    for suffix, content in files.items():
        (folder / f"log{suffix}").write_bytes(content)
    try:
        with open_source(folder / "log", Path(_home().name)) as source:
            for _ in source.sightings(Tally()):
                pass
        outcome = "taken"
    except TracingError as error:
        assert "\n" not in str(error), "the error is not one line"  # noqa: PT017
        outcome = "refused"
    assert victim.exists(), "the import removed a file"
    assert {
        path.name.removeprefix("log"): path.read_bytes() for path in folder.iterdir()
    } == files, "the import changed the log"
    assert not list(Path(_home().name).glob(".working-*")), "the import left its copy"
    return outcome


def check_database(data: bytes) -> str:
    """Import a log; the first byte says which file of which log the rest replaces."""
    databases = [log for log in logs() if log.name.startswith("database")]
    return check_log(databases[(data[:1] or b"\0")[0] % len(databases)], data[1:])


def databases() -> Iterator[bytes]:
    """Yield inputs for `check_database` that are taken."""
    for number, log in enumerate(log for log in logs() if log.name.startswith("database")):
        yield bytes([number]) + log.files[log.mutated]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return data with a few bytes changed, cut, doubled or replaced by what SQLite reads."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(out) + 1)
        kind = chance.randrange(8)
        if kind < 3 and at < len(out):
            out[at] = chance.randrange(256)
        elif kind == 3:
            word = chance.choice(_SPECIAL)
            at -= at % 4
            out[at : at + len(word)] = word
        elif kind == 4:
            del out[at:]
        elif kind == 5:
            out[at:at] = out[at : at + chance.choice((1, 24, 512, 536))]
        elif kind == 6:
            out += chance.choice((b"\0" * 512, chance.randbytes(9), super_record(_victim())))
        else:
            record = super_record(_victim())
            out[at : at + len(record)] = record
    data = bytes(out[:_MOST_BYTES])
    # A wrong checksum ends the reading of a log, so most of them are put right.
    return with_right_checksums(data) if chance.random() < 0.8 else data


def mutate(data: bytes, most: int, seed: int, _: Callable[[bytes, int], bytes]) -> bytes:
    """Mutate an input of `check_database` for libFuzzer."""
    return data[:1] + mutated(data[1:], random.Random(seed))[: most - 1]


@dataclass
class Figures:
    """What a run tried, and how it came out."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    """Processor time of the slowest import."""
    slowest: str = ""
    unforeseen: list[tuple[str, bytes, str]] = field(default_factory=list)
    """Form, input and error."""

    def lines(self) -> Iterator[str]:
        """Yield the figures for a person."""
        slowest = f"{self.slowest_seconds:.2f} s of CPU ({self.slowest})"
        yield f"{self.outcomes.total()} inputs, the slowest took {slowest}"
        for outcome, count in sorted(self.outcomes.items()):
            yield f"  {outcome}: {count}"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        yield f"{len(self.unforeseen)} unforeseen errors, at most {memory} MB of memory"


def _tries() -> list[tuple[str, tuple[bytes, ...], Callable[[bytes], str]]]:
    tries = [
        (log.name, (log.files[log.mutated],), functools.partial(check_log, log)) for log in logs()
    ]
    captures = tuple(agent_inputs.captures())
    return [*tries, ("capture", captures, agent_inputs.check_capture)]


def run(count: int, seconds: float, seed: int) -> Figures:
    """Import mutated logs until one of the bounds is reached; the same seed gives the same ones."""
    chance = random.Random(seed)
    figures = Figures()
    tries = _tries()
    began = time.monotonic()
    for number in range(count):
        if time.monotonic() - began > seconds:
            break
        before = time.process_time()
        name, examples, check = tries[number % len(tries)]
        data = mutated(chance.choice(examples), chance)
        try:
            outcome = check(data)
        except Exception:
            outcome = "UNFORESEEN"
            figures.unforeseen.append((name, data, traceback.format_exc()))
        figures.outcomes[f"{name} {outcome}"] += 1
        took = time.process_time() - before
        if took > figures.slowest_seconds:
            figures.slowest_seconds, figures.slowest = took, name
    return figures


@click.command()
@click.option("--count", type=int, default=76_000, show_default=True, help="Most imports.")
@click.option("--seconds", type=float, default=310.0, show_default=True, help="Longest time.")
@click.option("--seed", type=int, default=0, show_default=True, help="Other mutations.")
def main(count: int, seconds: float, seed: int) -> None:
    """Import mutated logs, and print how that came out."""
    figures = run(count, seconds, seed)
    for line in figures.lines():
        click.echo(line)
    for name, data, error in figures.unforeseen[:5]:
        click.echo(f"{name}: {data.hex()}\n{error}", err=True)
    sys.exit(1 if figures.unforeseen else 0)


if __name__ == "__main__":
    main()
