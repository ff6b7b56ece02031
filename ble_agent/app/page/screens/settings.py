"""*Settings*: those that an owner changes; the others stay as a hand wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.app.settings import ChangedSettings, StoredSettings, change_settings, read_settings
from ble_agent.config import AgentConfig
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import LANGUAGES
from tracing_core.errors import InvalidSetting, NotPossible

__all__ = ["SCREENS"]

_AUTO = "auto"
_RADIOS = (_AUTO, "bluez", "mgmt")


@dataclass(frozen=True, slots=True)
class _Form:
    """What the fields hold, or what was typed into them."""

    lang: str
    radio: str
    notify_desktop: bool
    cover_traffic: bool
    quiet_from: str
    quiet_to: str

    @classmethod
    def of(cls, config: AgentConfig) -> _Form:
        quiet = config.quiet_minutes
        first, last = ("", "") if quiet is None else map(_time, quiet)
        return cls(
            config.lang,
            config.radio or _AUTO,
            config.notify_desktop,
            config.cover_traffic,
            first,
            last,
        )

    @classmethod
    def typed(cls, visit: Visit) -> _Form:
        return cls(
            visit.field("lang"),
            visit.field("radio"),
            visit.field("notify_desktop") == "yes",
            visit.field("cover_traffic") == "yes",
            visit.field("quiet_from", 10),
            visit.field("quiet_to", 10),
        )

    @property
    def quiet_hours(self) -> str:
        if not (self.quiet_from or self.quiet_to):
            return ""
        return f"{self.quiet_from}-{self.quiet_to}"

    def changes(self, before: _Form) -> Mapping[str, Any]:
        """Return the settings that differ; what was left alone stays as the file writes it."""
        names = ("lang", "radio", "notify_desktop", "quiet_hours", "cover_traffic")
        both = ((name, getattr(self, name), getattr(before, name)) for name in names)
        return {name: value for name, value, old in both if value != old}


def _time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _settings(visit: Visit) -> Response:
    stored = read_settings(visit.page.home)
    return _show(visit, stored, _Form.of(stored.config))


def _show(
    visit: Visit, stored: StoredSettings, form: _Form, *, field: str = "", fault: str = ""
) -> Response:
    own = stored.config.radio or _AUTO
    return visit.render(
        "more/settings.html",
        400 if fault else 200,
        form=form,
        digest=stored.digest,
        overridden=stored.overridden,
        languages=LANGUAGES,
        radios=[*_RADIOS, *([] if own in _RADIOS else [own])],
        known_radios=_RADIOS,
        field=field,
        fault=fault,
    )


def _save(visit: Visit) -> Response:
    stored = read_settings(visit.page.home)
    before, form = _Form.of(stored.config), _Form.typed(visit)
    # A form must not make the agent open any file or address as its radio.
    if form.radio not in (*_RADIOS, before.radio):
        fault = visit.say("page_setting_radio_fault")
        return _show(visit, stored, form, field="radio", fault=fault)
    try:
        changed = change_settings(visit.page.home, form.changes(before), visit.field("digest"))
    except InvalidSetting as error:
        if error.place == "quiet_hours":
            fault = visit.say("page_setting_quiet_fault")
        else:
            fault = explain(error, visit.language)
        return _show(visit, stored, form, field=error.place, fault=fault)
    except NotPossible as error:
        return _show(visit, stored, form, field="form", fault=explain(error, visit.language))
    if "lang" in changed.names:
        visit.session.language = changed.config.lang
    return visit.go("more/settings", _notice(visit, changed))


def _notice(visit: Visit, changed: ChangedSettings) -> Notice:
    if not changed.names:
        return Notice(visit.say("page_settings_same"))
    text = visit.say("page_settings_saved", names=_named(visit, changed.names))
    if not changed.after_restart:
        return Notice(text)
    restart = visit.say("page_settings_restart", names=_named(visit, changed.after_restart))
    return Notice(f"{text}\n{restart}", "warn")


def _named(visit: Visit, names: Sequence[str]) -> str:
    return "; ".join(visit.say(f"page_setting_{name}") for name in names)


SCREENS: Sequence[Screen] = (
    Screen("more/settings", _settings, tab="more"),
    Screen("more/settings/save", _save, "POST", tab="more"),
)
"""The screens."""
