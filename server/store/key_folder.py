"""Private keys in a folder.

The folder has one file per key, and ``keys.json``, which says what each key is for. Replacing
``keys.json`` is the one step by which a change takes effect. A key file that it does not name was
left by a crash and is removed. Every process reads the folder again when it has changed, so a
rotation needs no restart.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from server.store.files import locked, make_private_folder, write_durably
from server.store.private_keys import (
    BluezoneRecord,
    ExportKey,
    KeyRecord,
    Manifest,
    NamedKey,
    SecretKey,
    SignedDocument,
)
from tracing_core.errors import StoreError
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors

__all__ = ["KeyFolder"]

_MANIFEST = "keys.json"
_LOCK = ".lock"
_SECRET_BYTES = 32

T = TypeVar("T")


class KeyFolder:
    """The private keys of a home folder, in ``HOME/keys``.

    Nothing is read or written before a method is called.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "keys"
        self._read: tuple[tuple[int, int], Manifest] | None = None
        self._loaded: dict[str, Any] = {}

    def create(self, region: str) -> None:
        """Make the folder and every first key; existing keys stay as they are.

        Raises
        ------
        StoreError
            When the folder cannot be written to, or its keys belong to another region.
        """
        make_private_folder(self.folder)
        with locked(self.folder / _LOCK):
            if is_there(self.folder / _MANIFEST):
                self.check_region(region)
                return
            manifest = Manifest(region, (KeyRecord("v1"),), 1, 1, 1, 1)
            for name in sorted(manifest.file_names()):
                self.make(name)
            self._write(manifest)

    def check_region(self, region: str) -> None:
        """Check that the keys were made for a region.

        Devices ask for that region, and follow no chain of trust into another region.

        Raises
        ------
        StoreError
            When the keys were made for another region, or the folder was never set up.
        """
        if (made_for := self.manifest().export_key_id) != region:
            raise StoreError(
                f"{self.folder} belongs to region {made_for}: set that region again, or set up"
                f" another home for {region}"
            )

    def manifest(self) -> Manifest:
        """Return the record of the keys that exist.

        Raises
        ------
        StoreError
            When the folder was never set up, or cannot be read.
        """
        path = self.folder / _MANIFEST
        try:
            found = path.stat()
            stamp = (found.st_ino, found.st_mtime_ns)
            if self._read is None or self._read[0] != stamp:
                fields = json.loads(path.read_bytes())
                fields["export"] = tuple(KeyRecord(**record) for record in fields["export"])
                fields["documents"] = tuple(fields["documents"])
                if fields["signed_config"] is not None:
                    fields["signed_config"] = SignedDocument(**fields["signed_config"])
                if fields.get("bluezone") is not None:
                    fields["bluezone"] = BluezoneRecord(**fields["bluezone"])
                self._read = stamp, Manifest(**fields)
            return self._read[1]
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.folder} has no keys: run 'truyvet server init' first"
            ) from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path} cannot be read: restore it from a backup") from error

    def update(self, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Change the record of keys in one step, which other processes see whole or not at all.

        `change` makes the files that its manifest adds, with `make`. Files that the manifest no
        longer names are removed last.

        Raises
        ------
        StoreError
            When the folder cannot be read or written to.
        """
        with locked(self.folder / _LOCK):
            manifest = change(self.manifest())
            if manifest != self.manifest():
                self._write(manifest)
            return manifest

    def export_keys(self, now: float) -> list[ExportKey]:
        """Return the keys that sign key files at a moment, oldest first."""
        return self._current(
            lambda manifest: [
                ExportKey(manifest.export_key_id, record.version, self.load(record.file))
                for record in manifest.export
                if record.is_used_at(now)
            ]
        )

    def config_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the key that signs trust documents and the configuration."""
        return self._current(lambda manifest: self.load(manifest.config_file))

    def certificate_key(self) -> NamedKey:
        """Return the key that signs verification certificates."""
        name = f"certificate-{self.manifest().certificate}"
        return NamedKey(name, self.load(f"{name}.pem"))

    def revision_key(self) -> SecretKey:
        """Return the key that seals revision tokens (AES-256)."""
        return self._secret(f"revision-{self.manifest().revision}")

    def code_key(self) -> SecretKey:
        """Return the key that codes and tokens are hashed with (HMAC-SHA256)."""
        return self._secret(f"code-{self.manifest().code}")

    def _current(self, read: Callable[[Manifest], T]) -> T:
        # Another process may remove a key after its name was read and before its file is.
        while True:
            manifest = self.manifest()
            try:
                return read(manifest)
            except StoreError:
                if self.manifest() is manifest:
                    raise

    def load(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Read a private key by the name of its file.

        Raises
        ------
        StoreError
            When the file is not a P-256 private key.
        """
        key = self._loaded.get(name)
        if key is None:
            path = self.folder / name
            with file_errors(path):
                text = path.read_bytes()
            try:
                key = load_pem_private_key(text, password=None)
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                raise StoreError(
                    f"{path} is not a private key: restore it from a backup"
                ) from error
            if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
                raise StoreError(f"{path} is not a P-256 private key: restore it from a backup")
            self._loaded[name] = key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def make(self, name: str) -> None:
        """Make a key that the next manifest will name."""
        self._loaded.pop(name, None)
        if name.endswith(".pem"):
            data = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        else:
            data = base64.b64encode(secrets.token_bytes(_SECRET_BYTES))
        write_durably(self.folder / name, data)

    def _secret(self, name: str) -> SecretKey:
        file = f"{name}.key"
        secret = self._loaded.get(file)
        if secret is None:
            path = self.folder / file
            with file_errors(path):
                text = path.read_bytes()
            try:
                secret = base64.b64decode(text, validate=True)
            except ValueError as error:
                raise StoreError(
                    f"{path} does not hold a valid key: restore it from a backup"
                ) from error
            if len(secret) != _SECRET_BYTES:
                raise StoreError(f"{path} does not hold a valid key: restore it from a backup")
            self._loaded[file] = secret
        return SecretKey(name, secret)

    def _write(self, manifest: Manifest) -> None:
        fields = asdict(manifest)
        if manifest.bluezone is None:
            # Versions before this field refuse a record with it.
            del fields["bluezone"]
        text = json.dumps(fields, indent=1)
        write_durably(self.folder / _MANIFEST, text.encode())
        named = manifest.file_names() | {_MANIFEST, _LOCK}
        with file_errors(self.folder):
            for path in self.folder.iterdir():
                if path.name not in named:
                    path.unlink()
        # Replaced, not iterated over, because requests load keys meanwhile.
        self._loaded = {}
