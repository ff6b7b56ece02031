"""Downloads that a device keeps: documents, and the beginning of an unfinished key file."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from ble_agent.store.state import AnswerState, StateValue, answer_value
from tracing_core.errors import StoreError
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.store.sqlite import transaction

__all__ = ["KnownAnswers", "PartialFile"]

_MARK_BYTES = 32


class KnownAnswers:
    """The last documents received, so that they need not be sent again.

    A server could give every device another ETag and recognise it by that. So an ETag is sent back
    only if it is the SHA-256 or MD5 of the document, which reveals only what the device has.

    Parameters
    ----------
    db
        The agent's database, in the thread that opened it.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def tag(self, url: str) -> str | None:
        """Return the ETag to send with a request; None if there is none."""
        known = _place(url).get(self._db)
        return None if known is None or known["url"] != url else known["tag"]

    def body(self, url: str) -> bytes | None:
        """Return the document that `tag` belongs to."""
        known = _place(url).get(self._db)
        return None if known is None or known["url"] != url else known["body"].encode("latin-1")

    def keep(self, url: str, e_tag: str, body: bytes) -> None:
        """Keep a document if its ETag is a hash of its content."""
        tag = e_tag.removeprefix("W/").strip('"').lower()
        digests = (hashlib.sha256(body), hashlib.md5(body, usedforsecurity=False))
        if tag not in {digest.hexdigest() for digest in digests}:
            return
        # If the document cannot be kept, the next request downloads it whole.
        with contextlib.suppress(StoreError), transaction(self._db):
            kept: AnswerState = {"url": url, "tag": f'"{tag}"', "body": body.decode("latin-1")}
            _place(url).set(self._db, kept)


def _place(url: str) -> StateValue[AnswerState]:
    return answer_value(url.rpartition("/")[2])


class PartialFile:
    """Beginning of one file that is being fetched, kept across interruptions.

    It is trusted no more than a whole download: the signature decides.

    Parameters
    ----------
    path
        The file to keep it in; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def begin(self, name: str) -> bytes:
        """Return the kept beginning of a file; b"" if there is none."""
        if self._path is None:
            return b""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            if file.read(_MARK_BYTES) == _mark(name):
                return file.read()
        return b""

    def restart(self, name: str) -> None:
        """Start a file from its first byte."""
        if self._path is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            # Never write into a file that another user may have put there.
            self._path.unlink(missing_ok=True)
            descriptor = os.open(self._path, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_mark(name))

    def append(self, data: bytes) -> None:
        """Add received bytes; if they cannot be written, nothing is kept."""
        if self._path is None or not self._path.exists():
            return
        try:
            with self._path.open("ab") as file:
                file.write(data)
        except OSError:
            # Only the signature would reveal a gap in the file.
            self.discard()

    def discard(self) -> None:
        """Forget the file."""
        if self._path is not None:
            with contextlib.suppress(StoreError), file_errors(self._path):
                self._path.unlink(missing_ok=True)


def _mark(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
