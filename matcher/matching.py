"""Matching of one log with key files, from the files to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matcher.definition import KeyMatch
from matcher.inputs import KeyFilesLike, LogLike, as_log
from matcher.kernels.choice import THREADED_KEYS, available_threads, chosen_kernel, loaded_kernel
from matcher.key_files import KeyFiles, read_ahead
from matcher.notes import LogFacts, Note, Notes, span_of
from matcher.portable.clock_offset import ClockOffset
from matcher.portable.join import Join
from matcher.portable.sightings import SightingIndex, estimated_sightings, read_log
from matcher.result import MatchResult
from matcher.risk import Assessment, RiskModel, RiskParameters, assess, load_model
from matcher.risk.attenuation import measure
from tracing_core.errors import InvalidValue
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import Sighting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from matcher.kernels.processor import Kernel

__all__ = ["match"]

_OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Joined:
    """The log and the keys after the join, by either path."""

    log: LogFacts
    diagnosis_keys: int
    key_days: list[int]
    matches: list[KeyMatch]
    revoked: int
    offset: ClockOffset | None

    def assess(
        self, model: RiskModel[Any], parameters: RiskParameters, today: int, *, in_order: bool
    ) -> tuple[Assessment, tuple[Note, ...]]:
        """Weigh the matches, and return the notes of the result too."""
        # Once for both, because each measurement decrypts metadata.
        measured = [measure(each) for each in self.matches]
        assessment = assess(
            self.matches, parameters, today, model=model, in_order=in_order, measured=measured
        )
        facts = (self.log, self.key_days, self.matches, measured, assessment, parameters)
        return assessment, Notes(*facts, self.offset, self.revoked).all()


def match(
    log: LogLike,
    exports: KeyFilesLike,
    *,
    public_keys: Sequence[EllipticCurvePublicKey] = (),
    configuration: RiskParameters | None = None,
    model: RiskModel[Any] | None = None,
    today: int | None = None,
    research: bool = False,
    threads: int | None = None,
    progress: _OnStep | None = None,
) -> MatchResult:
    """Match a log with published keys and weigh the exposure; nothing is written.

    Parameters
    ----------
    log
        An agent's database or JSON Lines (gzipped or not), a table or `Sighting` objects.
    exports
        Key files, folders or indices of them, or files read already; the later revise the earlier.
    public_keys
        If any are given, a file counts only if one of its signatures verifies with one of them.
    configuration, model
        Parameters (None for the model's own) and risk model (None for daily summaries, version 2).
    today
        Count ages back from this UTC day (since the Unix epoch); None for the log's last day.
    research
        Include which keys matched, and when, in `MatchResult.to_json`.
    threads
        Threads for a large job; None for one per CPU.
    progress
        Called with a few words at the start of each longer step.

    Raises
    ------
    InvalidLog, StoreError, ExportFileError, InvalidValue
        When the log, a key file, another argument or ``TRUYVET_KERNEL`` cannot be used.
    """
    files = KeyFiles(exports, public_keys=public_keys)
    joined = _join(log, files, threads, progress or (lambda _: None))
    model = model or load_model()
    configuration = configuration or model.default_parameters()
    today = (joined.log.last_day or 0) if today is None else today
    assessment, notes = joined.assess(model, configuration, today, in_order=research)
    return MatchResult(
        log=joined.log,
        files=tuple(files.names),
        diagnosis_keys=joined.diagnosis_keys,
        skipped_keys=files.skipped_keys,
        passed_over=tuple(files.passed_over),
        key_days=span_of(joined.key_days),
        matches=tuple(joined.matches),
        assessment=assessment,
        model=model,
        preset=configuration.name,
        today=today,
        signatures_checked=bool(public_keys),
        research=research,
        notes=notes,
    )


def _join(given: LogLike, files: KeyFiles, threads: int | None, on_step: _OnStep) -> _Joined:
    """Join by the kernel for a job of this size, or by plain Python."""
    left_out = LeftOut()
    log = as_log(given, left_out)
    if threads is not None and threads < 1:
        raise InvalidValue(f"there must be 1 thread or more, not {threads}")
    keys = files.estimated_keys()
    sightings = estimated_sightings(log)
    kernel = loaded_kernel(lambda: chosen_kernel(keys, sightings))
    if kernel is None:
        return _portable(log, files, on_step, left_out)
    if threads is None:
        threads = 1 if keys < THREADED_KEYS else available_threads()
    return _fast(log, files, on_step, kernel, threads, left_out)


def _portable(
    log: Path | Iterable[Sighting], files: KeyFiles, on_step: _OnStep, left_out: LeftOut
) -> _Joined:
    on_step("reading the log")
    index = SightingIndex(read_log(log, left_out) if isinstance(log, Path) else log)
    join = Join(index)
    for number, file in enumerate(files, 1):
        on_step(f"matching file {number} of {len(files)}")
        join.add(file.keys())
    facts = LogFacts.of(index.count, index.suspect_count, index.days(), index.heard_after, left_out)
    return _Joined(
        facts, join.diagnosis_keys, join.key_days(), join.matches(), join.revoked, join.offset()
    )


def _fast(
    log: Path | Iterable[Sighting],
    files: KeyFiles,
    on_step: _OnStep,
    kernel: Kernel,
    threads: int,
    left_out: LeftOut,
) -> _Joined:
    on_step("reading the log")
    from matcher.columns.log import LogColumns, read_columns
    from matcher.columns.two_stage_join import TwoStageJoin

    if isinstance(log, Path):
        columns = read_columns(log, left_out)
    else:
        columns = LogColumns.from_sightings(log)
    join = TwoStageJoin(columns, kernel, threads=threads, expected_keys=files.estimated_keys())
    read = files.columns() if threads == 1 else read_ahead(files.columns())
    for number, file in enumerate(read, 1):
        on_step(f"matching file {number} of {len(files)}")
        join.add(file)
    facts = LogFacts.of(
        columns.count, columns.suspect_count, columns.days(), columns.heard_after, left_out
    )
    return _Joined(
        facts, join.diagnosis_keys, join.key_days(), join.matches(), join.revoked, join.offset()
    )
