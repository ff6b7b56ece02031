"""Zip archive of a key file, read within bounds."""

from __future__ import annotations

import contextlib
import importlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tracing_core.errors import MalformedExport
from tracing_core.export_file.contents import MAX_EXPORT_BYTES

__all__ = ["EXPORT_BIN", "EXPORT_SIG", "MAX_SIGNATURE_FILE_BYTES", "pack", "prefix", "unpack"]

EXPORT_BIN = "export.bin"
"""The member with the keys."""

EXPORT_SIG = "export.sig"
"""The member with the signatures."""

MAX_SIGNATURE_FILE_BYTES = 64 << 10
"""The largest `EXPORT_SIG` that is read."""

_LIMITS = {EXPORT_BIN: MAX_EXPORT_BYTES, EXPORT_SIG: MAX_SIGNATURE_FILE_BYTES}
_MAX_MEMBERS = 16
_MAX_DIRECTORY_BYTES = 16 << 10
# Keys are random, so a real file shrinks to half at best; a small one may be all padding.
_MAX_RATIO = 32
_ALWAYS_ALLOWED_BYTES = 64 << 10

# isal does what zlib does, call for call, in half the time (extra `matcher`).
_inflater: Any = zlib
with contextlib.suppress(ImportError):
    _inflater = importlib.import_module("isal.isal_zlib")

_LOCAL_HEADER = struct.Struct("<26x2H")  # its last fields: the lengths of the name and of an extra
_END_RECORD = struct.Struct("<4s4H2LH")
_END_RECORD_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ONLY_IN_64 = (0xFFFF,) * 4 + (0xFFFFFFFF,) * 2
_LONGEST_COMMENT = 0xFFFF
_TAIL_64 = _END_RECORD_64.size + _LOCATOR_64.size
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


