"""Key files as Google's key server writes them: protobuf, zip and signatures, by hand."""

from __future__ import annotations

import binascii
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

HEADER = b"EK Export v1    "
OID = b"1.2.840.10045.4.3.2"


@dataclass
class SigningKey:
    key_id: str
    version: str
    private: ec.EllipticCurvePrivateKey


@dataclass
class StoredKey:
    """A row of the table of keys."""

    data: bytes
    start: int
    count: int
    risk: int
    report_type: str
    onset_days: int | None
    revised: str = ""
    exported: bool = False
    exported_revision: bool = False


REPORT_TYPES = {"confirmed": 1, "likely": 2, "user-report": 3, "negative": 5}


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(tag: int, number: int) -> bytes:
    return varint(tag << 3) + varint(number)


def bytes_field(tag: int, data: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(data)) + data


def zigzag(number: int) -> int:
    return number << 1 ^ number >> 31


def key_message(key: StoredKey, report_type: str) -> bytes:
    message = bytes_field(1, key.data)
    if key.risk:
        message += number_field(2, key.risk)
    message += number_field(3, key.start) + number_field(4, key.count)
    message += number_field(5, REPORT_TYPES[report_type])
    if key.onset_days is not None:
        message += number_field(6, zigzag(key.onset_days))
    return message


def signature_info(signer: SigningKey) -> bytes:
    return (
        bytes_field(3, signer.version.encode())
        + bytes_field(4, signer.key_id.encode())
        + bytes_field(5, OID)
    )


def made_up_keys(count: int, start: int) -> list[StoredKey]:
    pool = os.urandom(16 * count)
    return [
        StoredKey(pool[16 * at : 16 * at + 16], start, 144, 2, "confirmed", 0)
        for at in range(count)
    ]


def key_file(
    keys: Sequence[StoredKey],
    revised: Sequence[StoredKey],
    signers: Sequence[SigningKey],
    *,
    start: int,
    end: int,
    region: str,
) -> bytes:
    body = b"\x09" + struct.pack("<Q", start) + b"\x11" + struct.pack("<Q", end)
    body += bytes_field(3, region.encode()) + number_field(4, 1) + number_field(5, 1)
    # The newest signing key is named first.
    for signer in reversed(signers):
        body += bytes_field(6, signature_info(signer))
    rows = [
        bytes_field(7, key_message(key, key.report_type))
        for key in sorted(keys, key=lambda key: key.data)
    ]
    rows += [
        bytes_field(8, key_message(key, key.revised))
        for key in sorted(revised, key=lambda key: key.data)
    ]
    export = HEADER + body + b"".join(rows)
    signatures = b""
    for signer in reversed(signers):
        signed = signer.private.sign(export, ec.ECDSA(SHA256()))
        signature = bytes_field(1, signature_info(signer)) + number_field(2, 1) + number_field(3, 1)
        signatures += bytes_field(1, signature + bytes_field(4, signed))
    return zipped({"export.bin": export, "export.sig": signatures})


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip as Go's archive/zip streams it: sizes after the data, and a date of 1980-00-00."""
    out, directory = b"", b""
    for name, data in files.items():
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
        sizes = struct.pack("<III", binascii.crc32(data), len(packed), len(data))
        head = struct.pack("<HHHHH", 20, 0x0008, 8, 0, 0)
        names = struct.pack("<HH", len(name), 0)
        directory += (
            b"PK\x01\x02"
            + struct.pack("<H", 20)
            + head
            + sizes
            + names
            + struct.pack("<HHHII", 0, 0, 0, 0, len(out))
            + name.encode()
        )
        out += b"PK\x03\x04" + head + bytes(12) + names + name.encode()
        out += packed + b"PK\x07\x08" + sizes
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(out), 0)
    return out + directory + b"PK\x05\x06" + end
