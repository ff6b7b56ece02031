from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import forget, make_home, open_store
from ble_agent.store.vault import CREDENTIAL_NAME, KEY_FILE
from tracing_core.errors import InvalidInterval, StoreError
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata, decrypt_aem
from tracing_core.protocol.interval import interval_number, interval_start, rolling_start
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi, rpis_of
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_aemk
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

DAY = 86_400
MIDNIGHT = 19_000 * DAY
METADATA = Metadata(transmit_power_dbm=-8, minor_version=1)


def test_the_key_is_the_days_and_the_identifier_the_intervals(tmp_path: Path) -> None:
    now = MIDNIGHT + 5000
    with open_store(tmp_path) as db:
        ring = KeyRing(db)
        sent = ring.next_advertisement(now, METADATA)
        (tek,) = ring.keys_to_report(now)
    assert sent is not None
    assert tek.rolling_start_interval_number == MIDNIGHT // 600
    assert tek.rolling_period == 144
    assert sent.rpi == derive_rpi(tek, interval_number(now))
    assert decrypt_aem(derive_aemk(tek.key_data), sent.rpi, sent.aem) == METADATA


def test_an_interval_is_given_once_whatever_process_asks(tmp_path: Path) -> None:
    now = MIDNIGHT + 50.0
    with open_store(tmp_path) as db, open_store(tmp_path) as other:
        assert KeyRing(db).silent_seconds(now) == 0
        assert KeyRing(db).next_advertisement(now, METADATA) is not None
        assert KeyRing(other).next_advertisement(now, METADATA) is None
        assert KeyRing(other).next_advertisement(now + 549, METADATA) is None
        assert KeyRing(other).silent_seconds(now) == 550
        assert KeyRing(other).next_advertisement(now + 550, METADATA) is not None


