"""Interface to the place that holds the published files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = ["Storage", "StoredDigest", "StoredFile"]


@dataclass(frozen=True, slots=True)
class StoredDigest:
    """What a published file must be like wherever it is copied to."""

    size: int
    """Bytes."""
    sha256: str
    """SHA-256 of the file, 64 lowercase hex digits."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A published file, being read."""

    size: int
    """Bytes."""
    e_tag: str
    """The file's ETag, quotation marks included."""
    modified_at: datetime
    """When the file was published (UTC)."""
    chunks: Iterator[bytes] = field(repr=False)
    """The file's bytes, to be read once; a file deleted meanwhile is still read to its end."""


class Storage(Protocol):
    """Published files by name, such as ``VN/index.txt``.

    A file is first staged, where clients cannot fetch it, and then published under its name.
    """

    def exclusive_use(self) -> AbstractContextManager[str]:
        """Wait until no other process that shares this storage's place exports into it.

        Returns
        -------
        context manager of str
            The name of this place, which stays the same between runs: at most 32 characters.

        Raises
        ------
        StoreError
            When the place cannot be written to.
        """

    def place(self) -> str:
        """Return a name of this place that no copy of it has: at most 64 characters.

        Raises
        ------
        StoreError
            When the place cannot be written to.
        """

    def stage(self, data: bytes) -> str:
        """Write a whole file durably, without publishing it; return its staged name.

        Raises
        ------
        StoreFull, StoreError
            When the file cannot be written.
        """

    def publish(self, staged: str, name: str) -> None:
        """Give a staged file its name in one step, in place of any file that had it.

        Raises
        ------
        StoreError
            When the file cannot be published.
        """

    def read(self, name: str, *, start: int = 0) -> StoredFile | None:
        """Open a published file; None if it does not exist.

        Parameters
        ----------
        name
            The file's name.
        start
            The first byte to read, less than the file's size.

        Raises
        ------
        StoreError
            When the file cannot be read.
        """

    def digest(self, name: str) -> StoredDigest | None:
        """Return the size and hash of a published file; None if it does not exist.

        Raises
        ------
        StoreError
            When the file cannot be read.
        """

    def names(self, region: str) -> set[str]:
        """Return the names of a region's published files, its indexes included."""

    def delete(self, names: Iterable[str]) -> None:
        """Delete files, published or staged; a missing one is not an error.

        Raises
        ------
        StoreError
            When a file cannot be deleted.
        """

    def clear_staging(self) -> None:
        """Delete staged files that writers left when they died.

        Only for a caller that knows that no other writer is alive.
        """
