"""Keys outside the protocol never keep the others of their file from matching, on either path.

From efgs-federation-gateway PR 169: one of 22 keys had a transmission risk of 2147483647.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import definition, match
from matcher.many.matching import match_many
from matcher.many.result import METADATA_KEY
from matcher.result import MatchResult
from tests.matcher.examples import NAMES, START, heard, key, shuffled_logs
from tests.matcher.test_match import PRIVATE
from tracing_core.export_file import ExportFile, Signer, export_pb2, read_export
from tracing_core.export_file.archive import pack
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.signature import write_signatures
from tracing_core.store.sighting import Sighting

KERNELS = ("portable", "table")
Message = export_pb2.TemporaryExposureKey


def message(name: str, **fields: object) -> Message:
    plain = {
        "key_data": hashlib.sha256(name.encode()).digest()[:16],
        "rolling_start_interval_number": START,
        "report_type": 1,
        "days_since_onset_of_symptoms": 0,
    }
    return Message(**plain | fields)


def write(path: Path, keys: list[Message], revised: list[Message] | None = None) -> Path:
    file = export_pb2.TemporaryExposureKeyExport(keys=keys, revised_keys=revised or [])
    export_bin = HEADER + file.SerializeToString()
    signer = Signer(PRIVATE, "452", "v1")
    path.write_bytes(pack(export_bin, write_signatures(export_bin, ExportFile(0, 0, ""), [signer])))
    return path


def both(monkeypatch: pytest.MonkeyPatch, log: list[Sighting], path: Path) -> MatchResult:
    """Match by the portable path and by a kernel, and return the result, which is the same."""
    results = []
    for kernel in KERNELS:
        monkeypatch.setenv("TRUYVET_KERNEL", kernel)
        results.append(match(log, [path], public_keys=[PRIVATE.public_key()], research=True))
    assert results[0].to_json() == results[1].to_json()
    return results[0]


def test_one_risk_out_of_range_among_22_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [message(f"stranger {n}") for n in range(20)]
    keys += [message("an"), message("binh", transmission_risk_level=2**31 - 1)]
    log = [heard(key(name), START + 6 * n, rssi=-40) for name in ("an", "binh") for n in range(9)]
    result = both(monkeypatch, log, write(tmp_path / "keys.zip", keys))
    assert (result.diagnosis_keys, result.skipped_keys, result.matched_keys) == (22, 0, 2)
    assert result.assessment.level == "high"
    assert "left out" not in str(result)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_data": bytes(15)},
        {"key_data": bytes(17)},
        {"key_data": b""},
        {"rolling_period": 0},
        {"rolling_period": 145},
        {"rolling_start_interval_number": -1},
    ],
)
def test_a_key_that_cannot_be_used_is_counted_and_the_others_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
) -> None:
    bad = message("chi", **wrong)
    path = write(tmp_path / "keys.zip", [bad, message("an"), bad], [message("binh"), bad])
    result = both(monkeypatch, [heard(key(name), START) for name in NAMES], path)
    assert (result.diagnosis_keys, result.skipped_keys, result.matched_keys) == (2, 3, 2)
    assert result.to_json()["skipped_keys"] == 3
    assert "Keys      2 in 1 file, signatures checked, 3 unusable keys left out" in str(result)


def test_many_logs_count_such_keys_too(tmp_path: Path) -> None:
    keys = [message("an"), message("binh", rolling_period=0), message("chi")]
    path = write(tmp_path / "keys.zip", keys)
    logs = {name: [heard(key(name), START)] for name in NAMES}
    result = match_many(logs, path, workers=1)
    assert (result.diagnosis_keys, result.skipped_keys) == (2, 1)
    assert result.to_json()["matched_logs"] == 2
    assert result.to_json()["skipped_keys"] == 1
    assert "Keys      2 in 1 file, signatures not checked, 1 unusable key left out" in str(result)
    facts = json.loads(result.tables()["logs"].schema.metadata[METADATA_KEY])
    assert facts["skipped_keys"] == 1


odd_messages = st.builds(
    message,
    st.sampled_from(NAMES),
    key_data=st.sampled_from(NAMES).map(lambda name: key(name).key_data) | st.binary(max_size=20),
    rolling_start_interval_number=st.sampled_from([START, START + 5, -1, 0, 2**31 - 1, -(2**31)]),
    rolling_period=st.sampled_from([-1, 0, 1, 3, 144, 145, 2**31 - 1]),
    transmission_risk_level=st.sampled_from([-(2**31), -1, 0, 8, 9, 2**31 - 1]),
    report_type=st.integers(0, 5),
    days_since_onset_of_symptoms=st.sampled_from([-(2**31), -14, 0, 4000, 2**31 - 1]),
)


@settings(max_examples=60)
@given(
    log=shuffled_logs,
    keys=st.lists(odd_messages, max_size=6),
    revised=st.lists(odd_messages, max_size=3),
)
def test_both_paths_agree_with_the_definition(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[Sighting],
    keys: list[Message],
    revised: list[Message],
) -> None:
    path = write(tmp_path_factory.mktemp("odd") / "keys.zip", keys, revised)
    export = read_export(path)
    assert len(export.keys) + len(export.revised_keys) + export.skipped_keys == len(keys + revised)
    with pytest.MonkeyPatch.context() as monkeypatch:
        result = both(monkeypatch, log, path)
    assert result.skipped_keys == export.skipped_keys
    expected = definition.matches(log, [*export.keys, *export.revised_keys])
    assert result.matched_keys == len(expected)
    assert result.matched_sightings == sum(len(one.sightings) for one in expected)
