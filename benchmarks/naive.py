"""Naive rival: matching as in the first Python programs for this protocol.

It derives the identifiers of a key one by one, each with its own cipher object, and looks each up
in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.store.sighting import Sighting

__all__ = ["match_naively"]

_TOLERANCE = 12


def match_naively(sightings: Iterable[Sighting], keys: Sequence[DiagnosisKey]) -> int:
    """Return how many sightings belong to a key."""
    log: dict[bytes, list[int]] = {}
    for sighting in sightings:
        log.setdefault(sighting.rpi, []).append(sighting.seen_at // 600)
    return sum(_matches(log, key) for key in keys)


def _matches(log: Mapping[bytes, Sequence[int]], key: DiagnosisKey) -> int:
    rpik = HKDF(SHA256(), 16, salt=None, info=b"EN-RPIK").derive(key.key_data)
    found = 0
    for step in range(key.rolling_period):
        interval = key.rolling_start_interval_number + step
        plain = b"EN-RPI" + bytes(6) + interval.to_bytes(4, "little")
        rpi = Cipher(AES(rpik), ECB()).encryptor().update(plain)
        found += sum(abs(seen - interval) <= _TOLERANCE for seen in log.get(rpi, ()))
    return found
