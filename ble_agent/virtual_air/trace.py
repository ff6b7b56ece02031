"""The trace of a virtual air, as JSON Lines: the truth that agents' logs are compared with.

One line per run of equal packets, written when the run ends. A trace holds addresses and
identifiers in the clear, of invented devices.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

from tracing_core.errors import StoreError

__all__ = ["HeardRun", "Run", "SentRun", "Trace", "TraceWriter", "read_trace"]


_Run = TypeVar("_Run", "SentRun", "HeardRun")


class Run:
    """A run under way: equal packets from one sender and, if heard, at one receiver."""

    __slots__ = ("count", "first", "last", "rssi_max", "rssi_min", "rssi_sum")

    def __init__(self, first: float) -> None:
        self.first = first
        """Time of the first packet by the air's clock (UTC Unix seconds)."""
        self.last = first
        self.count = 0
        self.rssi_min = 127
        self.rssi_max = -128
        self.rssi_sum = 0

    def sent(self, moment: float) -> None:
        """Count one packet."""
        self.last = moment
        self.count += 1

    def heard(self, moment: float, rssi_dbm: int) -> None:
        """Count one packet and its signal strength."""
        self.sent(moment)
        self.rssi_sum += rssi_dbm
        if rssi_dbm < self.rssi_min:
            self.rssi_min = rssi_dbm
        if rssi_dbm > self.rssi_max:
            self.rssi_max = rssi_dbm


@dataclass(frozen=True, slots=True)
class SentRun:
    """A finished run of equal packets from one sender; times are UTC Unix seconds."""

    sender: str
    address: str
    data: str
    """Advertising data, in hexadecimal."""
    first: float
    last: float
    count: int


@dataclass(frozen=True, slots=True)
class HeardRun:
    """The part of a run that one receiver heard in one scan; strengths are in dBm."""

    sender: str
    receiver: str
    first: float
    last: float
    count: int
    rssi_min: float
    rssi_mean: float
    rssi_max: float


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that happened on the air; times are UTC Unix seconds of the air's clock."""

    sent: tuple[SentRun, ...]
    heard: tuple[HeardRun, ...]


def read_trace(path: Path) -> Trace:
    """Read a trace that `TraceWriter` wrote."""
    sent, heard = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields: dict[str, Any] = json.loads(line)
        if fields["kind"] == "sent":
            sent.append(_from_fields(SentRun, fields))
        elif fields["kind"] == "heard":
            heard.append(_from_fields(HeardRun, fields))
    return Trace(tuple(sent), tuple(heard))


def _from_fields(kind: type[_Run], fields: dict[str, Any]) -> _Run:
    return kind(**{field.name: fields[field.name] for field in dataclasses.fields(kind)})


class TraceWriter:
    """Writes a line for every run when the run ends; without a path it writes nothing.

    Raises
    ------
    StoreError
        When the file cannot be opened; `close` raises it if a line could not be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._failure: StoreError | None = None
        if path is not None:
            try:
                # Line by line, so that a reader sees every run as soon as it ends.
                self._file = path.open("w", encoding="utf-8", buffering=1)
            except OSError as error:
                raise self._error(error) from error

    def write_sent(self, sender: str, address: str, data: bytes, run: Run) -> None:
        """Write a run that a sender has ended."""
        self._write({"kind": "sent", "sender": sender}, address, data, run, {})

    def write_heard(self, sender: str, receiver: str, address: str, data: bytes, run: Run) -> None:
        """Write the part of a run that a receiver heard in one scan."""
        self._write(
            {"kind": "heard", "sender": sender, "receiver": receiver},
            address,
            data,
            run,
            {
                "rssi_min": run.rssi_min,
                "rssi_mean": round(run.rssi_sum / run.count, 2),
                "rssi_max": run.rssi_max,
            },
        )

    def close(self) -> None:
        """Close the file; runs that were not written are lost.

        Raises
        ------
        StoreError
            When the file is incomplete.
        """
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        if self._failure is not None:
            raise self._failure

    def _write(
        self, who: dict[str, Any], address: str, data: bytes, run: Run, signal: dict[str, Any]
    ) -> None:
        if self._file is None or self._failure is not None:
            return
        line = who | {
            "address": address,
            "data": data.hex(),
            "first": round(run.first, 4),
            "last": round(run.last, 4),
            "count": run.count,
        }
        try:
            self._file.write(json.dumps(line | signal, separators=(",", ":")) + "\n")
        except OSError as error:
            # The air continues: a client's command must not fail because of a full disk.
            self._failure = self._error(error)

    def _error(self, error: OSError) -> StoreError:
        return StoreError(f"cannot write {self._path}: {error.strerror}")
