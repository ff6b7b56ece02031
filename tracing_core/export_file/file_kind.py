"""Kinds of files that people give in place of a log or a key file, and what to give instead."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

from tracing_core.texts import Text

__all__ = ["FileKind", "advice_for_key_file", "advice_for_log", "file_kind"]


class FileKind(enum.Enum):
    """What a file is, as far as its first bytes show."""

    KEY_FILE = enum.auto()
    SIGNATURE = enum.auto()
    """The ``export.sig`` of a key file."""
    INDEX = enum.auto()
    """An index of key files."""
    PUBLIC_KEY = enum.auto()
    DATABASE = enum.auto()
    """A SQLite database, as an agent's log is."""
    LOG = enum.auto()
    """Sightings as JSON Lines."""
    CHECKS = enum.auto()
    """The list of checks that a phone's settings export: counts, and no sighting."""
    JSON = enum.auto()
    PAGE = enum.auto()
    """HTML or XML."""
    PDF = enum.auto()
    IMAGE = enum.auto()
    CAPTURE = enum.auto()
    """A recording of Bluetooth packets."""
    PARQUET = enum.auto()
    ARCHIVE = enum.auto()
    """An archive other than a key file."""


_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"EK Export", FileKind.KEY_FILE),
    (b"SQLite format 3\0", FileKind.DATABASE),
    (b"%PDF", FileKind.PDF),
    (b"\x89PNG", FileKind.IMAGE),
    (b"\xff\xd8\xff", FileKind.IMAGE),
    (b"GIF8", FileKind.IMAGE),
    (b"btsnoop\0", FileKind.CAPTURE),
    (b"\x0a\x0d\x0d\x0a", FileKind.CAPTURE),
    (b"\xd4\xc3\xb2\xa1", FileKind.CAPTURE),
    (b"\xa1\xb2\xc3\xd4", FileKind.CAPTURE),
    (b"PAR1", FileKind.PARQUET),
    (b"\x1f\x8b", FileKind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", FileKind.ARCHIVE),
    (b"Rar!", FileKind.ARCHIVE),
    (b"BZh", FileKind.ARCHIVE),
    (b"\xfd7zXZ\0", FileKind.ARCHIVE),
    (b"\x28\xb5\x2f\xfd", FileKind.ARCHIVE),
)
_KEY_FILE_MEMBERS = re.compile(rb"export\.(bin|sig)", re.IGNORECASE)
# Android's list, and that of iOS.
_OF_CHECKS = re.compile(rb'"(matchesCount|ExposureChecks)"')
_INDEX_LINE = re.compile(rb"[!-~]+\.zip", re.IGNORECASE)
# In DER and in text: the name of ECDSA with SHA-256 in every signature.
_ALGORITHM = b"1.2.840.10045.4.3.2"


def file_kind(beginning: bytes) -> FileKind | None:
    """Return what a file is by its first bytes, some thousand of them; None if unknown."""
    for magic, kind in _MAGIC:
        if beginning.startswith(magic):
            return kind
    if beginning.startswith(b"PK\3\4"):
        of_keys = _KEY_FILE_MEMBERS.search(beginning)
        return FileKind.KEY_FILE if of_keys else FileKind.ARCHIVE
    if beginning.startswith(b"\x0a") and _ALGORITHM in beginning:
        return FileKind.SIGNATURE
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"-----BEGIN"):
        return FileKind.PUBLIC_KEY
    if text.startswith(b"<"):
        return FileKind.PAGE
    if text.startswith((b"{", b"[")):
        if _OF_CHECKS.search(text):
            return FileKind.CHECKS
        return FileKind.LOG if b'"rpi"' in text else FileKind.JSON
    if _INDEX_LINE.fullmatch(text.partition(b"\n")[0].strip()):
        return FileKind.INDEX
    return None


