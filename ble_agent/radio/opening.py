"""Opening a radio by the text that names it."""

from __future__ import annotations

import re
from pathlib import Path

from ble_agent.radio.protocol import Radio
from tracing_core.clock import Clock
from tracing_core.errors import RadioError, RadioFault, require

__all__ = ["RADIO_FORMS", "open_radio"]

RADIO_FORMS = ("auto", "bluez[:hci0]", "mgmt[:hci0]", "hci:TRANSPORT", "android", "replay:FILE")
"""The forms that `open_radio` reads, for help texts."""


def open_radio(spec: str, clock: Clock) -> Radio:
    """Return the radio that a text describes, not yet entered.

    Parameters
    ----------
    spec
        ``auto``, the best there is; ``bluez`` or ``mgmt``, with ``:hci1`` for one adapter of
        several; ``hci:TRANSPORT``, where TRANSPORT is Bumble's name of one (``hci-socket:0``,
        ``usb:0``, ``tcp-client:HOST:PORT``); ``android``; or ``replay:FILE`` (btsnoop or Apple
        PacketLogger). ``docs/radios.md`` tells them apart.
    clock
        The agent's clock. A replay takes no notice of it and runs on the capture's.

    Raises
    ------
    RadioError
        When there is no such kind of radio, or the capture file cannot be read.
    MissingExtra
        When the kind needs a library that is not installed.
    """
    kind, _, rest = spec.partition(":")
    if kind == "hci" and rest:
        require("bumble", extra="hci")
        from ble_agent.radio.hci.radio import HciRadio

        return HciRadio(rest, clock)
    if kind == "replay" and rest:
        from ble_agent.radio.replay.radio import ReplayRadio

        return ReplayRadio(Path(rest), clock)
    if kind in ("auto", "android") and not rest:
        return _auto(clock) if kind == "auto" else _android(clock)
    if kind in ("bluez", "mgmt") and re.fullmatch(r"|hci\d{1,4}", rest):
        return _bluez(rest or None, clock) if kind == "bluez" else _mgmt(rest, clock)
    raise RadioError(
        RadioFault.UNKNOWN_RADIO,
        f"no radio is called {spec!r:.60}: use {' or '.join(RADIO_FORMS)}",
    )


def _auto(clock: Clock) -> Radio:
    from ble_agent.radio.auto import AutoRadio

    return AutoRadio(clock, open_radio)


def _android(clock: Clock) -> Radio:
    require("bleak", extra="agent")
    from ble_agent.radio.android.radio import AndroidRadio

    return AndroidRadio(clock)


def _bluez(adapter: str | None, clock: Clock) -> Radio:
    require("dbus_fast", extra="agent")
    require("bleak", extra="agent")
    from ble_agent.radio.bluez.radio import BluezRadio

    return BluezRadio(adapter, clock)


def _mgmt(adapter: str, clock: Clock) -> Radio:
    from ble_agent.radio.mgmt.radio import MgmtRadio

    return MgmtRadio(int(adapter[3:]) if adapter else None, clock)
