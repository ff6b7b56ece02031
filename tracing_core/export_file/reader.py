"""Reader of key files: bounds first, then the signature, then the keys."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, overload

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from google.protobuf.message import DecodeError

from tracing_core.errors import ExportFileError, MalformedExport, UnsupportedHeader
from tracing_core.export_file import archive, signature, wire
from tracing_core.export_file.contents import HEADER, MAX_EXPORT_BYTES, ExportFile, Signature
from tracing_core.export_file.file_kind import advice_for_key_file
from tracing_core.protocol.diagnosis_key import (
    DiagnosisKey,
    ReportType,
    VariantOfConcern,
    known_risk,
)
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH

if TYPE_CHECKING:
    from tracing_core.export_file import export_pb2

__all__ = [
    "VerifiedExport",
    "parse_export",
    "read_export",
    "read_export_bytes",
    "read_file",
    "read_verified",
    "verify_export_bytes",
]

_ZIP = b"PK"
_BEGINNING_BYTES = 4096
_LATEST = 2**32 * 600


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """A key file that may be parsed: within all bounds, with the right header, and signed."""

    name: str
    """The name that errors use for the file."""
    export_bin: bytes = field(repr=False)
    """All of ``export.bin``, its header included."""
    signatures: tuple[Signature, ...]
    """The file's signatures; verified only if public keys were given."""


def _key(message: export_pb2.TemporaryExposureKey) -> DiagnosisKey:
    dated = message.HasField("days_since_onset_of_symptoms")
    risk = message.transmission_risk_level
    return DiagnosisKey(
        message.key_data,
        message.rolling_start_interval_number,
        message.rolling_period,
        ReportType(message.report_type),
        message.days_since_onset_of_symptoms if dated else None,
        known_risk(risk),
        VariantOfConcern(message.variant_of_concern),
    )


class _Keys(Sequence[DiagnosisKey]):
    """Keys that are made on request, since a file may hold a million."""

    def __init__(self, messages: Sequence[export_pb2.TemporaryExposureKey]) -> None:
        self._messages = messages
        self._rows = _usable_rows(messages)

    @property
    def skipped(self) -> int:
        """Number of keys that cannot be used."""
        return len(self._messages) - len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DiagnosisKey]:
        if not self.skipped:
            return map(_key, self._messages)
        return (_key(self._messages[row]) for row in self._rows)

    @overload
    def __getitem__(self, at: int) -> DiagnosisKey: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[DiagnosisKey]: ...
    def __getitem__(self, at: int | slice) -> DiagnosisKey | Sequence[DiagnosisKey]:
        if isinstance(at, slice):
            return tuple(_key(self._messages[row]) for row in self._rows[at])
        return _key(self._messages[self._rows[at]])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == its for mine, its in zip(self, other, strict=True)
        )

    def __repr__(self) -> str:
        return f"<{len(self)} keys>"

    __hash__ = None  # type: ignore[assignment]


def _usable_rows(messages: Sequence[export_pb2.TemporaryExposureKey]) -> Sequence[int]:
    """Return the rows of the keys that lie within the protocol."""
    rows = array(
        "I",
        (
            row
            for row, message in enumerate(messages)
            # This takes most of a second for a million keys; building each key would take three.
            if len(message.key_data) == KEY_LENGTH
            and 1 <= message.rolling_period <= TEK_ROLLING_PERIOD
            and message.rolling_start_interval_number >= 0
        ),
    )
    return range(len(messages)) if len(rows) == len(messages) else rows


def parse_export(verified: VerifiedExport) -> ExportFile:
    """Parse what `read_verified` returned.

    A key outside the protocol is skipped and counted; a transmission risk outside 0 to 8 counts as
    unset. One such key must not keep the others from warning anyone.

    Raises
    ------
    MalformedExport
        When the file is not protobuf, or its times lie outside the calendar.
    """
    # Imported only where a key file is read or written.
    from tracing_core.export_file import export_pb2

    name = verified.name
    fields, short = wire.checked_fields(verified.export_bin, len(HEADER), name)
    try:
        message = export_pb2.TemporaryExposureKeyExport.FromString(fields)
        region = wire.text(message.region)
        infos = tuple(map(signature.info_from_message, message.signature_infos))
    except DecodeError as error:
        raise MalformedExport(f"{name} is damaged: download it again") from error
    if not message.start_timestamp <= message.end_timestamp < _LATEST:
        raise MalformedExport(f"{name} has a publishing time outside the calendar")
    keys, revised_keys = _Keys(message.keys), _Keys(message.revised_keys)
    return ExportFile(
        start_timestamp=message.start_timestamp,
        end_timestamp=message.end_timestamp,
        region=region,
        keys=keys,
        revised_keys=revised_keys,
        batch_num=message.batch_num,
        batch_size=message.batch_size,
        signature_infos=infos,
        signatures=verified.signatures,
        skipped_keys=short + keys.skipped + revised_keys.skipped,
    )


