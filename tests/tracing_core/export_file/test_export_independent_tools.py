"""A key file written here, read by programs that share nothing with us."""

import re
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.tracing_core.exports import EXAMPLE, OTHER_KEY, PUBLIC_KEY, SIGNER, some_keys
from tracing_core.export_file import ExportFile, Signer, write_export

OID = "1.2.840.10045.4.3.2"


def tool(name):
    if shutil.which(name) is None:
        pytest.skip(f"the program {name} is not installed")
    return name


def run(*command, data=b""):
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decode_raw(data):
    """Return protoc's reading without a schema, as (path of field numbers, value) of each field."""
    if shutil.which("protoc"):
        text = run("protoc", "--decode_raw", data=data)
    else:
        pytest.importorskip("grpc_tools", reason="neither protoc nor grpcio-tools is installed")
        text = run(sys.executable, "-m", "grpc_tools.protoc", "--decode_raw", data=data)
    found, above = [], []
    for line in text.decode().splitlines():
        if match := re.fullmatch(r" *(\d+) \{", line):
            above.append(int(match[1]))
        elif line.strip() == "}":
            above.pop()
        else:
            number, value = re.fullmatch(r" *(\d+): (.*)", line).groups()
            found.append(((*above, int(number)), value))
    return found


@pytest.fixture
def unzipped(tmp_path):
    def unzip(export, signers):
        tool("unzip")
        (tmp_path / "batch.zip").write_bytes(write_export(export, signers))
        run("unzip", "-t", str(tmp_path / "batch.zip"))
        listed = run("unzip", "-Z1", str(tmp_path / "batch.zip")).decode().split()
        assert listed == ["export.bin", "export.sig"]
        run("unzip", "-q", str(tmp_path / "batch.zip"), "-d", str(tmp_path))
        return tmp_path

    return unzip


def test_protoc_reads_the_fields_and_their_types(unzipped):
    data = (unzipped(EXAMPLE, [SIGNER]) / "export.bin").read_bytes()
    assert data[:16] == b"EK Export v1    "
    assert decode_raw(data[16:]) == [
        # Fixed 64 bits are shown in hexadecimal, varints in decimal.
        ((1,), f"0x{EXAMPLE.start_timestamp:016x}"),
        ((2,), f"0x{EXAMPLE.end_timestamp:016x}"),
        ((3,), '"VN"'),
        ((4,), "1"),
        ((5,), "1"),
        ((6, 3), '"v1"'),
        ((6, 4), '"452"'),
        ((6, 5), f'"{OID}"'),
        ((7, 1), f'"{"a" * 16}"'),
        ((7, 3), "2676144"),
        ((7, 4), "37"),
        ((7, 8), "2"),
        ((7, 1), f'"{"b" * 16}"'),
        ((7, 2), "4"),
        ((7, 3), "2676000"),
        ((7, 5), "1"),
        # Zigzag: -3 is 5, and 14 is 28.
        ((7, 6), "5"),
        ((8, 1), f'"{"c" * 16}"'),
        ((8, 3), "2675856"),
        ((8, 5), "5"),
        ((8, 6), "28"),
    ]


def test_protoc_reads_the_signatures(unzipped):
    signers = [SIGNER, Signer(OTHER_KEY, "452", "v2")]
    fields = decode_raw((unzipped(EXAMPLE, signers) / "export.sig").read_bytes())
    plain = [(path, value) for path, value in fields if path != (1, 4)]
    assert [value for path, value in plain if path == (1, 1, 3)] == ['"v1"', '"v2"']
    assert [value for path, value in plain if path == (1, 1, 4)] == ['"452"'] * 2
    assert [value for path, value in plain if path == (1, 1, 5)] == [f'"{OID}"'] * 2
    assert [value for path, value in plain if path in ((1, 2), (1, 3))] == ["1"] * 4
    assert len(fields) - len(plain) == 2


@pytest.mark.parametrize("signer", [0, 1])
def test_openssl_verifies_each_signature(unzipped, signer):
    tool("openssl")
    folder = unzipped(EXAMPLE, [SIGNER, Signer(OTHER_KEY, "452", "v2")])
    public_key = (PUBLIC_KEY, OTHER_KEY.public_key())[signer]
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(pem)
    # A signature is the last field of its message: tag 0x22, its length, DER.
    parts = re.split(rb"\x0a.\x0a.\x1a\x02v.", (folder / "export.sig").read_bytes(), flags=re.S)
    der = parts[1 + signer].partition(OID.encode())[2].partition(b"\x22")[2][1:]
    (folder / "signature").write_bytes(der)
    verify = ["openssl", "dgst", "-sha256", "-verify", str(folder / "public.pem")]
    verify += ["-signature", str(folder / "signature"), str(folder / "export.bin")]
    assert run(*verify) == b"Verified OK\n"


def test_keys_are_sorted_and_none_is_lost(unzipped):
    keys = some_keys(500)
    folder = unzipped(ExportFile(0, 1, "VN", keys), [SIGNER])
    data = (folder / "export.bin").read_bytes()
    found = re.findall(rb"\x3a\x17\x0a\x10(.{16})\x18", data, flags=re.S)
    assert found == sorted(key.key_data for key in keys)
