"""Opening a radio by the text that names it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ble_agent.messages.language import Text
from ble_agent.messages.radio import radio_error
from ble_agent.radio.protocol import Radio
from tracing_core.clock import Clock
from tracing_core.errors import RadioFault, require

__all__ = ["RADIO_FORMS", "open_radio"]

RADIO_FORMS = ("auto", "bluez[:hci0]", "mgmt[:hci0]", "hci:TRANSPORT", "android", "replay:FILE")
"""The forms of text that `open_radio` accepts, for help texts."""


def open_radio(spec: str, clock: Clock, *, language: str = "en") -> Radio:
    """Return the radio that a text names, not yet entered.

    Parameters
    ----------
    spec
        ``auto`` for the best kind; ``bluez`` or ``mgmt``, with ``:hci1`` for one adapter of
        several; ``hci:TRANSPORT``, where TRANSPORT is Bumble's name for a transport
        (``hci-socket:0``, ``usb:0``, ``tcp-client:HOST:PORT``); ``android``; or ``replay:FILE``
        (btsnoop or Apple PacketLogger). ``docs/radios.md`` compares them.
    clock
        The agent's clock. A replay ignores it and runs on the recording's own.
    language
        Language of the log's lines.

    Raises
    ------
    RadioError
        When there is no such kind of radio, or the recording cannot be read.
    MissingExtra
        When the kind needs a library that is not installed.
    """
    kind, _, rest = spec.partition(":")
    if kind == "hci" and rest:
        require("bumble", extra="hci")
        from ble_agent.radio.hci.radio import HciRadio

        return HciRadio(rest, clock, language=language)
    if kind == "replay" and rest:
        from ble_agent.radio.replay.radio import ReplayRadio

        return ReplayRadio(Path(rest), clock, language=language)
    if kind in ("auto", "android") and not rest:
        return _auto(clock, language) if kind == "auto" else _android(clock, language)
    if kind in ("bluez", "mgmt") and re.fullmatch(r"|hci\d{1,4}", rest):
        make = _bluez if kind == "bluez" else _mgmt
        return make(rest, clock, language)
    raise radio_error(
        RadioFault.UNKNOWN_RADIO,
        "unknown_radio",
        spec=f"{spec!r:.60}",
        forms=Text(" or ".join(RADIO_FORMS), " hoặc ".join(RADIO_FORMS)),
    )


def _auto(clock: Clock, language: str) -> Radio:
    from ble_agent.radio.auto import AutoRadio

    return AutoRadio(clock, partial(open_radio, language=language), language=language)


def _android(clock: Clock, language: str) -> Radio:
    require("bleak", extra="agent")
    from ble_agent.radio.android.radio import AndroidRadio

    return AndroidRadio(clock, language=language)


def _bluez(adapter: str, clock: Clock, language: str) -> Radio:
    require("dbus_fast", extra="agent")
    require("bleak", extra="agent")
    from ble_agent.radio.bluez.radio import BluezRadio

    return BluezRadio(adapter or None, clock, language=language)


def _mgmt(adapter: str, clock: Clock, language: str) -> Radio:
    from ble_agent.radio.mgmt.radio import MgmtRadio

    return MgmtRadio(int(adapter[3:]) if adapter else None, clock, language=language)
