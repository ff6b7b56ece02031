"""Catalogue of all texts that the device's owner reads, in English and Vietnamese."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping

from ble_agent.messages import home, radio
from ble_agent.messages.commands import (
    all_data,
    all_data_page,
    areas,
    bluezone,
    check,
    health,
    help,
    importing,
    joining,
    last_day,
    report,
    running,
    status,
    take_over,
)
from ble_agent.messages.faults import server, settings, store, upload
from ble_agent.messages.language import Text
from ble_agent.messages.page import areas as page_areas
from ble_agent.messages.page import data, erasing, frame, lan, ledger, sending, sessions, today
from ble_agent.messages.page import health as page_health
from ble_agent.messages.page import importing as page_importing
from ble_agent.messages.page import joining as page_joining
from ble_agent.messages.page import last_day as page_last_day
from ble_agent.messages.page import settings as page_settings

__all__ = ["MESSAGES", "say", "with_home"]

_AGENT = "truyvet agent"
_COMMAND = re.compile(r"\btruyvet agent [a-z][a-z-]*(?![a-z-]| --home\b)")

MESSAGES: Mapping[str, Text] = {
    name: text
    for subject in (
        *(all_data, all_data_page, areas, check, health, help, home, importing),
        *(joining, last_day, radio, report, running, status, take_over, bluezone),
        *(server, settings, store, upload),
        *(
            data,
            erasing,
            frame,
            lan,
            ledger,
            page_areas,
            page_health,
            page_importing,
            page_joining,
            page_last_day,
            page_settings,
        ),
        *(sending, sessions, today),
    )
    for name, text in subject.TEXTS.items()
}
"""The texts of all subjects by name."""


def say(name: str, language: str, **values: object) -> str:
    """Return a text in a language, with its placeholders filled."""
    return MESSAGES[name].filled(language, **values)


def with_home(text: str, home: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text whose commands are as the owner must type them.

    They name a home folder, unless it is "". Where the agent is a service, ``TRUYVET_COMMAND`` has
    the command that stands for ``truyvet agent``.

    >>> with_home("Start it with: truyvet agent run", "my device")
    "Start it with: truyvet agent run --home 'my device'"
    """
    command = environment.get("TRUYVET_COMMAND")
    if command and not home:
        return _COMMAND.sub(lambda found: f"{command}{found[0].removeprefix(_AGENT)}", text)
    if not home:
        return text
    return _COMMAND.sub(lambda found: f"{found[0]} --home {shlex.quote(home)}", text)
