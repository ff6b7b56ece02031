"""Scenario of a virtual air: its controllers, where they are, and how signals travel."""

from __future__ import annotations

import enum
import math
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from tracing_core.errors import InvalidValue

__all__ = ["AirMode", "Pair", "Place", "Scenario", "Waypoint"]

_MOST_CONTROLLERS = 256
_NEAREST_M = 0.1
_NUMBERS = {
    "transmit_dbm": (-127.0, 20.0),
    "path_loss_exponent": (0.0, 10.0),
    "path_loss_at_1m_db": (0.0, 200.0),
    "noise_db": (0.0, 50.0),
    "loss": (0.0, 1.0),
    "sensitivity_dbm": (-127.0, 20.0),
}


class AirMode(enum.Enum):
    """Commands for advertising and scanning that the controllers of an air support."""

    LEGACY = "legacy"
    """Only those of Bluetooth 4, as on a Raspberry Pi."""
    EXTENDED = "extended"
    """Only those of Bluetooth 5."""
    BOTH = "both"
    """Both families, but after one of them the other is refused until a reset."""


class Waypoint(NamedTuple):
    """Position of a controller at one time."""

    seconds: float
    """Seconds since the scenario's start."""
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class Place:
    """A controller's name and path.

    Raises
    ------
    InvalidValue
        When the name is unusable, or the path is empty or not ordered by time.
    """

    name: str
    path: tuple[Waypoint, ...] = (Waypoint(0.0, 0.0, 0.0),)
    """Straight and steady between waypoints; it stands before the first and after the last."""
    port: int = 0
    """TCP port to serve it on; 0 for any free one."""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 40 or not self.name.isprintable():
            raise InvalidValue("a controller needs a printable name of 1 to 40 characters")
        if not 0 <= self.port <= 65535:
            raise InvalidValue(f"controller {self.name}: port must be 0 to 65535")
        if not self.path:
            raise InvalidValue(f"controller {self.name}: path needs a waypoint [seconds, x, y]")
        if not all(math.isfinite(value) for waypoint in self.path for value in waypoint):
            raise InvalidValue(f"controller {self.name}: path must have finite numbers")
        moments = [waypoint.seconds for waypoint in self.path]
        if moments != sorted(moments):
            raise InvalidValue(f"controller {self.name}: path must be in order of time")

    def at(self, seconds: float) -> tuple[float, float]:
        """Return x and y in metres, `seconds` after the start."""
        after = bisect_right(self.path, seconds, key=lambda waypoint: waypoint.seconds)
        if after == 0:
            return self.path[0].x_m, self.path[0].y_m
        before = self.path[after - 1]
        if after == len(self.path):
            return before.x_m, before.y_m
        ahead = self.path[after]
        part = (seconds - before.seconds) / (ahead.seconds - before.seconds)
        return (
            before.x_m + part * (ahead.x_m - before.x_m),
            before.y_m + part * (ahead.y_m - before.y_m),
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """Two controllers with a fixed signal strength between them, wherever they are.

    Raises
    ------
    InvalidValue
        When the two are the same, or the strength is out of range.
    """

    between: tuple[str, str]
    rssi_dbm: float
    """Mean strength at which each hears the other."""

    def __post_init__(self) -> None:
        one, other = self.between
        if one == other:
            raise InvalidValue(f"[[pair]] {one}: between must name two controllers")
        if not -127.0 <= self.rssi_dbm <= 20.0:
            raise InvalidValue(f"[[pair]] {one}, {other}: rssi_dbm must be -127 to 20")


@dataclass(frozen=True, slots=True)
class Scenario:
    """An air and its controllers.

    The signal strength of a packet is `transmit_dbm` − path loss + noise. The path loss over d
    metres is `path_loss_at_1m_db` + 10 · `path_loss_exponent` · log10 d. Between a `Pair` the
    strength is the pair's + noise.

    Raises
    ------
    InvalidValue
        When a value is out of range, two controllers share a name, or a pair is listed twice or
        names an unknown controller.
    """

    places: tuple[Place, ...]
    mode: AirMode = AirMode.LEGACY
    transmit_dbm: float = 0.0
    path_loss_exponent: float = 2.0
    """2 in free space."""
    path_loss_at_1m_db: float = 40.0
    """40 in free space at 2.4 GHz."""
    noise_db: float = 0.0
    """Standard deviation of a packet's signal strength."""
    loss: float = 0.0
    """Fraction of packets that a receiver misses, 0 to 1."""
    sensitivity_dbm: float = -100.0
    """Weaker packets are not heard."""
    seed: int = 1
    """Seed of loss, noise and the delays of advertising."""
    start: float | None = None
    """The clock's time at second 0 (UTC Unix seconds); None for the start of the air."""
    pairs: tuple[Pair, ...] = ()
    """Pairs with a fixed signal strength."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.places) <= _MOST_CONTROLLERS:
            raise InvalidValue(f"an air has 1 to {_MOST_CONTROLLERS} controllers")
        names = [place.name for place in self.places]
        if len(set(names)) < len(names):
            raise InvalidValue("two controllers share a name")
        for pair in self.pairs:
            for name in pair.between:
                if name not in names:
                    raise InvalidValue(f"[[pair]]: unknown controller {name!r:.40}")
        if len({frozenset(pair.between) for pair in self.pairs}) < len(self.pairs):
            raise InvalidValue("two [[pair]] are between the same controllers")
        for name, (low, high) in _NUMBERS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidValue(f"{name} must be {low:g} to {high:g}, not {value}")

    def signal_dbm(self, distance_m: float) -> float:
        """Return the mean signal strength over a distance."""
        distance = math.log10(max(distance_m, _NEAREST_M))
        return (
            self.transmit_dbm - self.path_loss_at_1m_db - 10.0 * self.path_loss_exponent * distance
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file; its fields are in ``docs/virtual-air.md``.

        Raises
        ------
        InvalidValue
            When the file cannot be read, or a value is wrong; the text names the file and the
            field.
        """
        try:
            with path.open("rb") as stream:
                document = tomllib.load(stream)
            return cls.from_table(document)
        except OSError as error:
            raise InvalidValue(
                f"cannot read {path} ({error.strerror or error}): check the path and who owns it"
            ) from error
        except ValueError as error:
            raise InvalidValue(f"{path}: {error}") from error

    @classmethod
    def from_table(cls, document: Mapping[str, Any]) -> Self:
        """Read the tables of a TOML file: `air`, and arrays of `controller` and `pair`.

        Raises
        ------
        InvalidValue
            When a field is missing, unknown or wrong.
        """
        for name in document:
            if name not in ("air", "controller", "pair"):
                raise InvalidValue(f"unknown section {name!r:.40}: use air, controller or pair")
        settings = document.get("air", {})
        controllers, pairs = document.get("controller", []), document.get("pair", [])
        if (
            not isinstance(settings, dict)
            or not isinstance(controllers, list)
            or not isinstance(pairs, list)
        ):
            raise InvalidValue(
                "a scenario has a table [air], and tables [[controller]] and [[pair]]"
            )
        known = {field.name for field in fields(cls)} - {"places", "pairs"}
        values: dict[str, Any] = {}
        for name, value in settings.items():
            if name not in known:
                raise InvalidValue(f"[air]: unknown field {name!r:.40}")
            values[name] = _air_value(name, value)
        return cls(
            places=tuple(_place(controller) for controller in controllers),
            pairs=tuple(_pair(pair) for pair in pairs),
            **values,
        )


def _air_value(name: str, value: Any) -> Any:
    if name == "mode":
        try:
            return AirMode(value)
        except ValueError as error:
            modes = ", ".join(mode.value for mode in AirMode)
            raise InvalidValue(f"mode must be one of {modes}") from error
    if name == "seed":
        if type(value) is not int:
            raise InvalidValue("seed must be an integer")
        return value
    return _number(name, value)


def _place(controller: Any) -> Place:
    if not isinstance(controller, dict) or not isinstance(controller.get("name"), str):
        raise InvalidValue("every [[controller]] needs a name")
    for name in controller:
        if name not in ("name", "path", "port"):
            raise InvalidValue(f"[[controller]]: unknown field {name!r:.40}")
    port = controller.get("port", 0)
    if type(port) is not int:
        raise InvalidValue("port must be an integer")
    path = controller.get("path", [[0, 0, 0]])
    if not isinstance(path, list):
        raise InvalidValue("path must be a list of [seconds, x, y]")
    waypoints = []
    for waypoint in path:
        if not isinstance(waypoint, list) or len(waypoint) != 3:
            raise InvalidValue("path must be a list of [seconds, x, y]")
        waypoints.append(Waypoint(*(_number("path", value) for value in waypoint)))
    return Place(controller["name"], tuple(waypoints), port)


def _pair(pair: Any) -> Pair:
    if not isinstance(pair, dict) or pair.keys() != {"between", "rssi_dbm"}:
        raise InvalidValue("every [[pair]] needs between and rssi_dbm, and nothing else")
    between = pair["between"]
    if (
        not isinstance(between, list)
        or len(between) != 2
        or not all(isinstance(name, str) for name in between)
    ):
        raise InvalidValue("between must be a list of two names")
    return Pair((between[0], between[1]), _number("rssi_dbm", pair["rssi_dbm"]))


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{name} must be a number")
    number = float(value) if abs(value) < 1e15 else math.inf
    if not math.isfinite(number):
        raise InvalidValue(f"{name} must be a finite number")
    return number
