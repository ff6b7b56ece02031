"""Key ring: the device's own keys, one per UTC day, and the intervals for which each was used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ble_agent.store.database import RETENTION_SECONDS, compact, note_deletion
from ble_agent.store.vault import open_vault, own_key_purpose
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.interval import (
    INTERVAL_SECONDS,
    ENIntervalNumber,
    interval_number,
    interval_start,
    rolling_start,
)
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi
from tracing_core.protocol.temporary_exposure_key import (
    KEY_LENGTH,
    TemporaryExposureKey,
    derive_aemk,
)
from tracing_core.store.database import Database
from tracing_core.store.sqlite import database_errors, path_of, transaction

__all__ = ["KeyRing"]


class KeyRing:
    """The keys in the agent's database, each sealed with a secret kept outside it.

    The number of an interval is on the disk before its identifier may be sent. Only later numbers
    of the same key are given out. So no identifier is ever sent again after an interruption,
    wherever the process died.

    Parameters
    ----------
    db
        The agent's database; keys that an earlier version left unsealed are sealed now.
    environment
        Environment in which ``CREDENTIALS_DIRECTORY`` is looked up.

    Raises
    ------
    StoreError
        When unsealed keys cannot be sealed.
    """

    def __init__(self, db: Database, environment: Mapping[str, str] = os.environ) -> None:
        self._db = db
        self._path = Path(path_of(db))
        self._vault = open_vault(self._path.parent, environment)
        self._seal_old_keys()

    def _seal_old_keys(self) -> None:
        is_open = "SELECT rolling_start, key_data FROM own_key WHERE length(key_data) = ?"
        with database_errors(self._path):
            if self._db.conn.execute(is_open, [KEY_LENGTH]).fetchone() is None:
                return
        with transaction(self._db):
            for start, key_data in self._db.conn.execute(is_open, [KEY_LENGTH]).fetchall():
                self._db.conn.execute(
                    "UPDATE own_key SET key_data = ? WHERE rolling_start = ?",
                    [self._seal(key_data, start), start],
                )
            note_deletion(self._db)
        compact(self._db)

    def _seal(self, key_data: bytes, start: int) -> bytes:
        row = self._db.conn.execute(
            "SELECT 1 FROM own_key WHERE length(key_data) > ?", [KEY_LENGTH]
        ).fetchone()
        return self._vault.seal(key_data, own_key_purpose(start), is_first=row is None)

    def _key(self, sealed: bytes, start: int, period: int) -> TemporaryExposureKey:
        key_data = self._vault.unseal(sealed, own_key_purpose(start))
        return TemporaryExposureKey(key_data, ENIntervalNumber(start), period)

    def next_advertisement(self, now: float, metadata: Metadata) -> Advertisement | None:
        """Record the current interval as sent, and return what to send from now on.

        The day's key is made when it is first needed.

        Parameters
        ----------
        now
            The time in UTC Unix seconds.
        metadata
            What the device sends about itself.

        Returns
        -------
        Advertisement or None
            None if the current interval, or a later one of the same key, was already sent; stay
            silent for `silent_seconds`.

        Raises
        ------
        InvalidInterval
            When the clock shows a time before 1970.
        StoreError
            When the interval cannot be recorded, or the key cannot be unsealed; nothing may be sent
            then.
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
            return self._key(*row)
        tek = TemporaryExposureKey.generate(interval)
        start = tek.rolling_start_interval_number
        known = self._db.conn.execute("SELECT 1 FROM own_key WHERE rolling_start = ?", [start])
        if known.fetchone() is not None:
            return None
        self._db.conn.execute(
            "INSERT INTO own_key (rolling_start, rolling_period, key_data, last_interval)"
            " VALUES (?, ?, ?, ?)",
            [start, tek.rolling_period, self._seal(tek.key_data, start), interval],
        )
        return tek

    def key_of(self, start: int) -> TemporaryExposureKey | None:
        """Return the key whose use began with an interval; None without one.

        Raises
        ------
        StoreError
            When it cannot be read or unsealed.
        """
        with database_errors(self._path):
            row = self._db.conn.execute(
                "SELECT key_data, rolling_start, rolling_period FROM own_key"
                " WHERE rolling_start = ?",
                [start],
            ).fetchone()
        return None if row is None else self._key(*row)

    def take_over(self, key: TemporaryExposureKey) -> None:
        """Add a key of another device, in the caller's transaction, for days without a key.

        It counts as used beyond its last interval, since that device may still send its
        identifiers: here it can only be reported.

        Raises
        ------
        StoreError
            When it cannot be sealed.
        """
        start = key.rolling_start_interval_number
        self._db.conn.execute(
            "INSERT INTO own_key (rolling_start, rolling_period, key_data, last_interval)"
            " VALUES (?, ?, ?, ?)",
            [
                start,
                key.rolling_period,
                self._seal(key.key_data, start),
                key.end_interval_number,
            ],
        )

    def silent_seconds(self, now: float) -> float:
        """Return how long nothing may be sent; 0 if an identifier may be sent at once.

        Raises
        ------
        StoreError
            When the database cannot be read.
        """
        with database_errors(self._path):
            row = self._db.conn.execute(
                "SELECT min(last_interval + 1, rolling_start + rolling_period) FROM own_key"
                " WHERE rolling_start = ?",
                [rolling_start(interval_number(now))],
            ).fetchone()
        return 0.0 if row is None else max(0.0, interval_start(row[0]) - now)

    def keys_to_report(self, now: float) -> list[TemporaryExposureKey]:
        """Return the keys for the last 14 days and today, oldest first.

        Raises
        ------
        StoreError
            When the keys cannot be read or unsealed.
        """
        with database_errors(self._path):
            rows = self._db.conn.execute(
                "SELECT key_data, rolling_start, rolling_period FROM own_key"
                " WHERE (rolling_start + rolling_period) * ? >= ? AND rolling_start <= ?"
                " ORDER BY rolling_start",
                [INTERVAL_SECONDS, int(now) - RETENTION_SECONDS, interval_number(now)],
            ).fetchall()
        return [self._key(*row) for row in rows]


def _purpose(start: int) -> bytes:
    return b"own_key %d" % start
