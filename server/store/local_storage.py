"""Published files in a folder: written whole and durably, and only then given their name."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.store.files import locked, sync_folder, write_durably
from server.store.storage import StoredDigest, StoredFile
from tracing_core.errors import StoreError, StoreFull, require
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["LocalStorage"]

_STAGING = ".staging"
_LOCK = ".lock"
_NODE = ".node"
_CHUNK_BYTES = 64 * 1024
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def _forbid_others_to_write(opened: int) -> None:
    """Take the right to write from everyone but the owner, whatever the umask was."""
    mode = stat.S_IMODE(os.fstat(opened).st_mode)
    if mode & _WRITABLE_BY_OTHERS:
        os.fchmod(opened, mode & ~_WRITABLE_BY_OTHERS)


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _forbid_others_to_write(descriptor)
    finally:
        os.close(descriptor)


class LocalStorage:
    """The folder ``HOME/exports``, used as an object store.

    A name is a path within the folder, such as ``VN/index.txt``.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "exports"
        self._store: ObjectStore | None = None
        # By the file's ETag, which changes with the file.
        self._digests: dict[str, tuple[str, StoredDigest]] = {}

    @contextlib.contextmanager
    def exclusive_use(self) -> Iterator[str]:
        """Lock the folder, and yield the name of the node that it represents."""
        with file_errors(self.folder):
            _make_folder(self.folder)
        with locked(self.folder / _LOCK):
            node = self.folder / _NODE
            with file_errors(node):
                if not node.exists():
                    write_durably(node, secrets.token_hex(16).encode())
                name = node.read_text()
            yield name

    def place(self) -> str:
        """Return the folder's name for itself; a copy of the folder has another."""
        node = self.folder / _NODE
        if not is_there(node):
            with self.exclusive_use():
                pass
        with file_errors(node):
            # A copy of the file has the same text. Nodes that share the folder see the same file.
            return f"{node.read_text()}-{node.stat().st_ino}"

    def stage(self, data: bytes) -> str:
        """Write a whole file durably, without publishing it; return its staged name.

        Raises
        ------
        StoreFull, StoreError
            When the file cannot be written.
        """
        obstore = require("obstore", extra="server")
        staged = f"{_STAGING}/{secrets.token_hex(16)}"
        with self._translated(staged):
            _make_folder(self.folder / _STAGING)
            obstore.put(self._open(), staged, data, use_multipart=False)
            # The object store makes a file atomic for readers; making it durable is up to us.
            descriptor = os.open(self.folder / staged, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _forbid_others_to_write(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return staged

    def publish(self, staged: str, name: str) -> None:
        """Give a staged file its name in one step, in place of any file that had it.

        Raises
        ------
        StoreError
            When the file cannot be renamed.
        """
        obstore = require("obstore", extra="server")
        with self._translated(name):
            folder = (self.folder / name).parent
            _make_folder(folder)
            obstore.rename(self._open(), staged, name)
            sync_folder(folder)
            sync_folder(folder.parent)

    def read(self, name: str, *, start: int = 0) -> StoredFile | None:
        """Open a published file; None if it does not exist.

        Parameters
        ----------
        name
            The file's path.
        start
            The first byte to read, less than the file's size.

        Raises
        ------
        StoreError
            When the file cannot be read.
        """
        obstore = require("obstore", extra="server")
        with self._translated(name):
            options: Any = {"range": {"offset": start}} if start else None
            try:
                result = obstore.get(self._open(), name, options=options)
            except FileNotFoundError:
                return None
            return StoredFile(
                size=result.meta["size"],
                e_tag=result.meta["e_tag"],
                modified_at=result.meta["last_modified"],
                chunks=iter(result.stream(min_chunk_size=_CHUNK_BYTES)),
            )

    def digest(self, name: str) -> StoredDigest | None:
        """Return the size and hash of a published file; None if it does not exist.

        Raises
        ------
        StoreError
            When the file cannot be read.
        """
        file = self.read(name)
        if file is None:
            self._digests.pop(name, None)
            return None
        known = self._digests.get(name)
        if known is None or known[0] != file.e_tag:
            sha256 = hashlib.sha256()
            with self._translated(name):
                for chunk in file.chunks:
                    sha256.update(chunk)
            known = (file.e_tag, StoredDigest(file.size, sha256.hexdigest()))
            self._digests[name] = known
        return known[1]

    def names(self, region: str) -> set[str]:
        """Return the names of a region's published files, its indexes included."""
        obstore = require("obstore", extra="server")
        with self._translated(region):
            return {meta["path"] for meta in obstore.list(self._open(), prefix=region).collect()}

    def delete(self, names: Iterable[str]) -> None:
        """Delete files, published or staged; a missing one is not an error.

        Raises
        ------
        StoreError
            When a file cannot be deleted.
        """
        obstore = require("obstore", extra="server")
        for name in names:
            self._digests.pop(name, None)
            with self._translated(name), contextlib.suppress(FileNotFoundError):
                obstore.delete(self._open(), name)

    def clear_staging(self) -> None:
        """Delete staged files that writers left when they died."""
        with self._translated(_STAGING):
            # Directly, because the object store hides its own unfinished files.
            for path in (self.folder / _STAGING).glob("*"):
                path.unlink(missing_ok=True)

    def _open(self) -> ObjectStore:
        if self._store is None:
            stores = require("obstore.store", extra="server")
            store: ObjectStore = stores.LocalStore(self.folder, mkdir=True)
            self._store = store
        return self._store

    @contextlib.contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        exceptions = require("obstore.exceptions", extra="server")
        try:
            yield
        except (exceptions.BaseError, OSError) as error:
            # The store's own errors quote the system's error only as text.
            if os.strerror(errno.ENOSPC) in str(error):
                raise StoreFull(
                    f"the disk that holds {self.folder} is full: free some space; nothing was lost"
                ) from error
            raise StoreError(
                f"{self.folder / name} cannot be used: check the disk and the folder's owner"
            ) from error
