"""Upload: a form with files, whose bytes go from the network to private files in the home.

The files never lie in a folder for temporary files, and their memory is bounded. A process that is
killed leaves them in a working folder, which the next command removes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ble_agent.messages.refusals import not_possible
from ble_agent.store.working_folder import working_folder
from tracing_core.store.files import disk_is_full, file_errors

__all__ = ["LARGEST_FILE_BYTES", "Upload", "UploadedFile", "receive_upload"]

LARGEST_FILE_BYTES = 64 << 20
"""The largest file that is taken; several files may not be larger together."""

_MOST_FIELDS = 20
_MOST_FIELD_BYTES = 64 << 10
# The fields, and the lines around them and the file.
_MOST_BODY_BYTES = LARGEST_FILE_BYTES + 2 * _MOST_FIELD_BYTES
_MOST_HEADERS, _LONGEST_HEADER = 8, 4096
_PIECE_BYTES = 64 << 10
_BLOCK_BYTES = 256 << 10
# The agent goes on writing what it hears while a file arrives.
_SPARE_BYTES = 8 << 20
_LONGEST_NAME = 80
_FILE_NAME = "upload"

# The parser describes every wrong byte on standard error otherwise.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file of a form."""

    path: Path
    """The file; there until the upload is closed."""
    size: int
    """Its size in bytes."""
    name: str
    """The name that the owner's device gave it, for showing only; "" if it gave none."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a form brought; a context manager that closes it.

    `close` overwrites and removes the files, so it may take a moment: call it in a thread.
    """

    fields: Mapping[str, str]
    """The text fields by name, composed (NFC) and otherwise as typed."""
    files: Sequence[UploadedFile]
    """The files in the order of the form, one or more."""
    _folder: _PrivateFolder

    @property
    def path(self) -> Path:
        """The first file."""
        return self.files[0].path

    @property
    def size(self) -> int:
        """The size of the first file in bytes."""
        return self.files[0].size

    @property
    def name(self) -> str:
        """The name of the first file."""
        return self.files[0].name

    def named(self, text: str) -> str:
        """Return a text, such as an error's, with the files' names in place of their paths."""
        # The longest path first, since it may begin with a shorter one.
        for file in sorted(self.files, key=lambda file: -len(str(file.path))):
            text = text.replace(str(file.path), file.name or file.path.name)
        return text

    def close(self) -> None:
        """Overwrite and remove the files; again does nothing.

        Raises
        ------
        StoreError
            When one cannot be removed.
        """
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def receive_upload(
    home: Path, body: AsyncIterable[bytes], content_type: str, *, most_files: int = 1
) -> Upload:
    """Return the form in a request's body, which must be ``multipart/form-data`` with a file.

    Whatever the error, and also when this is cancelled, nothing of the files is left.

    Parameters
    ----------
    home
        The agent's folder, in which the files are kept.
    body, content_type
        The request's body and type.
    most_files
        How many files the form may have.

    Raises
    ------
    NotPossible
        When the files are too large (``upload_too_large``), there is none (``upload_no_file``), a
        second one (``upload_two_files``) or too many (``upload_too_many``), the fields are too many
        or too long (``upload_fields``), or the body is not such a form or ends early
        (``upload_broken``).
    StoreFull, StoreError
        When a file cannot be written.
    """
    form = _Form(content_type, most_files)
    folder = _PrivateFolder(home)
    try:
        async for piece in _recut(body):
            form.feed(piece)
            if form.waiting >= _BLOCK_BYTES:
                await asyncio.to_thread(folder.write, form.take())
        form.finish()
        await asyncio.to_thread(folder.write, form.take())
    except BaseException:
        await asyncio.shield(asyncio.to_thread(folder.close))
        raise
    files = tuple(
        UploadedFile(folder.path_of(number), size, name)
        for number, (name, size) in enumerate(zip(form.names, form.sizes, strict=True))
    )
    return Upload(form.fields, files, folder)


