import base64
import hashlib
import zipfile

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.tracing_core.exports import PUBLIC_KEY, recordings
from tests.tracing_core.refusals import check_one_line
from tests.tracing_core.vectors import load
from tracing_core.errors import InvalidSignature
from tracing_core.export_file import read_export, read_export_bytes

EXPECTED = load("export_files.json")["files"]
SIGNED = [entry for entry in EXPECTED if entry["public_key_spki_b64"]]
by_file = pytest.mark.parametrize("expected", SIGNED, ids=lambda expected: expected["file"])


def public_key(expected):
    return load_der_public_key(base64.b64decode(expected["public_key_spki_b64"]))


def export_bin(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("export.bin")


@by_file
def test_files_of_others_say_what_they_should(expected):
    path = recordings() / expected["file"]
    export = read_export(path, public_keys=[PUBLIC_KEY, public_key(expected)])
    digest = hashlib.sha256(export_bin(path)).hexdigest()
    assert digest == expected["sha256_export_bin"]
    assert (export.start_timestamp, export.end_timestamp) == (expected["start"], expected["end"])
    assert export.region == expected["region"]
    assert export.batch_num == expected["batch_num"]
    assert export.batch_size == expected["batch_size"]
    assert len(export.keys) == expected["n_keys"]
    assert len(export.revised_keys) == expected["n_revised"]
    first = [
        [
            key.key_data.hex(),
            key.rolling_start_interval_number,
            key.rolling_period,
            key.transmission_risk_level,
        ]
        for key in export.keys[: len(expected["first_keys"])]
    ]
    assert first == expected["first_keys"]
    assert [[i.key_id, i.key_version, i.algorithm] for i in export.signature_infos] == (
        expected["signature_infos"]
    )
    assert [[s.info.key_id, s.info.key_version] for s in export.signatures] == (
        expected["signatures"]
    )


@by_file
def test_files_of_others_do_not_verify_with_other_keys(expected):
    path = recordings() / expected["file"]
    others = [public_key(other) for other in SIGNED if other is not expected]
    with pytest.raises(InvalidSignature) as caught:
        read_export(path, public_keys=others)
    check_one_line(caught.value)


@by_file
def test_a_flipped_bit_anywhere_is_refused_before_a_key_is_used(expected, tmp_path, monkeypatch):
    path = recordings() / expected["file"]
    with zipfile.ZipFile(path) as archive:
        whole = archive.read("export.bin")
        (tmp_path / "export.sig").write_bytes(archive.read("export.sig"))
    keys = [public_key(expected)]
    file = tmp_path / "export.bin"
    file.write_bytes(whole)
    assert len(read_export(file, public_keys=keys).keys) == expected["n_keys"]
    monkeypatch.setattr("tracing_core.export_file.reader.parse_export", None)
    for bit in {*range(16 * 8, 64 * 8, 7), *range(16 * 8, len(whole) * 8, 257)}:
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        with pytest.raises(InvalidSignature):
            read_export(file, public_keys=keys)


def test_the_key_outside_the_protocol_is_skipped():
    (expected,) = (entry for entry in EXPECTED if not entry["public_key_spki_b64"])
    path = recordings() / expected["file"]
    export = read_export(path)
    assert (len(export.keys), len(export.revised_keys), export.skipped_keys) == (0, 0, 1)
    with pytest.raises(InvalidSignature):
        read_export_bytes(path.read_bytes(), public_keys=[PUBLIC_KEY])
    assert hashlib.sha256(export_bin(path)).hexdigest() == expected["sha256_export_bin"]
