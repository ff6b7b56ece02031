"""A log against key files, from the files to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matcher.definition import KeyMatch
from matcher.kernels.choice import THREADED_KEYS, available_threads, chosen_kernel, loaded_kernel
from matcher.key_files import KeyFiles, read_ahead
from matcher.portable.join import Join
from matcher.portable.sightings import SightingIndex, estimated_sightings, read_log
from matcher.result import MatchResult
from matcher.risk import assess
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidValue
from tracing_core.protocol.interval import utc_day
from tracing_core.store.sighting import Sighting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from matcher.kernels.processor import Kernel
    from tracing_core.export_file import ExportFile

__all__ = ["match"]

_Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Found:
    """What either path finds."""

    sightings: int
    suspect_sightings: int
    last_seen_at: int | None
    diagnosis_keys: int
    matches: list[KeyMatch]


def match(
    log: str | Path | Iterable[Sighting],
    exports: Sequence[str | Path | ExportFile],
    *,
    public_keys: Sequence[EllipticCurvePublicKey] = (),
    configuration: ExposureConfiguration | None = None,
    today: int | None = None,
    research: bool = False,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> MatchResult:
    """Find which published keys were near, and weigh it.

    Nothing is changed; key files are read one at a time.

    Parameters
    ----------
    log
        An agent's database or JSON Lines (gzipped or not), or sightings in any order.
    exports
        Key files, folders or indices of them, or files already read; later ones revise earlier.
    public_keys
        If any are given, a file counts only if one of its signatures verifies with one of them.
    configuration
        How exposures are weighed; None for `ExposureConfiguration.default`.
    today
        The day (since the Unix epoch, UTC) that the age of exposures is counted from; None for the
        day of the log's last sighting, so that an old log says what it said then.
    research
        Also tell which keys matched, and when, in `MatchResult.to_json`.
    threads
        How many work at once in a large job; None for as many as there are processors.
    progress
        Called with a few words whenever a longer step begins.

    Raises
    ------
    InvalidLog, StoreError, ExportFileError
        When the log or a key file cannot be read, or a file not be trusted.
    InvalidValue
        When `threads` is not positive, or ``TRUYVET_KERNEL`` names what does not run here.
    """
    report = progress or (lambda _: None)
    files = KeyFiles(exports, public_keys=public_keys)
    found = _find(Path(log) if isinstance(log, str | Path) else log, files, threads, report)
    configuration = configuration or ExposureConfiguration.default()
    if today is None:
        today = utc_day(found.last_seen_at or 0)
    return MatchResult(
        sightings=found.sightings,
        suspect_sightings=found.suspect_sightings,
        files=tuple(files.names),
        diagnosis_keys=found.diagnosis_keys,
        matches=tuple(found.matches),
        assessment=assess(found.matches, configuration, today, in_order=research),
        preset=configuration.name,
        today=today,
        signatures_checked=bool(public_keys),
        research=research,
    )


def _find(
    log: Path | Iterable[Sighting], files: KeyFiles, threads: int | None, report: _Progress
) -> _Found:
    """Go the way that suits the job's size."""
    if threads is not None and threads < 1:
        raise InvalidValue(f"there must be 1 thread or more, not {threads}")
    keys = files.estimated_keys()
    sightings = estimated_sightings(log)
    kernel = loaded_kernel(lambda: chosen_kernel(keys, sightings))
    if kernel is None:
        return _portable(log, files, report)
    if threads is None:
        threads = 1 if keys < THREADED_KEYS else available_threads()
    return _fast(log, files, report, kernel, threads)


def _portable(log: Path | Iterable[Sighting], files: KeyFiles, report: _Progress) -> _Found:
    report("reading the log")
    index = SightingIndex(read_log(log) if isinstance(log, Path) else log)
    join = Join(index)
    for number, file in enumerate(files, 1):
        report(f"matching file {number} of {len(files)}")
        join.add(file.keys())
    return _Found(
        index.count, index.suspect_count, index.last_seen_at, join.diagnosis_keys, join.matches()
    )


def _fast(
    log: Path | Iterable[Sighting],
    files: KeyFiles,
    report: _Progress,
    kernel: Kernel,
    threads: int,
) -> _Found:
    report("reading the log")
    from matcher.columns.log import LogColumns, read_columns
    from matcher.columns.matches import FastJoin

    columns = read_columns(log) if isinstance(log, Path) else LogColumns.from_sightings(log)
    join = FastJoin(columns, kernel, threads=threads, expected_keys=files.estimated_keys())
    read = files.columns() if threads == 1 else read_ahead(files.columns())
    for number, file in enumerate(read, 1):
        report(f"matching file {number} of {len(files)}")
        join.add(file)
    return _Found(
        columns.count,
        columns.suspect_count,
        columns.last_seen_at,
        join.diagnosis_keys,
        join.matches(),
    )
