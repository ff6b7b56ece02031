"""Signed index: the key files of a region with their hashes, dated and numbered.

``index.txt`` names the same files, but anyone on the way can shorten it or hold it back. The signed
index is to key files what the timestamp and snapshot roles of The Update Framework are to targets:
https://theupdateframework.github.io/specification/latest/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from tracing_core.errors import InvalidValue, MalformedExport, TrustError
from tracing_core.export_file import MAX_EXPORT_BYTES, read_index
from tracing_core.json_object import JSONObject, read_array
from tracing_core.trust.signed_document import LATEST_SECONDS, open_document, sign_document

__all__ = ["MAX_SIGNED_INDEX_BYTES", "IndexedFile", "SignedIndex"]

MAX_SIGNED_INDEX_BYTES = 8 << 20
"""The largest signed index read; one of ``index.txt``'s largest size takes about 5 MB."""

_TYPE = "truyvet-index+jwt"


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A key file that the index names."""

    name: str
    """Path below ``/exports/``, as ``index.txt`` has it."""
    sha256: str
    """SHA-256 of the whole file, 64 lowercase hex digits."""
    size: int
    """Bytes."""

    @classmethod
    def from_json(cls, value: Any, place: str) -> IndexedFile:
        """Read the JSON form; unknown fields are ignored.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        fields = JSONObject(value, place, where=f"{place}.")
        name, digest = fields["name"], fields["sha256"]
        try:
            is_name = isinstance(name, str) and read_index(name) == [name]
        except MalformedExport:
            is_name = False
        if not is_name:
            raise InvalidValue(f"{place}.name must be the path of a key file")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InvalidValue(f"{place}.sha256 must be 64 hex digits")
        return cls(name, digest, fields.integer("size", 1, MAX_EXPORT_BYTES))


@dataclass(frozen=True, slots=True)
class SignedIndex:
    """The key files that a server publishes for a region."""

    region: str
    sequence: int
    """Rises with every index; a device refuses a lower number than the last it accepted."""
    issued_at: int
    """When it was signed (UTC Unix seconds)."""
    expires_at: int
    """When the server will have signed another (UTC Unix seconds)."""
    files: tuple[IndexedFile, ...]
    """Oldest first, as in ``index.txt``."""
    newest_end: int | None = None
    """End of the newest window (UTC Unix seconds); None before the first."""
    window_seconds: int = 0
    """Length of that window; 0 before the first."""

    def sign(self, private_config_key: EllipticCurvePrivateKey) -> str:
        """Return the index as a JWS.

        Raises
        ------
        TrustError
            When no device could use the index.
        """
        claims = {**asdict(self), "files": [asdict(file) for file in self.files]}
        self._read(claims)
        return sign_document(claims, _TYPE, private_config_key, most_bytes=MAX_SIGNED_INDEX_BYTES)

    @classmethod
    def verify(cls, document: str, config_key: EllipticCurvePublicKey | None) -> SignedIndex:
        """Verify and read an index; unknown fields are ignored.

        The caller compares region, sequence and dates with what it knows. Without a key, the
        index must not be trusted.

        Raises
        ------
        TrustError
            When the document is not signed by the key, or cannot be used.
        """
        return cls._read(
            open_document(document, _TYPE, config_key, most_bytes=MAX_SIGNED_INDEX_BYTES)
        )

    @classmethod
    def _read(cls, value: Any) -> SignedIndex:
        try:
            claims = JSONObject(value, "it")
            index = cls(
                region=claims.name("region"),
                sequence=claims.integer("sequence", 1, LATEST_SECONDS),
                issued_at=claims.integer("issued_at", 0, LATEST_SECONDS),
                expires_at=claims.integer("expires_at", 0, LATEST_SECONDS),
                files=_files(claims["files"]),
                newest_end=(
                    None
                    if claims.get("newest_end") is None
                    else claims.integer("newest_end", 0, LATEST_SECONDS)
                ),
                window_seconds=claims.integer("window_seconds", 0, LATEST_SECONDS),
            )
        except InvalidValue as error:
            raise TrustError(f"the server's signed index cannot be used: {error}") from error
        return index


def _files(value: Any) -> tuple[IndexedFile, ...]:
    listed: Sequence[Any] = read_array(value, "files")
    files = tuple(IndexedFile.from_json(each, f"files[{at}]") for at, each in enumerate(listed))
    if len({file.name for file in files}) < len(files):
        raise InvalidValue("files must have different names")
    return files
