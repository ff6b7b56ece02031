"""A signed list of Bluezone keys: ``bluezone.json``, and its signatures in ``bluezone.json.sig``.

The list is Bluezone's own, and also names its region and a number that rises. The signatures are a
list as in a key file's ``export.sig``, over all bytes of the list. A key file begins otherwise, so
neither can pass for the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from tracing_core.errors import ExportFileError, InvalidValue
from tracing_core.export_file.contents import ExportFile
from tracing_core.export_file.signature import Signer, read_signatures, verify, write_signatures
from tracing_core.json_object import JSONObject, check_known, parse_json
from tracing_core.protocol.bluezone import MAX_DAYS
from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES, BluezoneList, parse_bluezone_list

__all__ = [
    "BLUEZONE_LIST_NAME",
    "BLUEZONE_SIGNATURES_NAME",
    "LATEST_SEQUENCE",
    "MAX_LIST_SIGNATURES_BYTES",
    "SignedBluezoneList",
    "check_records",
    "count_signatures",
    "is_signed_by",
    "last_second",
    "parse_signed_list",
    "sign_list",
    "verify_list",
    "write_list",
]

BLUEZONE_LIST_NAME = "bluezone.json"
"""Name of the list, beside the key files."""

BLUEZONE_SIGNATURES_NAME = f"{BLUEZONE_LIST_NAME}.sig"
"""Name of the file with its signatures."""

MAX_LIST_SIGNATURES_BYTES = 16 << 10
"""The most bytes of signatures that are read; ten take less than 2,000."""

LATEST_SEQUENCE = 2**53 - 1
"""The highest number of a list; every reader of JSON has it exactly."""

_RECORD_FIELDS = ("daily_key", "time_start", "time_end", "max")
_NO_WINDOW = ExportFile(0, 0, "")


@dataclass(frozen=True, slots=True)
class SignedBluezoneList:
    """A list as an authority publishes it for its region."""

    region: str
    sequence: int
    """Rises with every list of the region; a device refuses a lower number than the last."""
    records: BluezoneList


def last_second(records: BluezoneList) -> int:
    """Return the last second that a record covers (UTC Unix seconds); 0 without a record."""
    return max((key.time_end for _, key in records.keys), default=0)


def check_records(data: bytes) -> BluezoneList:
    """Check a list that is to be published: unlike a reader, refuse it for one bad record.

    Raises
    ------
    InvalidValue
        When it is not a list, or a record is wrong in any way; the text names the field.
    """
    records = parse_bluezone_list(data)
    if records.unusable:
        raise InvalidValue(records.first_unusable)
    for place, value in enumerate(_parsed(data)["data"]):
        check_known(value, _RECORD_FIELDS, f"data[{place}].", of="a record")
        if value["time_end"] - value["time_start"] >= MAX_DAYS * 86_400:
            raise InvalidValue(f"data[{place}].time_end must be within {MAX_DAYS} days")
    return records


def write_list(region: str, sequence: int, records: BluezoneList) -> bytes:
    """Return the bytes of a list for a region."""
    fields = {
        "region": region,
        "sequence": sequence,
        "data": [
            {
                "daily_key": key.key_data.hex(),
                "time_start": key.time_start,
                "time_end": key.time_end,
                "max": key.slots_per_day,
            }
            # In this order they say nothing of the order in which people were found.
            for _, key in sorted(records.keys, key=lambda each: each[1].key_data)
        ],
    }
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def sign_list(data: bytes, signers: Sequence[Signer]) -> bytes:
    """Return the file of a list's signatures, one by each signer.

    Raises
    ------
    InvalidValue
        When there are more than ten signers.
    """
    return write_signatures(data, _NO_WINDOW, signers)


def count_signatures(signatures: bytes) -> int:
    """Return how many signatures a file of them holds; 0 if it is damaged."""
    try:
        return len(read_signatures(signatures, BLUEZONE_SIGNATURES_NAME))
    except ExportFileError:
        return 0


def is_signed_by(data: bytes, signatures: bytes, public_key: EllipticCurvePublicKey) -> bool:
    """Return whether a key is among those that signed a list."""
    try:
        _verify(data, signatures, [public_key])
    except ExportFileError:
        return False
    return True


def verify_list(
    data: bytes, signatures: bytes, public_keys: Sequence[EllipticCurvePublicKey]
) -> SignedBluezoneList:
    """Check that one of the keys signed a list, then read it.

    Parameters
    ----------
    data
        The list.
    signatures
        The file of its signatures.
    public_keys
        The keys that may sign it.

    Raises
    ------
    InvalidSignature
        When none of the keys signed it.
    MalformedExport
        When the file of signatures is damaged.
    InvalidValue
        When what was signed is not a list, or it is too long.
    """
    if len(data) > MAX_LIST_BYTES:
        raise InvalidValue(f"a list must have at most {MAX_LIST_BYTES} bytes")
    _verify(data, signatures, public_keys)
    return parse_signed_list(data)


def parse_signed_list(data: bytes) -> SignedBluezoneList:
    """Read a list that was verified before; a record that cannot be used is left out.

    Raises
    ------
    InvalidValue
        When it is not a list, or it is too long.
    """
    records = parse_bluezone_list(data)
    fields = _parsed(data)
    return SignedBluezoneList(
        fields.name("region"), fields.integer("sequence", 1, LATEST_SEQUENCE), records
    )


def _verify(data: bytes, signatures: bytes, public_keys: Sequence[EllipticCurvePublicKey]) -> None:
    found = read_signatures(signatures, BLUEZONE_SIGNATURES_NAME)
    verify(data, found, public_keys, BLUEZONE_LIST_NAME)


def _parsed(data: bytes) -> JSONObject:
    return JSONObject(parse_json(data.removeprefix(b"\xef\xbb\xbf")), "the list")
