"""Settings of the agent: from the command line, else the environment, else HOME/agent.toml."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ble_agent.messages.catalogue import say
from ble_agent.messages.language import LANGUAGES, Text, default_language
from tracing_core.errors import InvalidSetting
from tracing_core.store.files import file_errors

__all__ = [
    "SETTINGS_FILE",
    "AgentConfig",
    "default_home",
    "environment_names",
    "load_config",
    "parse_settings",
    "setting_fault",
]

SETTINGS_FILE = "agent.toml"
"""Name of the settings file in the home folder; it may be absent."""

_KINDS = {
    "str": "setting_str",
    "int": "setting_int",
    "float": "setting_float",
    "bool": "setting_bool",
    "tuple[str, ...]": "setting_texts",
}
_MOMENT = r"([01]?[0-9]|2[0-3]):([0-5][0-9])"
_QUIET_HOURS = re.compile(rf"{_MOMENT} *[-–] *{_MOMENT}")
_ENVIRONMENT = {"lang": "TRUYVET_LANG", "radio": "TRUYVET_RADIO", "server": "TRUYVET_SERVER"}


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The settings of one device.

    Raises
    ------
    InvalidSetting
        When a setting has the wrong type or is out of range; the text names it.
    """

    home: Path
    """Folder of the database and of agent.toml; readable by its owner only."""
    lang: str = field(default_factory=default_language)
    """Language of what the owner reads, ``vi`` or ``en``; by default that of the locale."""
    radio: str = ""
    """The radio: ``auto``, ``bluez[:hci0]``, ``mgmt[:hci0]``, ``hci:TRANSPORT``, ``android`` or
    ``replay:FILE``. Empty: ``auto``, the best that works here."""
    server: str = ""
    """Where the key server is now, if it moved since this device joined it. Empty: where it was."""
    transmit_power_dbm: int = 0
    """Calibrated transmit power that is sent with each identifier, −50 to 20 dBm. Receivers take
    the attenuation from it, so a wrong one makes this device seem nearer or farther than it is."""
    scan_seconds: float = 4.0
    """Length of a scan, 1 to 60 s. Devices send about four times per second, so four seconds hear
    every device near; longer scans take more current."""
    least_scan_gap_seconds: float = 210.0
    """Least time between the starts of two scans, at least 60 s. The waits are random, so that no
    two devices miss each other time after time."""
    most_scan_gap_seconds: float = 300.0
    """Most time between the starts of two scans, at most 540 s: an identifier lasts for ten
    minutes at least, so none is missed between two scans."""
    continuous_scan: bool = False
    """Listen all the time, for research. The three settings above then have no effect."""
    notify_command: tuple[str, ...] = ()
    """Program and arguments to start when there is something to read. Two arguments are added: the
    level (letters, digits, spaces, - and _) and the day in the device's time zone (YYYY-MM-DD). If
    it fails, it is started again after the next check. Empty: none."""
    notify_desktop: bool = True
    """Show a notification on the desktop, where there is one."""
    quiet_hours: str = ""
    """Hours without notifications, such as ``22:00-07:00``, in the device's time zone. Those held
    back come when the hours end. Empty: none."""
    cover_traffic: bool = True
    """Send cover reports of random bytes at random moments, so that an observer of the network
    cannot recognise a real one."""

    def __post_init__(self) -> None:
        for part in fields(self)[1:]:
            value = getattr(self, part.name)
            if not _has_type(value, str(part.type)):
                raise setting_fault(part.name, _KINDS[str(part.type)])
        if self.lang not in LANGUAGES:
            names = Text(" or ".join(LANGUAGES), " hoặc ".join(LANGUAGES))
            raise setting_fault("lang", "setting_lang", languages=names, value=f"{self.lang!r:.20}")
        # Receivers accept no other transmit power (GAEN: -50 to +20 dB).
        if not -50 <= self.transmit_power_dbm <= 20:
            raise setting_fault("transmit_power_dbm", "setting_range", least=-50, most=20)
        if not 1 <= self.scan_seconds <= 60:
            raise setting_fault("scan_seconds", "setting_range", least=1, most=60)
        if not 60 <= self.least_scan_gap_seconds <= self.most_scan_gap_seconds <= 540:
            raise setting_fault("least_scan_gap_seconds", "setting_gaps")
        if self.quiet_hours and self.quiet_minutes is None:
            raise setting_fault("quiet_hours", "setting_quiet_hours")

    @property
    def quiet_minutes(self) -> tuple[int, int] | None:
        """The quiet hours' first minute and the first after them, of the local day; None for none.

        If they cross midnight, the second is the smaller one.
        """
        match = _QUIET_HOURS.fullmatch(self.quiet_hours)
        if match is None:
            return None
        first, first_minute, last, last_minute = map(int, match.groups())
        starts_at, ends_at = 60 * first + first_minute, 60 * last + last_minute
        return None if starts_at == ends_at else (starts_at, ends_at)


