"""Interface to the server's private keys, and the record kept about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

__all__ = [
    "BluezoneRecord",
    "ExportKey",
    "KeyRecord",
    "Manifest",
    "NamedKey",
    "PrivateKeys",
    "SecretKey",
    "SignedDocument",
]


class NamedKey(NamedTuple):
    """A P-256 key and its public name."""

    key_id: str
    private_key: ec.EllipticCurvePrivateKey


class SecretKey(NamedTuple):
    """32 random bytes and their name."""

    key_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SecretKey(key_id={self.key_id!r}, secret=<{len(self.secret)} bytes>)"


class ExportKey(NamedTuple):
    """A key that signs key files."""

    key_id: str
    version: str
    private_key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key that signs key files, as the manifest records it."""

    version: str
    """``v1``, ``v2``, …: the `verification_key_version` of key files."""
    retires_at: int | None = None
    """When the key stops signing (UTC Unix seconds); None for the newest key."""

    @property
    def file(self) -> str:
        """Name of the key's file."""
        return f"export-{self.version}.pem"

    def is_used_at(self, now: float) -> bool:
        """Return True if the key signs at a moment (UTC Unix seconds)."""
        return self.retires_at is None or now < self.retires_at


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """The signed configuration."""

    sequence: int
    """Rises with every signature."""
    digest: str
    """Hash of the signed contents and the key; it differs when a new signature is due."""
    renew_at: int
    """When the document is signed again even if nothing changed (UTC Unix seconds)."""
    document: str
    """A JWS."""


@dataclass(frozen=True, slots=True)
class BluezoneRecord:
    """The list of Bluezone keys that the export keys signed."""

    sequence: int
    """Rises with every list, also after one was withdrawn."""
    sha256: str
    """SHA-256 of the list, 64 lowercase hex digits; "" while none is published."""
    last_second: int
    """The last second that a record of it covers (UTC Unix seconds)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Record of the keys that exist, and of the documents they have signed."""

    export_key_id: str
    """The `verification_key_id` of key files: the region."""
    export: tuple[KeyRecord, ...]
    """The keys that sign key files, oldest first."""
    config: int
    """Number of the key that signs trust documents and the configuration."""
    certificate: int
    """Number of the key that signs verification certificates."""
    revision: int
    """Number of the key that seals revision tokens."""
    code: int
    """Number of the key that codes and tokens are hashed with."""
    fingerprint: str = ""
    """Fingerprint of the key that signed the first trust document; it is in the join line."""
    documents: tuple[str, ...] = ()
    """The chain of signed trust documents, oldest first; see `server.trust.chain`."""
    signed_config: SignedDocument | None = None
    """The configuration as last signed; see `server.trust.config_document`."""
    bluezone: BluezoneRecord | None = None
    """The last list of Bluezone keys; None before the first. See `server.export.bluezone_list`."""

    @property
    def config_file(self) -> str:
        """Name of the file of the key that signs trust documents and the configuration."""
        return f"config-{self.config}.pem"

    def file_names(self) -> set[str]:
        """Return the names of the key files."""
        return {
            *(record.file for record in self.export),
            self.config_file,
            f"certificate-{self.certificate}.pem",
            f"revision-{self.revision}.key",
            f"code-{self.code}.key",
        }


class PrivateKeys(Protocol):
    """The private keys of one region, and the documents they have signed.

    Every process sees another's change at its next call.
    """

    def create(self, region: str) -> None:
        """Make every first key; existing keys stay as they are.

        Raises
        ------
        StoreError
            When the keys cannot be stored, or were made for another region.
        """

    def check_region(self, region: str) -> None:
        """Check that the keys were made for a region.

        Raises
        ------
        StoreError
            When the keys were made for another region, or do not exist.
        """

    def manifest(self) -> Manifest:
        """Return the record of the keys that exist.

        Raises
        ------
        StoreError
            When there are no keys, or they cannot be read.
        """

    def update(self, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Change the record of keys in one step, which other processes see whole or not at all.

        `change` makes the keys that its manifest adds, with `make`. Keys that the manifest no
        longer names are removed last.

        Raises
        ------
        StoreError
            When the keys cannot be read or written.
        """

    def load(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Return a private key by its name in the manifest.

        Raises
        ------
        StoreError
            When the key is not a P-256 private key.
        """

    def make(self, name: str) -> None:
        """Make a key that the next manifest will name."""

    def export_keys(self, now: float) -> list[ExportKey]:
        """Return the keys that sign key files at a moment (UTC Unix seconds), oldest first."""

    def config_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the key that signs trust documents and the configuration."""

    def certificate_key(self) -> NamedKey:
        """Return the key that signs verification certificates."""

    def revision_key(self) -> SecretKey:
        """Return the key that seals revision tokens (AES-256)."""

    def code_key(self) -> SecretKey:
        """Return the key that codes and tokens are hashed with (HMAC-SHA256)."""
