"""Signatures of a key file: ECDSA on P-256 with SHA-256, in DER, over all of ``export.bin``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from google.protobuf.message import DecodeError

from tracing_core.errors import InvalidKey, InvalidSignature, InvalidValue, MalformedExport
from tracing_core.export_file.contents import MAX_SIGNATURES, ExportFile, Signature, SignatureInfo
from tracing_core.export_file.wire import text

if TYPE_CHECKING:
    from tracing_core.export_file import export_pb2

__all__ = [
    "Signer",
    "info_from_message",
    "read_signatures",
    "verify",
    "write_info",
    "write_signatures",
]


_DER_SEQUENCE = b"\x30"
_RAW_BYTES = 64
_LONGEST_SHOWN = 60
_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key and the name it is published under.

    Raises
    ------
    InvalidKey
        When the key is not on P-256.
    """

    private_key: EllipticCurvePrivateKey = field(repr=False)
    key_id: str
    key_version: str

    def __post_init__(self) -> None:
        if not isinstance(self.private_key.curve, SECP256R1):
            raise InvalidKey("key files are signed with a key on P-256")

    @property
    def info(self) -> SignatureInfo:
        """The key's name as files carry it."""
        return SignatureInfo(self.key_id, self.key_version)


def info_from_message(message: export_pb2.SignatureInfo) -> SignatureInfo:
    """Convert the name of a signing key.

    Raises
    ------
    DecodeError
        When a part of the name is not UTF-8.
    """
    return SignatureInfo(
        text(message.verification_key_id),
        text(message.verification_key_version),
        text(message.signature_algorithm),
    )


def read_signatures(export_sig: bytes, name: str) -> tuple[Signature, ...]:
    """Read ``export.sig``.

    Raises
    ------
    MalformedExport
        When `export_sig` is not a list of at most ten signatures.
    """
    # Imported only where a key file is read or written.
    from tracing_core.export_file import export_pb2

    try:
        message = export_pb2.TEKSignatureList.FromString(export_sig)
        if len(message.signatures) > MAX_SIGNATURES:
            raise MalformedExport(f"{name} has more than {MAX_SIGNATURES} signatures")
        return tuple(
            Signature(
                info_from_message(each.signature_info),
                each.batch_num,
                each.batch_size,
                each.signature,
            )
            for each in message.signatures
        )
    except DecodeError as error:
        if export_sig.startswith(_DER_SEQUENCE):
            raise MalformedExport(
                f"{name} has a bare signature in its export.sig, where key files have a list of"
                " them: get the file as the server published it"
            ) from error
        raise MalformedExport(f"{name} has a damaged signature file: download it again") from error


def verify(
    export_bin: bytes,
    signatures: Sequence[Signature],
    public_keys: Sequence[EllipticCurvePublicKey],
    name: str,
) -> None:
    """Check that one of the signatures was made with one of the keys, whatever their names.

    Raises
    ------
    InvalidSignature
        When no signature was made with any of the keys.
    """
    if not signatures:
        raise InvalidSignature(f"{name} is not signed: use the file as the server published it")
    # Hashed once, since there may be ten signatures, ten keys and 64 MB.
    digest = sha256(export_bin).digest()
    for public_key in public_keys:
        if any(_is_signature(each.signature, digest, public_key) for each in signatures):
            return
    for public_key in public_keys:
        if any(_is_signature(_in_der(each.signature), digest, public_key) for each in signatures):
            raise InvalidSignature(
                f"{name} is signed with a given key, but the signature is written raw (r and s),"
                " not in DER as key files need: ask its publisher for a file signed in DER"
            )
    raise InvalidSignature(
        f"{name} is not signed with a given key{_names(signatures)}: download it again, or give the"
        " key of its publisher"
    )


def _is_signature(signature: bytes, digest: bytes, public_key: EllipticCurvePublicKey) -> bool:
    try:
        public_key.verify(signature, digest, ECDSA(Prehashed(SHA256())))
    except exceptions.InvalidSignature:
        return False
    return True


def _in_der(raw: bytes) -> bytes:
    """Return a signature of 64 bytes, r and s, in DER; others become b""."""
    if len(raw) != _RAW_BYTES:
        return b""
    half = _RAW_BYTES // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def _names(signatures: Sequence[Signature]) -> str:
    """Return the names of the keys that a file says it is signed with, where they can be shown."""
    infos = [each.info for each in signatures]
    names = [f"{info.key_id} {info.key_version}".strip() for info in infos]
    shown = [name for name in names if name and name.isprintable() and len(name) <= _LONGEST_SHOWN]
    return f", but says {' and '.join(shown[:_MOST_SHOWN])}" if shown else ""


def write_signatures(export_bin: bytes, export: ExportFile, signers: Sequence[Signer]) -> bytes:
    """Sign ``export.bin`` and return ``export.sig``.

    Raises
    ------
    InvalidValue
        When there are more than ten signers.
    """
    # Imported only where a key file is read or written.
    from tracing_core.export_file import export_pb2

    if len(signers) > MAX_SIGNATURES:
        raise InvalidValue(f"a key file has at most {MAX_SIGNATURES} signatures")
    message = export_pb2.TEKSignatureList()
    for signer in signers:
        each = message.signatures.add(
            batch_num=export.batch_num,
            batch_size=export.batch_size,
            signature=signer.private_key.sign(export_bin, ECDSA(SHA256())),
        )
        write_info(each.signature_info, signer.info)
    return message.SerializeToString(deterministic=True)


def write_info(message: export_pb2.SignatureInfo, info: SignatureInfo) -> None:
    """Fill in the name of a signing key."""
    message.verification_key_version = info.key_version
    message.verification_key_id = info.key_id
    message.signature_algorithm = info.algorithm