@contextlib.contextmanager
def _open(file: BinaryIO, name: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose directory is small; every fault in the zip becomes one error."""
    size = file.seek(0, io.SEEK_END)
    end = _checked_end(file, size, name)
    if end != size:
        if end > MAX_EXPORT_BYTES:
            raise MalformedExport(f"{name} is larger than {MAX_EXPORT_BYTES} bytes")
        # What follows the end is left out, so that zipfile cannot find another end in it.
        file.seek(0)
        data = bytearray(file.read(end))
        data[-2:] = bytes(2)  # the length of the comment
        file = io.BytesIO(data)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        _inflater.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,  # of which NotImplementedError is one
        KeyError,  # no such member
        ValueError,  # of which UnicodeDecodeError is one
    ) as error:
        raise MalformedExport(f"{name} is a damaged zip: download it again") from error


def _checked_end(file: BinaryIO, size: int, name: str) -> int:
    """Return where the last record of a zip ends; a comment or stray bytes may follow.

    zipfile allocates by the directory's size, from the 64-bit record if there is one and else from
    the plain one, whatever the count of members says.
    """
    begin = max(0, size - _LONGEST_COMMENT - _END_RECORD.size - _TAIL_64)
    file.seek(begin)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        raise MalformedExport(f"{name} is a truncated zip: download it again")
    _, *record, _ = _END_RECORD.unpack_from(tail, at)
    before = at
    if at >= _TAIL_64 and tail[at - _LOCATOR_64.size :].startswith(b"PK\6\7"):
        before -= _TAIL_64
        magic, _, _, _, *record_64 = _END_RECORD_64.unpack_from(tail, before)
        # Each number of the plain record is the same, or says that only the other record has it.
        same = zip(record, record_64, _ONLY_IN_64, strict=True)
        if magic != b"PK\6\6" or any(old not in (new, mark) for old, new, mark in same):
            raise MalformedExport(f"{name} is not a plain zip as key files are: download it again")
        record = record_64
    disk, first_disk, here, members, length, offset = record
    if disk or first_disk or here != members or offset + length != begin + before:
        raise MalformedExport(f"{name} is not a plain zip as key files are: download it again")
    if members > _MAX_MEMBERS or length > _MAX_DIRECTORY_BYTES:
        raise MalformedExport(f"{name} has {members} members, where a key file has two")
    return begin + at + _END_RECORD.size


def _find(archive: zipfile.ZipFile, wanted: str, name: str) -> zipfile.ZipInfo | None:
    """Return the member of a name, else one in any folder and case; None if there is none."""
    members = archive.infolist()
    found = [info for info in members if info.filename == wanted]
    found = found or [info for info in members if _base_name(info.filename) == wanted]
    if len(found) > 1:
        raise MalformedExport(f"{name} holds {wanted} twice")
    return found[0] if found else None


def _without_export(name: str, archive: zipfile.ZipFile) -> MalformedExport:
    """Return the error for a zip without keys, with what is in it instead."""
    members = [_base_name(info.filename) for info in archive.infolist()]
    text = f"{name} is a zip without {EXPORT_BIN}"
    if EXPORT_SIG in members:
        return MalformedExport(f"{text}, with the signature alone: download it again")
    if any(member.endswith((".zip", ".bin")) for member in members):
        return MalformedExport(f"{text}, and other files in it may be key files: unpack it first")
    return MalformedExport(f"{text}, so it is not a key file: give one as its server publishes it")


def _base_name(member: str) -> str:
    return member.replace("\\", "/").rpartition("/")[2].lower()


def _check_packing(info: zipfile.ZipInfo, name: str) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise MalformedExport(
            f"{name} is encrypted: unpack it with its password, and give what is in it"
        )
    if info.compress_type not in _METHODS:
        raise MalformedExport(f"{name}: {info.filename} is packed in a way key files are not")


def _read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int, data: bytes, name: str
) -> bytes:
    _check_packing(info, name)
    if info.file_size > limit:
        raise MalformedExport(f"{name}: {info.filename} unpacks to more than {limit} bytes")
    if info.file_size > _ALWAYS_ALLOWED_BYTES + _MAX_RATIO * info.compress_size:
        raise MalformedExport(f"{name}: {info.filename} unpacks to absurdly many bytes")
    archive.open(info).close()  # which compares the header with the directory
    lengths = _LOCAL_HEADER.unpack_from(data, info.header_offset)
    begin = info.header_offset + _LOCAL_HEADER.size + sum(lengths)
    packed = memoryview(data)[begin : begin + info.compress_size]
    # One byte more shows that the declared size is a lie, and nothing beyond is unpacked.
    contents = (
        bytes(packed)
        if info.compress_type == zipfile.ZIP_STORED
        else _inflater.decompressobj(-zlib.MAX_WBITS).decompress(packed, info.file_size + 1)
    )
    if len(contents) != info.file_size or _inflater.crc32(contents) != info.CRC:
        raise zipfile.BadZipFile
    return contents


def unpack(data: bytes, name: str) -> tuple[bytes, bytes | None]:
    """Return ``export.bin``, and ``export.sig`` if there is one; other members are not unpacked.

    Raises
    ------
    MalformedExport
        When the zip is damaged, lies about sizes, is a bomb, repeats either, or has no export.
    """
    found = {}
    with _open(io.BytesIO(data), name) as archive:
        for wanted, limit in _LIMITS.items():
            info = _find(archive, wanted, name)
            if info is not None:
                found[wanted] = _read_member(archive, info, limit, data, name)
    if EXPORT_BIN not in found:
        raise _without_export(name, archive)
    return found[EXPORT_BIN], found.get(EXPORT_SIG)


def prefix(path: Path, size: int) -> bytes:
    """Return the first bytes of the ``export.bin`` in a zip.

    Raises
    ------
    MalformedExport
        When the zip has no ``export.bin``.
    OSError
        When the file cannot be read.
    """
    with path.open("rb") as file, _open(file, str(path)) as archive:
        info = _find(archive, EXPORT_BIN, str(path))
        if info is None:
            raise _without_export(str(path), archive)
        _check_packing(info, str(path))
        with archive.open(info) as member:
            return member.read(size)


def pack(export_bin: bytes, export_sig: bytes) -> bytes:
    """Return the zip; the same contents give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in ((EXPORT_BIN, export_bin), (EXPORT_SIG, export_sig)):
            info = zipfile.ZipInfo(member)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return out.getvalue()
