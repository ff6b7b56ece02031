"""The keys of all files, in memory and where the workers of a job read them."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matcher.columns.key_columns import KeyColumns
from matcher.inputs import KeyFilesLike
from matcher.key_files import KeyFiles
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.store.files import file_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from matcher.columns.key_records import KeyRecords

__all__ = ["JobKeys", "KeyRecord", "key_columns"]

KeyRecord = tuple[int, int, DiagnosisKey]
"""A record of a key: the number of its file, its place there, and the key."""

_COLUMNS = ("key_data", "rolling_start", "rolling_period")


class JobKeys:
    """The keys of a job: each once as columns, and every record of those that were near."""

    def __init__(
        self,
        exports: KeyFilesLike,
        public_keys: Sequence[EllipticCurvePublicKey],
    ) -> None:
        from matcher.columns.value_set import KnownKeys

        files = KeyFiles(exports, public_keys=public_keys)
        self.names = files.names
        self._files: list[KeyRecords] = []
        none = np.empty((0, 16), "uint8"), np.empty(0, "uint32"), np.empty(0, "uint16")
        known, parts = KnownKeys(), [none]
        for file in files.columns():
            columns = file.columns()
            rows = np.flatnonzero(known.add(columns.key_data))
            parts.append(tuple(getattr(columns, name).take(rows, 0) for name in _COLUMNS))
            self._files.append(file)
        self.skipped = files.skipped_keys
        self.passed_over = tuple(files.passed_over)
        # Taken now, because files may be replaced while the logs are read.
        self.digests = dict(zip(self.names, map(_digest, files.paths), strict=True))
        self.count: int = known.count
        self.columns = KeyColumns(*map(np.concatenate, zip(*parts, strict=True)))

    @contextlib.contextmanager
    def reachable(self, folder: Path | None) -> Iterator[KeyColumns | Path]:
        """Write the columns to a folder for workers, until the end; without one, yield them."""
        if folder is None:
            yield self.columns
            return
        with file_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = tempfile.TemporaryDirectory(prefix=".truyvet-keys-", dir=folder)
        with temporary as name:
            for column in _COLUMNS:
                np.save(Path(name) / f"{column}.npy", getattr(self.columns, column))
            yield Path(name)

    def records(self, near: NDArray[np.uint8]) -> dict[bytes, list[KeyRecord]]:
        """Return every record of some keys, by key data."""
        from matcher.columns.value_set import ValueSet

        values = ValueSet()
        values.add(near)
        records: dict[bytes, list[KeyRecord]] = {}
        for number, file in enumerate(self._files):
            rows = np.flatnonzero(values.contains(file.columns().key_data))
            for place, key in file.records(rows):
                records.setdefault(key.key_data, []).append((number, place, key))
        return records


def _digest(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    with file_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_columns(keys: KeyColumns | Path) -> KeyColumns:
    """Return what `JobKeys.reachable` yielded as columns; a folder is mapped once per process."""
    return _mapped(keys) if isinstance(keys, Path) else keys


@lru_cache(maxsize=1)
def _mapped(folder: Path) -> KeyColumns:
    with file_errors(folder):
        columns = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _COLUMNS]
    return KeyColumns(*map(np.asarray, columns))
