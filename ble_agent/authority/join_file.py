"""Join file of an authority whose servers are not ours: what it published, written down in TOML.

Google's servers sign no trust documents and no configuration. So the file names the keys that sign
key files, the addresses, the risk configuration and whom to ask, and none of it changes by itself.
"""

from __future__ import annotations

import base64
import datetime
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ble_agent.authority.addresses import KeyFileAddress, ServerAddresses
from ble_agent.messages.catalogue import say
from matcher.risk import load_configuration, preset_names
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidJoinFile, InvalidJoinLine, InvalidValue
from tracing_core.export_file import MAX_PUBLIC_KEY_BYTES, read_public_key
from tracing_core.json_object import JSONObject, check_known, read_array, read_object
from tracing_core.store.files import file_errors
from tracing_core.trust.join_line import checked_address
from tracing_core.trust.last_day import read_last_day
from tracing_core.trust.signed_config import (
    CHECK_INTERVAL_SECONDS,
    MOST_MIRRORS,
    Contact,
    SignedConfig,
)
from tracing_core.trust.signed_document import fingerprint, key_der
from tracing_core.trust.trust_chain import ExportVerificationKey

__all__ = ["MAX_JOIN_FILE_BYTES", "JoinFile", "join_file_fault", "key_name"]

MAX_JOIN_FILE_BYTES = 64 << 10
"""The largest join file read; one with two keys and a risk configuration takes 3,000 bytes."""

_REQUIRED = (
    *("region", "health_authority_id", "index_url", "verification_url", "key_server_url"),
    *("export_keys", "risk"),
)
_OPTIONAL = (
    *("files_url", "device_api_key", "check_interval_seconds", "mirrors", "contact"),
    "last_day",
)
_CONTACT_FIELDS = ("name", "phone", "url", "advice")
_LANGUAGES = ("vi", "en")
_MOST_KEYS = 10
_DEFAULT_INTERVAL_SECONDS = 4 * 3600
_LONGEST_KEY_TEXT = 4000
_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class JoinFile:
    """What an authority published about its servers."""

    region: str
    health_authority_id: str
    """What uploads are addressed to."""
    index_url: str
    files_url: str
    """What names in the index are relative to; "" to work it out (`KeyFileAddress`)."""
    verification_url: str
    key_server_url: str
    device_api_key: str = field(repr=False)
    """What the verification server demands of every device; "" if it demands nothing."""
    export_keys: tuple[ExportVerificationKey, ...]
    """The keys that sign key files; any of them is enough."""
    risk: ExposureConfiguration
    contact: Mapping[str, Contact]
    """By language, ``vi`` or ``en``."""
    check_interval_seconds: int
    mirrors: tuple[str, ...]
    """Other addresses of the index."""
    last_day: datetime.date | None = None
    """The last day (UTC); None if the file names none."""

    @classmethod
    def read(cls, path: Path, *, is_alone: bool = False) -> JoinFile:
        """Read a join file, and the files of keys and of a risk configuration that it names.

        Parameters
        ----------
        path
            The file.
        is_alone
            Whether it came without those files, so that it may name none.

        Raises
        ------
        InvalidJoinFile
            When the file cannot be used; the text names the field.
        StoreError
            When a file cannot be read.
        """
        with file_errors(path), path.open("rb") as file:
            text = file.read(MAX_JOIN_FILE_BYTES + 1)
        if len(text) > MAX_JOIN_FILE_BYTES:
            raise join_file_fault(path, "", "join_file_too_large")
        try:
            fields = tomllib.loads(text.decode().removeprefix("\ufeff"))
        except ValueError as error:
            raise join_file_fault(path, "", "join_file_not_toml", fault=str(error)) from error
        return cls.from_fields(fields, path, is_alone=is_alone)

    @classmethod
    def from_fields(
        cls, fields: Mapping[str, Any], path: Path, *, is_alone: bool = False
    ) -> JoinFile:
        """Read the fields of a join file, as a TOML or JSON parser returned them.

        Parameters
        ----------
        fields
            The fields by name.
        path
            The file; errors name it, and the files that it names are relative to it.
        is_alone
            Whether it may name no files.

        Raises
        ------
        InvalidJoinFile
            When a field is missing, unknown or wrong; the text names it.
        """
        for name in fields:
            if name not in (*_REQUIRED, *_OPTIONAL):
                raise join_file_fault(path, f"{name!r:.40}", "join_file_unknown")
        for name in _REQUIRED:
            if name not in fields:
                raise join_file_fault(path, name, "join_file_missing")
        return _Reader(fields, path, is_alone=is_alone).join_file()

    def to_fields(self) -> dict[str, Any]:
        """Return the fields as JSON holds them, which `from_fields` reads back."""
        return {
            "region": self.region,
            "health_authority_id": self.health_authority_id,
            "index_url": self.index_url,
            "files_url": self.files_url,
            "verification_url": self.verification_url,
            "key_server_url": self.key_server_url,
            "device_api_key": self.device_api_key,
            "export_keys": [
                {
                    "id": key.key_id,
                    "version": key.key_version,
                    "public_key": base64.b64encode(key_der(key.public_key)).decode(),
                }
                for key in self.export_keys
            ],
            "risk": self.risk.to_json(),
            "contact": {language: each.to_json() for language, each in self.contact.items()},
            "check_interval_seconds": self.check_interval_seconds,
            "mirrors": list(self.mirrors),
            "last_day": "" if self.last_day is None else self.last_day.isoformat(),
        }

    @property
    def addresses(self) -> ServerAddresses:
        """The addresses of the authority's services."""
        return ServerAddresses(
            documents_url="",
            verification_url=self.verification_url,
            key_server_url=self.key_server_url,
            key_files=KeyFileAddress(self.index_url, self.files_url),
            device_api_key=self.device_api_key,
        )

    @property
    def config(self) -> SignedConfig:
        """The configuration in the form of one that our own server signs."""
        return SignedConfig(
            region=self.region,
            sequence=1,
            issued_at=0,
            risk=self.risk,
            health_authority_id=self.health_authority_id,
            contact=self.contact,
            check_interval_seconds=self.check_interval_seconds,
            mirrors=self.mirrors,
        )

    def is_same_authority(self, other: JoinFile) -> bool:
        """Check whether another file is a newer or older one of the same authority."""
        return (self.region, self.health_authority_id) == (other.region, other.health_authority_id)

    def changes(self, newer: JoinFile) -> Iterator[str]:
        """Yield one text for each difference from a newer file, in no language but names."""
        before, after = self.to_fields(), newer.to_fields()
        for name in before:
            if name == "export_keys" or before[name] == after[name]:
                continue
            is_shown = name != "device_api_key" and isinstance(before[name], str | int)
            yield f"{name} {before[name]} → {after[name]}" if is_shown else name
        for mark, ours, others in (("-", self, newer), ("+", newer, self)):
            known = [key.public_key for key in others.export_keys]
            for key in ours.export_keys:
                if key.public_key not in known:
                    yield f"{mark} {key_name(key)}"


