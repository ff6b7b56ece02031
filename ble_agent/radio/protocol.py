"""The radio as the agent sees it, whatever stands behind it."""

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

Linux passes it on as milliseconds in 16 bits: 1200 s become 20 (seen on Linux 6.12, with and
without bluetoothd).
"""


class Heard(NamedTuple):
    """One advertisement, received in one packet."""

    advertisement: Advertisement
    """The identifier and its metadata."""
    rssi_dbm: int
    """Received signal strength, −127 to −1 dBm; any other value says that it is unknown."""
    heard_at: float
    """Time of reception by the agent's clock (UTC Unix seconds)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Capabilities of a radio, known once it is open."""

    can_advertise: bool
    can_scan: bool
    exact_bytes: bool
    """Whether the bytes on the air are exactly the specification's, Flags included."""
    agent_chosen_address: bool
    """Whether the agent chooses the address that goes with an identifier."""
    note: str = ""
    """A remark for a person who chooses a radio; "" if none is needed."""
    listens_while_sending: bool = True
    """Whether the advertisement keeps its address while the adapter listens. If not, the agent may
    listen only while nothing is sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a self-test, for the device's owner."""

    ok: bool
    """Whether it works."""
    text: Text
    """What was tried, and the result."""


class Radio(Protocol):
    """A Bluetooth adapter, or anything that stands in for one.

    It is an asynchronous context manager: entering opens the adapter, leaving silences it. Every
    method raises `RadioError`, whose text says what to do, and none waits for ever. After
    `RadioFault.CONNECTION_LOST` the radio must be opened again.
    """

    @property
    def name(self) -> str:
        """The text that the radio was opened with."""

    @property
    def capabilities(self) -> Capabilities:
        """What the radio can do."""

    @property
    def clock(self) -> Clock:
        """The clock that the agent must use: the one it passed in, or a recording's own."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can ever be heard; only a recording ends."""

    @property
    def rejected(self) -> Counter[AdvertisementFault]:
        """Number of received advertisements without an identifier, by reason."""

    @property
    def without_rssi(self) -> int:
        """Number of identifiers received without a signal strength; they are not delivered."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def rotate(self, advertisement: Advertisement | None) -> None:
        """Replace identifier, metadata and address in one step; with None, stop sending.

        Scanning pauses for the step. After an error nothing is on the air.
        """

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        """Listen for `seconds` of the agent's clock, and call `heard` for every packet."""

    async def rest(self, seconds: float) -> None:
        """Wait for `seconds` of the agent's clock; raise at once if the radio is lost."""

    async def self_test(self) -> list[Finding]:
        """Send and listen, and return what works; the radio is silent afterwards."""


def seconds_on_air(clock: Clock) -> int:
    """Return how long an advertisement may outlive the agent, in whole seconds of real time.

    That is the protocol's longest time, 20 minutes of the agent's clock, but at least 20 seconds:
    a fast clock does not make an adapter faster.
    """
    return max(_SHORTEST_ON_AIR_SECONDS, int(_LONGEST_ON_AIR_SECONDS / getattr(clock, "rate", 1.0)))
