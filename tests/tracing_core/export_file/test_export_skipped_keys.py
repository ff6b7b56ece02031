"""Keys outside the protocol are skipped and counted, and the others of their file are used.

The public reports: one key with a transmission risk of 2147483647 in a file of others
(efgs-federation-gateway PR 169), and readers that gave up a file for one key
(exposure-notifications-android#30).
"""

import pytest

from tests.tracing_core.exports import SIGNER
from tracing_core.errors import MalformedExport
from tracing_core.export_file import MAX_EXPORT_BYTES, ExportFile, export_pb2, read_export_bytes
from tracing_core.export_file.archive import pack
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.signature import write_signatures
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType

START = 2_676_000
GOOD = [DiagnosisKey(bytes([fill]) * 16, START) for fill in (1, 2)]


def message(**fields):
    plain = {"key_data": bytes(16), "rolling_start_interval_number": START}
    return export_pb2.TemporaryExposureKey(**plain | fields)


def written(*messages, revised=()):
    """Return a signed key file with these keys between two good ones."""
    first, last = (message(key_data=key.key_data) for key in GOOD)
    file = export_pb2.TemporaryExposureKeyExport(
        keys=[first, *messages, last], revised_keys=[first, *revised, last]
    )
    export_bin = HEADER + file.SerializeToString()
    return pack(export_bin, write_signatures(export_bin, ExportFile(0, 0, ""), [SIGNER]))


def read(*messages, revised=()):
    public_keys = [SIGNER.private_key.public_key()]
    return read_export_bytes(written(*messages, revised=revised), public_keys=public_keys)


@pytest.mark.parametrize(
    "fields",
    [
        {"key_data": b""},
        {"key_data": bytes(1)},
        {"key_data": bytes(15)},
        {"key_data": bytes(15), "report_type": 1, "rolling_period": 7},
        {"key_data": bytes(17)},
        {"key_data": bytes(32)},
        {"rolling_period": 0},
        {"rolling_period": 145},
        {"rolling_period": -1},
        {"rolling_period": 2**31 - 1},
        {"rolling_start_interval_number": -1},
        {"rolling_start_interval_number": -(2**31)},
    ],
)
def test_a_key_that_cannot_be_used_is_skipped_and_counted(fields):
    wrong = message(**fields)
    export = read(wrong)
    assert list(export.keys) == list(export.revised_keys) == GOOD
    assert export.skipped_keys == 1
    export = read(wrong, wrong, revised=[wrong])
    assert (export.keys[1], export.keys[-2], export.keys[:5]) == (GOOD[1], GOOD[0], tuple(GOOD))
    assert (len(export.keys), len(export.revised_keys), export.skipped_keys) == (2, 2, 3)
    with pytest.raises(IndexError):
        export.keys[2]


@pytest.mark.parametrize("risk", [-(2**31), -1, 9, 2**31 - 1])
def test_a_transmission_risk_outside_the_protocol_counts_as_unset(risk):
    export = read(message(transmission_risk_level=risk))
    assert export.keys[1] == DiagnosisKey(bytes(16), START, transmission_risk_level=0)
    assert export.skipped_keys == 0
    assert read(message(transmission_risk_level=8)).keys[1].transmission_risk_level == 8


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"rolling_start_interval_number": 0}, {"rolling_start_interval_number": 0}),
        (
            {"rolling_start_interval_number": 2**31 - 1},
            {"rolling_start_interval_number": 2**31 - 1},
        ),
        ({"rolling_period": 1}, {"rolling_period": 1}),
        ({"days_since_onset_of_symptoms": 4000}, {"days_since_onset_of_symptoms": 4000}),
        ({"days_since_onset_of_symptoms": -(2**31)}, {"days_since_onset_of_symptoms": -(2**31)}),
        ({"report_type": 5}, {"report_type": ReportType.REVOKED}),
    ],
)
def test_a_key_at_the_edge_of_the_protocol_is_used(fields, expected):
    plain = {"key_data": bytes(16), "rolling_start_interval_number": START}
    export = read(message(**fields))
    assert export.keys[1] == DiagnosisKey(**plain | expected)
    assert export.skipped_keys == 0


def test_values_of_later_years_count_as_not_given():
    key = message().SerializeToString() + b"\x28\x63" + b"\x40\x63"  # report type 99, variant 99
    export = read_export_bytes(HEADER + b"\x3a" + bytes([len(key)]) + key)
    assert list(export.keys) == [DiagnosisKey(bytes(16), START)]


def test_a_key_twice_in_a_file_stays_twice_there():
    export = read(message(), message(report_type=5), message(rolling_period=0))
    assert [key.key_data for key in export.keys[1:3]] == [bytes(16)] * 2
    assert export.skipped_keys == 1


def test_a_file_of_nothing_but_such_keys_is_read():
    fields = b"\x3a\x00" + b"\x42\x02\x20\x00" + b"\x1a\x02VN" + b"\x3a\x01\xff"
    export = read_export_bytes(HEADER + fields)
    assert (len(export.keys), len(export.revised_keys), export.skipped_keys) == (0, 0, 3)
    assert export.region == "VN"


def test_more_keys_than_a_file_can_hold_are_refused():
    with pytest.raises(MalformedExport, match="holds more than 3728270 keys"):
        read_export_bytes(HEADER + b"\x3a\x00" * (MAX_EXPORT_BYTES // 16))
