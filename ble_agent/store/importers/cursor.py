"""Cursor over bytes, with every length checked before it is used."""

from __future__ import annotations

__all__ = ["Cursor"]

_LONGEST_VARINT = 10


class Cursor:
    """A position in some bytes. Every method moves it, and raises `ValueError` beyond the end."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at
        """Offset of the next byte."""

    def __bool__(self) -> bool:
        return self.at < len(self._data)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        end = self.at + count
        if end > len(self._data):
            raise ValueError("it ends too early")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def fixed(self, count: int) -> int:
        """Return the next bytes as a little-endian number."""
        return int.from_bytes(self.take(count), "little")

    def varint(self) -> int:
        """Return a number of 7 bits per byte, the least significant first; at most 64 bits."""
        value = 0
        for position in range(_LONGEST_VARINT):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << 7 * position
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF
        raise ValueError("a number in it is too long")

    def lump(self) -> bytes:
        """Read a byte string prefixed with its length."""
        return self.take(self.varint())
