import dataclasses
import io
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings

from tests.tracing_core.exports import (
    EXAMPLE,
    OTHER_KEY,
    PUBLIC_KEY,
    SIGNER,
    SIGNING_KEY,
    exports,
    some_keys,
)
from tests.tracing_core.refusals import check_one_line
from tracing_core.errors import (
    ExportFileError,
    InvalidKey,
    InvalidSignature,
    InvalidValue,
    MalformedExport,
    UnsupportedHeader,
)
from tracing_core.export_file import (
    ExportFile,
    SignatureInfo,
    Signer,
    export_pb2,
    generate,
    read_export,
    read_export_bytes,
    write_export,
)
from tracing_core.export_file.contents import HEADER
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern

OTHER = Signer(OTHER_KEY, "452", "v2")


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def in_order(export):
    def by_key(keys):
        return tuple(sorted(keys, key=lambda key: key.key_data))

    return dataclasses.replace(
        export,
        keys=by_key(export.keys),
        revised_keys=by_key(export.revised_keys),
        signature_infos=(SIGNER.info,),
    )


def bare(message):
    return HEADER + message.SerializeToString()


def message_of(*keys, **fields):
    return export_pb2.TemporaryExposureKeyExport(keys=keys, **fields)


@given(exports())
@settings(max_examples=50)
def test_what_is_written_is_read_back(export):
    data = write_export(export, [SIGNER])
    assert read_export_bytes(data, public_keys=[PUBLIC_KEY]) == in_order(export)


def test_the_same_contents_are_the_same_bytes_whatever_their_order():
    backwards = dataclasses.replace(EXAMPLE, keys=EXAMPLE.keys[::-1])
    one, other = (members(write_export(each, [SIGNER])) for each in (EXAMPLE, backwards))
    assert list(one) == ["export.bin", "export.sig"]
    assert one["export.bin"] == other["export.bin"]
    assert write_export(EXAMPLE, []) == write_export(backwards, [])


def test_a_file_that_was_read_can_be_written():
    export = read_export_bytes(write_export(EXAMPLE, [SIGNER]))
    again = members(write_export(export, [SIGNER]))
    assert again["export.bin"] == members(write_export(EXAMPLE, [SIGNER]))["export.bin"]


def test_an_empty_file():
    empty = ExportFile(1600000000, 1600003600, "VN")
    read = read_export_bytes(write_export(empty, [SIGNER]), public_keys=[PUBLIC_KEY])
    assert (len(read.keys), len(read.revised_keys)) == (0, 0)


def test_keys_are_a_sequence():
    keys = read_export_bytes(write_export(EXAMPLE, [])).keys
    assert len(keys) == 2
    assert keys[0] == EXAMPLE.keys[1]
    assert keys[-1] == EXAMPLE.keys[0]
    assert list(keys) == [keys[0], keys[1]]
    assert keys[1:] == (EXAMPLE.keys[0],)
    assert list(reversed(keys)) == list(EXAMPLE.keys)
    assert EXAMPLE.keys[0] in keys
    assert keys == tuple(keys)
    assert keys != tuple(keys)[:1]
    assert keys != 5
    with pytest.raises(IndexError):
        keys[2]
    assert repr(keys) == "<2 keys>"


def test_fields_that_old_and_new_files_lack_or_add():
    key = export_pb2.TemporaryExposureKey(key_data=bytes(16), rolling_start_interval_number=2676000)
    plain = bare(message_of(key, start_timestamp=1, end_timestamp=2))
    expected = DiagnosisKey(bytes(16), 2676000, 144, ReportType.UNKNOWN, None, 0)
    assert list(read_export_bytes(plain).keys) == [expected]
    # app_bundle_id and android_package in a signature's name, and fields nobody has given yet.
    old_info = b"\x0a\x05vn.tr\x12\x05vn.tr\x1a\x02v1\x22\x03452\x2a\x01x"
    unknown = b"\xf8\x07\x05" + b"\xfa\x07\x03new" + b"\xf9\x07" + bytes(8) + b"\xfd\x07" + bytes(4)
    new_key = key.SerializeToString() + b"\x38\x01" + b"\x28\x63" + b"\x40\x63" + unknown
    data = plain + b"\x32" + bytes([len(old_info)]) + old_info + unknown
    data += b"\x3a" + bytes([len(new_key)]) + new_key
    export = read_export_bytes(data)
    assert export.signature_infos == (SignatureInfo("452", "v1", "x"),)
    # An enumeration's value of later years counts as not given.
    assert list(export.keys) == [expected, expected]


