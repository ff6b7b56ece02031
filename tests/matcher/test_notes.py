"""Notes of a result: "No exposure counts." is never all that is said."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from matcher import MatchResult, load_configuration, match
from matcher.risk import attenuation
from tests.matcher.examples import START, heard, key
from tracing_core.export_file import ExportFile
from tracing_core.protocol.associated_encrypted_metadata import Metadata, decrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.store.sighting import Sighting, write_json_lines

NOON = START + 72
LOG = [heard(key(), NOON + n, rssi=-50, previous=(NOON + n) * 600) for n in range(4)]


def export(*keys: DiagnosisKey, revised: tuple[DiagnosisKey, ...] = ()) -> ExportFile:
    return ExportFile(START * 600, START * 600 + 86400, "VN", keys, revised)


def shifted(seconds: int) -> list[Sighting]:
    return [
        replace(each, seen_at=each.seen_at + seconds, previous_scan_at=each.seen_at + seconds - 300)
        for each in LOG
    ]


def matched(log: list[Sighting], *keys: DiagnosisKey) -> MatchResult:
    return match(log, export(*(keys or (key(),))))


def codes(result: MatchResult) -> list[str]:
    assert [note["code"] for note in result.to_json()["notes"]] == [
        note.code for note in result.notes
    ]
    for note in result.notes:
        assert note.text in str(result)
        assert note.text in result._repr_html_().replace("&#x27;", "'")
        assert note.text.endswith(".")
    return [note.code for note in result.notes]


def text(result: MatchResult) -> str:
    return " ".join(note.text for note in result.notes)


def test_what_counts_needs_no_note() -> None:
    result = matched(LOG)
    assert result.assessment.level == "high"
    assert codes(result) == []
    assert result.to_json()["log"]["days"] == {"first": "2020-05-21", "last": "2020-05-21"}
    assert result.to_json()["key_days"] == {"first": "2020-05-21", "last": "2020-05-21"}


def test_an_empty_log_and_no_keys() -> None:
    assert codes(matched([])) == ["empty_log"]
    assert codes(match(LOG, export())) == ["no_keys"]
    assert codes(matched([heard(key(), NOON, suspect=True)])) == ["suspect_clock"]


def test_days_that_a_log_and_keys_do_not_share() -> None:
    result = matched([heard(key("stranger"), NOON + 10 * 144)])
    assert codes(result) == ["no_common_day"]
    assert "The log (2020-05-31) and the keys (2020-05-21) share no day." in text(result)
    assert "Days      log 2020-05-31; keys 2020-05-21\n" in str(result)


def test_nobody_near_on_a_common_day() -> None:
    assert codes(matched([heard(key("stranger"), NOON)])) == ["no_match"]


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (7, "about 7 h after they were sent: seen_at seems to be local time (UTC+7)."),
        (5.5, "about 5.5 h after they were sent: seen_at seems to be local time (UTC+5.5)."),
        (-8, "about 8 h before they were sent: seen_at seems to be local time (UTC-8)."),
        (13, "about 13 h after they were sent: seen_at seems to be local time (UTC+13)."),
        (20, "about 20 h after they were sent: the device's clock was wrong."),
        # Within the tolerance, so it matches and counts.
        (1, "about 1 h after they were sent: seen_at seems to be local time (UTC+1)."),
        (-2, "about 2 h before they were sent: seen_at seems to be local time (UTC-2)."),
    ],
)
def test_times_of_the_local_zone(hours: float, said: str) -> None:
    result = matched(shifted(int(hours * 3600)), key("binh"), key())
    assert codes(result) == ["clock_offset"]
    assert said in text(result)
    assert "1 key" in text(result)


def test_identifiers_heard_at_scattered_times_were_replayed() -> None:
    log = [*shifted(5 * 3600)[:1], *shifted(15 * 3600)[1:2]]
    result = matched(log)
    assert codes(result) == ["clock_offset"]
    assert "they were replayed" in text(result)


# Bluetooth-Devices/bleak-retry-connector#42, hbldh/bleak#181: 0 is what a host reports for unknown.
@pytest.mark.parametrize("rssi", [0, 127, 57, 20, -128, (0, 126)])
def test_unknown_strengths_never_count_as_near(rssi: int | tuple[int, ...]) -> None:
    result = matched([heard(key(), NOON + n, rssi=rssi) for n in range(4)])
    assert result.assessment.level == "none"
    assert result.assessment.windows == ()
    assert (result.matched_keys, result.matched_sightings) == (1, 0)
    assert result.log.unmeasured_sightings == 4
    assert codes(result) == ["unknown_strength", "only_unmeasured"]
    assert "4 of 4 sightings that matched have no known strength" in text(result)


def test_one_unknown_strength_takes_no_other_with_it(tmp_path: Path) -> None:
    log = [*LOG[:2], replace(LOG[2], rssi_dbm=(127,)), LOG[3]]
    write_json_lines(tmp_path / "log.jsonl", log)
    result = match(tmp_path / "log.jsonl", export(key()))
    assert (result.sightings, result.matched_sightings) == (4, 3)
    assert result.assessment.level == "high"
    assert codes(result) == ["unknown_strength"]
    assert "1 sighting of unknown strength, first in line 3, never counted as near" in text(result)
    # A sample that is unknown beside one that is known changes nothing.
    mixed = [replace(each, rssi_dbm=(*each.rssi_dbm, 0)) for each in LOG]
    assert matched(mixed).assessment.days == matched(LOG).assessment.days


def test_one_bad_line_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_json_lines(path, LOG)
    with path.open("a") as file:
        file.write('{"rpi": "00')
    result = match(path, export(key()))
    assert (result.matched_sightings, result.log.unreadable) == (4, 1)
    assert codes(result) == ["unreadable"]
    assert "line 5: not JSON, as the line is cut off" in text(result)


@pytest.mark.parametrize("aem", [bytes(4), b"\xff" * 4, b"abcd"])
def test_metadata_that_was_filled_in_states_no_power(aem: bytes) -> None:
    result = matched([replace(each, aem=aem) for each in LOG])
    assert result.assessment.windows == ()
    assert codes(result) == ["metadata"]
    assert "4 of 4 sightings that matched" in text(result)


@pytest.mark.parametrize(
    "metadata", [Metadata(-10, major_version=2), Metadata(-51), Metadata(21), Metadata(-128)]
)
def test_metadata_that_no_phone_sends(metadata: Metadata) -> None:
    result = matched([heard(key(), NOON + n, metadata=metadata) for n in range(3)])
    assert result.assessment.windows == ()
    assert codes(result) == ["metadata"]


def test_too_far_and_below_the_threshold() -> None:
    far = matched([heard(key(), NOON, rssi=-100)])
    assert codes(far) == ["too_far"]
    assert "the lowest attenuation was 90 dB" in text(far)
    assert codes(matched([heard(key(), NOON)])) == ["below_threshold"]


def test_windows_that_do_not_count() -> None:
    old = match(LOG, export(key()), today=START // 144 + 20)
    assert codes(old) == ["too_old"]
    assert "2 exposure windows older than the days that count" in text(old)
    assert codes(matched(LOG, key(onset=-14))) == ["not_infectious"]
    strict = load_configuration("narrow-v2")
    strict = replace(
        strict, daily_summaries=replace(strict.daily_summaries, minimum_window_score=1e6)
    )
    assert codes(match(LOG, export(key()), configuration=strict)) == ["too_weak"]


def test_a_key_that_was_revoked_later() -> None:
    first = key(report_type=ReportType.SELF_REPORT)
    result = match(LOG, export(first, revised=(key(report_type=ReportType.REVOKED),)))
    assert codes(result) == ["revoked"]


def test_a_time_in_the_future_does_not_make_the_others_old() -> None:
    # One wrong row would otherwise decide from which day ages are counted back.
    later = replace(heard(key("stranger"), NOON), seen_at=int(time.time()) + 40 * 86400)
    result = matched([*LOG, later])
    assert result.assessment.level == "high"
    assert codes(result) == ["future"]
    assert result.log.future_sightings == 1


def test_no_note_shows_a_time_finer_than_a_day_or_an_identifier(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_json_lines(path, shifted(7 * 3600))
    with path.open("a") as file:
        file.write(json.dumps({"rpi": LOG[0].rpi.hex(), "seen_at": LOG[0].seen_at}) + "\n")
    said = text(match(path, export(key())))
    assert LOG[0].rpi.hex() not in said
    assert str(LOG[0].seen_at) not in said


def test_metadata_is_decrypted_once_for_the_windows_and_the_notes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decrypted = []

    def counting(aemk: bytes, rpi: bytes, aem: bytes) -> Metadata:
        decrypted.append(rpi)
        return decrypt_aem(aemk, rpi, aem)

    monkeypatch.setattr(attenuation, "decrypt_aem", counting)
    assert matched(LOG).assessment.level == "high"
    assert len(decrypted) == len(LOG)
