"""Signed lists of Bluezone keys: what is signed, what verifies, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tests.bluezone import list_of, record_of
from tracing_core.errors import ExportFileError, InvalidSignature, InvalidValue, MalformedExport
from tracing_core.export_file import ExportFile, Signer, write_export
from tracing_core.export_file.bluezone_file import (
    check_records,
    count_signatures,
    is_signed_by,
    last_second,
    sign_list,
    verify_list,
    write_list,
)
from tracing_core.protocol.bluezone import BluezoneKey
from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES

KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
PUBLIC = [key.public_key() for key in KEYS]
SIGNERS = [Signer(key, "VN", f"v{number}") for number, key in enumerate(KEYS, start=1)]
FIRST = BluezoneKey(bytes(32), 1_600_000_000, 1_600_086_399, 96)
OTHER = BluezoneKey(bytes([7]) * 32, 1_600_000_000, 1_602_591_999, 288)
LIST = write_list("VN", 5, check_records(list_of([OTHER, FIRST])))
SIGNATURES = sign_list(LIST, SIGNERS[:2])


def test_any_of_the_keys_verifies_it_and_the_records_are_in_the_order_of_their_keys() -> None:
    for public_key in PUBLIC[:2]:
        found = verify_list(LIST, SIGNATURES, [PUBLIC[2], public_key])
        assert (found.region, found.sequence) == ("VN", 5)
        assert [key for _, key in found.records.keys] == [FIRST, OTHER]
        assert last_second(found.records) == OTHER.time_end
    assert count_signatures(SIGNATURES) == 2
    assert [is_signed_by(LIST, SIGNATURES, each) for each in PUBLIC] == [True, True, False]


def test_signatures_that_follow_each_other_are_one_list_of_them() -> None:
    other = write_list("VN", 6, check_records(list_of([FIRST])))
    both = sign_list(other, SIGNERS[:1]) + SIGNATURES
    assert count_signatures(both) == 3
    for data in (LIST, other):
        verify_list(data, both, PUBLIC[:1])


def test_no_other_key_and_no_other_bytes_pass() -> None:
    with pytest.raises(InvalidSignature):
        verify_list(LIST, SIGNATURES, PUBLIC[2:])
    with pytest.raises(InvalidSignature):
        verify_list(LIST, SIGNATURES, [])
    with pytest.raises(InvalidSignature, match="not signed"):
        verify_list(LIST, b"", PUBLIC)
    with pytest.raises(InvalidSignature):
        verify_list(LIST[:-1], SIGNATURES, PUBLIC)
    with pytest.raises(MalformedExport):
        verify_list(LIST, SIGNATURES[:-1], PUBLIC)
    assert count_signatures(SIGNATURES[:-1]) == 0
    with pytest.raises(InvalidValue, match="bytes"):
        verify_list(b" " * (MAX_LIST_BYTES + 1), SIGNATURES, PUBLIC)


def test_the_signature_of_a_key_file_does_not_pass_for_that_of_a_list() -> None:
    key_file = io.BytesIO(write_export(ExportFile(0, 3_600, "VN"), SIGNERS[:1]))
    with zipfile.ZipFile(key_file) as archive:
        export_bin, export_sig = archive.read("export.bin"), archive.read("export.sig")
    assert is_signed_by(export_bin, export_sig, PUBLIC[0])
    with pytest.raises(InvalidValue):
        verify_list(export_bin, export_sig, PUBLIC)


@pytest.mark.parametrize(
    "fields",
    [
        {"region": "", "sequence": 1, "data": []},
        {"region": 7, "sequence": 1, "data": []},
        {"sequence": 1, "data": []},
        {"region": "VN", "data": []},
        {"region": "VN", "sequence": 0, "data": []},
        {"region": "VN", "sequence": 2**53, "data": []},
        {"region": "VN", "sequence": 1},
        {"region": "VN", "sequence": 1, "data": [{}] * 10_001},
    ],
    ids=["no-region", "number", "missing", "no-sequence", "zero", "large", "no-data", "many"],
)
def test_a_signed_file_that_is_no_list_is_refused(fields: dict[str, Any]) -> None:
    data = json.dumps(fields).encode()
    with pytest.raises(InvalidValue):
        verify_list(data, sign_list(data, SIGNERS), PUBLIC)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"max": 0}, r"data\[1\]\.max must be a whole number from 1 to 288"),
        ({"max": 289}, r"data\[1\]\.max must be a whole number from 1 to 288"),
        ({"time_end": FIRST.time_start + 30 * 86_400}, r"data\[1\]\.time_end must be within 30"),
        ({"daily_key": "00"}, r"data\[1\]\.daily_key must be 64 hex digits"),
        ({"name": "Nguyen"}, r"data\[1\]\.'name' is not a field of a record"),
    ],
)
def test_an_operators_list_is_refused_for_one_bad_record(change: dict[str, Any], why: str) -> None:
    records = [record_of(FIRST), record_of(FIRST) | change]
    with pytest.raises(InvalidValue, match=why):
        check_records(json.dumps({"data": records}).encode())


@given(
    keys=st.lists(
        st.builds(
            lambda data, start, seconds, per_day: BluezoneKey(
                data, start, start + seconds, per_day
            ),
            st.binary(min_size=32, max_size=32),
            st.integers(0, 2_000_000_000),
            st.integers(0, 30 * 86_400 - 1),
            st.integers(1, 288),
        ),
        max_size=5,
    ),
    sequence=st.integers(1, 2**53 - 1),
)
def test_what_is_written_is_what_is_read(keys: list[BluezoneKey], sequence: int) -> None:
    data = write_list("VN", sequence, check_records(list_of(keys)))
    found = verify_list(data, sign_list(data, SIGNERS[:1]), PUBLIC[:1])
    assert found.sequence == sequence
    assert sorted(map(repr, keys)) == sorted(repr(key) for _, key in found.records.keys)
    assert {key.key_data for _, key in found.records.keys} == {key.key_data for key in keys}


@given(
    at=st.integers(0, len(LIST) - 1),
    bit=st.integers(0, 7),
    in_signatures=st.booleans(),
    cut=st.integers(0, 300),
)
def test_a_flipped_bit_or_a_lost_end_never_gives_another_list(
    at: int, bit: int, in_signatures: bool, cut: int
) -> None:
    damaged = bytearray(SIGNATURES if in_signatures else LIST)
    damaged[at % len(damaged)] ^= 1 << bit
    data, signatures = (LIST, bytes(damaged)) if in_signatures else (bytes(damaged), SIGNATURES)
    for pair in ((data, signatures), (LIST[: -cut or None], SIGNATURES[: -(cut % 9) or None])):
        with contextlib.suppress(ExportFileError):
            assert verify_list(*pair, PUBLIC) == verify_list(LIST, SIGNATURES, PUBLIC)