def test_every_report_type_and_variant():
    keys = tuple(
        DiagnosisKey(bytes([kind, variant] * 8), 0, 1, kind, None, 0, variant)
        for kind in ReportType
        for variant in VariantOfConcern
    )
    export = ExportFile(0, 0, "", keys, keys)
    assert read_export_bytes(write_export(export, [])).revised_keys == keys


@pytest.mark.parametrize("count", [1, 2, 10])
def test_any_of_several_signatures_counts(count):
    signers = [SIGNER] * (count - 1) + [OTHER]
    data = write_export(EXAMPLE, signers)
    for public_keys in ([OTHER_KEY.public_key()], [PUBLIC_KEY, OTHER_KEY.public_key()]):
        export = read_export_bytes(data, public_keys=public_keys)
        assert [each.info for each in export.signatures] == [each.info for each in signers]
        assert list(export.signature_infos) == [each.info for each in signers]


def test_a_signature_counts_whatever_its_id():
    files = members(write_export(EXAMPLE, [SIGNER]))
    signatures = export_pb2.TEKSignatureList.FromString(files["export.sig"])
    signatures.signatures[0].ClearField("signature_info")
    data = zipped({**files, "export.sig": signatures.SerializeToString()})
    export = read_export_bytes(data, public_keys=[PUBLIC_KEY])
    assert export.signatures[0].info == SignatureInfo("", "", "")