def test_a_clock_set_back_sends_nothing_again(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        ring = KeyRing(db)
        assert ring.next_advertisement(MIDNIGHT + 30_000, METADATA)
        assert ring.next_advertisement(MIDNIGHT + 10_000, METADATA) is None
        assert ring.silent_seconds(MIDNIGHT + 10_000) == 30_000 + 600 - 10_000
        assert ring.next_advertisement(MIDNIGHT + 30_600, METADATA)


def test_a_clock_that_was_once_years_ahead_does_not_silence_the_device(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        ring = KeyRing(db)
        assert ring.next_advertisement(MIDNIGHT + 3650 * DAY, METADATA)
        assert ring.next_advertisement(MIDNIGHT, METADATA)
        assert [tek.expires_at for tek in ring.keys_to_report(MIDNIGHT)] == [MIDNIGHT + DAY]


def test_a_clock_before_1970_is_an_error(tmp_path: Path) -> None:
    with open_store(tmp_path) as db, pytest.raises(InvalidInterval):
        KeyRing(db).next_advertisement(-1.0, METADATA)


def sealed_keys(db: Database) -> dict[int, bytes]:
    return {row[0]: row[1] for row in db.execute("SELECT rolling_start, key_data FROM own_key")}


def everything_in(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.iterdir())


def test_keys_older_than_fourteen_days_are_gone_from_the_files(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        ring = KeyRing(db)
        for day in range(20):
            assert ring.next_advertisement(MIDNIGHT + day * DAY, METADATA)
        sealed = sealed_keys(db)
        now = MIDNIGHT + 19 * DAY
        assert forget(db, now) == 4
        raw = everything_in(tmp_path)
        for start, key_data in sealed.items():
            expired = interval_start(start + 144) < now - 14 * DAY
            assert (key_data in raw) != expired
        assert len(ring.keys_to_report(now)) == 16


def test_no_key_lies_open_in_any_file(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        ring = KeyRing(db, {})
        for day in range(14):
            ring.next_advertisement(MIDNIGHT + day * DAY, METADATA)
        keys = ring.keys_to_report(MIDNIGHT + 13 * DAY)
        raw = everything_in(tmp_path)
        assert len(keys) == 14
        assert not [key for key in keys if key.key_data in raw]
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
        assert KeyRing(db, {}).keys_to_report(MIDNIGHT + 13 * DAY) == keys


def test_a_key_opens_only_in_the_row_it_belongs_to(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        KeyRing(db).next_advertisement(MIDNIGHT, METADATA)
        db.conn.execute("UPDATE own_key SET rolling_start = rolling_start - 144")
        with pytest.raises(StoreError, match="restore"):
            KeyRing(db).keys_to_report(MIDNIGHT)


def test_keys_of_an_earlier_version_are_sealed_and_leave_no_byte(tmp_path: Path) -> None:
    teks = [TemporaryExposureKey.generate(MIDNIGHT // 600 + 144 * day) for day in range(14)]
    filler = Random(1)
    with open_store(tmp_path) as db:
        # The filler is of sizes that no key has.
        db.execute("PRAGMA ignore_check_constraints = ON")
        for tek in teks:
            # Rows of all sizes come and go in between, so that pages split and rows are moved.
            with transaction(db):
                db.conn.execute(
                    "INSERT INTO own_key VALUES (?, ?, ?, ?)",
                    [tek.rolling_start_interval_number, 144, tek.key_data, 0],
                )
                for number in range(300):
                    start = filler.randrange(2 * (MIDNIGHT // 600))
                    db.conn.execute(
                        "INSERT OR REPLACE INTO own_key VALUES (?, 144, zeroblob(?), 0)",
                        [start | 1, 17 + filler.randrange(300)],
                    )
                    if number % 3 == 0:
                        db.conn.execute(
                            "DELETE FROM own_key WHERE rolling_start > ? AND length(key_data) > 17"
                            " AND rolling_start & 1",
                            [start],
                        )
        with transaction(db):
            db.conn.execute("DELETE FROM own_key WHERE rolling_start & 1")
        assert all(tek.key_data in everything_in(tmp_path) for tek in teks)
        ring = KeyRing(db, {})
        raw = everything_in(tmp_path)
        assert not [tek for tek in teks if tek.key_data in raw]
        assert ring.keys_to_report(MIDNIGHT + 13 * DAY) == teks
        assert ring.next_advertisement(MIDNIGHT, METADATA) is not None


def test_a_migration_that_breaks_off_goes_on(tmp_path: Path) -> None:
    tek = TemporaryExposureKey.generate(interval_number(MIDNIGHT))
    with open_store(tmp_path) as db, open_store(tmp_path) as reader:
        row = [tek.rolling_start_interval_number, tek.key_data]
        db.conn.execute("INSERT INTO own_key VALUES (?, 144, ?, 0)", row)
        reader.conn.execute("BEGIN")
        reader.conn.execute("SELECT * FROM own_key").fetchall()
        # While somebody reads an older state, its bytes cannot be removed.
        db.conn.execute("PRAGMA busy_timeout = 10")
        KeyRing(db, {})
        assert tek.key_data in everything_in(tmp_path)
        reader.conn.execute("COMMIT")
        assert forget(db, MIDNIGHT) == 0
        assert tek.key_data not in everything_in(tmp_path)


def test_the_key_may_come_from_the_service_manager(tmp_path: Path) -> None:
    credentials, home = tmp_path / "credentials", tmp_path / "home"
    credentials.mkdir()
    home.mkdir()
    (credentials / CREDENTIAL_NAME).write_bytes(bytes(range(32)))
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    with open_store(home) as db:
        KeyRing(db, environment).next_advertisement(MIDNIGHT, METADATA)
        assert not (home / KEY_FILE).exists()
        assert len(KeyRing(db, environment).keys_to_report(MIDNIGHT)) == 1
        with pytest.raises(StoreError, match=CREDENTIAL_NAME) as caught:
            KeyRing(db, {}).keys_to_report(MIDNIGHT)
        assert "\n" not in str(caught.value)
        # Without it nothing new is begun either, for then two keys would be needed.
        with pytest.raises(StoreError, match=CREDENTIAL_NAME):
            KeyRing(db, {}).next_advertisement(MIDNIGHT + DAY, METADATA)


def test_a_device_that_got_a_credential_still_opens_what_it_had(tmp_path: Path) -> None:
    credentials, home = tmp_path / "credentials", tmp_path / "home"
    credentials.mkdir()
    home.mkdir()
    with open_store(home) as db:
        KeyRing(db, {}).next_advertisement(MIDNIGHT, METADATA)
        (credentials / CREDENTIAL_NAME).write_bytes(bytes(32))
        ring = KeyRing(db, {"CREDENTIALS_DIRECTORY": str(credentials)})
        ring.next_advertisement(MIDNIGHT + DAY, METADATA)
        assert len(ring.keys_to_report(MIDNIGHT + DAY)) == 2


def test_a_file_system_without_links_does_for_the_key_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FAT has none, and Android lets no app make one.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with open_store(tmp_path) as db:
        assert KeyRing(db).next_advertisement(MIDNIGHT, METADATA) is not None
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_short_or_lost_key_file_is_one_line(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        KeyRing(db, {}).next_advertisement(MIDNIGHT, METADATA)
        (tmp_path / KEY_FILE).write_bytes(b"short")
        with pytest.raises(StoreError, match="32 random bytes"):
            KeyRing(db, {}).keys_to_report(MIDNIGHT)
        (tmp_path / KEY_FILE).unlink()
        with pytest.raises(StoreError, match="restore"):
            KeyRing(db, {}).keys_to_report(MIDNIGHT)


def test_the_database_is_private(tmp_path: Path) -> None:
    home = tmp_path / "agent"
    make_home(home)
    with open_store(home) as db:
        KeyRing(db).next_advertisement(MIDNIGHT, METADATA)
        assert home.stat().st_mode & 0o777 == 0o700
        for path in home.iterdir():
            assert path.stat().st_mode & 0o777 == 0o600, path.name
        assert (home / DATABASE_NAME).exists()


class KeyRingMachine(RuleBasedStateMachine):
    """A device whose clock goes on, jumps, and whose process ends at any moment."""

    @initialize(now=st.integers(MIDNIGHT, MIDNIGHT + DAY))
    def begin(self, now: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.home = Path(self.folder.name)
        self.now = now
        self.sent: set[bytes] = set()
        self.latest: dict[int, int] = {}
        self.keys: dict[int, TemporaryExposureKey] = {}
        self.open()

    def open(self) -> None:
        self.store = open_store(self.home)
        self.db = self.store.__enter__()
        self.ring = KeyRing(self.db)

    @rule(seconds=st.one_of(st.integers(1, 1200), st.integers(1, 3 * DAY)))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule(seconds=st.integers(1, 2 * DAY))
    def set_back(self, seconds: int) -> None:
        self.now -= seconds

    @rule()
    def restart(self) -> None:
        self.store.__exit__(None, None, None)
        self.open()

    @rule()
    def purge(self) -> None:
        forget(self.db, self.now)
        self.latest = {
            start: latest
            for start, latest in self.latest.items()
            if interval_start(start + 144) >= self.now - 14 * DAY
        }

    @rule()
    def send(self) -> None:
        interval = interval_number(self.now)
        start = rolling_start(interval)
        latest = self.latest.get(start, -1)
        silent = self.ring.silent_seconds(self.now)
        sent = self.ring.next_advertisement(self.now, METADATA)
        assert (sent is not None) == (interval > latest) == (silent == 0)
        if sent is not None:
            self.check_new(sent, interval)
            self.latest[start] = interval
        else:
            assert self.now + silent == interval_start(latest + 1)

    def check_new(self, sent: Advertisement, interval: int) -> None:
        assert sent.rpi not in self.sent
        self.sent.add(sent.rpi)
        (tek,) = [tek for tek in self.ring.keys_to_report(self.now) if tek.covers(interval)]
        assert rpis_of(tek)[interval - tek.rolling_start_interval_number] == sent.rpi

    @invariant()
    def reports_are_of_the_last_fourteen_days(self) -> None:
        if not hasattr(self, "ring"):
            return
        keys = self.ring.keys_to_report(self.now)
        starts = [key.rolling_start_interval_number for key in keys]
        expected = [
            start
            for start in self.latest
            if interval_start(start + 144) >= self.now - 14 * DAY
            and start <= interval_number(self.now)
        ]
        assert starts == sorted(expected)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.__exit__(None, None, None)
            self.folder.cleanup()


TestKeyRingMachine = KeyRingMachine.TestCase
TestKeyRingMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
