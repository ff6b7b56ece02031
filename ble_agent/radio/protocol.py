"""The radio as the agent sees it: one protocol, and the values that pass through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from ble_agent.messages.language import Text
from tracing_core.clock import Clock
from tracing_core.errors import AdvertisementFault
from tracing_core.protocol.advertisement import Advertisement

__all__ = [
    "LONGEST_CONTROLLER_TIMEOUT_SECONDS",
    "Capabilities",
    "Finding",
    "Heard",
    "Radio",
    "seconds_on_air",
]

_LONGEST_ON_AIR_SECONDS, _SHORTEST_ON_AIR_SECONDS = 1200.0, 20

LONGEST_CONTROLLER_TIMEOUT_SECONDS = 65
"""The longest timeout that Linux can hand to a controller with extended advertising.

It reckons in milliseconds in 16 bits: 1200 s become 20 (seen on Linux 6.12, with and without
bluetoothd).
"""


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
    """Whether it works."""
    text: Text
    """What was tried and what came of it."""


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
