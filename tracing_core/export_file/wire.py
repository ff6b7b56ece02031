"""Wire format of protobuf, as far as a key file must be checked before it is parsed."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from tracing_core.errors import MalformedExport
from tracing_core.export_file.contents import MAX_EXPORT_BYTES, MAX_SIGNATURES
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH

__all__ = ["checked_fields", "text", "timestamps"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_START, _END, _SIGNATURE_INFOS, _KEYS, _REVISED_KEYS = 1, 2, 6, 7, 8
# Tag, length and the key itself; protobuf spends about 100 bytes of memory on each message.
_LEAST_KEY_MESSAGE = 2 + KEY_LENGTH
_MAX_KEYS = MAX_EXPORT_BYTES // _LEAST_KEY_MESSAGE
_MAX_OTHER_FIELDS = 1000


class _TruncatedError(Exception):
    pass


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _TruncatedError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _TruncatedError


def _fields(data: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, start and end of each field's value."""
    end = len(data)
    while at < end:
        # Nearly all tags and lengths are one byte.
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _varint(data, at - 1)
        wire_type = tag & 7
        if wire_type == _LENGTH:
            length, start = _varint(data, at)
        elif wire_type == _VARINT:
            start, length = at, _varint(data, at)[1] - at
        elif wire_type in (_FIXED64, _FIXED32):
            start, length = at, 8 if wire_type == _FIXED64 else 4
        else:
            raise _TruncatedError
        at = start + length
        if at > end:
            raise _TruncatedError
        yield tag >> 3, wire_type, start, at


def checked_fields(data: bytes, at: int, name: str) -> tuple[bytes, int]:
    """Return the fields from `at` on, which can be parsed in a few times their size.

    Messages that are too short for a key are left out; their number is returned as well.

    Raises
    ------
    MalformedExport
        When a field ends after the data, or there are too many messages or other fields.
    """
    kept = bytearray()
    short = infos = others = keys = 0
    taken, before = at, at
    try:
        for number, wire_type, start, end in _fields(data, at):
            if wire_type == _LENGTH and number in (_KEYS, _REVISED_KEYS):
                keys += 1
                if end - start < _LEAST_KEY_MESSAGE:
                    short += 1
                    kept += data[taken:before]
                    taken = end
                if keys > _MAX_KEYS:
                    raise MalformedExport(f"{name} holds more than {_MAX_KEYS} keys")
            else:
                infos += wire_type == _LENGTH and number == _SIGNATURE_INFOS
                others += 1
                if infos > MAX_SIGNATURES:
                    raise MalformedExport(f"{name} has more than {MAX_SIGNATURES} signatures")
                if others > _MAX_OTHER_FIELDS:
                    raise MalformedExport(f"{name} has too many fields other than keys")
            before = end
    except _TruncatedError as error:
        raise MalformedExport(f"{name} is truncated, or not a key file") from error
    return (bytes(kept) + data[taken:] if short else data[at:]), short


def text(value: str | bytes) -> str:
    """Return a field of text, which protobuf delivers as bytes when it is not UTF-8.

    Raises
    ------
    DecodeError
        When the field is not UTF-8.
    """
    if isinstance(value, bytes):
        raise DecodeError("text that is not UTF-8")
    return value


def timestamps(data: bytes, at: int) -> tuple[int, int] | None:
    """Find the two timestamps at the beginning of a file, cut anywhere; None if absent."""
    found: dict[int, int] = {}
    try:
        for number, wire_type, start, end in _fields(data, at):
            if wire_type == _FIXED64 and number in (_START, _END):
                found[number] = int.from_bytes(data[start:end], "little")
            if len(found) == 2:
                return found[_START], found[_END]
    except _TruncatedError:
        pass
    return None
