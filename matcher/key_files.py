"""Key files, in the order in which their revisions take effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from matcher.inputs import KeyFilesLike, as_key_files
from tracing_core.export_file import (
    MAX_EXPORT_BYTES,
    ExportFile,
    read_export,
    read_verified,
    search_exports,
)
from tracing_core.protocol.diagnosis_key import DiagnosisKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from matcher.columns.key_records import KeyRecords

__all__ = ["KeyFile", "KeyFiles", "read_ahead"]

# Key data cannot be compressed; the other fields take two to four bytes in a zip.
_ZIPPED_KEY_BYTES = 20


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file and its name in results."""

    name: str
    """Its path; ``exports[2]`` for an object that was the third argument."""
    export: ExportFile

    def keys(self) -> Iterator[DiagnosisKey]:
        """Yield ``keys``, then ``revised_keys``."""
        return chain(self.export.keys, self.export.revised_keys)


class KeyFiles:
    """The requested key files, read one at a time.

    Paths, folders and indices come in the order of `search_exports`; objects where they were given.

    Raises
    ------
    InvalidValue
        When an item is neither a path nor an `ExportFile`.
    ExportFileError
        When a path does not exist or a folder holds no key file.
    """

    def __init__(
        self,
        exports: KeyFilesLike,
        *,
        public_keys: Sequence[EllipticCurvePublicKey] = (),
    ) -> None:
        self._public_keys = public_keys
        self.skipped_keys = 0
        """Number of keys that the files read so far state and that cannot be used."""
        self.passed_over: list[str] = []
        """What else is in the folders given: paths that are not used."""
        self._files: list[tuple[str, Path | ExportFile]] = []
        paths: list[Path] = []
        for number, export in enumerate(as_key_files(exports)):
            if isinstance(export, ExportFile):
                self._find(paths)
                self._files.append((f"exports[{number}]", export))
            else:
                paths.append(export)
        self._find(paths)

    def _find(self, paths: list[Path]) -> None:
        found = search_exports(paths)
        self._files += [(str(path), path) for path in found.files]
        self.passed_over += map(str, found.passed_over)
        paths.clear()

    @property
    def names(self) -> list[str]:
        """The name of each file, in order."""
        return [name for name, _ in self._files]

    @property
    def paths(self) -> list[Path | None]:
        """The path of each file, in order; None for a file given as an object."""
        return [file if isinstance(file, Path) else None for _, file in self._files]

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[KeyFile]:
        """Yield each file as it is read; with public keys, only files that one of them signed.

        Raises
        ------
        InvalidSignature
            When no signature verifies with any of the public keys given.
        ExportFileError
            When a file cannot be read.
        """
        self.skipped_keys = 0
        for name, file in self._files:
            if isinstance(file, Path):
                export = read_export(file, public_keys=self._public_keys)
            else:
                export = file
            self.skipped_keys += export.skipped_keys
            yield KeyFile(name, export)

    def columns(self) -> Iterator[KeyRecords]:
        """Yield the keys of each file as columns; this needs Numba.

        Raises
        ------
        InvalidSignature, ExportFileError
            As for `__iter__`.
        """
        from matcher.columns.key_records import KeyObjects, read_keys

        self.skipped_keys = 0
        for _, file in self._files:
            records: KeyRecords
            if isinstance(file, Path):
                records = read_keys(read_verified(file, public_keys=self._public_keys))
            else:
                records = KeyObjects(file)
            self.skipped_keys += records.skipped
            yield records

    def estimated_keys(self) -> int:
        """Return about how many keys the files hold, by their sizes."""
        return sum(map(_estimated_keys, (file for _, file in self._files)))


def read_ahead(files: Iterator[KeyRecords]) -> Iterator[KeyRecords]:
    """Yield files in order, and read the next one meanwhile in a thread."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, files, None)
        while (file := coming.result()) is not None:
            coming = pool.submit(next, files, None)
            yield file


def _estimated_keys(file: Path | ExportFile) -> int:
    if isinstance(file, ExportFile):
        return len(file.keys) + len(file.revised_keys)
    try:
        # A larger file is refused.
        return min(file.stat().st_size, MAX_EXPORT_BYTES) // _ZIPPED_KEY_BYTES
    except OSError:
        return 0  # reading it will raise the right error
