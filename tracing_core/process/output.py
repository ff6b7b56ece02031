"""Standard output and error: letters they cannot encode, and disks they cannot be written to."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["OutputFailed", "discard_outputs", "prepare_outputs", "takes_unicode"]

_HANDLER = "truyvet-plain"
# Marks and quotation marks; letters are reduced to their base by Unicode's own tables.
_PLAIN = {
    "✔": "[ok]",
    "✘": "[!!]",
    "…": "...",
    "—": "-",
    "–": "-",
    "−": "-",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "±": "+-",
    "·": "-",
    "•": "-",
    "đ": "d",
    "Đ": "D",
    "\N{NO-BREAK SPACE}": " ",
}


class OutputFailed(OSError):
    """Standard output or error cannot be written, as on a full disk."""


def prepare_outputs() -> None:
    """Make the outputs of this process raise `OutputFailed`, and print plain letters if they must.

    In an 8-bit locale, letters that it lacks become plain ones. Vietnamese is readable without its
    accents. Outputs in UTF-8 stay as they are.
    """
    codecs.register_error(_HANDLER, _plainly)
    # Outputs that something else has put in place, such as a test, are left alone.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:
        sys.stdout = _prepared(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr is sys.__stderr__:
        sys.stderr = _prepared(sys.stderr)


def takes_unicode(stream: TextIO) -> bool:
    """Return whether a stream can encode every letter."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name.startswith("utf")


def discard_outputs() -> None:
    """Drop what is left in the buffers, which Python would try to write once more at its end."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, number)
            os.close(nowhere)


class _Raw(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed(error.errno, error.strerror) from error


def _prepared(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Raw(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors if takes_unicode(stream) else _HANDLER,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = "".join(_plain_letter(letter) for letter in error.object[error.start : error.end])
    return plain, error.end


def _plain_letter(letter: str) -> str:
    if letter in _PLAIN:
        return _PLAIN[letter]
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    # A combining mark alone adds nothing; any other letter must not vanish.
    return base or ("" if unicodedata.combining(letter) else "?")
