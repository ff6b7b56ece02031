"""From real files to the result: their order, revisions, signatures, and what stays unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import definition, match
from tests.matcher.examples import START, heard, key, keys, shuffled_logs, write_database
from tracing_core.errors import ExportFileError, InvalidSignature
from tracing_core.export_file import ExportFile, Signer, write_export
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.store.sighting import Sighting, write_json_lines

PRIVATE = generate_private_key(SECP256R1())
DAY = START * 600


def export(
    *published: DiagnosisKey, revised: Sequence[DiagnosisKey] = (), day: int = 0
) -> ExportFile:
    start = DAY + day * 86400
    return ExportFile(start, start + 86400, "VN", published, revised)


def write(path: Path, file: ExportFile) -> Path:
    path.write_bytes(write_export(file, [Signer(PRIVATE, "452", "v1")]))
    return path


def test_duplicates_and_revisions_over_files(tmp_path: Path) -> None:
    clinical = ReportType.CONFIRMED_CLINICAL_DIAGNOSIS
    an, binh, chi = (key(name, report_type=clinical) for name in ("an", "binh", "chi"))
    log = [heard(one, START + 2) for one in (an, binh, chi)]
    # Named against their order in time, which decides.
    first = write(tmp_path / "z.zip", export(an, binh, chi))
    again = write(tmp_path / "m.zip", export(an, day=1))
    last = write(
        tmp_path / "a.zip",
        export(revised=[key("an", report_type=ReportType.REVOKED), key("binh")], day=2),
    )
    result = match(log, [tmp_path], research=True)
    answer = result.to_json()
    assert result.files == (str(first), str(again), str(last))
    assert (answer["diagnosis_keys"], answer["matched_keys"]) == (3, 2)
    assert (answer["matched_identifiers"], answer["matched_sightings"]) == (2, 2)
    assert {window["report_type"] for window in answer["exposure_windows"]} == {
        "confirmed_test",
        "confirmed_clinical_diagnosis",
    }
    found = {(entry["file"], entry["key_index"]) for entry in answer["matches"]}
    in_last = sorted([key("an").key_data, key("binh").key_data]).index(key("binh").key_data)
    in_first = sorted(one.key_data for one in (an, binh, chi)).index(chi.key_data)
    assert found == {(str(last), in_last), (str(first), in_first)}


def test_key_index_goes_on_into_revised_keys() -> None:
    file = export(key("an"), key("binh"), revised=[key("chi")])
    result = match([heard(key("chi"), START)], [file], research=True)
    assert result.to_json()["matches"] == [
        {
            "file": "exports[0]",
            "key_index": 2,
            "identifiers": 1,
            "sightings": 1,
            "first_interval": START,
            "last_interval": START,
        }
    ]


def test_objects_and_paths_keep_their_order(tmp_path: Path) -> None:
    unknown = key(report_type=ReportType.SELF_REPORT)
    path = write(tmp_path / "one.zip", export(key(report_type=ReportType.REVOKED)))
    log = [heard(key(), START)]
    assert match(log, [path, export(unknown)]).matched_keys == 0
    assert match(log, [path, export(unknown)]).files == (str(path), "exports[1]")
    assert match(log, [export(unknown), path]).matched_keys == 0
    assert match(log, [export(unknown), path]).files == ("exports[0]", str(path))
    assert match(log, [export(unknown)]).matched_keys == 1
    write_json_lines(tmp_path / "log.jsonl", log)
    assert match(str(tmp_path / "log.jsonl"), [export(unknown), str(path)]).diagnosis_keys == 1


def test_an_index_gives_the_order(tmp_path: Path) -> None:
    clinical = key(report_type=ReportType.CONFIRMED_CLINICAL_DIAGNOSIS)
    write(tmp_path / "new.zip", export(clinical, day=1))
    write(tmp_path / "old.zip", export(key(report_type=ReportType.SELF_REPORT)))
    log = [heard(key(), START)]

    def report_type() -> str:
        (window,) = match(log, [tmp_path]).to_json()["exposure_windows"]
        return str(window["report_type"])

    assert report_type() == "confirmed_clinical_diagnosis"
    # A self-report after a diagnosis is no revision.
    (tmp_path / "index.txt").write_text("new.zip\nold.zip")
    assert report_type() == "confirmed_clinical_diagnosis"
    (tmp_path / "index.txt").write_text("old.zip")
    assert report_type() == "self_report"


def test_only_signed_files_count_when_a_key_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "one.zip", export(key()))
    log = [heard(key(), START)]
    other = generate_private_key(SECP256R1()).public_key()
    assert match(log, [path], public_keys=[other, PRIVATE.public_key()]).matched_keys == 1
    with pytest.raises(InvalidSignature):
        match(log, [path], public_keys=[other])


def test_nothing_against_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"")
    path = write(tmp_path / "one.zip", export())
    assert match(log, [path]).to_json() == {
        "version": 1,
        "diagnosis_keys": 0,
        "skipped_keys": 0,
        "passed_over": [],
        "matched_keys": 0,
        "matched_identifiers": 0,
        "matched_sightings": 0,
        "log": {
            "sightings": 0,
            "suspect_sightings": 0,
            "unmeasured_sightings": 0,
            "first_unmeasured": None,
            "unreadable": 0,
            "first_unreadable": None,
            "future_sightings": 0,
            "days": {"first": None, "last": None},
        },
        "key_days": {"first": None, "last": None},
        "notes": [
            {"code": "empty_log", "text": "The log holds no sighting."},
            {"code": "no_keys", "text": "The key files hold no key."},
        ],
        "exposure_windows": [],
        "daily_summaries": [],
        "risk": {"preset": "narrow-v2", "level": "none", "score": 0.0},
    }
    with pytest.raises(ExportFileError):
        match(log, [tmp_path / "none.zip"])


def test_today_is_the_log_s_last_day_unless_said() -> None:
    log = [heard(key(), START), heard(key("stranger"), START + 144 * 14)]
    later = heard(key("stranger"), START + 144 * 15)
    suspect = heard(key("stranger"), START + 144 * 99, suspect=True)
    assert len(match(log, [export(key())]).assessment.days) == 1
    assert len(match([*log, suspect], [export(key())]).assessment.days) == 1
    assert match([*log, later], [export(key())]).assessment.days == ()
    day = START // 144 + 14
    assert len(match([*log, later], [export(key())], today=day).assessment.days) == 1


@settings(max_examples=30)
@given(log=shuffled_logs, files=st.lists(st.lists(keys(), max_size=4), min_size=1, max_size=3))
def test_every_form_of_a_log_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[Sighting],
    files: list[list[DiagnosisKey]],
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    write_json_lines(folder / "log.jsonl", log)
    write_json_lines(folder / "log.jsonl.gz", log)
    write_database(folder / "agent.db", log)
    paths = [
        write(folder / f"{number}.zip", export(*file, day=number))
        for number, file in enumerate(files)
    ]
    names = ("log.jsonl", "log.jsonl.gz", "agent.db")
    answers = [match(folder / name, paths, research=True).to_json() for name in names]
    answers.append(match(log, paths, research=True).to_json())
    assert answers == [answers[0]] * 4
    # Files sort their keys, and the first of equal ones counts.
    written = [
        record for file in files for record in sorted(file, key=lambda record: record.key_data)
    ]
    expected = definition.matches(log, written)
    assert answers[0]["matched_keys"] == len(expected)
    assert answers[0]["matched_sightings"] == sum(len(one.sightings) for one in expected)
    assert answers[0]["matched_identifiers"] == len(
        {sighting.rpi for one in expected for sighting in one.sightings}
    )
    assert answers[0]["diagnosis_keys"] == len({one.key_data for one in written})


def test_without_research_nothing_tells_who_or_when() -> None:
    log = [heard(key(), START + 40, at=(START + 40) * 600 + 77, previous=(START + 40) * 600 - 163)]
    result = match(log, [export(key())])
    assert result.matched_keys == 1
    for text in (json.dumps(result.to_json()), str(result), repr(result)):
        lowered = text.lower()
        for secret in (log[0].rpi, log[0].aem, key().key_data):
            assert secret.hex() not in lowered
            assert repr(secret)[2:-1].lower() not in lowered
        # No moment, no interval: no number that long, and no time of day.
        assert not re.search(r"\d{6,}", text)
        assert not re.search(r"\d:\d", text)
    assert "matches" not in result.to_json()


def test_research_tells_files_and_intervals_but_no_bytes() -> None:
    log = [heard(key(), START + 40), heard(key(), START + 41), heard(key(), START + 41)]
    result = match(log, [export(key())], research=True)
    (entry,) = result.to_json()["matches"]
    assert (entry["identifiers"], entry["sightings"]) == (2, 3)
    assert (entry["first_interval"], entry["last_interval"]) == (START + 40, START + 41)
    assert key().key_data.hex() not in json.dumps(result.to_json())
    assert "exports[0]" in str(result)


def test_the_table_tells_a_person() -> None:
    log = [heard(key(), START + 10 * n, rssi=-60, previous=1) for n in range(4)]
    log.append(heard(key(), START, suspect=True))
    assert str(match(log, [export(key(), key("binh"))])).splitlines() == [
        "Log       5 sightings, 1 under a suspect clock left out",
        "Keys      2 in 1 file, signatures not checked",
        "Days      log 2020-05-21; keys 2020-05-21",
        "Matched   1 key, 4 identifiers, 4 sightings",
        "Risk      high (narrow-v2, 35.0 weighted minutes)",
        "",
        "Day         Level  Score  Minutes  Windows  Nearest",
        "2020-05-21  high    35.0       20        4       50",
        "Score is in weighted minutes, Nearest is the lowest attenuation in dB (lower is closer).",
    ]
    assert str(match([], [export(key())])).splitlines()[-3:] == [
        "No exposure counts.",
        "",
        "The log holds no sighting.",
    ]


def test_what_a_folder_holds_besides_is_named(tmp_path: Path) -> None:
    # cwa-documentation#466: files of a day without an extension.
    write(tmp_path / "older.zip", export(key("binh")))
    write(tmp_path / "2020-05-21", export(key(), day=1))
    log = [heard(key(), START)]
    result = match(log, [tmp_path])
    assert (result.matched_keys, result.passed_over) == (1, ())
    assert "Not used" not in str(result)
    for number in range(7):
        (tmp_path / f"{number}\x1b.md").touch()
    result = match(log, [tmp_path])
    assert result.to_json()["passed_over"] == [str(tmp_path / f"{n}\x1b.md") for n in range(7)]
    (line,) = [line for line in str(result).splitlines() if line.startswith("Not used")]
    assert line.isprintable()
    assert line.count(".md") == 5
    assert line.endswith(" and 2 more")


def test_progress_is_told() -> None:
    told: list[str] = []
    match([], [export(), export()], progress=told.append)
    assert told == ["reading the log", "matching file 1 of 2", "matching file 2 of 2"]
