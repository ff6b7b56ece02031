"""What the wire parser accepts, protobuf accepts with the same values."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.kernels.loops.export_parsing import ABSENT, MOST_OTHER_FIELDS, parse_function
from tracing_core.export_file import export_pb2

HEADER = b"EK Export v1    "


def parsed(export_bin: bytes, room: int = 100) -> tuple[list[tuple], bytes] | None:
    """Return the keys as tuples and the bytes of the other fields; None if it gave up."""
    columns = (
        np.full((room, 16), 0xEE, np.uint8),
        np.full(room, 0xEE, np.uint32),
        *(np.full(room, 0xEE, np.uint8) for _ in range(2)),
        np.full(room, 0xEE, np.int32),
        *(np.full(room, 0xEE, np.uint8) for _ in range(3)),
    )
    other = np.zeros((MOST_OTHER_FIELDS + 1, 2), np.int64)
    count = parse_function()(np.frombuffer(export_bin, np.uint8), len(HEADER), *columns, other)
    if count < 0:
        return None
    rows = [
        (columns[0][i].tobytes(), *(int(column[i]) for column in columns[1:])) for i in range(count)
    ]
    spans = other[: other[MOST_OTHER_FIELDS, 0]].tolist()
    return rows, b"".join(export_bin[start:end] for start, end in spans)


def by_protobuf(export_bin: bytes) -> tuple[list[tuple], bytes]:
    message = export_pb2.TemporaryExposureKeyExport.FromString(export_bin[len(HEADER) :])
    rows = [
        (
            key.key_data,
            key.rolling_start_interval_number,
            key.rolling_period,
            key.report_type,
            key.days_since_onset_of_symptoms
            if key.HasField("days_since_onset_of_symptoms")
            else ABSENT,
            key.transmission_risk_level if key.transmission_risk_level <= 8 else 0,
            key.variant_of_concern,
            revised,
        )
        for revised, keys in enumerate((message.keys, message.revised_keys))
        for key in keys
        if len(key.key_data) == 16 and 1 <= key.rolling_period <= 144
    ]
    del message.keys[:], message.revised_keys[:]
    return rows, message.SerializeToString(deterministic=True)


def check_against_protobuf(export_bin: bytes) -> bool:
    """Return whether the parser took the input; it may refuse any, but never differ."""
    fast = parsed(export_bin)
    if fast is None:
        return False
    rows, other = fast
    try:
        expected, expected_other = by_protobuf(export_bin)
    except DecodeError:
        # The other fields are protobuf's to judge, and it must not let them pass.
        with pytest.raises(DecodeError):
            export_pb2.TemporaryExposureKeyExport.FromString(other)
        return False
    assert sorted(rows, key=lambda row: row[-1]) == expected
    assert by_protobuf(HEADER + other) == ([], expected_other)
    return True


optional_fields = st.fixed_dictionaries(
    {},
    optional={
        "transmission_risk_level": st.integers(0, 8),
        "rolling_start_interval_number": st.integers(0, 2**31 - 1),
        "rolling_period": st.integers(1, 144),
        "report_type": st.integers(0, 5),
        "days_since_onset_of_symptoms": st.integers(-(2**31) + 1, 2**31 - 1),
        "variant_of_concern": st.integers(0, 4),
    },
)
keys = st.builds(
    lambda data, rest: export_pb2.TemporaryExposureKey(key_data=data, **rest),
    st.binary(min_size=16, max_size=16),
    optional_fields,
)
exports = st.builds(
    lambda fresh, revised, rest: (
        HEADER
        + export_pb2.TemporaryExposureKeyExport(
            keys=fresh, revised_keys=revised, **rest
        ).SerializeToString()
    ),
    st.lists(keys, max_size=5),
    st.lists(keys, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "start_timestamp": st.integers(0, 2**64 - 1),
            "end_timestamp": st.integers(0, 2**64 - 1),
            "region": st.text(max_size=5),
            "batch_num": st.integers(0, 2**31 - 1),
            "signature_infos": st.lists(
                st.builds(export_pb2.SignatureInfo, verification_key_id=st.text(max_size=3)),
                max_size=3,
            ),
        },
    ),
)


@given(exports)
def test_what_servers_write_is_taken(export_bin):
    assert check_against_protobuf(export_bin)


@settings(max_examples=500)
@given(exports, st.data())
def test_a_mutated_file_is_refused_or_means_the_same(export_bin, data):
    changed = bytearray(export_bin)
    for _ in range(data.draw(st.integers(1, 4))):
        if len(changed) == len(HEADER):
            break
        at = data.draw(st.integers(len(HEADER), len(changed) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                changed[at] = data.draw(st.integers(0, 255))
            case "cut":
                del changed[at : at + data.draw(st.integers(1, 8))]
            case "insert":
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    check_against_protobuf(bytes(changed))


@settings(max_examples=500)
@given(st.binary(max_size=200))
@example(b"\x3a\x12\x0a\x10" + bytes(16) + b"\x3a")
@example(b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"\x39\0\0\0")
@example(b"\x00\x00")
def test_noise_is_refused_or_means_the_same(noise):
    check_against_protobuf(HEADER + noise)


@pytest.mark.parametrize(
    "key",
    [
        {"rolling_start_interval_number": -1},
        {"rolling_period": -1},
        {"transmission_risk_level": -1},
    ],
)
def test_negative_numbers_are_left_to_protobuf(key):
    one = export_pb2.TemporaryExposureKey(key_data=bytes(16), **key)
    message = export_pb2.TemporaryExposureKeyExport(keys=[one])
    assert parsed(HEADER + message.SerializeToString()) is None


@pytest.mark.parametrize(
    "key",
    [
        {"key_data": bytes(15)},
        {"key_data": bytes(17)},
        {},
        {"rolling_period": 0},
        {"key_data": bytes(16), "rolling_period": 0},
        {"key_data": bytes(16), "rolling_period": 145},
        {"key_data": bytes(16), "rolling_period": 2**31 - 1},
    ],
)
def test_a_key_outside_the_protocol_is_skipped(key):
    good = export_pb2.TemporaryExposureKey(key_data=bytes(range(16)))
    wrong = export_pb2.TemporaryExposureKey(**key)
    message = export_pb2.TemporaryExposureKeyExport(keys=[good, wrong, good])
    assert check_against_protobuf(HEADER + message.SerializeToString())
    assert len(parsed(HEADER + message.SerializeToString())[0]) == 2


def test_the_last_of_a_repeated_field_counts():
    for first, last in ((b"\x20\x00", b"\x20\x05"), (b"\x20\x05", b"\x20\x00")):
        key = b"\x0a\x10" + bytes(16) + first + last
        assert check_against_protobuf(HEADER + b"\x3a" + bytes([len(key)]) + key)
    key = b"\x0a\x02ab" + b"\x0a\x10" + bytes(16) + b"\x10\x63" + b"\x10\x03"
    assert check_against_protobuf(HEADER + b"\x3a" + bytes([len(key)]) + key)


def test_columns_that_are_too_short_are_not_overrun():
    message = export_pb2.TemporaryExposureKeyExport(
        keys=[export_pb2.TemporaryExposureKey(key_data=bytes(16)) for _ in range(4)]
    )
    export_bin = HEADER + message.SerializeToString()
    assert parsed(export_bin, room=3) is None
    assert len(parsed(export_bin, room=4)[0]) == 4


def test_more_other_fields_than_are_kept_are_left_to_protobuf():
    field = export_pb2.TemporaryExposureKeyExport(batch_num=1).SerializeToString()
    assert parsed(HEADER + MOST_OTHER_FIELDS * field) is not None
    assert parsed(HEADER + (MOST_OTHER_FIELDS + 1) * field) is None
