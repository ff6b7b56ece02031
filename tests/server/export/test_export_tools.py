"""Key files read by independent tools."""

import ast
import re
import secrets
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.export.exporter import run_due
from server.publish.upload import take_upload
from server.trust.chain import begin_chain, rotate_export_key
from server.verification.certificate import Claims
from tests.server.homes import NOW, TODAY, key, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.protocol.diagnosis_key import ReportType

# protoc shows bytes as a message if they happen to be one; a leading 7 never is.
KEYS = [key(TODAY - 144 * ago, data=b"\x07" + secrets.token_bytes(15)) for ago in (3, 2, 1)]


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory):
    """Return a folder with the files that unzip extracted, and the server."""
    for tool in ("unzip", "openssl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt install {tool}")
    pytest.importorskip("grpc_tools")
    folder = tmp_path_factory.mktemp("tools")
    clock = ManualClock(NOW)
    server = open_server(folder / "home", clock, export_padding_spread=10)
    begin_chain(server.keys, "VN", NOW)
    rotate_export_key(server.keys, "VN", server.settings, NOW)
    claims = Claims(ReportType.CONFIRMED_TEST, TODAY - 144)
    take_upload(server, "VN", upload_of(*KEYS, key(TODAY - 144 * 8, 30)), claims)
    clock.advance(6 * 3_600)
    (name,) = run_due(server, "VN")
    archive = server.settings.home / "exports" / name
    subprocess.run(["unzip", "-q", archive, "-d", folder / "out"], check=True)
    yield folder / "out", server
    server.close()


def decode_raw(data: bytes) -> str:
    command = [sys.executable, "-m", "grpc_tools.protoc", "--decode_raw"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()


def unescaped(text: str) -> bytes:
    value = ast.literal_eval(f'b"{text}"')
    assert isinstance(value, bytes)
    return value


def test_unzip_finds_the_two_files(unzipped):
    folder, _ = unzipped
    assert sorted(path.name for path in folder.iterdir()) == ["export.bin", "export.sig"]
    assert (folder / "export.bin").read_bytes()[:16] == b"EK Export v1    "


def test_protoc_reads_the_fields_by_number_and_type(unzipped):
    folder, _ = unzipped
    text = decode_raw((folder / "export.bin").read_bytes()[16:])
    start, end = 1_750_003_200, 1_750_017_600
    # Timestamps are fixed64, which protoc prints in hex.
    assert f"1: 0x{start:016x}\n2: 0x{end:016x}\n" in text
    assert '3: "VN"\n4: 1\n5: 1\n6 {' in text
    assert text.count("\n6 {") == 2
    assert '  3: "v1"\n  4: "VN"\n  5: "1.2.840.10045.4.3.2"\n' in text
    blocks = text.split("\n8 {")[0].split("\n7 {")[1:]
    keys = [dict(re.findall(r"^  (\d+): (.*)$", block, re.M)) for block in blocks]
    keys = [each for each in keys if "1" in each]
    assert len(keys) > 500
    data = [unescaped(each["1"][1:-1]) for each in keys]
    assert data == sorted(data)
    assert {len(each) for each in data} == {16}
    found = dict(zip(data, keys, strict=True))
    for ago, sent in zip((3, 2, 1), KEYS, strict=True):
        fields = found[sent.key_data]
        assert fields["3"] == str(TODAY - 144 * ago)
        assert fields["2"] == "2"
        assert fields["5"] == "1"
        # Zigzag: days since onset are sint32.
        assert fields["6"] == str({3: 3, 2: 1, 1: 0}[ago])
        # The default of the schema is not written.
        assert "4" not in fields
    assert {each["4"] for each in keys if "4" in each} >= {"30"}
    assert {int(field) for each in keys for field in each} <= {1, 2, 3, 4, 5, 6}


def test_openssl_verifies_every_signature(unzipped):
    folder, server = unzipped
    text = decode_raw((folder / "export.sig").read_bytes())
    assert '    3: "v1"\n    4: "VN"\n' in text
    assert '    3: "v2"\n    4: "VN"\n' in text
    signatures = [unescaped(each) for each in re.findall(r'^  4: "(.*)"$', text, re.M)]
    keys = server.keys.export_keys(NOW)
    assert len(signatures) == len(keys) == 2
    for signature, each in zip(signatures, keys, strict=True):
        public = each.private_key.public_key()
        (folder / "key.pem").write_bytes(
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        (folder / "signature.der").write_bytes(signature)
        verify = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature.der"]
        done = subprocess.run([*verify, "export.bin"], cwd=folder, capture_output=True)
        assert done.stdout == b"Verified OK\n"
        changed = bytearray((folder / "export.bin").read_bytes())
        changed[100] ^= 1
        (folder / "changed.bin").write_bytes(changed)
        done = subprocess.run([*verify, "changed.bin"], cwd=folder, capture_output=True)
        assert done.returncode == 1
    for name in ("key.pem", "signature.der", "changed.bin"):
        (folder / name).unlink()
