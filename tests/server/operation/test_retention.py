"""Deletion after 14 days: from rows, from files, and from the bytes of both."""

import secrets
import zipfile
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from server.config import load_settings
from server.context import Server
from server.export.exporter import run_due
from server.operation import retention as cleanup
from server.publish.upload import take_upload
from server.store.database import Database, DatabaseLimits
from server.store.diagnosis_keys import NewKey, diagnosis_key, insert_keys
from server.trust.chain import begin_chain, rotate_export_key
from server.trust.config_document import current_config, set_contact
from server.verification.certificate import Claims
from server.verification.store import Subject, find_code, insert_code
from tests.server.homes import NOW, TODAY, key, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.errors import StoreBusy, StoreError
from tracing_core.export_file import read_index
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType

HOUR = 3_600
DAY = 86_400
FEW = {"export_padding_keys": 60, "export_padding_spread": 5}


@pytest.fixture
def clock():
    return ManualClock(NOW)


def with_limits(server: Server, limits: DatabaseLimits) -> Server:
    server.close()
    return replace(server, database=Database(server.settings.database, limits))


def all_bytes(home) -> bytes:
    """Return every byte of every file, and the contents of zips."""
    parts = []
    for path in home.rglob("*"):
        if path.is_file():
            parts.append(path.read_bytes())
            if path.suffix == ".zip":
                with zipfile.ZipFile(path) as archive:
                    parts += [archive.read(name) for name in archive.namelist()]
    return b"\0".join(parts)


