"""Sightings of many logs in memory, as columns."""

from __future__ import annotations

import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matcher.columns.shape import check_column
from matcher.columns.strengths import unmeasured_rows
from matcher.many.source import LATEST, LoadedLogs, LogId, Tally, Unreadable
from tracing_core.errors import InvalidValue
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.sighting import Sighting

__all__ = ["ManyLogs"]

_UNKNOWN = -1


@dataclass(frozen=True, slots=True, repr=False)
class ManyLogs:
    """Sightings of many logs in memory, one per row, in each log's order.

    Raises
    ------
    InvalidValue
        When a column has the wrong type, length or layout, or a time is outside the protocol.
    """

    log_ids: Sequence[LogId]
    """The logs, each once, including those without a sighting."""
    log: NDArray[np.int32]
    """For each sighting, the place of its log in `log_ids`."""
    rpi: NDArray[np.uint8]
    """Rolling Proximity Identifiers, shape (n, 16)."""
    aem: NDArray[np.uint8]
    """Associated Encrypted Metadata, shape (n, 4)."""
    seen_at: NDArray[np.int64]
    """UTC Unix seconds."""
    previous_scan_at: NDArray[np.int64]
    """UTC Unix seconds; −1 if unknown."""
    clock_suspect: NDArray[np.bool_]
    """Whether the device's clock had jumped back; such a sighting never matches."""
    rssi_dbm: NDArray[np.int8]
    """All samples, sighting by sighting."""
    rssi_end: NDArray[np.int64]
    """Where each sighting's samples begin and end in `rssi_dbm`, shape (n + 1)."""
    unreadable: Mapping[LogId | None, Unreadable] = field(default_factory=dict)
    """What was left out of each log; a log that was left out whole is not in `log_ids`."""

    def __post_init__(self) -> None:
        rows = len(self.rpi)
        for name, shape, kind in (
            ("log", (rows,), "int32"),
            ("rpi", (rows, RPI_LENGTH), "uint8"),
            ("aem", (rows, AEM_LENGTH), "uint8"),
            ("seen_at", (rows,), "int64"),
            ("previous_scan_at", (rows,), "int64"),
            ("clock_suspect", (rows,), "bool"),
            ("rssi_dbm", (len(self.rssi_dbm),), "int8"),
            ("rssi_end", (rows + 1,), "int64"),
        ):
            check_column(name, getattr(self, name), shape, kind)
        if not rows:
            return
        if self.log.min() < 0 or self.log.max() >= len(self.log_ids):
            raise InvalidValue("column log must hold places in log_ids")
        if self.seen_at.min() < 0 or self.seen_at.max() >= LATEST:
            raise InvalidValue("column seen_at must be UTC Unix seconds")

    def __len__(self) -> int:
        return len(self.rpi)

    @classmethod
    def from_sightings(
        cls,
        logs: Mapping[LogId, Iterable[Sighting]],
        unreadable: Mapping[LogId | None, Unreadable] | None = None,
    ) -> ManyLogs:
        """Make columns of logs of sighting objects.

        What was left out of them may be noted in `unreadable` until their last sighting is read.
        """
        left_out = {} if unreadable is None else unreadable
        log_ids: list[LogId] = []
        # Arrays of machine numbers, because lists would take more memory than the columns.
        rpis, aems, suspects = bytearray(), bytearray(), bytearray()
        log, rssi = array.array("i"), array.array("b")
        seen_at, previous, ends = array.array("q"), array.array("q"), array.array("q", [0])
        for log_id, sightings in logs.items():
            rows = len(log)
            for one in sightings:
                log.append(len(log_ids))
                rpis += one.rpi
                aems += one.aem
                suspects.append(one.clock_suspect)
                rssi.extend(one.rssi_dbm)
                ends.append(len(rssi))
                seen_at.append(one.seen_at)
                previous.append(_UNKNOWN if one.previous_scan_at is None else one.previous_scan_at)
            if len(log) > rows or log_id not in left_out:
                log_ids.append(log_id)
        return cls(
            log_ids,
            np.frombuffer(log, "int32"),
            np.frombuffer(rpis, "uint8").reshape(len(log), RPI_LENGTH),
            np.frombuffer(aems, "uint8").reshape(len(log), AEM_LENGTH),
            np.frombuffer(seen_at, "int64"),
            np.frombuffer(previous, "int64"),
            np.frombuffer(suspects, "bool"),
            np.frombuffer(rssi, "int8"),
            np.frombuffer(ends, "int64"),
            left_out,
        )

    def read(self) -> LoadedLogs:
        """Return itself, since it is in memory."""
        return self

    def tally(self) -> Tally:
        """Return the totals of every log."""
        from matcher.many.join import tally_logs

        logs = len(self.log_ids)
        totals = tally_logs(logs, self.log, self.seen_at, self.clock_suspect)
        return Tally(*totals, np.bincount(self.log[self._unmeasured()], minlength=logs))

    def _unmeasured(self) -> NDArray[np.int64]:
        """Return the rows of unknown strength, without those under a suspect clock."""
        rows = unmeasured_rows(self.rssi_dbm, self.rssi_end[1:])
        return rows[~self.clock_suspect[rows]]

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows as objects."""
        return [self._sighting(row) for row in rows.tolist()]

    def _sighting(self, row: int) -> Sighting:
        previous = int(self.previous_scan_at[row])
        samples = self.rssi_dbm[self.rssi_end[row] : self.rssi_end[row + 1]]
        return Sighting(
            self.rpi[row].tobytes(),
            self.aem[row].tobytes(),
            tuple(samples.tolist()),
            int(self.seen_at[row]),
            None if previous == _UNKNOWN else previous,
            bool(self.clock_suspect[row]),
        )

    def parts(self, sightings: int) -> Iterator[ManyLogs]:
        """Yield parts of at most so many sightings; a longer log is a part of its own."""
        start = 0
        while start < len(self):
            end = self._log_end(min(start + sightings, len(self)), start)
            yield self._part(start, end)
            start = end

    def _log_end(self, at: int, start: int) -> int:
        """Return the end of a log nearest to a row: before it, or else after it."""
        if at == len(self) or self.log[at] != self.log[at - 1]:
            return at
        for part, base in ((self.log[start:at][::-1], -1), (self.log[at:], 1)):
            others = part != self.log[at]
            steps = int(others.argmax())
            if others.any():
                return at + base * steps
        return len(self)

    def _part(self, start: int, end: int) -> ManyLogs:
        rows = slice(start, end)
        first, last = self.rssi_end[start], self.rssi_end[end]
        return ManyLogs(
            self.log_ids,
            self.log[rows],
            self.rpi[rows],
            self.aem[rows],
            self.seen_at[rows],
            self.previous_scan_at[rows],
            self.clock_suspect[rows],
            self.rssi_dbm[first:last],
            self.rssi_end[start : end + 1] - first,
        )
