"""The chain of trust documents, each of which names the keys that devices trust from then on.

A new export key signs alongside the old one until every file signed by the old one has been
deleted, so a device that missed the change can read every file. Then the old key is deleted. A new
configuration key takes over immediately: the last document that the old one signs names the new.

The first document names the last day of the deployment. A chain that an older version began has no
last day; it can be added once.
"""

from __future__ import annotations

import datetime
import functools
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from server.config import Settings
from server.store.private_keys import KeyRecord, Manifest, PrivateKeys
from tracing_core.errors import StoreError
from tracing_core.export_file import MAX_SIGNATURES
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.last_day import usual_last_day
from tracing_core.trust.signed_document import fingerprint
from tracing_core.trust.trust_chain import (
    ExportVerificationKey,
    TrustDocument,
    verify_trust_chain,
)

__all__ = [
    "add_last_day",
    "begin_chain",
    "chain_last_day",
    "join_line",
    "retire_export_keys",
    "rotate_config_key",
    "rotate_export_key",
]


def begin_chain(
    keys: PrivateKeys, region: str, now: float, *, last_day: datetime.date | None = None
) -> None:
    """Make every first key and the first trust document; existing ones stay as they are.

    Parameters
    ----------
    keys
        The keys.
    region
        The region.
    now
        The time (UTC Unix seconds).
    last_day
        The last day of the deployment; None for the usual one.

    Raises
    ------
    StoreError
        When the keys cannot be stored.
    TrustError
        When the last day is over already, or more than two years ahead.
    """
    named = last_day or usual_last_day(now)
    keys.create(region)

    def change(manifest: Manifest) -> Manifest:
        if manifest.documents:
            return manifest
        key = keys.load(manifest.config_file)
        manifest = replace(manifest, fingerprint=fingerprint(key.public_key()))
        return _with_document(keys, manifest, region, now, signed_by=key, last_day=named)

    keys.update(change)


def chain_last_day(manifest: Manifest) -> datetime.date | None:
    """Return the last day that the trust documents name; None if they name none."""
    return _last_day(manifest.documents, manifest.fingerprint)


@functools.lru_cache(maxsize=8)
def _last_day(documents: tuple[str, ...], pinned: str) -> datetime.date | None:
    if not documents:
        return None
    return verify_trust_chain(documents, fingerprint=pinned, last=None).last_day


def add_last_day(keys: PrivateKeys, region: str, last_day: datetime.date, now: float) -> None:
    """Name the last day in a new trust document, in a chain that has none.

    Raises
    ------
    StoreError
        When the chain has a last day.
    TrustError
        When the day is over already, or more than two years ahead.
    """

    def change(manifest: Manifest) -> Manifest:
        known = chain_last_day(manifest)
        if known is not None:
            raise StoreError(
                f"the last day is {known} and cannot be moved: to go on after it, set up another"
                " home, and let devices join by its line"
            )
        signer = keys.load(manifest.config_file)
        return _with_document(keys, manifest, region, now, signed_by=signer, last_day=last_day)

    keys.update(change)


def join_line(keys: PrivateKeys, url: str) -> JoinLine:
    """Return this server's join line, which stays the same through all rotations.

    Raises
    ------
    TrustError
        When agents refuse the server's address.
    """
    return JoinLine(url.rstrip("/"), keys.manifest().fingerprint)


def rotate_export_key(keys: PrivateKeys, region: str, settings: Settings, now: float) -> str:
    """Make a new export key; old ones continue to sign for as long as files are kept.

    Returns
    -------
    str
        The new key's version.

    Raises
    ------
    StoreError
        When a key file could not have a signature by one more key.
    """

    def change(manifest: Manifest) -> Manifest:
        if len(manifest.export) >= MAX_SIGNATURES:
            raise StoreError("too many export keys are still in use: wait until one retires")
        retires_at = int(now) + settings.retention_seconds
        old = [replace(each, retires_at=each.retires_at or retires_at) for each in manifest.export]
        new = KeyRecord(f"v{int(manifest.export[-1].version[1:]) + 1}")
        keys.make(new.file)
        signer = keys.load(manifest.config_file)
        manifest = replace(manifest, export=(*old, new))
        return _with_document(keys, manifest, region, now, signed_by=signer)

    return keys.update(change).export[-1].version


def retire_export_keys(keys: PrivateKeys, region: str, now: float) -> None:
    """Delete the export keys that have retired, and end the trust in them."""

    def left(manifest: Manifest) -> tuple[KeyRecord, ...]:
        return tuple(each for each in manifest.export if each.is_used_at(now))

    def change(manifest: Manifest) -> Manifest:
        if left(manifest) == manifest.export:
            return manifest
        signer = keys.load(manifest.config_file)
        manifest = replace(manifest, export=left(manifest))
        return _with_document(keys, manifest, region, now, signed_by=signer)

    if left(keys.manifest()) != keys.manifest().export:
        keys.update(change)


def rotate_config_key(keys: PrivateKeys, region: str, now: float) -> str:
    """Replace the key that signs trust documents and the configuration; delete the old one.

    Returns
    -------
    str
        The new key's fingerprint.
    """

    def change(manifest: Manifest) -> Manifest:
        signer = keys.load(manifest.config_file)
        manifest = replace(manifest, config=manifest.config + 1)
        keys.make(manifest.config_file)
        return _with_document(keys, manifest, region, now, signed_by=signer)

    return fingerprint(keys.load(keys.update(change).config_file).public_key())


def _with_document(
    keys: PrivateKeys,
    manifest: Manifest,
    region: str,
    now: float,
    *,
    signed_by: EllipticCurvePrivateKey,
    last_day: datetime.date | None = None,
) -> Manifest:
    """Add the document that names the keys of the manifest."""
    document = TrustDocument(
        sequence=len(manifest.documents) + 1,
        region=region,
        issued_at=int(now),
        config_key=keys.load(manifest.config_file).public_key(),
        export_keys=tuple(
            ExportVerificationKey(
                manifest.export_key_id, each.version, keys.load(each.file).public_key()
            )
            for each in manifest.export
        ),
        last_day=last_day or chain_last_day(manifest),
    )
    return replace(manifest, documents=(*manifest.documents, document.sign(signed_by)))
