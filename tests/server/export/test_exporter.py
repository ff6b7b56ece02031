"""Key files of the exporter: their contents, and that each is written once."""

import secrets
from dataclasses import replace

import pytest

from server.context import Server
from server.export import schedule
from server.export.exporter import run_due
from server.publish.upload import take_upload
from server.store.diagnosis_keys import NewKey, diagnosis_key, insert_keys, revise_key
from server.store.local_storage import LocalStorage
from server.trust.chain import begin_chain, rotate_export_key
from server.verification.certificate import Claims
from tests.server.homes import NOW, TODAY, days_of_keys, key, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.errors import InvalidSignature, StoreError
from tracing_core.export_file import find_exports, read_export, read_index
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType

HOUR = 3_600
DAY = 86_400


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def server(tmp_path, clock):
    server = open_server(tmp_path / "home", clock, export_padding_keys=20, export_padding_spread=2)
    yield server
    server.close()


def files(server: Server):
    return [read_export(path) for path in find_exports([server.settings.home / "exports" / "VN"])]


def listed(server: Server) -> list[str]:
    return read_index((server.settings.home / "exports/VN/index.txt").read_bytes())


def where(server: Server, data: bytes) -> list[tuple[int, str]]:
    """Return the window and the list of each file that has a key."""
    return [
        (export.start_timestamp, name)
        for export in files(server)
        for name in ("keys", "revised_keys")
        for each in getattr(export, name)
        if each.key_data == data
    ]


def publish(server: Server, *keys, kind=ReportType.CONFIRMED_TEST, by_operator=False):
    claims = Claims(kind, TODAY - 144 * 2)
    return take_upload(server, "VN", upload_of(*keys), claims, by_operator=by_operator)


def test_a_key_leaves_in_the_file_of_its_window_and_in_no_other(server, clock):
    sent = days_of_keys(5)
    publish(server, *sent)
    assert run_due(server, "VN") == []
    assert listed(server) == []
    clock.advance(6 * HOUR)
    names = run_due(server, "VN")
    assert names == ["VN/1750003200-1750017600-00001.zip"] == listed(server)
    clock.advance(DAY)
    run_due(server, "VN")
    for each in sent:
        assert where(server, each.key_data) == [(1_750_003_200, "keys")]
    (first, *_) = files(server)
    stored = {each.key_data: each for each in first.keys}[sent[-1].key_data]
    assert stored == DiagnosisKey(sent[-1].key_data, TODAY - 144, 144, 1, 1, 2)


def test_a_window_is_not_exported_before_its_time_and_missed_ones_are_caught_up(server, clock):
    run_due(server, "VN")
    clock.jump(1_750_017_600 + 2 * HOUR - 1)
    assert run_due(server, "VN") == []
    clock.advance(1)
    assert len(run_due(server, "VN")) == 1
    clock.advance(2 * DAY)
    assert len(run_due(server, "VN")) == 12
    starts = [export.start_timestamp for export in files(server)]
    assert starts == list(range(1_750_003_200, 1_750_003_200 + 13 * 14_400, 14_400))
    assert run_due(server, "VN") == []


def test_a_key_in_use_leaves_two_hours_after_its_end(server, clock):
    today = key(TODAY)
    short = key(TODAY - 144, 10)
    publish(server, today, short)
    ends = (TODAY + 144) * 600
    run_due(server, "VN")
    while clock.now() < ends + 2 * HOUR:
        clock.advance(HOUR)
        run_due(server, "VN")
        assert clock.now() >= ends + 2 * HOUR or where(server, today.key_data) == []
    clock.advance(6 * HOUR)
    run_due(server, "VN")
    assert where(server, today.key_data) == [(ends, "keys")]


