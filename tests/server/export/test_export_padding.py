"""Padding: its number, and that nothing distinguishes it from real keys."""

import statistics
from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.export import exporter
from server.export.padding import UploadModel, draw_count, draw_padding
from server.export.windows import Window
from server.publish.upload import take_upload
from server.store.diagnosis_keys import (
    BACKFILLED_RISK,
    created_keys,
    diagnosis_key,
    filled_in_risk,
    revised_keys,
)
from server.verification.certificate import Claims
from tests.server.export import padding_attack
from tests.server.homes import NOW, TODAY, days_of_keys, key, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.export_file import export_pb2, find_exports, read_export
from tracing_core.export_file.archive import unpack
from tracing_core.protocol.diagnosis_key import ReportType, is_allowed_transition

MODEL = UploadModel(
    {ReportType.CONFIRMED_TEST: 0.9, ReportType.CONFIRMED_CLINICAL_DIAGNOSIS: 0.1},
    BACKFILLED_RISK,
    default_onset_days=4,
    max_days_since_onset=14,
    truncate_seconds=3_600,
)
WINDOW = Window(1_750_003_200, 1_750_017_600)


@given(st.integers(0, 2**32))
def test_the_number_drawn_lies_around_the_mean_and_is_never_zero(seed):
    random = Random(seed)
    drawn = [draw_count(1_000, 100, random) for _ in range(400)]
    assert min(drawn) >= 1
    assert 950 < sum(drawn) / len(drawn) < 1_050
    assert draw_count(1, 50, random) >= 1


def test_one_upload_hardly_changes_the_odds_of_a_size():
    random = Random(1)
    drawn = Counter(draw_count(200, 20, random) for _ in range(400_000))
    for size in range(150, 250, 10):
        # Ten keys may change the odds by at most exp(10 / 20); the rest is chance.
        assert 0.8 * 2.7182818 ** (-10 / 20) < drawn[size] / drawn[size + 10] < 1.25 * 1.64872


