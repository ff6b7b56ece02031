"""What sends and hears identifiers: one protocol, and a module for each kind of radio."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from tracing_core.clock import Clock
from tracing_core.errors import (
    AdvertisementFault,
    RadioError,
    RadioFault,
    require,
)
from tracing_core.protocol.advertisement import Advertisement

__all__ = [
    "LONGEST_CONTROLLER_TIMEOUT_SECONDS",
    "RADIO_FORMS",
    "Capabilities",
    "Finding",
    "Heard",
    "Radio",
    "open_radio",
    "seconds_on_air",
]

_LONGEST_ON_AIR_SECONDS, _SHORTEST_ON_AIR_SECONDS = 1200.0, 20

LONGEST_CONTROLLER_TIMEOUT_SECONDS = 65
"""The longest timeout that Linux can hand to a controller with extended advertising.

It reckons in milliseconds in 16 bits: 1200 s become 20 (seen on Linux 6.12, with and without
bluetoothd).
"""

RADIO_FORMS = ("auto", "bluez[:hci0]", "mgmt[:hci0]", "hci:TRANSPORT", "android", "replay:FILE")
"""The forms that `open_radio` reads, for help texts."""


class Heard(NamedTuple):
    """One advertisement as one packet brought it."""

    advertisement: Advertisement
    """What it carries."""
    rssi_dbm: int
    """Received signal strength, −127 to 126 dBm; above 20 only where a controller errs."""
    heard_at: float
    """When, by the agent's clock (UTC Unix seconds)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a radio can do, known once it is open."""

    can_advertise: bool
    can_scan: bool
    exact_bytes: bool
    """Whether the bytes on the air are the specification's, Flags included."""
    agent_chosen_address: bool
    """Whether the agent itself draws the address that goes with an identifier."""
    note: str = ""
    """What else a person who chooses a radio should know; empty if nothing."""
    listens_while_sending: bool = True
    """Whether what is on the air stays as it is while the adapter listens; else it would go on
    under another address, and one may listen only while nothing is sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a self-test, for the device's owner."""

    ok: bool
    text_en: str
    text_vi: str


class Radio(Protocol):
    """A Bluetooth adapter, or what stands for one.

    It is used as an asynchronous context manager: entering opens the adapter, leaving makes it
    silent. Every method raises `RadioError`, whose text says what to do, and never waits without
    end; after `RadioFault.CONNECTION_LOST` the radio must be opened anew.
    """

    @property
    def name(self) -> str:
        """What the owner calls it: the text it was opened with."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    @property
    def clock(self) -> Clock:
        """What the agent must tell time by: the clock it gave, or a capture's own."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can ever be heard; only a replay comes to its end."""

    @property
    def rejected(self) -> Counter[AdvertisementFault]:
        """How many received advertisements carried no identifier, by reason."""

    @property
    def without_rssi(self) -> int:
        """How many identifiers came without a signal strength; they are not delivered."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def rotate(self, advertisement: Advertisement | None) -> None:
        """Send an identifier, its metadata and a fresh address from now on, all in one step.

        Scanning stops for the step and goes on after it. None falls silent. When it raises, nothing
        is on the air.
        """

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        """Listen for so many seconds of the agent's clock, and call `heard` for every packet."""

    async def rest(self, seconds: float) -> None:
        """Let so many seconds of the agent's clock pass; when the radio is lost, raise at once."""

    async def self_test(self) -> list[Finding]:
        """Really send and listen, and say what works; the radio is silent afterwards."""


def seconds_on_air(clock: Clock) -> int:
    """Return how long an advertisement may last without us, in whole seconds of real time.

    It is the protocol's longest time, 20 minutes of the agent's clock; but never under 20 seconds,
    because an adapter is no faster for a clock that runs fast.
    """
    return max(_SHORTEST_ON_AIR_SECONDS, int(_LONGEST_ON_AIR_SECONDS / getattr(clock, "rate", 1.0)))


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

    return AutoRadio(clock)


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
