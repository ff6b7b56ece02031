"""Contents of a key file, apart from how it is packed and signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tracing_core.protocol.diagnosis_key import DiagnosisKey

__all__ = [
    "HEADER",
    "MAX_EXPORT_BYTES",
    "MAX_SIGNATURES",
    "ExportFile",
    "Signature",
    "SignatureInfo",
]

HEADER = b"EK Export v1".ljust(16)
"""The first 16 bytes of ``export.bin``."""

MAX_EXPORT_BYTES = 64 << 20
"""The largest file read, packed or not. No known server puts more than 750,000 keys, some 24 MB,
in one."""

MAX_SIGNATURES = 10
"""The most signatures a file may have."""


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """The name of a signing key. No signature covers it, so verification ignores it."""

    key_id: str
    """Usually the country's code in mobile networks, such as 452; "" in some files."""
    key_version: str
    algorithm: str = "1.2.840.10045.4.3.2"
    """An object identifier; this one is ECDSA with SHA-256."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as ``export.sig`` holds it, verified or not."""

    info: SignatureInfo
    batch_num: int
    batch_size: int
    signature: bytes = field(repr=False)
    """DER."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A key file: the keys that a server publishes together."""

    start_timestamp: int
    """The first second of the period in which the keys were published (UTC Unix seconds)."""
    end_timestamp: int
    """The first second after that period (UTC Unix seconds)."""
    region: str
    """Usually a country code; "" if not stated."""
    keys: Sequence[DiagnosisKey] = ()
    """Keys published for the first time."""
    revised_keys: Sequence[DiagnosisKey] = ()
    """Keys published before whose report type has changed."""
    batch_num: int = 1
    """This file's number among the `batch_size` files of its period, counted from 1."""
    batch_size: int = 1
    signature_infos: tuple[SignatureInfo, ...] = ()
    """The keys that the file says it is signed with."""
    signatures: tuple[Signature, ...] = field(default=(), compare=False)
    """The signatures of a file that was read; writing makes new ones."""
    skipped_keys: int = 0
    """Keys of a file that was read, new or revised, that lie outside the protocol. They cannot be
    used, and are not among the others."""
