"""The rivals in Python: the best that needs only `cryptography`, and the usual with pycryptodome.

Both take the log as a dictionary from identifier to the intervals it was heard in, and return
(row of the key, interval of the identifier) of each match.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

__all__ = ["Log", "best_python", "pycryptodome"]

Log = Mapping[bytes, Sequence[int]]

_DAY = 144
_TOLERANCE = 12
_SPLIT = struct.Struct("16s" * _DAY).unpack
_BLOCK = struct.Struct("<6s6xI").pack
_ZERO_SALT = bytes(32)


def _matches(log: Log, rpi: bytes, row: int, interval: int, found: list[tuple[int, int]]) -> None:
    found += [(row, interval) for heard in log[rpi] if abs(heard - interval) <= _TOLERANCE]


def best_python(
    log: Log, keys: Sequence[tuple[bytes, int, int]], known: frozenset[bytes]
) -> list[tuple[int, int]]:
    """Match with one `hmac.digest` per step of HKDF, and per key one AES call and one set look-up.

    The plain blocks of a start are built once, since nearly all keys of a day share it; `known`
    is the set of the log's identifiers, built once as an index is.
    """
    found: list[tuple[int, int]] = []
    plain: dict[tuple[int, int], bytes] = {}
    none_known = known.isdisjoint
    digest = hmac.digest
    for row, (tek, start, period) in enumerate(keys):
        blocks = plain.get((start, period))
        if blocks is None:
            blocks = b"".join(_BLOCK(b"EN-RPI", start + i) for i in range(period))
            plain[start, period] = blocks
        rpik = digest(digest(_ZERO_SALT, tek, "sha256"), b"EN-RPIK\1", "sha256")[:16]
        cipher = Cipher(AES(rpik), ECB()).encryptor().update(blocks)
        if period == _DAY:
            rpis: Sequence[bytes] = _SPLIT(cipher)
        else:
            rpis = [cipher[at : at + 16] for at in range(0, len(cipher), 16)]
        if none_known(rpis):
            continue
        for i, rpi in enumerate(rpis):
            if rpi in known:
                _matches(log, rpi, row, start + i, found)
    return found


def pycryptodome(log: Log, keys: Sequence[tuple[bytes, int, int]]) -> list[tuple[int, int]]:
    """Match with pycryptodome's HKDF and one call of its AES per key."""
    from Crypto.Cipher import AES as CRYPTO_AES
    from Crypto.Hash import SHA256
    from Crypto.Protocol.KDF import HKDF

    found: list[tuple[int, int]] = []
    for row, (tek, start, period) in enumerate(keys):
        rpik = HKDF(tek, 16, b"", SHA256, context=b"EN-RPIK")
        blocks = b"".join(_BLOCK(b"EN-RPI", start + i) for i in range(period))
        cipher = CRYPTO_AES.new(rpik, CRYPTO_AES.MODE_ECB).encrypt(blocks)
        for i in range(period):
            rpi = cipher[16 * i : 16 * i + 16]
            if rpi in log:
                _matches(log, rpi, row, start + i, found)
    return found