@pytest.mark.parametrize("age", [0, 600])
def test_not_even_careless_settings_let_a_key_in_use_leave(tmp_path, clock, age):
    server = open_server(
        tmp_path / "home", clock, export_min_window_age_seconds=age, export_padding_keys=1
    )
    data = secrets.token_bytes(16)
    in_use = DiagnosisKey(data, TODAY, 144)
    with server.database.begin() as conn:
        # As if a rule had not held it back.
        insert_keys(conn, "VN", [NewKey(in_use, int(NOW) // HOUR * HOUR)])
    left_at = None
    while left_at is None:
        run_due(server, "VN")
        left_at = clock.now() if where(server, data) else None
        clock.advance(600)
    assert in_use.expires_at + 2 * HOUR <= left_at <= in_use.expires_at + 7 * HOUR
    server.close()


def test_a_revision_leaves_as_revised_once(server, clock):
    one, other = key(), key(TODAY - 288)
    publish(server, one, other, kind=ReportType.CONFIRMED_CLINICAL_DIAGNOSIS)
    clock.advance(DAY)
    run_due(server, "VN")
    publish(server, one, by_operator=True)
    clock.advance(DAY)
    run_due(server, "VN")
    assert [name for _, name in where(server, one.key_data)] == ["keys", "revised_keys"]
    assert [name for _, name in where(server, other.key_data)] == ["keys"]
    types = [
        each.report_type
        for export in files(server)
        for each in (*export.keys, *export.revised_keys)
        if each.key_data == one.key_data
    ]
    assert types == [ReportType.CONFIRMED_CLINICAL_DIAGNOSIS, ReportType.CONFIRMED_TEST]


def test_a_revision_before_the_key_left_is_all_that_leaves(server, clock):
    confirmed, taken_back, in_use = key(), key(TODAY - 288), key(TODAY)
    publish(server, confirmed, taken_back, in_use, kind=ReportType.CONFIRMED_CLINICAL_DIAGNOSIS)
    clock.advance(HOUR)
    publish(server, confirmed, in_use, by_operator=True)
    publish(server, taken_back, kind=ReportType.REVOKED, by_operator=True)
    clock.advance(2 * DAY)
    run_due(server, "VN")
    assert where(server, taken_back.key_data) == []
    assert [name for _, name in where(server, confirmed.key_data)] == ["keys"]
    assert where(server, in_use.key_data) == [((TODAY + 144) * 600, "keys")]
    for export in files(server):
        for each in export.keys:
            if each.key_data in (confirmed.key_data, in_use.key_data):
                assert each.report_type is ReportType.CONFIRMED_TEST


def test_a_key_that_comes_after_the_clock_went_back_still_leaves(server, clock):
    run_due(server, "VN")
    clock.advance(DAY)
    run_due(server, "VN")
    clock.advance(-12 * HOUR)
    late = key()
    publish(server, late)
    assert run_due(server, "VN") == []
    clock.advance(DAY)
    run_due(server, "VN")
    assert len(where(server, late.key_data)) == 1


def test_a_full_window_becomes_several_files_that_devices_tell_apart(tmp_path, clock):
    sizes = {"export_padding_keys": 120, "export_padding_spread": 1}
    server = open_server(tmp_path / "home", clock, export_max_keys_per_file=50, **sizes)
    publish(server, *days_of_keys(10))
    clock.advance(6 * HOUR)
    names = run_due(server, "VN")
    assert len(names) > 1
    assert names == [f"VN/1750003200-1750017600-{n:05}.zip" for n in range(1, len(names) + 1)]
    exports = files(server)
    assert [each.end_timestamp for each in exports] == [
        1_750_017_600 + number for number in range(len(exports))
    ]
    assert all(len(each.keys) + len(each.revised_keys) <= 50 for each in exports)
    assert {(each.batch_num, each.batch_size) for each in exports} == {(1, 1)}
    data = [each.key_data for export in exports for each in export.keys]
    assert data == sorted(set(data))
    server.close()


def test_every_active_key_signs(server, clock):
    begin_chain(server.keys, "VN", NOW)
    old = server.keys.export_keys(NOW)[0].private_key.public_key()
    rotate_export_key(server.keys, "VN", server.settings, NOW)
    new = server.keys.export_keys(NOW)[1].private_key.public_key()
    publish(server, key())
    clock.advance(6 * HOUR)
    run_due(server, "VN")
    (path,) = find_exports([server.settings.home / "exports" / "VN"])
    for public_key in (old, new):
        infos = read_export(path, public_keys=[public_key]).signature_infos
        assert [(each.key_id, each.key_version) for each in infos] == [("VN", "v1"), ("VN", "v2")]
    clock.advance(15 * DAY)
    run_due(server, "VN")
    last = find_exports([server.settings.home / "exports" / "VN"])[-1]
    assert read_export(last, public_keys=[new])
    with pytest.raises(InvalidSignature):
        read_export(last, public_keys=[old])


def test_what_a_crash_left_behind_is_removed(server, clock):
    publish(server, key())
    clock.advance(6 * HOUR)
    run_due(server, "VN")
    folder = server.settings.home / "exports"
    (folder / ".staging/0123#1").write_bytes(b"half")
    (folder / "VN/1-2-00001.zip").write_bytes(b"half")
    (folder / "VN/index.txt").write_text("VN/1-2-00001.zip")
    run_due(server, "VN")
    assert listed(server) == ["VN/1750003200-1750017600-00001.zip"]
    assert {path.name for path in (folder / "VN").iterdir()} == {
        "index.txt",
        "index.jws",
        "1750003200-1750017600-00001.zip",
    }
    assert list((folder / ".staging").iterdir()) == []


@pytest.mark.parametrize("blocked", ["", ".node"])
def test_a_folder_that_cannot_be_used_is_one_line(server, blocked):
    path = server.settings.home / "exports" / blocked
    if blocked:
        path.mkdir(parents=True)
    else:
        path.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot be used") as caught:
        run_due(server, "VN")
    assert "\n" not in str(caught.value)


def test_another_node_waits_for_the_one_that_exports_and_takes_over_when_it_died(
    tmp_path, server, clock
):
    publish(server, key())
    clock.advance(6 * HOUR)
    with server.database.begin() as conn:
        schedule.hold_schedule(
            conn, "VN", "another-node", begin=1_750_003_200, now=NOW, held_until=clock.now() + 600
        )
    assert run_due(server, "VN") == []
    clock.advance(600)
    assert len(run_due(server, "VN")) == 1


def test_a_node_that_lost_its_right_publishes_nothing(server, clock):
    publish(server, key())
    clock.advance(6 * HOUR)

    class Slow(LocalStorage):
        def stage(self, data):
            if data.startswith(b"PK"):
                clock.advance(3_600)
                with server.database.begin() as conn:
                    schedule.hold_schedule(
                        conn,
                        "VN",
                        "another",
                        begin=0,
                        now=clock.now(),
                        held_until=clock.now() + 600,
                    )
            return super().stage(data)

    assert run_due(replace(server, storage=Slow(server.settings.home)), "VN") == []
    assert listed(server) == []
    assert list((server.settings.home / "exports" / ".staging").iterdir()) == []
    clock.advance(600)
    assert len(run_due(server, "VN")) == 1
    with server.database.read() as conn:
        padding = conn.execute(diagnosis_key.select().where(diagnosis_key.c.is_padding)).all()
    assert len(padding) < 80


def test_a_revision_of_a_key_nobody_was_sent_does_not_leave_early(server, clock):
    data = secrets.token_bytes(16)
    held_back = DiagnosisKey(data, TODAY, 144, ReportType.CONFIRMED_CLINICAL_DIAGNOSIS)
    with server.database.begin() as conn:
        insert_keys(conn, "VN", [NewKey(held_back, held_back.expires_at + HOUR)])
        revise_key(
            conn, DiagnosisKey(data, TODAY, 144, ReportType.CONFIRMED_TEST), int(NOW) // HOUR * HOUR
        )
    clock.advance(6 * HOUR)
    run_due(server, "VN")
    assert where(server, data) == []
    clock.advance(DAY)
    run_due(server, "VN")
    assert [name for _, name in where(server, data)] == ["keys"]