def key_name(key: ExportVerificationKey) -> str:
    """Return what a key is called in a text for the owner."""
    return f"{key.key_id} {key.key_version} ({fingerprint(key.public_key)[:16]})"


class _Reader:
    """Reads the fields of one join file."""

    def __init__(self, fields: Mapping[str, Any], path: Path, *, is_alone: bool) -> None:
        self._fields = fields
        self._path = path
        self._is_alone = is_alone

    def join_file(self) -> JoinFile:
        return JoinFile(
            region=self._text("region"),
            health_authority_id=self._text("health_authority_id"),
            index_url=self._address("index_url"),
            files_url=self._address("files_url") if self._fields.get("files_url") else "",
            verification_url=self._base("verification_url", "/api/verify"),
            key_server_url=self._base("key_server_url", "/v1/publish"),
            device_api_key=self._api_key(),
            export_keys=self._export_keys(),
            risk=self._risk(),
            contact=self._contact(),
            check_interval_seconds=self._interval(),
            mirrors=self._mirrors(),
            last_day=self._last_day(),
        )

    def _invalid(self, name: str, error: Exception) -> InvalidJoinFile:
        return join_file_fault(self._path, name, "join_file_wrong", fault=str(error))

    def _text(self, name: str) -> str:
        try:
            return JSONObject(dict(self._fields), "it").name(name)
        except InvalidValue as error:
            raise join_file_fault(self._path, name, "join_file_text") from error

    def _address(self, name: str) -> str:
        return self._checked(name, self._fields[name])

    def _checked(self, name: str, url: Any) -> str:
        if not isinstance(url, str):
            raise join_file_fault(self._path, name, "join_file_text")
        try:
            return checked_address(url)
        except InvalidJoinLine as error:
            raise join_file_fault(self._path, name, "join_file_address") from error

    def _base(self, name: str, path: str) -> str:
        url = self._address(name)
        if url.endswith(path):
            raise join_file_fault(self._path, name, "join_file_base", part=path)
        return url

    def _api_key(self) -> str:
        key = self._fields.get("device_api_key", "")
        if not isinstance(key, str) or not re.fullmatch(r"[!-~]{0,4000}", key):
            raise join_file_fault(self._path, "device_api_key", "join_file_api_key")
        return key

    def _interval(self) -> int:
        seconds = self._fields.get("check_interval_seconds", _DEFAULT_INTERVAL_SECONDS)
        least, most = CHECK_INTERVAL_SECONDS
        if type(seconds) is not int or not least <= seconds <= most:
            name = "check_interval_seconds"
            raise join_file_fault(self._path, name, "join_file_interval", least=least, most=most)
        return seconds

    def _mirrors(self) -> tuple[str, ...]:
        mirrors = self._fields.get("mirrors", [])
        if not isinstance(mirrors, list) or len(mirrors) > MOST_MIRRORS:
            raise join_file_fault(self._path, "mirrors", "join_file_mirrors", most=MOST_MIRRORS)
        return tuple(self._checked("mirrors", url) for url in mirrors)

    def _last_day(self) -> datetime.date | None:
        named = self._fields.get("last_day", "")
        # TOML has dates of its own, and others with a time.
        if type(named) is datetime.date:
            return named
        try:
            return None if named == "" else read_last_day(named)
        except InvalidValue as error:
            raise join_file_fault(self._path, "last_day", "join_file_last_day") from error

    def _contact(self) -> dict[str, Contact]:
        contact = self._fields.get("contact", {})
        try:
            check_known(read_object(contact, "contact"), _LANGUAGES, "", of="contact")
            for language, fields in contact.items():
                known = read_object(fields, language)
                check_known(known, _CONTACT_FIELDS, f"{language}: ", of="a contact")
            return {language: Contact.from_json(fields) for language, fields in contact.items()}
        except InvalidValue as error:
            raise self._invalid("contact", error) from error

    def _risk(self) -> ExposureConfiguration:
        risk = self._fields["risk"]
        try:
            if isinstance(risk, str):
                is_preset = risk in preset_names()
                return load_configuration(risk if is_preset else self._named_file("risk", risk))
            return ExposureConfiguration.from_json(risk)
        except InvalidValue as error:
            raise self._invalid("risk", error) from error

    def _export_keys(self) -> tuple[ExportVerificationKey, ...]:
        keys = self._fields["export_keys"]
        try:
            if not 1 <= len(read_array(keys, "it")) <= _MOST_KEYS:
                raise InvalidValue(f"it must list 1 to {_MOST_KEYS} keys")
            return tuple(self._export_key(each, at) for at, each in enumerate(keys, 1))
        except InvalidValue as error:
            raise self._invalid("export_keys", error) from error

    def _export_key(self, value: Any, number: int) -> ExportVerificationKey:
        where = f"key {number}: "
        table = {"public_key": value} if isinstance(value, str) else value
        fields = JSONObject(table, f"key {number}", where=where)
        check_known(table, ("id", "version", "public_key", "file"), where, of="a key")
        if ("public_key" in table) == ("file" in table):
            raise InvalidValue(f"{where}give either public_key or file")
        if "file" in table:
            data = self._key_file(fields.name("file", 1000))
        else:
            data = fields.text("public_key", _LONGEST_KEY_TEXT).encode()
        known = read_public_key(data, f"key {number}")
        named = {"id": known.key_id, "version": known.key_version}
        for name, said in named.items():
            if name in table and said is not None and table[name] != said:
                raise InvalidValue(f"{where}{name} is not the one that the key is published with")
            named[name] = fields.name(name, _LONGEST_ID) if said is None else said
        return ExportVerificationKey(str(named["id"]), str(named["version"]), known.public_key)

    def _named_file(self, field_name: str, name: str) -> Path:
        if self._is_alone:
            raise join_file_fault(self._path, field_name, "join_file_names_file")
        return self._path.parent / name

    def _key_file(self, name: str) -> bytes:
        path = self._named_file("export_keys", name)
        with file_errors(path), path.open("rb") as file:
            return file.read(MAX_PUBLIC_KEY_BYTES + 1)


def join_file_fault(path: Path, name: str, text: str, **values: object) -> InvalidJoinFile:
    """Return the error for a join file, or for one of its fields.

    Parameters
    ----------
    path
        The file.
    name
        The field; "" if the whole file is at fault.
    text
        Name of the text in the catalogue.
    values
        Placeholders of the text.
    """
    place = f"{path}, {name}" if name else str(path)
    error = InvalidJoinFile(place, say(text, "en", **values))
    error.vi = f"{place}: {say(text, 'vi', **values)}"
    return error