async def _recut(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield a body in pieces of one size: the parser reads some broken forms by their cuts."""
    pending = bytearray()
    async for chunk in body:
        for start in range(0, len(chunk), _PIECE_BYTES):
            pending += chunk[start : start + _PIECE_BYTES]
            if len(pending) >= _PIECE_BYTES:
                yield bytes(pending[:_PIECE_BYTES])
                del pending[:_PIECE_BYTES]
    yield bytes(pending)


class _PrivateFolder:
    """The files, in a working folder of their own that only this user may enter."""

    def __init__(self, home: Path) -> None:
        self._lock = threading.Lock()
        self._home = home
        self._number = -1
        self._file: int | None = None
        with contextlib.ExitStack() as stack:
            self._path = stack.enter_context(working_folder(home))
            stack.callback(self._end_file)
            with file_errors(home):
                self._opened(0)
            self._closing: contextlib.ExitStack | None = stack.pop_all()

    def path_of(self, number: int) -> Path:
        """Return the path of a file, counted from 0."""
        return self._path / (f"{_FILE_NAME}-{number}" if number else _FILE_NAME)

    def write(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Append data to the files of these numbers, unless the folder was closed meanwhile."""
        with self._lock, file_errors(self._home):
            if self._closing is None:
                return
            for number, data in pieces:
                file = self._opened(number)
                system = os.fstatvfs(file)
                if system.f_bavail * system.f_frsize < len(data) + _SPARE_BYTES:
                    raise disk_is_full(self._home)
                while data:
                    data = data[os.write(file, data) :]

    def _opened(self, number: int) -> int:
        if self._file is None or number != self._number:
            self._end_file()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file, self._number = os.open(self.path_of(number), flags, 0o600), number
        return self._file

    def _end_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def close(self) -> None:
        with self._lock:
            closing, self._closing = self._closing, None
            if closing is not None:
                closing.close()


class _Form:
    """The parser's callbacks: fields are collected, the files' data is handed on by `take`."""

    def __init__(self, content_type: str, most_files: int) -> None:
        self.fields: dict[str, str] = {}
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.waiting = 0
        self._most_files = most_files
        self._data: list[tuple[int, bytearray]] = []
        self._received = 0
        self._field_bytes = 0
        self._fields_begun = 0
        self._has_ended = False
        self._header, self._value = bytearray(), bytearray()
        self._disposition: dict[bytes, bytes] = {}
        self._is_file = self._is_taken = False
        self._text = bytearray()
        with _broken_forms():
            kind, options = parse_options_header(content_type)
            if kind != b"multipart/form-data" or not options.get(b"boundary"):
                raise not_possible("upload_broken")
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header.extend(
                        data[start:end]
                    ),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
                max_header_count=_MOST_HEADERS,
                max_header_size=_LONGEST_HEADER,
            )

    def feed(self, piece: bytes) -> None:
        """Read the next bytes of the body."""
        self._received += len(piece)
        if self._received > _MOST_BODY_BYTES:
            raise not_possible("upload_too_large")
        with _broken_forms():
            self._parser.write(piece)

    def take(self) -> list[tuple[int, bytes]]:
        """Return the data that was not taken yet, with the number of its file."""
        data = [(number, bytes(piece)) for number, piece in self._data]
        self._data.clear()
        self.waiting = 0
        return data

    def finish(self) -> None:
        """Check that the body ended where the form does, and held a file."""
        if not self._has_ended:
            raise not_possible("upload_broken")
        if not self.names:
            raise not_possible("upload_no_file")

    def _begin(self) -> None:
        self._disposition = {}
        self._is_file = self._is_taken = False
        self._text.clear()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            kind, self._disposition = parse_options_header(self._value.decode("latin-1"))
            if kind != b"form-data":
                raise not_possible("upload_broken")
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        if not self._disposition.get(b"name"):
            raise not_possible("upload_broken")
        self._is_file = b"filename" in self._disposition
        if not self._is_file:
            self._fields_begun += 1
            self._count_field_bytes(len(self._disposition[b"name"]))
        elif self._disposition[b"filename"]:
            self._take_file()

    def _take_file(self) -> None:
        if len(self.names) >= self._most_files:
            one = self._most_files == 1
            raise not_possible("upload_two_files" if one else "upload_too_many")
        self._is_taken = True
        self._data.append((len(self.names), bytearray()))
        self.names.append(_shown_name(self._disposition[b"filename"]))
        self.sizes.append(0)

    def _add(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._count_field_bytes(end - start)
            self._text += data[start:end]
            return
        # A browser sends an empty part without a name where no file was chosen.
        if not self._is_taken:
            self._take_file()
        self.sizes[-1] += end - start
        if sum(self.sizes) > LARGEST_FILE_BYTES:
            raise not_possible("upload_too_large")
        if not self._data:
            self._data.append((len(self.names) - 1, bytearray()))
        self._data[-1][1].extend(data[start:end])
        self.waiting += end - start

    def _count_field_bytes(self, count: int) -> None:
        self._field_bytes += count
        if self._fields_begun > _MOST_FIELDS or self._field_bytes > _MOST_FIELD_BYTES:
            raise not_possible("upload_fields")

    def _end(self) -> None:
        if self._is_file:
            return
        name = _composed(self._disposition[b"name"])
        if name in self.fields:
            raise not_possible("upload_broken")
        self.fields[name] = _composed(self._text)

    def _finish(self) -> None:
        self._has_ended = True


@contextlib.contextmanager
def _broken_forms() -> Iterator[None]:
    try:
        yield
    except (FormParserError, UnicodeError) as error:
        raise not_possible("upload_broken") from error


def _composed(raw: bytes | bytearray) -> str:
    return unicodedata.normalize("NFC", raw.decode("utf-8"))


def _shown_name(raw: bytes) -> str:
    """Return a name that can be shown anywhere and turns no text round; never a path."""
    # Browsers escape a quotation mark so.
    text = raw.decode("utf-8", "replace").replace("%22", '"')
    text = unicodedata.normalize("NFC", text).replace("\\", "/").rpartition("/")[2]
    shown = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
