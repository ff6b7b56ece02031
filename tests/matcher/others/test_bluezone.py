"""Matching what Bluezone recorded: a real phone's rows, the reasons, the minutes, the command."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import match_bluezone
from matcher.definition import counting
from matcher.others.matching import minutes_by_day, sightings_of_key
from matcher.others.sightings import OtherIndex
from tests.json_schemas import printed
from tests.matcher.examples import START, heard, key, write_database
from tests.tracing_core.vectors import load
from tracing_core.errors import ExportFileError, InvalidLog
from tracing_core.protocol.bluezone import BLUEZONE, BluezoneKey
from tracing_core.protocol.dp3t import DP3T, Dp3tKey
from tracing_core.protocol.slots import slots
from tracing_core.store.other_sighting import OtherSighting, write_other_lines
from tracing_core.store.sighting import write_json_lines

TRUYVET = Path(sys.executable).with_name("truyvet")
DAY = 86_400
KEY = bytes(range(32))
FIRST = 20_000 * DAY


def real_rows() -> list[OtherSighting]:
    """The identifiers that a real phone sent, as if another had heard them."""
    vector = load("bluezone_rows.json")
    identifiers = [bytes.fromhex(each) for each in vector["identifiers"]]
    return [
        OtherSighting("bluezone", identifiers[number], rssi, None, moment // 1000)
        for number, rssi, moment in vector["rows"]
    ]


def write_list(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"data": records}))
    return path


def published() -> dict[str, Any]:
    vector = load("bluezone_rows.json")
    return {
        "daily_key": vector["base_key"].upper(),
        "time_start": vector["day_start"],
        "time_end": 1_600_000_000,
        "max": 96,
    }


def sent(slot_number: int, *, at: int = 0, previous: int | None = None) -> OtherSighting:
    """The identifier of a slot of `KEY`, heard so many seconds after the slot began."""
    slot = list(slots(BLUEZONE, BluezoneKey(KEY, FIRST, FIRST + 2 * DAY)))[slot_number]
    return OtherSighting("bluezone", slot.identifier, -70, None, slot.first + at, previous)


RECORD = {"daily_key": KEY.hex(), "time_start": FIRST, "time_end": FIRST + 2 * DAY, "max": 96}


def test_a_real_phone_is_found_by_the_published_form_of_its_key(tmp_path: Path) -> None:
    rows = real_rows()
    result = match_bluezone(rows, [write_list(tmp_path / "F0.json", published())])
    assert (result.matched_keys, result.matched_identifiers) == (1, 5)
    assert result.matched_sightings == len(rows) == 118
    # The key's span is cut, and that is said.
    assert [note.code for note in result.notes] == ["shortened_keys"]
    (match,) = result.matches
    assert [each.seen_at for each in match.sightings] == sorted(each.seen_at for each in rows)


@settings(max_examples=30)
@given(
    numbers=st.lists(st.integers(0, 192), min_size=1, max_size=6),
    offsets=st.lists(st.sampled_from([-901, -1, 0, 450, 900, 901, DAY]), min_size=6, max_size=6),
    shift=st.integers(-2, 2),
)
def test_matching_is_as_defined(numbers: list[int], offsets: list[int], shift: int) -> None:
    log = [sent(number, at=at) for number, at in zip(numbers, offsets, strict=False)]
    index = OtherIndex(log)
    bluezone = BluezoneKey(KEY, FIRST, FIRST + DAY + 5_000)
    plain = [(each.identifier, each.seen_at) for each in log]
    expected = counting(slots(BLUEZONE, bluezone), plain, None)
    assert sightings_of_key(BLUEZONE, bluezone, index) == [place for place, _ in expected]

    dp3t = Dp3tKey(KEY, 20_000, 2)
    every = list(slots(DP3T, dp3t))
    moments = [every[number % 192].first + shift + at for number, at in enumerate(offsets)]
    others = [
        OtherSighting("dp3t", every[number % 192].identifier, None, None, moment)
        for number, moment in zip(numbers, moments, strict=False)
    ]
    plain = [(each.identifier, each.seen_at) for each in others]
    expected = counting(every, plain, DP3T.max_seconds_heard)
    found = sightings_of_key(DP3T, dp3t, OtherIndex(others))
    assert found == [place for place, _ in expected]


def test_minutes_are_those_of_the_device_s_own_listening() -> None:
    log = [
        sent(0),
        sent(0, at=30),
        sent(0, at=299, previous=FIRST),
        sent(0, at=302, previous=FIRST),
        sent(1, at=60, previous=FIRST),
        sent(95, at=899, previous=FIRST + DAY - 61),
    ]
    # Unknown: 2; the fourth minute after: 4; one later: 5; capped: 5; a minute: 1.
    assert minutes_by_day(log) == {20_000: 2 + 4 + 5 + 5 + 1}
    assert minutes_by_day([]) == {}


def test_two_keys_at_the_same_time_count_their_minutes_once(tmp_path: Path) -> None:
    log = [sent(number // 9, at=number % 9 * 60, previous=FIRST - 60) for number in range(9)]
    wide = write_list(tmp_path / "a.json", RECORD)
    narrow = write_list(tmp_path / "b.json", {**RECORD, "time_end": FIRST + 1}, RECORD)
    result = match_bluezone(log, [wide, narrow])
    assert (result.diagnosis_keys, result.matched_keys) == (2, 2)
    assert result.minutes == match_bluezone(log, [wide]).minutes


def test_why_nothing_matched_is_said(tmp_path: Path) -> None:
    def codes(log: list[OtherSighting], *records: dict[str, Any]) -> list[str]:
        result = match_bluezone(log, [write_list(tmp_path / "F0.json", *records)])
        assert not result.minutes
        assert "None recorded." in str(result)
        return [note.code for note in result.notes]

    assert codes([], RECORD) == ["empty_log"]
    assert codes([sent(0)]) == ["no_keys"]
    assert codes([sent(0)], {**RECORD, "max": 0}) == ["skipped_keys", "no_keys"]
    assert codes([sent(0, at=9 * DAY)], RECORD) == ["no_common_day"]
    assert codes([sent(0, at=901)], RECORD) == ["no_match"]
    future = OtherSighting("bluezone", bytes(12), None, None, 90_000_000_000)
    assert codes([future], RECORD) == ["future", "no_common_day"]


@pytest.mark.parametrize("content", ["", "[]", "EK Export v1", '{"data": 5}'])
def test_another_file_in_place_of_the_list_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "F0.json"
    path.write_text(content)
    with pytest.raises(ExportFileError, match=r"is not a list of Bluezone keys: ") as refused:
        match_bluezone([], [path])
    assert "\n" not in str(refused.value)


def test_a_log_of_another_protocol_is_not_taken_for_one(tmp_path: Path) -> None:
    keys = [write_list(tmp_path / "F0.json", RECORD)]
    log = tmp_path / "log.jsonl"
    write_json_lines(log, [heard(key(), START)])
    with pytest.raises(InvalidLog, match="protocol is missing"):
        match_bluezone(log, keys)
    # A database of an agent that never imported anything of Bluezone holds nothing of it.
    database = write_database(tmp_path / "agent.db", [heard(key(), START)])
    assert [note.code for note in match_bluezone(database, keys).notes] == ["empty_log"]
    write_other_lines(log, [OtherSighting("dp3t", bytes(16), None, None, FIRST)])
    assert [note.code for note in match_bluezone(log, keys).notes] == ["empty_log"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TRUYVET, "match", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_the_command(tmp_path: Path) -> None:
    log, keys = tmp_path / "log.jsonl", write_list(tmp_path / "F0.json", published())
    write_other_lines(log, real_rows())
    log.write_text(log.read_text() + "{}\n")
    zipped = tmp_path / "log"
    zipped.write_bytes(gzip.compress(log.read_bytes()))
    done = run("--protocol", "bluezone", zipped, keys, "--json", "--research")
    assert done.returncode == 0, done.stderr
    answer = printed("match", done.stdout)
    assert (answer["protocol"], answer["strength"]) == ("bluezone", "unknown")
    assert [day["date"] for day in answer["days"]] == ["2020-08-08"]
    assert [note["code"] for note in answer["notes"]] == ["unreadable", "shortened_keys"]
    (match,) = answer["matches"]
    assert (match["sightings"], match["key_index"]) == (118, 0)

    done = run("--protocol", "bluezone", log, keys)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Log       118 sightings of bluezone", "Keys      1 in 1 file"]
    assert lines[3:5] == [
        "Matched   1 key, 5 identifiers, 118 sightings",
        "Strength  unknown: this protocol does not state how strongly a device sends",
    ]
    assert lines[6].split() == ["Day", "Minutes"]
    for secret in (
        load("bluezone_rows.json")["base_key"],
        *load("bluezone_rows.json")["identifiers"],
    ):
        assert secret not in done.stdout.lower()


@pytest.mark.parametrize(
    "options", [["--risk", "enx"], ["--today", "2026-01-01"], ["--threads", "1"]]
)
def test_options_of_gaen_are_refused(tmp_path: Path, options: list[str]) -> None:
    keys = write_list(tmp_path / "F0.json")
    done = run("--protocol", "bluezone", tmp_path / "log.jsonl", keys, *options)
    assert done.returncode == 2
    assert f"{options[0]} has no meaning with --protocol bluezone" in done.stderr
