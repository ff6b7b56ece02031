"""The device's own keys, one a UTC day, and which of their identifiers were sent."""

from __future__ import annotations

from ble_agent.store import RETENTION_SECONDS
from tracing_core.advertisement import Advertisement
from tracing_core.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.interval import (
    INTERVAL_SECONDS,
    ENIntervalNumber,
    interval_number,
    interval_start,
    rolling_start,
)
from tracing_core.rolling_proximity_identifier import derive_rpi
from tracing_core.sqlite import Database, transaction
from tracing_core.temporary_exposure_key import TemporaryExposureKey, derive_aemk

__all__ = ["KeyRing"]


class KeyRing:
    """The keys in the agent's database.

    An interval's number is on the disk before its identifier may go on the air, and only numbers
    later than those written for the same key are given out, so no identifier is ever sent again
    after an interruption, wherever the process died.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def next_advertisement(self, now: float, metadata: Metadata) -> Advertisement | None:
        """Write down the interval of a moment as sent, and return what to send from now on.

        The day's key is made when it is first needed.

        Parameters
        ----------
        now
            The time in UTC Unix seconds.
        metadata
            What the device says of itself.

        Returns
        -------
        Advertisement or None
            None while that interval, or a later one of its key, was sent before: stay silent for
            `silent_seconds`.

        Raises
        ------
        InvalidInterval
            When the clock is before 1970.
        StoreError
            When it cannot be written down; nothing may be sent then.
        """
        interval = interval_number(now)
        with transaction(self._db):
            tek = self._claim(interval)
        if tek is None:
            return None
        rpi = derive_rpi(tek, interval)
        return Advertisement(rpi, encrypt_aem(derive_aemk(tek.key_data), rpi, metadata))

    def _claim(self, interval: ENIntervalNumber) -> TemporaryExposureKey | None:
        row = self._db.conn.execute(
            "UPDATE own_key SET last_interval = ? WHERE rolling_start = ? AND last_interval < ?"
            " RETURNING key_data, rolling_start, rolling_period",
            [interval, rolling_start(interval), interval],
        ).fetchone()
        if row is not None:
            return TemporaryExposureKey(*row)
        tek = TemporaryExposureKey.generate(interval)
        made = self._db.conn.execute(
            "INSERT INTO own_key (rolling_start, rolling_period, key_data, last_interval)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [tek.rolling_start_interval_number, tek.rolling_period, tek.key_data, interval],
        ).rowcount
        return tek if made else None

    def silent_seconds(self, now: float) -> float:
        """Tell how long nothing may be sent, 0 if an identifier may be sent at once."""
        row = self._db.conn.execute(
            "SELECT last_interval FROM own_key WHERE rolling_start = ?",
            [rolling_start(interval_number(now))],
        ).fetchone()
        return 0.0 if row is None else max(0.0, interval_start(row[0] + 1) - now)

    def keys_to_report(self, now: float) -> list[TemporaryExposureKey]:
        """Return the keys of the last 14 days and today's, oldest first."""
        rows = self._db.conn.execute(
            "SELECT key_data, rolling_start, rolling_period FROM own_key"
            " WHERE (rolling_start + rolling_period) * ? >= ? AND rolling_start <= ?"
            " ORDER BY rolling_start",
            [INTERVAL_SECONDS, int(now) - RETENTION_SECONDS, interval_number(now)],
        )
        return [TemporaryExposureKey(*row) for row in rows]