_LOG_FIRST = Text(
    "in truyvet match the log comes first, then the key files",
    "với truyvet match, nhật ký đứng trước, tệp khóa đứng sau",
)
_SIGNED_APART = Text(
    "it is the signature of a key file: give the export.bin that it belongs to, or the zip of both",
    "đây là chữ ký của tệp khóa: hãy đưa tệp export.bin đi kèm, hoặc tệp zip gồm cả hai",
)
_PHONE_S_LOG = Text(
    "it lists the checks that a phone made, and no sightings: bring the phone's own log, as"
    " truyvet agent import --help says",
    "đây là danh sách các lần kiểm tra của điện thoại, không có lượt ghi nhận nào: hãy lấy nhật ký"
    " của chính điện thoại, xem truyvet agent import --help",
)
_NOT_A_PAGE = Text(
    "it is a web page, perhaps an error or sign-in page: open it, then download the file again",
    "đây là một trang web, có thể là trang báo lỗi hoặc đăng nhập: hãy mở ra xem rồi tải lại tệp",
)
_UNPACK = Text("it is an archive: unpack it first", "đây là tệp nén: hãy giải nén trước")
_DOCUMENT = Text(
    "it is a document or a picture: give the file that the program itself wrote",
    "đây là tài liệu hoặc hình ảnh: hãy đưa tệp do chính chương trình ghi ra",
)
_PUBLIC_KEY = Text(
    "it is a public key: give it with --public-key",
    "đây là khóa công khai: hãy đưa qua tùy chọn --public-key",
)


def _swapped(what: Text) -> Text:
    return Text(f"it is {what.en}: {_LOG_FIRST.en}", f"đây là {what.vi}: {_LOG_FIRST.vi}")


_FOR_LOG: Mapping[FileKind, Text] = {
    FileKind.KEY_FILE: _swapped(Text("a key file", "tệp khóa")),
    FileKind.SIGNATURE: _SIGNED_APART,
    FileKind.INDEX: _swapped(Text("an index of key files", "danh mục tệp khóa")),
    FileKind.PUBLIC_KEY: _PUBLIC_KEY,
    FileKind.CHECKS: _PHONE_S_LOG,
    FileKind.PAGE: _NOT_A_PAGE,
    FileKind.PDF: _DOCUMENT,
    FileKind.IMAGE: _DOCUMENT,
    FileKind.CAPTURE: Text(
        "it is a recording of Bluetooth packets: replay it with truyvet agent run --radio"
        " replay:FILE",
        "đây là bản ghi các gói tin Bluetooth: hãy phát lại bằng truyvet agent run --radio"
        " replay:FILE",
    ),
    FileKind.PARQUET: Text(
        "it is a Parquet file: use truyvet match-many",
        "đây là tệp Parquet: hãy dùng truyvet match-many",
    ),
    FileKind.ARCHIVE: _UNPACK,
}
_FOR_KEY_FILE: Mapping[FileKind, Text] = {
    FileKind.SIGNATURE: _SIGNED_APART,
    FileKind.INDEX: Text(
        "it is an index of key files: call it index.txt, in the folder of the files that it lists",
        "đây là danh mục tệp khóa: hãy đặt tên là index.txt, trong thư mục của các tệp đó",
    ),
    FileKind.PUBLIC_KEY: _PUBLIC_KEY,
    FileKind.DATABASE: _swapped(Text("a database, as logs are", "cơ sở dữ liệu, như nhật ký")),
    FileKind.LOG: _swapped(Text("a log of sightings", "nhật ký")),
    FileKind.CHECKS: Text(
        "it lists the checks that a phone made, and no keys: download the authority's key files",
        "đây là danh sách các lần kiểm tra của điện thoại, không có khóa nào: hãy tải tệp khóa của"
        " cơ quan y tế",
    ),
    FileKind.JSON: Text(
        "it is JSON, perhaps a list of key files: download those, and give them",
        "đây là JSON, có thể là danh sách tệp khóa: hãy tải các tệp đó về",
    ),
    FileKind.PAGE: _NOT_A_PAGE,
    FileKind.PDF: _DOCUMENT,
    FileKind.IMAGE: _DOCUMENT,
    FileKind.ARCHIVE: _UNPACK,
}


def advice_for_log(beginning: bytes) -> Text | None:
    """Return what was given in place of a log, and what to give; None if that is not known."""
    return _advice(_FOR_LOG, beginning)


def advice_for_key_file(beginning: bytes) -> Text | None:
    """Return what was given in place of a key file, and what to give; None if not known."""
    return _advice(_FOR_KEY_FILE, beginning)


def _advice(texts: Mapping[FileKind, Text], beginning: bytes) -> Text | None:
    kind = file_kind(beginning)
    return None if kind is None else texts.get(kind)