def test_no_byte_of_a_key_outlives_14_days(tmp_path, clock):
    home = tmp_path / "home"
    server = open_server(home, clock, **FEW)
    published = {}
    while clock.now() < NOW + 24 * DAY:
        today = TODAY + int((clock.now() - NOW) // DAY) * 144
        for _ in range(3):
            keys = [key(today - 144 * ago) for ago in range(1, 8)]
            take_upload(
                server, "VN", upload_of(*keys), Claims(ReportType.CONFIRMED_TEST, today - 288)
            )
            published |= dict.fromkeys((each.key_data for each in keys), clock.now())
        clock.advance(4 * HOUR)
        run_due(server, "VN")
        cleanup.run(server, "VN")
    # The process still holds the database open, as a running server does.
    found = all_bytes(home)
    with server.database.read() as conn:
        stored = set(conn.execute(diagnosis_key.select()).scalars("key_data"))
    old = [data for data, at in published.items() if at <= clock.now() - 14 * DAY]
    young = [data for data, at in published.items() if at > clock.now() - 14 * DAY + HOUR]
    assert len(old) > 1_000
    assert not stored.intersection(old)
    assert not [data for data in old if data in found or data[:12] in found or data[4:] in found]
    # The search works: it finds the key in the database, and after the export in a file too.
    assert all(found.count(data) >= 1 for data in young)
    assert sum(found.count(data) for data in young) > 1.8 * len(young)
    server.close()


def test_files_and_index_lines_go_with_the_oldest_key_they_may_hold(tmp_path, clock):
    server = open_server(tmp_path / "home", clock, **FEW)
    run_due(server, "VN")
    clock.advance(DAY)
    names = run_due(server, "VN")
    folder = server.settings.home / "exports"
    clock.jump(int(names[0].split("/")[1].split("-")[0]) + 14 * DAY)
    cleanup.run(server, "VN")
    assert (folder / names[0]).exists()
    clock.advance(1)
    removed = cleanup.run(server, "VN")
    assert removed.batches == 1
    assert not (folder / names[0]).exists()
    assert read_index((folder / "VN/index.txt").read_bytes()) == names[1:]
    clock.advance(14 * DAY)
    cleanup.run(server, "VN")
    assert {path.name for path in (folder / "VN").iterdir()} == {"index.txt", "index.jws"}
    assert (folder / "VN/index.txt").read_bytes() == b""
    server.close()


def test_exports_go_on_after_a_long_sleep(tmp_path, clock):
    server = open_server(tmp_path / "home", clock, **FEW)
    run_due(server, "VN")
    clock.advance(40 * DAY)
    cleanup.run(server, "VN")
    names = run_due(server, "VN")
    assert 80 <= len(names) <= 84
    assert cleanup.run(server, "VN").batches == 0
    server.close()


def test_codes_are_known_as_expired_for_two_days_and_then_gone(tmp_path, clock):
    server = open_server(tmp_path / "home", clock)
    with server.database.begin() as conn:
        insert_code(conn, bytes(32), str(uuid4()), Subject("confirmed"), int(NOW) + 900)
    clock.advance(2 * DAY + 900)
    assert cleanup.run(server, "VN").codes == 0
    clock.advance(1)
    assert cleanup.run(server, "VN").codes == 1
    with server.database.read() as conn:
        assert find_code(conn, bytes(32)) is None
    server.close()


def test_what_a_reader_kept_from_being_removed_goes_the_next_time(tmp_path, clock):
    home = tmp_path / "home"
    server = with_limits(open_server(home, clock, **FEW), DatabaseLimits(busy_seconds=0.2))
    sent = key()
    take_upload(server, "VN", upload_of(sent), Claims(ReportType.CONFIRMED_TEST, TODAY - 144))
    clock.advance(15 * DAY)
    with server.database.read() as reader:
        reader.execute(diagnosis_key.select()).fetchone()
        with pytest.raises(StoreBusy, match="will be removed later"):
            cleanup.run(server, "VN")
    assert cleanup.run(server, "VN").keys == 0
    assert sent.key_data not in all_bytes(home)
    server.close()


@pytest.mark.parametrize("is_large", [False, True])
def test_no_copy_of_a_row_is_made_outside_the_home(tmp_path, clock, is_large):
    limits = DatabaseLimits(bytes_compacted_in_memory=0) if is_large else DatabaseLimits()
    home = tmp_path / "the operator's home"
    server = with_limits(open_server(home, clock), limits)
    old, young = int(NOW), int(NOW) + 10 * DAY
    with server.database.begin() as conn:
        keys = [DiagnosisKey(secrets.token_bytes(16), TODAY) for _ in range(30_000)]
        insert_keys(conn, "VN", [NewKey(key, young if n else old) for n, key in enumerate(keys)])

    def open_files() -> set[str]:
        return {
            str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()
        }

    seen, before = set(), open_files()
    connection = server.database.engine.raw_connection()
    connection.driver_connection.set_progress_handler(lambda: seen.update(open_files()), 100_000)
    connection.close()
    clock.advance(15 * DAY)
    assert cleanup.run(server, "VN").keys == 1
    unnamed = {path for path in seen - before if path.endswith("(deleted)")}
    assert {Path(path).parent for path in unnamed} == ({home} if is_large else set())
    assert len(seen) > len(unnamed)
    assert {path.name for path in home.iterdir()} == {
        *("server.db", "server.db-wal", "server.db-shm", "server.toml", "keys", "exports")
    }
    server.close()


def test_a_retired_key_is_gone_from_the_folder(tmp_path, clock):
    home = tmp_path / "home"
    server = open_server(home, clock)
    begin_chain(server.keys, "VN", NOW)
    set_contact(home, None)
    current_config(server.keys, "VN", server.settings, NOW)
    rotate_export_key(server.keys, "VN", server.settings, NOW)
    clock.advance(14 * DAY - 1)
    cleanup.run(server, "VN")
    assert (home / "keys/export-v1.pem").exists()
    clock.advance(1)
    cleanup.run(server, "VN")
    assert not (home / "keys/export-v1.pem").exists()
    assert (home / "keys/export-v2.pem").exists()
    server.close()


def test_less_than_ten_days_is_refused_but_for_trials(tmp_path):
    with pytest.raises(StoreError, match="at least 864000"):
        load_settings(tmp_path, retention_seconds=10 * DAY - 1)
    assert load_settings(tmp_path, retention_seconds=10 * DAY).retention_seconds == 10 * DAY
    assert load_settings(tmp_path, retention_seconds=60, debug=True).retention_seconds == 60
