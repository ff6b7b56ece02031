"""Decompression of Snappy's raw format, the compression of LevelDB's blocks."""

from __future__ import annotations

from ble_agent.store.importers.cursor import Cursor

__all__ = ["decompress"]

_LITERAL = 0
_LONGEST_SHORT_LITERAL = 60


def decompress(data: bytes, longest: int) -> bytes:
    """Return the bytes that were compressed.

    Parameters
    ----------
    data
        A preamble with the length, then literals and copies (Snappy's ``format_description.txt``).
    longest
        The most bytes the result may have.

    Raises
    ------
    ValueError
        When the data is damaged or would be longer.
    """
    cursor = Cursor(data)
    length = cursor.varint()
    if length > longest:
        raise ValueError(f"one of its blocks is larger than {longest} bytes")
    out = bytearray()
    while cursor:
        (tag,) = cursor.take(1)
        kind = tag & 3
        if kind == _LITERAL:
            size = (tag >> 2) + 1
            if size > _LONGEST_SHORT_LITERAL:
                size = cursor.fixed(size - _LONGEST_SHORT_LITERAL) + 1
            out += cursor.take(size)
        else:
            if kind == 1:
                size, offset = (tag >> 2 & 7) + 4, (tag >> 5 << 8) + cursor.fixed(1)
            else:
                size, offset = (tag >> 2) + 1, cursor.fixed(2 if kind == 2 else 4)
            if not 0 < offset <= len(out):
                raise ValueError("a copy in it points nowhere")
            # A copy may overlap what it writes, and then repeats it.
            start = len(out) - offset
            out += (out[start : start + size] * (size // offset + 1))[:size]
        if len(out) > length:
            break
    if len(out) != length:
        raise ValueError("one of its blocks does not have the length it states")
    return bytes(out)
