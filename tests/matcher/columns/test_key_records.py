"""Key files as columns: what `read_export` reads, and its errors, whatever the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.columns.key_records import KeyObjects, ParsedKeys
from tests.fuzz.export_keys import all_of, same_either_way
from tests.matcher.examples import START, key, keys
from tests.matcher.test_match import export
from tracing_core.errors import ExportFileError
from tracing_core.export_file import (
    VerifiedExport,
    export_pb2,
    read_export,
    read_verified,
    write_export,
)
from tracing_core.export_file.contents import HEADER
from tracing_core.protocol.diagnosis_key import DiagnosisKey, VariantOfConcern


def verified(export_bin: bytes) -> VerifiedExport:
    return VerifiedExport("one.zip", HEADER + export_bin, ())


@given(st.lists(keys(), max_size=8), st.lists(keys(), max_size=4))
def test_what_we_write(
    tmp_path_factory: pytest.TempPathFactory,
    fresh: list[DiagnosisKey],
    revised: list[DiagnosisKey],
) -> None:
    path = tmp_path_factory.mktemp("export") / "one.zip"
    path.write_bytes(write_export(export(*fresh, revised=revised), []))
    records = same_either_way(read_verified(path))
    assert isinstance(records, ParsedKeys)
    assert len(records) == len(fresh) + len(revised)


@settings(max_examples=300)
@given(st.lists(keys(), max_size=4), st.lists(keys(), max_size=2), st.data())
def test_what_was_tampered_with(
    fresh: list[DiagnosisKey], revised: list[DiagnosisKey], data: st.DataObject
) -> None:
    message = export_pb2.TemporaryExposureKeyExport(
        start_timestamp=START * 600, end_timestamp=START * 600 + 86400, region="VN"
    )
    for messages, records in ((message.keys, fresh), (message.revised_keys, revised)):
        for record in records:
            messages.add(
                key_data=record.key_data,
                rolling_start_interval_number=record.rolling_start_interval_number,
                report_type=record.report_type.value,
            )
    changed = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                changed[at] = data.draw(st.integers(0, 255))
            case "cut":
                del changed[at : at + data.draw(st.integers(1, 4))]
            case "insert":
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        changed = changed or bytearray(1)
    same_either_way(verified(bytes(changed)))


@given(st.binary(max_size=100))
def test_noise(noise: bytes) -> None:
    same_either_way(verified(noise))


def message_of(**fields: object) -> bytes:
    return export_pb2.TemporaryExposureKeyExport(**fields).SerializeToString()


def test_revised_keys_before_the_others_come_last() -> None:
    first, second = (
        message_of(**{name: [export_pb2.TemporaryExposureKey(key_data=bytes([fill]) * 16)]})
        for name, fill in (("revised_keys", 1), ("keys", 2))
    )
    records = same_either_way(verified(first + second + first + second))
    assert isinstance(records, ParsedKeys)
    assert [data[0] for data in records.key_data.tolist()] == [2, 2, 1, 1]


@pytest.mark.parametrize(
    "rest",
    [
        {"start_timestamp": 2, "end_timestamp": 1},
        {"end_timestamp": 2**63},
        {"signature_infos": [export_pb2.SignatureInfo()] * 11},
    ],
)
def test_the_other_fields_are_judged(rest: dict[str, object]) -> None:
    one = message_of(keys=[export_pb2.TemporaryExposureKey(key_data=bytes(16))])
    assert same_either_way(verified(one)) is not None
    assert same_either_way(verified(one + message_of(**rest))) is None


def test_an_unusual_file_is_read_by_protobuf() -> None:
    # A field of which no schema knows, within a key.
    odd = bytes([0x3A, 20, 0x0A, 16]) + bytes(16) + b"\x78\x01"
    records = same_either_way(verified(odd))
    assert isinstance(records, KeyObjects)
    assert len(records) == 1


def test_all_fields_come_back() -> None:
    full = DiagnosisKey(
        bytes(range(16)),
        START,
        7,
        key().report_type,
        -200,
        8,
        VariantOfConcern.TYPE_3,
    )
    message = export_pb2.TemporaryExposureKey(
        key_data=full.key_data,
        rolling_start_interval_number=START,
        rolling_period=7,
        report_type=full.report_type.value,
        days_since_onset_of_symptoms=-200,
        transmission_risk_level=8,
        variant_of_concern=3,
    )
    records = same_either_way(verified(message_of(keys=[message])))
    assert isinstance(records, ParsedKeys)
    assert all_of(records) == [(0, full)]


def test_the_recordings_of_others() -> None:
    folder = os.environ.get("TRUYVET_RECORDINGS")
    if folder is None:
        pytest.skip("TRUYVET_RECORDINGS does not name the folder of recordings")
    read = 0
    for path in sorted(Path(folder, "exports").rglob("*.zip")):
        try:
            whole = read_export(path)
        except ExportFileError:
            continue
        records = same_either_way(read_verified(path))
        assert records is not None
        assert len(records) == len(whole.keys) + len(whole.revised_keys)
        read += 1
    assert read
