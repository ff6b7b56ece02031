"""The wire parser of key files against protobuf, as `read_keys` uses both."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from matcher.columns.key_records import KeyRecords, ParsedKeys, read_keys
from matcher.kernels.loops.export_parsing import ABSENT, MOST_OTHER_FIELDS
from tests.ble_agent.store.importers.leveldb_writer import varint
from tracing_core.errors import ExportFileError
from tracing_core.export_file import (
    ExportFile,
    VerifiedExport,
    export_pb2,
    parse_export,
    write_export,
)
from tracing_core.export_file.archive import unpack
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.wire import checked_fields
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern

_LEAST_KEY_BYTES = 20
_EDGES = [at + more for at in (0, 5, 9, 145, 2**31, 2**32, 2**35, 2**64) for more in (-1, 0)]


def all_of(records: KeyRecords) -> list[tuple[int, DiagnosisKey]]:
    return list(records.records(np.arange(len(records))))


def same_either_way(verified: VerifiedExport) -> KeyRecords | None:
    """Check that both ways of reading come to the same; return the columns unless both refuse."""
    try:
        file = parse_export(verified)
    except ExportFileError as error:
        with pytest.raises(type(error), match=re.escape(f"{error}") + "$"):
            read_keys(verified)
        return None
    records = read_keys(verified)
    expected = [*file.keys, *file.revised_keys]
    assert all_of(records) == list(enumerate(expected))
    assert records.skipped == file.skipped_keys
    columns = records.columns()
    assert [data.tobytes() for data in columns.key_data] == [each.key_data for each in expected]
    assert columns.rolling_start.tolist() == [
        each.rolling_start_interval_number for each in expected
    ]
    assert columns.rolling_period.tolist() == [each.rolling_period for each in expected]
    return records


def check(fields: bytes) -> str:
    """Read a key file of these fields both ways; say whether it was taken, left or refused."""
    records = same_either_way(VerifiedExport("fuzzed", HEADER + fields, ()))
    if records is None:
        return "refused"
    if isinstance(records, ParsedKeys):
        return "taken"
    # Once all that is unusual about it is gone, the kernel must take it.
    readable, _ = checked_fields(fields, 0, "fuzzed")
    message = export_pb2.TemporaryExposureKeyExport.FromString(readable)
    message.DiscardUnknownFields()
    keys = [*message.keys, *message.revised_keys]
    usual = HEADER + message.SerializeToString()
    if (
        min(message.batch_num, message.batch_size) >= 0
        and all(map(_is_usual, keys))
        and len(keys) <= len(usual) // _LEAST_KEY_BYTES
    ):
        assert isinstance(same_either_way(VerifiedExport("usual", usual, ())), ParsedKeys)
    return "left"


def _is_usual(key: export_pb2.TemporaryExposureKey) -> bool:
    numbers = (key.rolling_start_interval_number, key.rolling_period, key.transmission_risk_level)
    return min(numbers) >= 0 and key.days_since_onset_of_symptoms != ABSENT


def examples() -> Iterator[bytes]:
    """Yield what our own server writes, and the most fields beside keys that the kernel takes."""
    chance = random.Random(1)

    def key(number: int) -> DiagnosisKey:
        return DiagnosisKey(
            chance.randbytes(16),
            2_650_032 + 144 * number,
            chance.choice([1, 100, 144]),
            chance.choice(list(ReportType)),
            chance.choice([None, -14, 0, 3, 4000]),
            chance.choice([0, 1, 8]),
            chance.choice(list(VariantOfConcern)),
        )

    for fresh, revised in ((0, 0), (1, 0), (0, 1), (3, 2), (12, 0)):
        export = ExportFile(
            1_590_019_200,
            1_590_105_600,
            "VN",
            [key(number) for number in range(fresh)],
            [key(number) for number in range(revised)],
        )
        export_bin, _ = unpack(write_export(export, []), "example")
        yield export_bin[len(HEADER) :]
    yield export_pb2.TemporaryExposureKeyExport(batch_num=1).SerializeToString() * MOST_OTHER_FIELDS


def _split(fields: bytes) -> list[bytes]:
    """Cut where a field ends that has a length of one byte; other bytes stand alone."""
    parts, at = [], 0
    while at < len(fields):
        lump = fields[at] & 7 == 2 and at + 1 < len(fields) and fields[at + 1] < 0x80
        end = at + 2 + fields[at + 1] if lump else at + 1
        parts.append(fields[at:end])
        at = end
    return parts


def mutate(fields: bytes, most: int, seed: int, noise: Callable[[bytes, int], bytes]) -> bytes:
    """Change bytes anywhere, or one field whose length then is made right again."""
    chance = random.Random(seed)
    parts = _split(fields)
    lumps = [at for at, part in enumerate(parts) if len(part) > 1]
    if not lumps or chance.random() < 0.3:
        return noise(fields, most)
    at = chance.choice(lumps)
    match chance.randrange(8):
        case 0:
            parts.insert(chance.choice([at, 0, len(parts)]), parts[at])
        case 1:
            del parts[at]
        case 2:
            parts[at] = bytes([parts[at][0] ^ (58 ^ 66)]) + parts[at][1:]  # a key is revised
        case 3:
            outer = chance.choice([b"\x3a", b"\x7a", b"\x8a\x01"])  # a key, unknown, a longer tag
            parts[at] = outer + varint(len(parts[at])) + parts[at]
        case what:
            edge = bytes([8 * chance.randint(1, 8)]) + varint(chance.choice(_EDGES) % 2**64)
            value = parts[at][2:] + edge if what < 6 else noise(parts[at][2:], 127)
            value = value[:127]
            parts[at] = bytes([parts[at][0], len(value)]) + value
    return b"".join(parts)[:most]
