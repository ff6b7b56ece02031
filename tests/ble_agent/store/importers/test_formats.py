"""What is read of each app's log: its numbers as the app means them, and nothing else."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ble_agent.store.importers import Refusal, Tally, open_source
from matcher.definition import matches
from matcher.risk.windows import exposure_windows
from tests.ble_agent.store.importers.foreign_logs import (
    MICROG_EXPORT_SCHEMA,
    bytes_field,
    contact_key,
    contact_value,
    number_field,
    packet_record,
    ramble_data,
    scan_record,
    write_microg,
    write_play_services,
    write_ramble,
)
from tests.ble_agent.store.importers.leveldb_writer import varint
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidLog
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_aemk, derive_rpik
from tracing_core.store.sighting import Sighting

RPI, OTHER = bytes(range(16)), bytes(range(16, 32))
AEM = b"abcd"
T = 1_800_000_000
MINUTE = 60_000


def read(path: Path) -> tuple[list[Sighting], Tally, str]:
    tally = Tally()
    with open_source(path, path.parent) as source:
        return list(source.sightings(tally)), tally, source.name


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("duration", "moments"),
    [
        (0, [0]),
        (20_000, [0]),
        (185_000, [0, 180]),
        (9 * MINUTE, [0, 180, 360, 540]),
        (20 * MINUTE, [0, 180, 360, 540, 720, 900, 1080, 1260]),
    ],
)
def test_microg_is_heard_in_each_of_its_scans(
    tmp_path: Path, duration: int, moments: list[int]
) -> None:
    path = write_microg(tmp_path / "exposure.db", [(RPI, AEM, T * 1000 + 999, -61, duration)])
    sightings, tally, name = read(path)
    assert name == "microg"
    assert (tally.read, tally.refused.total()) == (1, 0)
    assert [sighting.seen_at - T for sighting in sightings] == moments
    assert {sighting.rssi_dbm for sighting in sightings} == {(-61,)}
    assert [sighting.previous_scan_at for sighting in sightings] == [
        None,
        *(T + moment for moment in moments[:-1]),
    ]


@pytest.mark.parametrize(
    ("rssi", "duration", "read_as"),
    [
        (-60, 0, -60),
        (-127, 0, -127),
        (-128, 0, -100),
        (-100_000, 5, -100),
        (0, 1, -75),
        (0, 0, 0),
        (126, 0, 126),
    ],
)
def test_strengths_that_microg_got_wrong_are_put_right_as_it_does(
    tmp_path: Path, rssi: int, duration: int, read_as: int
) -> None:
    path = write_microg(tmp_path / "exposure.db", [(RPI, AEM, T * 1000, rssi, duration)])
    assert read(path)[0][0].rssi_dbm == (read_as,)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((RPI[:15], AEM, T * 1000, -60, 0), Refusal.IDENTIFIER),
        (("text", AEM, T * 1000, -60, 0), Refusal.IDENTIFIER),
        ((None, AEM, T * 1000, -60, 0), Refusal.IDENTIFIER),
        ((RPI, AEM + b"e", T * 1000, -60, 0), Refusal.METADATA),
        ((RPI, b"", T * 1000, -60, 0), Refusal.METADATA),
        ((RPI, AEM, T * 1000, 127, 0), Refusal.SIGNAL_STRENGTH),
        ((RPI, AEM, T * 1000, "strong", 0), Refusal.SIGNAL_STRENGTH),
        ((RPI, AEM, T * 1000, None, 0), Refusal.SIGNAL_STRENGTH),
        ((RPI, AEM, T * 1000, -60, -1), Refusal.DURATION),
        ((RPI, AEM, T * 1000, -60, 61 * MINUTE), Refusal.DURATION),
        ((RPI, AEM, T * 1000, -60, 1.5), Refusal.DURATION),
        ((RPI, AEM, -1, -60, 0), Refusal.TIME),
        ((RPI, AEM, 2**63 - 1, -60, 0), Refusal.TIME),
        ((RPI, AEM, "now", -60, 0), Refusal.TIME),
    ],
)
def test_a_wrong_row_of_microg_is_counted_and_the_others_are_read(
    tmp_path: Path, row: Any, reason: Refusal
) -> None:
    rows = [row, (OTHER, AEM, T * 1000, -60, 0)]
    path = write_microg(tmp_path / "exposure.db", rows, schema=MICROG_EXPORT_SCHEMA)
    sightings, tally, _ = read(path)
    assert [sighting.rpi for sighting in sightings] == [OTHER]
    assert (tally.read, tally.refusals()) == (2, [(reason, 1)])


def test_the_write_ahead_log_counts_and_nothing_is_written(tmp_path: Path) -> None:
    path = write_microg(tmp_path / "exposure.db", [(RPI, AEM, T * 1000, -60, 0)])
    phone = sqlite3.connect(path)
    phone.execute("PRAGMA journal_mode=WAL")
    phone.execute("PRAGMA wal_autocheckpoint=0")
    phone.execute("INSERT INTO advertisements VALUES (?, ?, ?, ?, ?)", (OTHER, AEM, T, -1, 0))
    phone.commit()
    copied = tmp_path / "copied"
    copied.mkdir()
    for each in (path, Path(f"{path}-wal")):
        (copied / each.name).write_bytes(each.read_bytes())
    phone.close()
    before = digest(copied)
    assert len(before) == 2
    assert len(read(copied / "exposure.db")[0]) == 2
    assert digest(copied) == before
    (copied / "exposure.db-wal").unlink()
    assert len(read(copied / "exposure.db")[0]) == 1


def test_a_journal_that_was_left_is_rolled_back_in_a_copy(tmp_path: Path) -> None:
    path = write_microg(tmp_path / "exposure.db", [(RPI, AEM, T * 1000, -60, 0)])
    phone = sqlite3.connect(path, isolation_level=None)
    phone.execute("PRAGMA cache_size = 1")
    phone.execute("BEGIN IMMEDIATE")
    phone.execute("UPDATE advertisements SET rssi = -1")
    rows = [(number.to_bytes(16, "big"), AEM, T * 1000, -60, 0) for number in range(3000)]
    phone.executemany("INSERT INTO advertisements VALUES (?, ?, ?, ?, ?)", rows)
    copied = tmp_path / "copied"
    copied.mkdir()
    for each in (path, Path(f"{path}-journal")):
        (copied / each.name).write_bytes(each.read_bytes())
    phone.execute("ROLLBACK")
    phone.close()
    before = digest(copied)
    sightings, _, _ = read(copied / "exposure.db")
    assert [sighting.rssi_dbm for sighting in sightings] == [(-60,)]
    assert digest(copied) == before


def test_play_services_keeps_every_sample_of_a_scan(tmp_path: Path) -> None:
    value = contact_value(
        AEM,
        scan_record(T, [-60, -61, 127, -128], previous=T - 240),
        scan_record(T + 300, [-62]),
        scan_record(T + 600, [-63, -64, -65], aems=[AEM, b"wxyz", AEM]),
    )
    folder = write_play_services(tmp_path / "db", [(contact_key(T, RPI), value)])
    sightings, tally, name = read(folder)
    assert name == "play-services"
    assert (tally.read, tally.refused.total()) == (3, 0)
    assert sightings == [
        Sighting(RPI, AEM, (-60, -61), T, T - 240),
        Sighting(RPI, AEM, (-62,), T + 300),
        Sighting(RPI, AEM, (-63, -65), T + 600),
        Sighting(RPI, b"wxyz", (-64,), T + 600),
    ]


def test_packets_of_older_play_services_become_scans(tmp_path: Path) -> None:
    offsets = [0, 1, 1, 3, 25, 26, 300]
    records = [packet_record(T + each, -60 - each % 7, AEM, previous=T - 60) for each in offsets]
    other = [packet_record(T + 5, -70, b"wxyz")]
    folder = write_play_services(
        tmp_path / "db", [(contact_key(T, RPI), b"".join(records[:4] + other + records[4:]))]
    )
    sightings, tally, _ = read(folder)
    assert tally.read == 8
    assert [(each.seen_at - T, each.rssi_dbm, each.aem) for each in sightings] == [
        (0, (-60, -61, -61, -63), AEM),
        (5, (-70,), b"wxyz"),
        (25, (-64, -65), AEM),
        (300, (-66,), AEM),
    ]
    assert {each.previous_scan_at for each in sightings} == {T - 60, None}


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"short", contact_value(AEM, scan_record(T, [-60])), Refusal.IDENTIFIER),
        (contact_key(T, RPI), b"\xff", Refusal.ENCODING),
        (contact_key(T, RPI), varint(1 << 3 | 3), Refusal.ENCODING),
        (contact_key(T, RPI), contact_value(b"abc", scan_record(T, [-60])), Refusal.METADATA),
        (
            contact_key(T, RPI),
            contact_value(AEM, scan_record(T, [-60, -61], aems=[AEM])),
            Refusal.METADATA,
        ),
        (contact_key(T, RPI), contact_value(AEM, scan_record(T, [])), Refusal.SIGNAL_STRENGTH),
        (contact_key(T, RPI), packet_record(T, 127, AEM), Refusal.SIGNAL_STRENGTH),
        (contact_key(T, RPI), packet_record(T, -200, AEM), Refusal.SIGNAL_STRENGTH),
        (contact_key(T, RPI), contact_value(AEM, scan_record(0, [-60])), Refusal.TIME),
    ],
)
def test_a_wrong_entry_of_play_services_is_counted_and_the_others_are_read(
    tmp_path: Path, key: bytes, value: bytes, reason: Refusal
) -> None:
    good = (contact_key(T, OTHER), contact_value(AEM, scan_record(T, [-60])))
    sightings, tally, _ = read(write_play_services(tmp_path / "db", [(key, value), good]))
    assert [sighting.rpi for sighting in sightings] == [OTHER]
    assert (tally.read, tally.refusals()) == (2, [(reason, 1)])


def test_fields_that_are_unknown_or_tell_a_place_are_left_out(tmp_path: Path) -> None:
    place = varint(7 << 3 | 1) + bytes(8) + varint(9 << 3 | 5) + bytes(4)
    record = bytes_field(1, number_field(1, T) + bytes_field(2, b"\xc4") + place)
    folder = write_play_services(
        tmp_path / "db", [(contact_key(T, RPI), contact_value(AEM, record) + place)]
    )
    assert read(folder)[0] == [Sighting(RPI, AEM, (-60,), T)]


def test_a_leveldb_folder_of_another_app_is_refused(tmp_path: Path) -> None:
    folder = write_play_services(tmp_path / "db", [(b"setting", b"1"), (b"other", b"2")])
    with pytest.raises(InvalidLog, match="not a log that truyvet can import"):
        read(folder)


def test_ramble_is_put_together_to_scans_of_a_minute(tmp_path: Path) -> None:
    first = T // 60 * 60 + 30
    packets = [(first + second, -60 - second % 3) for second in range(0, 120, 5)]
    packets += [(first + 900, -80), (first + 1000, -81)]
    path = write_ramble(
        tmp_path / "ramble.sqlite",
        [(ramble_data(RPI, AEM), first, first + 1000, list(reversed(packets)))],
    )
    sightings, tally, name = read(path)
    assert name == "ramble"
    assert (tally.read, tally.refused.total()) == (26, 0)
    minute = first - 30
    assert [(each.seen_at - minute, len(each.rssi_dbm)) for each in sightings] == [
        (0, 6),
        (60, 12),
        (120, 6),
        (900, 1),
        (1020, 1),
    ]
    assert [each.previous_scan_at for each in sightings] == [
        None,
        minute,
        minute + 60,
        None,
        minute + 900,
    ]
    assert {(each.rpi, each.aem) for each in sightings} == {(RPI, AEM)}


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (("fd6f:" + "0" * 38, T, T, [(T, -60)]), Refusal.ENCODING),
        (("fd6f:" + "0" * 42, T, T, [(T, -60)]), Refusal.ENCODING),
        (("fd6f:" + "g" * 40, T, T, [(T, -60)]), Refusal.ENCODING),
        ((ramble_data(RPI, AEM), T, T, []), Refusal.SIGNAL_STRENGTH),
        ((ramble_data(RPI, AEM), T, T, [(T, None)]), Refusal.SIGNAL_STRENGTH),
        ((ramble_data(RPI, AEM), T, T, [(T, 127)]), Refusal.SIGNAL_STRENGTH),
        ((ramble_data(RPI, AEM), T, T, [(None, -60)]), Refusal.TIME),
        ((ramble_data(RPI, AEM), T, "soon", [(T, -60)]), Refusal.TIME),
        ((ramble_data(RPI, AEM), T, None, [(T, -60)]), Refusal.TIME),
        ((ramble_data(RPI, AEM), T, T, [(T + 1, -60)]), Refusal.TIME),
        ((ramble_data(RPI, AEM), -60, -60, [(-60, -60)]), Refusal.TIME),
        ((ramble_data(RPI, AEM), T - 9000, T, [(T - 1801, -60)]), Refusal.REUSED_ADDRESS),
    ],
)
def test_a_wrong_packet_of_ramble_is_counted_and_the_others_are_read(
    tmp_path: Path, device: Any, reason: Refusal
) -> None:
    good = (ramble_data(OTHER, AEM).upper(), str(T), str(T), [(str(T), "-60")])
    sightings, tally, _ = read(write_ramble(tmp_path / "ramble.sqlite", [device, good]))
    assert [sighting.rpi for sighting in sightings] == [OTHER]
    assert (tally.read, tally.refusals()) == (2, [(reason, 1)])


TEK = bytes(range(50, 66))
FIRST = T // 600 // 144 * 144


def exposure_seconds(sightings: Sequence[Sighting]) -> list[int]:
    key = DiagnosisKey(TEK, FIRST, 144, ReportType.CONFIRMED_TEST, 0)
    return [
        sum(scan.seconds_since_last_scan for scan in window.scan_instances)
        for match in matches(sightings, [key])
        for window in exposure_windows(match, ExposureConfiguration.default())
    ]


@pytest.mark.parametrize("minutes", [0, 3, 9, 15])
def test_the_time_of_an_exposure_comes_out_right_from_every_app(
    tmp_path: Path, minutes: int
) -> None:
    step = T // 600 - FIRST
    rpi = derive_rpis(derive_rpik(TEK), FIRST, 144)[step]
    aem = encrypt_aem(derive_aemk(TEK), rpi, Metadata(0))
    start = (FIRST + step) * 600
    every_3 = range(0, minutes + 1, 3)
    stay = minutes * 60
    logs = [
        write_microg(tmp_path / "1", [(rpi, aem, start * 1000, -60, minutes * MINUTE)]),
        write_ramble(
            tmp_path / "2",
            [
                (
                    ramble_data(rpi, aem),
                    start,
                    start + stay,
                    [(start + second, -60) for second in range(0, stay + 1, 5)],
                )
            ],
        ),
        write_play_services(
            tmp_path / "3",
            [
                (
                    contact_key(start, rpi),
                    contact_value(
                        aem,
                        *(
                            scan_record(
                                start + each * 60,
                                [-60],
                                previous=start + each * 60 - 180 if each else 0,
                            )
                            for each in every_3
                        ),
                    ),
                )
            ],
        ),
    ]
    # Whoever is heard at all is heard for two minutes, as the scan before is not known.
    assert [exposure_seconds(read(path)[0]) for path in logs] == [[stay + 120]] * 3