def zipped(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def refused(data, kind, text, **options):
    with pytest.raises(kind, match=text) as caught:
        read_export_bytes(data, name="batch.zip", **options)
    check_one_line(caught.value)
    assert "batch.zip" in str(caught.value)


def test_more_than_ten_signatures():
    with pytest.raises(InvalidValue, match="at most 10"):
        write_export(EXAMPLE, [SIGNER] * 11)
    files = members(write_export(EXAMPLE, [SIGNER]))
    refused(zipped({**files, "export.sig": files["export.sig"] * 11}), MalformedExport, "than 10")
    info = export_pb2.SignatureInfo(verification_key_id="452")
    crowded = bare(message_of(signature_infos=[info] * 11))
    refused(crowded, MalformedExport, "more than 10 signatures")


def test_unsigned_and_wrongly_signed_files():
    files = members(write_export(EXAMPLE, [SIGNER]))
    wrong = InvalidSignature, "not signed with a given key"
    refused(zipped(files), *wrong, public_keys=[OTHER_KEY.public_key()])
    unsigned = InvalidSignature, "is not signed: use the file as the server published it"
    for data in (
        files["export.bin"],
        write_export(EXAMPLE, []),
        zipped({"export.bin": files["export.bin"]}),
        zipped({**files, "export.sig": b""}),
    ):
        assert len(read_export_bytes(data).keys) == 2
        refused(data, *unsigned, public_keys=[PUBLIC_KEY])
    refused(zipped({**files, "export.sig": b"\xff"}), MalformedExport, "damaged signature file")
    bare_signature = SIGNING_KEY.sign(files["export.bin"], ec.ECDSA(SHA256()))
    refused(zipped({**files, "export.sig": bare_signature}), MalformedExport, "a bare signature")
    refused(zipped({**files, "export.sig": b"\x0a\x04\x22\x05ab"}), MalformedExport, "damaged")


def resigned(sign):
    """Return the example, its signature changed."""
    files = members(write_export(EXAMPLE, [SIGNER]))
    signatures = export_pb2.TEKSignatureList.FromString(files["export.sig"])
    for each in signatures.signatures:
        each.signature = sign(each.signature)
    return zipped({**files, "export.sig": signatures.SerializeToString()})


def raw(signature):
    return b"".join(number.to_bytes(32) for number in decode_dss_signature(signature))


def test_a_raw_signature_is_named_as_such():
    # As WebCrypto, CryptoKit and JWTs write it.
    data = resigned(raw)
    say = "signed with a given key, but the signature is written raw"
    refused(data, InvalidSignature, say, public_keys=[OTHER_KEY.public_key(), PUBLIC_KEY])
    wrong = "not signed with a given key, but says 452 v1"
    refused(data, InvalidSignature, wrong, public_keys=[OTHER_KEY.public_key()])
    for junk in (bytes(64), b"\xff" * 64, b""):
        broken = resigned(lambda _, junk=junk: junk)
        refused(broken, InvalidSignature, wrong, public_keys=[PUBLIC_KEY])


def test_only_names_that_can_be_shown_are_shown():
    for name in ("\x1b[2J", "x" * 61, ""):
        data = write_export(EXAMPLE, [Signer(SIGNING_KEY, name, "")])
        plain = "not signed with a given key: download it again"
        refused(data, InvalidSignature, plain, public_keys=[OTHER_KEY.public_key()])


def test_a_bare_file_has_its_signature_beside_it(tmp_path):
    for name, data in members(write_export(EXAMPLE, [SIGNER])).items():
        (tmp_path / name).write_bytes(data)
    file = tmp_path / "export.bin"
    assert len(read_export(file, public_keys=[PUBLIC_KEY]).signatures) == 1
    (tmp_path / "export.sig").unlink()
    assert read_export(file).signatures == ()
    with pytest.raises(InvalidSignature):
        read_export(file, public_keys=[PUBLIC_KEY])


def test_extra_members_do_not_matter_and_either_method_does():
    files = members(write_export(EXAMPLE, [SIGNER]))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        data = zipped({**files, "content.sig": b"\xff" * 9, "read.me": b""}, method)
        assert len(read_export_bytes(data, public_keys=[PUBLIC_KEY]).keys) == 2


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"", UnsupportedHeader, "not a key file: it is empty"),
        (b"EK Export v1", UnsupportedHeader, "a version other than 1"),
        (b"EK Export v2    ", UnsupportedHeader, "a version other than 1"),
        (b"hello", UnsupportedHeader, "not a key file: it must begin"),
        (b"<html>not found</html>", UnsupportedHeader, "not a key file: it is a web page"),
        (b"SQLite format 3\0", UnsupportedHeader, "not a key file: it is a database"),
        (HEADER + b"\xff", MalformedExport, "truncated, or not a key file"),
        (HEADER + b"\xff" * 11, MalformedExport, "truncated, or not a key file"),
        (HEADER + b"\x3a\x20", MalformedExport, "truncated"),
        (HEADER + b"\x0b\x0c", MalformedExport, "truncated, or not a key file"),
        (HEADER + b"\x3a\x11" + b"\xff" * 16, MalformedExport, "truncated"),
        (HEADER + b"\x3a\x12" + b"\xff" * 18, MalformedExport, "damaged"),
        (HEADER + b"\x1a\x01\xff", MalformedExport, "damaged"),
        (HEADER + b"\x32\x03\x1a\x01\xff", MalformedExport, "damaged"),
        (
            HEADER + b"\x09" + b"\xff" * 8 + b"\x11" + b"\xff" * 8,
            MalformedExport,
            "outside the calendar",
        ),
        (
            bare(message_of(start_timestamp=2, end_timestamp=1)),
            MalformedExport,
            "outside the calendar",
        ),
        (bare(message_of(end_timestamp=2**32 * 600)), MalformedExport, "outside the calendar"),
    ],
)
def test_what_is_no_key_file(data, kind, text):
    refused(data, kind, text)


def test_a_file_may_end_with_the_last_interval_there_is():
    last = 2**32 * 600 - 1
    assert read_export_bytes(bare(message_of(end_timestamp=last))).end_timestamp == last


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none.zip", tmp_path):
        with pytest.raises(ExportFileError, match="cannot be read") as caught:
            read_export(path)
        check_one_line(caught.value)


def test_a_large_file_is_a_sequence_of_cheap_keys():
    keys = some_keys(20_000)
    export = read_export_bytes(write_export(ExportFile(0, 1, "VN", keys, keys[:2_000]), [SIGNER]))
    assert list(export.keys) == sorted(keys, key=lambda key: key.key_data)
    assert list(export.revised_keys) == sorted(keys[:2_000], key=lambda key: key.key_data)


def test_only_a_key_on_p_256_signs():
    with pytest.raises(InvalidKey, match="P-256"):
        Signer(ec.generate_private_key(ec.SECP384R1()), "452", "v1")


def test_the_generated_code_is_up_to_date(monkeypatch):
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    generate.main()


def test_no_text_of_a_file_shows_a_key():
    export = read_export_bytes(write_export(EXAMPLE, [SIGNER]))
    for text in (repr(export), repr(EXAMPLE), repr(SIGNER)):
        assert "aaaa" not in text
        assert "bbbb" not in text
        assert "private" not in text.lower()