def _check_header(export_bin: bytes, name: str) -> None:
    if export_bin.startswith(HEADER):
        return
    if export_bin.startswith(b"EK Export"):
        raise UnsupportedHeader(f"{name} is a key file of a version other than 1")
    if not export_bin:
        raise UnsupportedHeader(f"{name} is not a key file: it is empty, so download it again")
    advice = advice_for_key_file(export_bin[:_BEGINNING_BYTES])
    why = "it must begin with 'EK Export v1'" if advice is None else advice.en
    raise UnsupportedHeader(f"{name} is not a key file: {why}")


def _verified(
    data: bytes,
    export_sig: bytes | None,
    public_keys: Sequence[EllipticCurvePublicKey],
    name: str,
) -> VerifiedExport:
    if len(data) > MAX_EXPORT_BYTES:
        raise MalformedExport(f"{name} is larger than {MAX_EXPORT_BYTES} bytes")
    if data.startswith(_ZIP):
        data, export_sig = archive.unpack(data, name)
    _check_header(data, name)
    signatures = () if export_sig is None else signature.read_signatures(export_sig, name)
    if public_keys:
        signature.verify(data, signatures, public_keys, name)
    return VerifiedExport(name, data, signatures)


def read_export_bytes(
    data: bytes, *, public_keys: Sequence[EllipticCurvePublicKey] = (), name: str = "export"
) -> ExportFile:
    """Read a key file from memory: a zip, or a bare ``export.bin``, which carries no signature.

    Parameters
    ----------
    data
        The file.
    public_keys
        If any are given, one of the file's signatures must verify with one of them, whatever names
        both carry; that is checked before a key is parsed.
    name
        The name that errors use for the file.

    Raises
    ------
    InvalidSignature
        When keys are given and no signature verifies.
    UnsupportedHeader, MalformedExport
        When the file is not a key file, or must not be used.
    """
    return parse_export(_verified(data, None, public_keys, name))


def verify_export_bytes(
    data: bytes, *, public_keys: Sequence[EllipticCurvePublicKey], name: str = "export"
) -> VerifiedExport:
    """Make every check of a key file in memory that comes before parsing.

    Raises
    ------
    InvalidSignature
        When no signature verifies with any of the keys.
    UnsupportedHeader, MalformedExport
        When the file is not a key file, or must not be used.
    """
    return _verified(data, None, public_keys, name)


def read_file(path: Path, limit: int) -> bytes:
    """Read a file that is not larger than a limit.

    Raises
    ------
    ExportFileError
        When the file cannot be read.
    MalformedExport
        When the file is larger.
    """
    try:
        with path.open("rb") as file:
            size = min(os.fstat(file.fileno()).st_size, limit)
            data = file.read(size + 1)
            if len(data) > size:  # a pipe, which has no size, or a file that grows
                data += file.read(limit - size)
    except OSError as error:
        raise ExportFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise MalformedExport(f"{path} is larger than {limit} bytes")
    return data


def read_verified(
    path: Path, *, public_keys: Sequence[EllipticCurvePublicKey] = ()
) -> VerifiedExport:
    """Read a key file and make every check that comes before parsing.

    Raises
    ------
    InvalidSignature
        When keys are given and no signature verifies with any of them.
    UnsupportedHeader, MalformedExport
        When the file is not a key file, or must not be used.
    ExportFileError
        When the file cannot be read.
    """
    data = read_file(path, MAX_EXPORT_BYTES)
    beside = path.with_suffix(".sig")
    export_sig = None
    if not data.startswith(_ZIP) and beside != path and os.path.exists(beside):
        export_sig = read_file(beside, archive.MAX_SIGNATURE_FILE_BYTES)
    return _verified(data, export_sig, public_keys, str(path))


def read_export(
    path: str | Path, *, public_keys: Sequence[EllipticCurvePublicKey] = ()
) -> ExportFile:
    """Read a key file: a zip, or an ``export.bin`` with its ``export.sig`` beside it.

    Raises
    ------
    InvalidSignature
        When keys are given and no signature verifies with any of them.
    UnsupportedHeader, MalformedExport
        When the file is not a key file, or must not be used.
    ExportFileError
        When the file cannot be read.
    """
    return parse_export(read_verified(Path(path), public_keys=public_keys))
