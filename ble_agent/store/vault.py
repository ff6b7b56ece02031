"""Vault of the agent's secrets: they are sealed in the database with a key kept outside it.

The key is a credential of the service manager, else a file in the home folder. So a copy of the
database alone, in a backup or on a discarded card, reveals no secret.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tracing_core.errors import StoreSealed
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH
from tracing_core.store.files import file_errors, write_durably

__all__ = [
    "CREDENTIAL_NAME",
    "KEY_FILE",
    "SEALED_KEY_BYTES",
    "Vault",
    "open_vault",
    "own_key_purpose",
]

CREDENTIAL_NAME = "agent-key"
"""Name of the credential that systemd puts into ``$CREDENTIALS_DIRECTORY`` (systemd.exec(5))."""

KEY_FILE = "agent.key"
"""Name of the file in the home folder, used without a credential; only its owner can read it."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
_MOST_BYTES = 4096
_TAG_BYTES = 16

SEALED_KEY_BYTES = _NONCE_BYTES + KEY_LENGTH + _TAG_BYTES
"""Length of a sealed Temporary Exposure Key."""


def own_key_purpose(start: int) -> bytes:
    """Return what a key of the key ring is sealed for, by the first interval of its use."""
    return b"own_key %d" % start


def _read(path: Path) -> bytes | None:
    with file_errors(path), contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        secret = file.read(_MOST_BYTES)
        if len(secret) < _KEY_BYTES:
            text = f"{path} must hold {_KEY_BYTES} random bytes: restore it from a backup"
            raise StoreSealed(text, str(path))
        return secret
    return None


def _create(path: Path) -> bytes:
    """Write a new secret to the disk, whole or not at all."""
    secret = secrets.token_bytes(_KEY_BYTES)
    write_durably(path, secret)
    return secret


class Vault:
    """Seals and opens short secrets with AES-256-GCM.

    Parameters
    ----------
    sources
        Where keys may be. The first one found seals; the others open what was sealed before.
    home_file
        The file to create if no source has a key yet.
    """

    def __init__(self, sources: tuple[Path, ...], home_file: Path) -> None:
        self._sources = sources
        self._home_file = home_file
        self._ciphers: list[AESGCM] = []

    def _open(self, *, create: bool) -> list[AESGCM]:
        if not self._ciphers:
            found = [secret for path in self._sources if (secret := _read(path)) is not None]
            if not found and create:
                found = [_create(self._home_file)]
            self._ciphers = [AESGCM(_derived(secret)) for secret in found]
        return self._ciphers

    def seal(self, secret: bytes, purpose: bytes, *, is_first: bool) -> bytes:
        """Seal a secret, so that it opens only for the same purpose.

        The caller holds the database's write lock, so that only one process makes a key.

        Parameters
        ----------
        secret
            The bytes to seal.
        purpose
            What it belongs to, such as the number of its row.
        is_first
            Whether nothing is sealed yet; only then a new key may be made.

        Raises
        ------
        StoreSealed, StoreError
            When there is no key, or it cannot be read or created.
        """
        ciphers = self._open(create=is_first)
        if not ciphers:
            raise StoreSealed(self._missing, str(self._home_file))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + ciphers[0].encrypt(nonce, secret, purpose)

    def unseal(self, sealed: bytes, purpose: bytes) -> bytes:
        """Open what `seal` returned.

        Raises
        ------
        StoreSealed
            When the key is missing or wrong, or the bytes were changed.
        """
        for cipher in self._open(create=False):
            with contextlib.suppress(InvalidTag):
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose)
        raise StoreSealed(self._missing, str(self._home_file))

    @property
    def _missing(self) -> str:
        return (
            f"the key to this device's secrets is missing or wrong: restore {self._home_file},"
            f" provide the service's credential {CREDENTIAL_NAME}, or run `truyvet agent erase`"
        )


def _derived(secret: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, None, b"truyvet agent at rest").derive(secret)


def open_vault(home: Path, environment: Mapping[str, str] = os.environ) -> Vault:
    """Return the vault of a home folder; its files are read only when needed."""
    home_file = home / KEY_FILE
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    first = (Path(credentials) / CREDENTIAL_NAME,) if credentials else ()
    return Vault((*first, home_file), home_file)
