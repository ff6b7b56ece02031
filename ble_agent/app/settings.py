"""Settings changed by a program: agent.toml keeps all else that a hand wrote in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from ble_agent.config import (
    SETTINGS_FILE,
    AgentConfig,
    environment_names,
    parse_settings,
    setting_fault,
)
from ble_agent.messages.refusals import not_possible
from ble_agent.store.home import is_running
from ble_agent.store.ownership import keep_private
from tracing_core.errors import InvalidSetting, require
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors, write_durably

__all__ = [
    "CHANGEABLE",
    "ChangedSettings",
    "StoredSettings",
    "change_settings",
    "read_settings",
]

# A page must not choose what program is started.
_BY_HAND = ("home", "notify_command")

CHANGEABLE = tuple(part.name for part in fields(AgentConfig) if part.name not in _BY_HAND)
"""The settings that a program may change; the others are for a hand alone."""


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """What the settings file says."""

    config: AgentConfig
    """The settings of the file, and the defaults of those it does not name."""
    overridden: Mapping[str, str]
    """The settings that an environment variable sets in place of the file, with its name."""
    digest: str
    """What `change_settings` recognises the file by; "" if there is none."""


@dataclass(frozen=True, slots=True)
class ChangedSettings:
    """What `change_settings` wrote."""

    config: AgentConfig
    """The settings that the file now says."""
    names: tuple[str, ...]
    """The settings that changed."""
    after_restart: tuple[str, ...]
    """Those of them that the running agent obeys only after a restart; none if no agent runs.

    An agent reads its settings when it starts, and every other command whenever it is run.
    """


def read_settings(home: Path, environment: Mapping[str, str] = os.environ) -> StoredSettings:
    """Read the settings file of a home folder.

    Raises
    ------
    InvalidSetting
        When a setting is unknown or wrong, or the file is not TOML.
    NotPossible
        When the file is a link to another folder (``settings_elsewhere``).
    StoreError
        When the file cannot be read.
    """
    _, data = _read(home)
    settings = parse_settings(home / SETTINGS_FILE, data or b"")
    return StoredSettings(_config(home, settings), environment_names(environment), _digest(data))


def change_settings(home: Path, changes: Mapping[str, Any], digest: str) -> ChangedSettings:
    """Change settings in the file, in one step that a crash cannot tear.

    Everything else in it stays as it is, byte for byte. Mode and owner stay too.

    Parameters
    ----------
    home
        The home folder.
    changes
        New values by name, out of `CHANGEABLE`.
    digest
        `StoredSettings.digest` of what the owner saw when deciding.

    Raises
    ------
    InvalidSetting
        When a new value is wrong (``place`` is the setting's name), or the file is wrong elsewhere.
    NotPossible
        When the file has changed since it was read (``settings_changed``), is a link to another
        folder (``settings_elsewhere``), or is written in a way that cannot be kept
        (``settings_by_hand``).
    MissingExtra
        When tomlkit is not installed.
    StoreError
        When the file cannot be written; the old one stays.
    """
    keep_private(home)
    with _locked(home):
        path, data = _read(home)
        if _digest(data) != digest:
            raise not_possible("settings_changed")
        place = home / SETTINGS_FILE
        before = parse_settings(place, data or b"")
        asked = before | {name: _checked(name, value) for name, value in changes.items()}
        config = _config(home, asked, changed=changes)
        new = {name: asked[name] for name in changes if _differs(name, before, asked)}
        if new:
            text = _edited((data or b"").decode(), new)
            if _parsed(place, text) != before | new:
                raise not_possible("settings_by_hand")
            _write(path, text.encode())
    names = tuple(new)
    return ChangedSettings(config, names, names if is_running(home) else ())


def _read(home: Path) -> tuple[Path, bytes | None]:
    """Return the file behind links, and its bytes; None if it is not there."""
    path = home / SETTINGS_FILE
    with file_errors(path):
        # For a link to itself this is the link.
        real = Path(os.path.realpath(path))
        if real.parent != home.resolve():
            raise not_possible("settings_elsewhere")
        if not is_there(real):
            return real, None
        # Nothing waits for a pipe.
        if not real.is_file():
            raise not_possible("settings_by_hand")
        return real, real.read_bytes()


def _digest(data: bytes | None) -> str:
    return "" if data is None else sha256(data).hexdigest()


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Keep other programs of ours from changing the settings at the same time."""
    with file_errors(home):
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _checked(name: str, value: Any) -> Any:
    if name not in CHANGEABLE:
        raise setting_fault(name, "setting_for_hand")
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        raise setting_fault(name, "setting_str") from error
    return value


def _config(
    home: Path, settings: Mapping[str, Any], *, changed: Container[str] = ()
) -> AgentConfig:
    try:
        return AgentConfig(home, **settings)
    except InvalidSetting as error:
        if error.place in changed:
            raise
        raise error.at(f"{home / SETTINGS_FILE}, {error.place}") from error


def _differs(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if name in before:
        return bool(before[name] != after[name])
    # What the language is by default depends on who asks.
    default = next(part.default for part in fields(AgentConfig) if part.name == name)
    return bool(after[name] != default)


def _parsed(path: Path, text: str) -> dict[str, Any] | None:
    try:
        return parse_settings(path, text.encode())
    except InvalidSetting:
        return None


def _edited(text: str, changes: Mapping[str, Any]) -> str:
    """Return a TOML text with other values; names that it lacks are added at its end."""
    tomlkit = require("tomlkit", extra="page")
    try:
        document = tomlkit.parse(text)
    except ValueError as error:
        raise not_possible("settings_by_hand") from error
    if tomlkit.dumps(document) != text:
        raise not_possible("settings_by_hand")
    line_end = "\r\n" if "\r\n" in text else "\n"
    added = []
    for name, value in changes.items():
        item = tomlkit.item(list(value) if isinstance(value, tuple) else value)
        if name in document:
            document[name] = item
        else:
            added.append(f"{name} = {item.as_string()}{line_end}")
    edited = str(tomlkit.dumps(document))
    if added and edited and not edited.endswith("\n"):
        edited += line_end
    return edited + "".join(added)


def _write(path: Path, data: bytes) -> None:
    """Replace the file; a new one belongs to the owner of its folder."""
    with file_errors(path):
        try:
            like = path.stat()
            mode = stat.S_IMODE(like.st_mode)
        except FileNotFoundError:
            like, mode = path.parent.stat(), 0o600
    write_durably(path, data, mode=mode, owner=(like.st_uid, like.st_gid))