def setting_fault(place: str, name: str, **values: object) -> InvalidSetting:
    """Return the error for a setting, with a text of the catalogue in both languages."""
    what = {
        language: say(
            name,
            language,
            **{
                key: getattr(value, language) if isinstance(value, Text) else value
                for key, value in values.items()
            },
        )
        for language in LANGUAGES
    }
    error = InvalidSetting(place, what["en"])
    error.vi = say("setting_line", "vi", place=place, what=what["vi"])
    return error


def _not_toml(path: Path, error: ValueError) -> InvalidSetting:
    at = re.search(r"line (\d+), column (\d+)", str(error))
    if isinstance(error, UnicodeDecodeError):
        fault = say("toml_not_text", "vi")
    elif at is None:
        fault = say("toml_end", "vi")
    else:
        fault = say("toml_place", "vi", line=at[1], column=at[2])
    return setting_fault(str(path), "setting_not_toml", fault=Text(str(error), fault))


def _has_type(value: Any, kind: str) -> bool:
    if kind.startswith("tuple"):
        return isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    if isinstance(value, bool) or kind == "bool":
        return isinstance(value, bool) and kind == "bool"
    return isinstance(value, {"str": str, "int": int}.get(kind, (int, float)))


def default_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the home folder to use if none is named."""
    named = environment.get("TRUYVET_HOME")
    return Path(named) if named else Path.home() / ".local" / "share" / "truyvet" / "agent"


def environment_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are set, by the setting that each comes before."""
    return {name: each for name, each in _ENVIRONMENT.items() if environment.get(each)}


def parse_settings(path: Path, data: bytes) -> dict[str, Any]:
    """Return the values of a settings file by name, as `AgentConfig` takes them.

    Parameters
    ----------
    path
        The file, for errors.
    data
        Its bytes.

    Raises
    ------
    InvalidSetting
        When it is not TOML, or names an unknown setting. Values are not checked.
    """
    try:
        settings: dict[str, Any] = tomllib.loads(data.decode())
    except ValueError as error:
        raise _not_toml(path, error) from error
    known = {part.name for part in fields(AgentConfig)} - {"home"}
    for name in settings:
        if name not in known:
            shown = name if name.isidentifier() else repr(name)
            raise setting_fault(f"{path}, {shown:.40}", "setting_unknown")
    if isinstance(settings.get("notify_command"), list):
        settings["notify_command"] = tuple(settings["notify_command"])
    return settings


def load_config(
    home: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    usual_lang: str | None = None,
    **said: Any,
) -> AgentConfig:
    """Read the settings of a home folder.

    Parameters
    ----------
    home
        The folder; it need not exist.
    environment
        Variables such as ``TRUYVET_LANG``.
    usual_lang
        Language if no setting names one; None for that of the locale.
    said
        Settings from the command line; None for those it does not set.

    Raises
    ------
    InvalidSetting
        When a setting is unknown or wrong; the text names it.
    StoreError
        When the file cannot be read.
    """
    path = home / SETTINGS_FILE
    data = b""
    with file_errors(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        data = path.read_bytes()
    settings = parse_settings(path, data)
    variables = environment_names(environment)
    settings |= {name: environment[variable] for name, variable in variables.items()}
    if usual_lang is not None:
        settings.setdefault("lang", usual_lang)
    try:
        config = AgentConfig(home, **settings)
    except InvalidSetting as error:
        raise error.at(variables.get(error.place) or f"{path}, {error.place}") from error
    return replace(config, **{name: value for name, value in said.items() if value is not None})
