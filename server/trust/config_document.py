"""The signed configuration for devices, signed again whenever its contents change.

Its contents are in files of the home folder that the operator may edit: ``contact.json``, and three
that may be missing: ``exposure-configuration.json``, ``risk-model.json`` and ``isolation.json``.
The rest comes from the settings.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from server.config import Settings
from server.store.files import write_durably
from server.store.private_keys import Manifest, PrivateKeys, SignedDocument
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.configuration.isolation import IsolationRules
from tracing_core.configuration.risk_model import RiskModelConfiguration
from tracing_core.errors import InvalidValue, StoreError, TracingError
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors
from tracing_core.trust.signed_config import Contact, SignedConfig
from tracing_core.trust.signed_document import fingerprint

__all__ = [
    "CONTACT_FILE",
    "ISOLATION_FILE",
    "RISK_FILE",
    "RISK_MODEL_FILE",
    "current_config",
    "set_contact",
]

CONTACT_FILE = "contact.json"
"""The contact for exposed persons: ``{"vi": {"name", "phone", "url", "advice"}, "en": {…}}``."""

RISK_FILE = "exposure-configuration.json"
"""How exposures are weighed; if missing, the default of `tracing_core.configuration.env2`."""

RISK_MODEL_FILE = "risk-model.json"
"""Another risk model in addition, for devices that know it: ``{"name", "parameters"}``."""

ISOLATION_FILE = "isolation.json"
"""How long people are to isolate, in the form of `tracing_core.configuration.isolation`."""

_CONTACT_FIELDS = tuple(field.name for field in fields(Contact))
_LANGUAGES = frozenset({"vi", "en"})
_DEFAULT_CONTACT = {
    "vi": {
        "name": "Cơ quan y tế địa phương",
        "advice": "Hãy theo dõi sức khỏe, hạn chế tiếp xúc với người khác và hỏi cơ quan y tế"
        " nơi bạn ở về việc xét nghiệm.",
    },
    "en": {
        "name": "Your local health authority",
        "advice": "Watch for symptoms, keep your distance from others, and ask the health"
        " authority where you live about a test.",
    },
}
_log = logging.getLogger(__name__)


def set_contact(home: Path, file: Path | None) -> None:
    """Write the contact for exposed persons into the home folder.

    Parameters
    ----------
    home
        The home folder.
    file
        The operator's file, in the form of `CONTACT_FILE`; None keeps an existing file, or else
        writes advice that is valid anywhere.

    Raises
    ------
    StoreError
        When the file cannot be used; the text gives the reason.
    """
    target = home / CONTACT_FILE
    if file is not None:
        with file_errors(file):
            data = file.read_bytes()
        _read_contact(data, file)
    elif is_there(target):
        return
    else:
        data = json.dumps(_DEFAULT_CONTACT, ensure_ascii=False, indent=2).encode()
    write_durably(target, data)


def current_config(keys: PrivateKeys, region: str, settings: Settings, now: float) -> str:
    """Return the configuration as a JWS; sign it again if it changed or half its lifetime is over.

    If a file of the operator cannot be used, the last good configuration stays, and the log gives
    the reason.

    Raises
    ------
    StoreError
        When there is no good configuration.
    """
    last = keys.manifest().signed_config
    try:
        files = _read_files(settings.home)

        def change(manifest: Manifest) -> Manifest:
            digest = _digest(keys, manifest, region, settings, files)
            if _is_current(manifest.signed_config, digest, now):
                return manifest
            sequence = 1 if manifest.signed_config is None else manifest.signed_config.sequence + 1
            config = SignedConfig(
                region=region,
                sequence=sequence,
                issued_at=int(now),
                expires_at=int(now) + settings.config_seconds,
                risk=_read_risk(files.risk, settings.home / RISK_FILE),
                health_authority_id=settings.health_authority_id,
                contact=_read_contact(files.contact, settings.home / CONTACT_FILE),
                check_interval_seconds=settings.check_interval_seconds,
                mirrors=settings.mirrors,
                risk_model=_read_risk_model(files.risk_model, settings.home / RISK_MODEL_FILE),
                has_signed_index=True,
                has_risk_by_onset=settings.risk_by_onset,
                isolation=_read_isolation(files.isolation, settings.home / ISOLATION_FILE),
                bluezone_list=_bluezone_list(manifest),
            )
            document = config.sign(keys.load(manifest.config_file))
            renew_at = int(now) + settings.config_seconds // 2
            signed = SignedDocument(sequence, digest, renew_at, document)
            return replace(manifest, signed_config=signed)

        digest = _digest(keys, keys.manifest(), region, settings, files)
        if not _is_current(last, digest, now):
            last = keys.update(change).signed_config
        _log_once.cache_clear()
    except TracingError as error:
        if last is None:
            raise
        _log_once(str(error))
    assert last is not None
    return last.document


@functools.lru_cache(maxsize=1)
def _log_once(fault: str) -> None:
    # Every device's request comes here, so an error is logged once, until it is corrected.
    _log.error("the configuration for devices stays unchanged: %s", fault)


def _is_current(last: SignedDocument | None, digest: str, now: float) -> bool:
    return last is not None and last.digest == digest and now < last.renew_at


class _Files(NamedTuple):
    contact: bytes
    risk: bytes | None
    risk_model: bytes | None
    isolation: bytes | None


def _read_files(home: Path) -> _Files:
    contact = home / CONTACT_FILE
    with file_errors(contact):
        data = contact.read_bytes()
    others = (RISK_FILE, RISK_MODEL_FILE, ISOLATION_FILE)
    return _Files(data, *(_read_if_there(home / name) for name in others))


def _read_if_there(path: Path) -> bytes | None:
    with file_errors(path):
        return path.read_bytes() if is_there(path) else None


def _digest(
    keys: PrivateKeys, manifest: Manifest, region: str, settings: Settings, files: _Files
) -> str:
    key = fingerprint(keys.load(manifest.config_file).public_key())
    contents = [
        key,
        region,
        settings.health_authority_id,
        settings.check_interval_seconds,
        settings.config_seconds,
        settings.mirrors,
        sha256(files.contact).hexdigest(),
        None if files.risk is None else sha256(files.risk).hexdigest(),
        # Homes from older versions sign the configuration again, since it now promises the index.
        "signed index",
    ]
    if files.risk_model is not None:
        contents.append(sha256(files.risk_model).hexdigest())
    if settings.risk_by_onset:
        contents.append("risk by onset")
    if files.isolation is not None:
        contents.append(f"isolation {sha256(files.isolation).hexdigest()}")
    if (bluezone_list := _bluezone_list(manifest)) is not None:
        contents.append(["bluezone list", bluezone_list])
    return sha256(json.dumps(contents).encode()).hexdigest()


def _bluezone_list(manifest: Manifest) -> int | None:
    """Return the number of the published list of Bluezone keys; None if there is none."""
    published = manifest.bluezone
    return None if published is None or not published.sha256 else published.sequence


def _json(data: bytes, path: Path) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not JSON: correct it") from error


def _read_contact(data: bytes, path: Path) -> Mapping[str, Contact]:
    found = _json(data, path)
    if not isinstance(found, dict) or not found or not _LANGUAGES.issuperset(found):
        raise StoreError(f'{path} must be an object with the languages "vi" and "en"')
    for language, each in found.items():
        # A device ignores unknown fields, and would show no number for a misspelt "phone".
        for name in each if isinstance(each, dict) else ():
            if name not in _CONTACT_FIELDS:
                known = ", ".join(_CONTACT_FIELDS)
                raise StoreError(f"{path}: {language}: unknown field {name!r:.40}: use {known}")
    try:
        return {language: Contact.from_json(each) for language, each in found.items()}
    except InvalidValue as error:
        raise StoreError(f"{path} cannot be used: {error}") from error


def _read_risk(data: bytes | None, path: Path) -> ExposureConfiguration:
    if data is None:
        return ExposureConfiguration.default()
    try:
        return ExposureConfiguration.from_json(_json(data, path))
    except InvalidValue as error:
        raise StoreError(f"{path} cannot be used: {error}") from error


def _read_risk_model(data: bytes | None, path: Path) -> RiskModelConfiguration | None:
    if data is None:
        return None
    try:
        model = RiskModelConfiguration.from_json(_json(data, path))
        # A misspelt name would be a model that no device knows.
        model.parsed()
    except InvalidValue as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    return model


def _read_isolation(data: bytes | None, path: Path) -> IsolationRules | None:
    if data is None:
        return None
    try:
        return IsolationRules.from_json(_json(data, path), is_strict=True)
    except InvalidValue as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