@given(st.integers(1, 3_000), st.sampled_from([3_600, 14_400, 86_400]), st.integers(0, 2**32))
def test_as_many_as_asked_for_leave_in_the_window_and_none_while_in_use(count, period, seed):
    start = 1_750_032_000 // period * period
    window = Window(start, start + period)
    padding = draw_padding(count, window, MODEL, Random(seed), covering=count // 2)
    here = [each for each in padding if each.created_at < window.end]
    assert len(here) == count
    assert len({each.key.key_data for each in padding}) == len(padding)
    for each in padding:
        assert each.created_at >= window.start
        assert each.created_at % MODEL.truncate_seconds == 0
        # A key leaves after its arrival or after its end, as in the rules of uploads.
        assert each.key.expires_at <= max(each.created_at, window.end - 1) + 600
        assert each.key.days_since_onset_of_symptoms is not None
        assert abs(each.key.days_since_onset_of_symptoms) <= 14
        if each.revised is not None:
            assert is_allowed_transition(each.key.report_type, each.revised.report_type)
            assert each.revised_at is not None
            assert each.revised_at > window.start


def onset_delay(each, start):
    """Return the days from onset to an upload in a window that begins at `start`."""
    age = (start // 600 - each.rolling_start_interval_number) // 144
    return each.days_since_onset_of_symptoms + age


def report_like_people(server, clock, people, random):
    """Upload through the real rules, as agents and phones do."""
    for _ in range(people):
        clock.jump(NOW + random.randrange(13_000))
        kind = random.choices(
            [ReportType.CONFIRMED_TEST, ReportType.CONFIRMED_CLINICAL_DIAGNOSIS], [9, 1]
        )[0]
        keys = days_of_keys(random.choice([14, 14, 14, 5]))
        if random.random() < 0.8:
            keys.append(key(TODAY))
        onset = TODAY - 144 * random.choice([1, 2, 3, 4, 5, 6, 8, 12])
        take_upload(server, "VN", upload_of(*keys), Claims(kind, random.choice([0, onset])))


@pytest.fixture(scope="module")
def two_days(tmp_path_factory):
    """Return a server two days after reports, and which of its exported keys are real."""
    clock = ManualClock(NOW)
    server = open_server(tmp_path_factory.mktemp("padding") / "home", clock)
    report_like_people(server, clock, 60, Random(7))
    clock.jump(NOW + 2 * 86_400)
    exporter.run_due(server, "VN", random=Random(5))
    with server.database.read() as conn:
        rows = conn.execute(diagnosis_key.select()).all()
    yield server, {row.key_data: row.is_padding for row in rows}
    server.close()


def exported(server):
    for path in find_exports([server.settings.home / "exports" / "VN"]):
        yield path, read_export(path)


def test_padding_and_real_keys_set_the_same_fields(two_days):
    server, is_padding = two_days
    fields = defaultdict(set)
    for path in find_exports([server.settings.home / "exports" / "VN"]):
        data = unpack(path.read_bytes(), path.name)[0][16:]
        for message in export_pb2.TemporaryExposureKeyExport.FromString(data).keys:
            names = frozenset(field.name for field, _ in message.ListFields())
            fields[is_padding[message.key_data]].add(names)
    assert fields[False]
    assert fields[False] <= fields[True]


def test_whatever_a_real_key_says_some_padding_of_its_file_says_too(two_days):
    server, is_padding = two_days

    def says(each, start):
        return (
            each.report_type,
            each.transmission_risk_level,
            each.rolling_period,
            (start // 600 - each.rolling_start_interval_number) // 144,
        )

    real_keys = 0
    for _, export in exported(server):
        said = defaultdict(set)
        onsets = defaultdict(set)
        for each in export.keys:
            said[is_padding[each.key_data]].add(says(each, export.start_timestamp))
            onsets[is_padding[each.key_data]].add(each.days_since_onset_of_symptoms)
            real_keys += not is_padding[each.key_data]
        assert said[False] <= said[True]
        assert onsets[False] <= onsets[True]
    assert real_keys > 400


def test_days_and_onsets_of_padding_are_distributed_like_those_of_people(two_days):
    server, is_padding = two_days
    _, first = next(exported(server))
    for value in (
        lambda each: (TODAY - each.rolling_start_interval_number) // 144,
        lambda each: each.days_since_onset_of_symptoms // 4,
    ):
        shares = {}
        for kind in (False, True):
            counts = Counter(value(k) for k in first.keys if is_padding[k.key_data] is kind)
            total = sum(counts.values())
            shares[kind] = {name: number / total for name, number in counts.items()}
        names = shares[False].keys() | shares[True].keys()
        distance = sum(abs(shares[False].get(n, 0) - shares[True].get(n, 0)) for n in names) / 2
        assert distance < 0.25


def test_the_order_of_keys_tells_nothing(two_days):
    server, _ = two_days
    for _, export in exported(server):
        data = [each.key_data for each in export.keys]
        assert data == sorted(data)


def test_padding_does_not_depend_on_the_real_keys(tmp_path, monkeypatch):
    """With the same random numbers, an empty server and a busy one draw the same padding."""
    invented = []
    for people in (0, 1, 40):
        clock = ManualClock(NOW)
        server = open_server(tmp_path / str(people), clock)
        exporter.run_due(server, "VN")
        report_like_people(server, clock, people, Random(people))
        clock.jump(NOW + 86_400)
        assert exporter.run_due(server, "VN", random=Random(3))
        with server.database.read() as conn:
            rows = conn.execute(diagnosis_key.select().where(diagnosis_key.c.is_padding)).all()
        invented.append([row[1:] for row in rows])
        server.close()
    assert invented[0] == invented[1] == invented[2]


def test_windows_without_a_report_have_padding_of_the_same_size(tmp_path):
    clock = ManualClock(NOW)
    server = open_server(tmp_path / "home", clock, export_padding_spread=40)
    exporter.run_due(server, "VN")
    clock.advance(3 * 86_400)
    names = exporter.run_due(server, "VN")
    assert len(names) == 17
    sizes = [len(export.keys) for _, export in exported(server)]
    assert all(300 < size < 3_500 for size in sizes)
    assert len(set(sizes)) > 5
    server.close()


def test_padding_is_revised_later_too(tmp_path):
    clock = ManualClock(NOW)
    server = open_server(tmp_path / "home", clock)
    exporter.run_due(server, "VN")
    clock.advance(6 * 86_400)
    exporter.run_due(server, "VN")
    published = {}
    revised = Counter()
    for _, export in exported(server):
        for each in export.revised_keys:
            before = published[each.key_data]
            assert is_allowed_transition(before.report_type, each.report_type)
            revised[each.report_type] += 1
        published |= {each.key_data: each for each in export.keys}
    assert revised[ReportType.CONFIRMED_TEST] > revised[ReportType.REVOKED] > 0
    server.close()


def test_reading_a_window_again_gives_the_same_keys_padding_included(two_days):
    server, _ = two_days
    for _, export in exported(server):
        window = Window(export.start_timestamp, export.end_timestamp)
        with server.database.read() as conn:
            assert list(created_keys(conn, "VN", *window)) == list(export.keys)
            assert list(revised_keys(conn, "VN", *window)) == list(export.revised_keys)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_real_key_has_a_made_up_twin(tmp_path, seed):
    """Compare report type, onset, age, period and risk together, as an attacker would."""
    files = list(
        padding_attack.key_files(
            tmp_path / "home", files=12, warm_up_days=1, uploads_per_file=2, random=Random(seed)
        )
    )
    assert sum(sum(file.is_real) for file in files) > 150
    assert [file.without_twin() for file in files] == [0] * 12


def test_a_small_number_of_padding_keys_is_half_drawn_as_people_report():
    padding = draw_padding(100, WINDOW, MODEL, Random(4), covering=50)
    here = [each.key for each in padding if each.created_at < WINDOW.end]
    delays = Counter(onset_delay(each, WINDOW.start) for each in here)
    assert len(here) == 100
    assert 3 <= len(delays) <= 9


def test_the_kinds_in_a_file_do_not_reveal_the_number_drawn(tmp_path):
    """The rarest kind once showed how many keys were made up, and the size how many were not."""
    clock = ManualClock(NOW)
    server = open_server(tmp_path / "home", clock, export_padding_spread=300)
    exporter.run_due(server, "VN")
    clock.advance(86_400)
    exporter.run_due(server, "VN", random=Random(3))
    files = [export for _, export in exported(server)]
    assert min(len(file.keys) for file in files) < 1_100
    for file in files:
        kinds = {(each.report_type, onset_delay(each, file.start_timestamp)) for each in file.keys}
        assert len(kinds) >= 58
    server.close()


def test_no_kind_is_so_steady_that_one_upload_shows():
    counts = []
    for seed in range(60):
        padding = draw_padding(1_500, WINDOW, MODEL, Random(seed), covering=750)
        here = [each.key for each in padding if each.created_at < WINDOW.end]
        counts.append(sum(onset_delay(each, WINDOW.start) == 2 for each in here))
    # An upload has at most 15 keys.
    assert statistics.stdev(counts) > 2 * 15


def test_made_up_levels_follow_the_onset_where_real_ones_do():
    model = replace(MODEL, risk_by_onset=True)
    padding = draw_padding(1_500, WINDOW, model, Random(3), covering=750)
    keys = [each.key for each in padding] + [each.revised for each in padding if each.revised]
    other = [
        key
        for key in keys
        if key.transmission_risk_level
        != filled_in_risk(key.report_type, key.days_since_onset_of_symptoms, by_onset=True)
    ]
    # Other clients may set what they like, in padding as in reality.
    assert len(other) < len(keys) / 20
    kinds = {(key.report_type, key.transmission_risk_level) for key in keys if key not in other}
    assert kinds >= {(ReportType.CONFIRMED_TEST, level) for level in range(1, 9) if level != 3}
    assert (ReportType.REVOKED, 6) in kinds
