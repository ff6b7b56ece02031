"""Logs as columns: what `read_log` reads, and its errors, whatever the file."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.columns import log as log_columns
from matcher.columns.log import LogColumns, read_columns
from tests.fuzz.log_lines import same_either_way
from tests.matcher.examples import START, heard, key, shuffled_logs, write_database
from tracing_core.store.json_lines import LONGEST_LINE
from tracing_core.store.sighting import Sighting, write_json_lines

LINE = (
    '{"rpi": "00112233445566778899aabbccddeeff", "aem": "01234567", "rssi_dbm": [-61, -63],'
    ' "seen_at": 1795410000, "previous_scan_at": 1795409760, "clock_suspect": false}'
)


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the slow way would be asked."""

    def refuse(_: object) -> None:
        raise AssertionError("the kernel gave up")

    monkeypatch.setattr(log_columns, "read_log", refuse)


@settings(max_examples=50)
@given(log=shuffled_logs)
def test_every_form(tmp_path_factory: pytest.TempPathFactory, log: list[Sighting]) -> None:
    folder = tmp_path_factory.mktemp("logs")
    write_json_lines(folder / "log.jsonl", log)
    write_json_lines(folder / "log.jsonl.gz", log)
    write_database(folder / "agent.db", log)
    for name in ("log.jsonl", "log.jsonl.gz", "agent.db"):
        same_either_way(folder / name)


def test_blocks_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = [heard(key(), START + n, rssi=[-60] * (1 + n % 3), suspect=n % 7 == 0) for n in range(60)]
    write_json_lines(tmp_path / "log.jsonl", log)
    write_database(tmp_path / "agent.db", log)
    for size in (1, 7, 200, 1000):
        monkeypatch.setattr(log_columns, "BLOCK_BYTES", size)
        monkeypatch.setattr(log_columns, "BLOCK_ROWS", size)
        same_either_way(tmp_path / "log.jsonl")
        same_either_way(tmp_path / "agent.db")


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\r\n \t\n",
        LINE,
        LINE + "\n",
        LINE + "\r\n\n  " + LINE + " \n",
        LINE.replace(" ", "").replace("[-61,-63]", "-61").replace("aabb", "AaBB"),
        LINE.replace("1795409760", "null"),
        LINE.replace("false", "true") + "\n" + LINE,
        LINE.replace("[-61, -63]", "[ -127 ,\t0,126 ]")
        .replace('"aem": "01234567", ', "")
        .replace("}", ' , "aem" : "01234567" }'),
    ],
)
def test_what_is_usual_is_read_by_the_kernel(tmp_path: Path, text: str) -> None:
    (tmp_path / "log").write_text(text)
    columns = read_columns(tmp_path / "log")
    assert columns.count == text.count("{")
    for sighting in columns.sightings(np.arange(len(columns))):
        assert sighting.rpi.hex() == "00112233445566778899aabbccddeeff"
        assert sighting.aem.hex() == "01234567"
        assert sighting.seen_at == 1795410000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1795410000", "1795410000.0"),
        ("1795410000", "-1"),
        ("1795410000", "-0"),
        ("1795410000", "01"),
        ("1795410000", str(2**32 * 600)),
        ("1795410000", str(2**32 * 600 - 1)),
        ("1795410000", str(2**64 + 5)),
        ("1795410000", "true"),
        ("1795409760", "false"),
        ("false", "null"),
        ("false", "0"),
        ("[-61, -63]", "[]"),
        ("[-61, -63]", "[-61,]"),
        ("[-61, -63]", "[[-61]]"),
        ("[-61, -63]", "-128"),
        ("[-61, -63]", "127"),
        ("[-61, -63]", '"-61"'),
        ("00112233", "0011223"),
        ("00112233", "0011223g"),
        ("00112233", "٠011223"),
        ("00112233", "\\u0030011223"),
        ('"aem"', '"rpi"'),
        ('"aem"', '"\\u0061em"'),
        ('"aem"', '"aem "'),
        ('"aem": "01234567", ', ""),
        ("}", ', "more": 1}'),
        ("}", "} {}"),
        ("}", ""),
        ("}", ",}"),
        ("{", "{,"),
        (" ", "\x0b"),
        (" ", "\n"),
        ("{", "\ufeff{"),
    ],
)
def test_what_is_unusual_or_wrong_is_left_to_the_slow_way(
    tmp_path: Path, old: str, new: str
) -> None:
    assert old in LINE
    (tmp_path / "log").write_text(f"{LINE}\n{LINE.replace(old, new, 1)}\n{LINE}\n")
    same_either_way(tmp_path / "log")


@settings(max_examples=300)
@given(st.data())
def test_lines_that_were_tampered_with(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = bytearray(f"{LINE}\n{LINE}\n".encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(text) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                text[at] = data.draw(st.integers(0, 255))
            case "cut":
                del text[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                text[at:at] = data.draw(st.sampled_from(list(b'{}[]",:-09ntf \n\r'))).to_bytes()
    path = tmp_path_factory.mktemp("lines") / "log"
    path.write_bytes(text)
    same_either_way(path)


@given(st.binary(max_size=60))
@example(b"{")
@example(b'{"')
@example(b'{"rpi":"')
@example(b'{"clock_suspect":t')
@example(b'{"rssi_dbm":[')
def test_noise_behind_a_brace(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "log"
    path.write_bytes(b"{" + noise)
    same_either_way(path)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_longest_line(tmp_path: Path, more: int) -> None:
    line = LINE[:-1].ljust(LONGEST_LINE - 2 + more) + "}\n"
    assert len(line) == LONGEST_LINE + more
    for text in (line + LINE, LINE + "\n" + line, line[:-1]):
        (tmp_path / "log").write_text(text)
        columns = same_either_way(tmp_path / "log")
        # The line end counts, if there is one.
        assert (columns is None) == (max(map(len, text.splitlines(keepends=True))) > LONGEST_LINE)
    (tmp_path / "log").write_bytes(b"{" + b" " * (9 << 20))
    assert same_either_way(tmp_path / "log") is None


def test_a_damaged_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(f"{LINE}\n".encode() * 1000)
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:-8] + bytes(8), whole + b"x"):
        (tmp_path / "log").write_bytes(damaged)
        assert same_either_way(tmp_path / "log") is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seen_at", -1),
        ("seen_at", 2**32 * 600),
        ("seen_at", 2**62),
        ("previous_scan_at", -5),
        ("previous_scan_at", 2**32 * 600),
        ("rssi_dbm", b""),
        ("rpi", bytes(15)),
        ("aem", bytes(5)),
    ],
)
@pytest.mark.parametrize("suspect", [False, True])
def test_a_row_outside_the_protocol(
    tmp_path: Path, column: str, value: object, suspect: bool
) -> None:
    path = write_database(
        tmp_path / "agent.db", [heard(key(), START + n, suspect=suspect) for n in range(3)]
    )
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA ignore_check_constraints=ON")
        db.execute(f"UPDATE sighting SET {column} = ? WHERE id = 2", (value,))
    db.close()
    assert same_either_way(path) is None


def test_samples_of_chosen_rows() -> None:
    log = [heard(key(), START + n, rssi=[-60 - n] * (n + 1), previous=n or None) for n in range(5)]
    columns = LogColumns.from_sightings(log)
    assert list(columns.sightings(np.array([0, 3, 4]))) == [log[0], log[3], log[4]]
    assert list(columns.sightings(np.array([], np.int64))) == []
