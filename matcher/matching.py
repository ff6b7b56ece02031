"""A log against key files, from the files to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matcher.diagnosis_keys import KeyFiles
from matcher.join import Join
from matcher.report import MatchResult
from matcher.risk import assess
from matcher.sightings import SightingIndex, read_log
from tracing_core.exposure_configuration import ExposureConfiguration
from tracing_core.interval import utc_day
from tracing_core.sighting import Sighting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from tracing_core.export_file import ExportFile

__all__ = ["match"]


def match(
    log: str | Path | Iterable[Sighting],
    exports: Sequence[str | Path | ExportFile],
    *,
    public_keys: Sequence[EllipticCurvePublicKey] = (),
    configuration: ExposureConfiguration | None = None,
    today: int | None = None,
    research: bool = False,
    progress: Callable[[str], None] | None = None,
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
    progress
        Called with a few words whenever a longer step begins.

    Raises
    ------
    InvalidLog, StoreError, ExportFileError
        When the log or a key file cannot be read, or a file not be trusted.
    """
    report = progress or (lambda _: None)
    files = KeyFiles(exports, public_keys=public_keys)
    report("reading the log")
    index = SightingIndex(read_log(Path(log)) if isinstance(log, str | Path) else log)
    join = Join(index)
    for number, file in enumerate(files, 1):
        report(f"matching file {number} of {len(files)}")
        join.add(file.keys())
    configuration = configuration or ExposureConfiguration.default()
    if today is None:
        today = utc_day(index.last_seen_at or 0)
    return MatchResult(
        sightings=index.count,
        suspect_sightings=index.suspect_count,
        files=tuple(files.names),
        diagnosis_keys=join.diagnosis_keys,
        matches=tuple(join.matches()),
        assessment=assess(join.matches(), configuration, today, in_order=research),
        preset=configuration.name,
        today=today,
        signatures_checked=bool(public_keys),
        research=research,
    )
