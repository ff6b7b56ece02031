"""LevelDB's files: written here and by LevelDB itself, damaged in every way, hostile."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import random
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ble_agent.store.importers.cursor import Cursor
from ble_agent.store.importers.leveldb import is_leveldb, read_leveldb
from ble_agent.store.importers.leveldb.crc32c import crc32c, masked_crc32c
from ble_agent.store.importers.leveldb.snappy import decompress
from tests.ble_agent.store.importers.leveldb_writer import (
    Change,
    batch,
    block,
    entries_block,
    log,
    lump,
    manifest,
    snappy,
    table,
    varint,
    write_leveldb,
)
from tracing_core.errors import InvalidLog, StoreError

VECTOR = Path(__file__).resolve().parents[3] / "vectors/leveldb.zip"
KEYS = st.binary(max_size=3)
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=40)), max_size=30)


def after(generations: list[list[Change]]) -> list[tuple[bytes, bytes]]:
    state: dict[bytes, bytes] = {}
    for changes in generations:
        for key, value in changes:
            state.pop(key, None)
            if value is not None:
                state[key] = value
    return sorted(state.items())


def refusal(folder: Path) -> str:
    with pytest.raises(InvalidLog) as caught:
        list(read_leveldb(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_crc32c_has_the_published_values(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b"\x00", b""),
        (b"\x03\x08abc", b"abc"),
        (b"\x0a\x00a\x15\x01\x02b\x00", None),
        (b"\x0a\x00a\x15\x01", b"a" * 10),
        (b"\x06\x04ab\x0e\x02\x00", b"ababab"),
        (b"\x06\x04ab\x0f\x02\x00\x00\x00", b"ababab"),
        (b"\x06\x04ab\x0e\x00\x00", None),
        (b"\x06\x04ab\x0e\x03\x00", None),
        (b"\x05\x04ab\x0e\x02\x00", None),
        (b"\x07\x04ab\x0e\x02\x00", None),
        (b"\x03\x08ab", None),
        (b"\xff\xff\xff\xff\x0f\x00a", None),
        (b"", None),
    ],
)
def test_snappy_by_hand(data: bytes, result: bytes | None) -> None:
    if result is None:
        with pytest.raises(ValueError, match=r"it|block|copy"):
            decompress(data, 1000)
    else:
        assert decompress(data, 1000) == result


@given(
    st.lists(st.binary(max_size=30), max_size=8).map(lambda parts: b"".join(parts * 3)),
    st.integers(0, 1000),
)
def test_snappy_undoes_a_compressor_that_uses_everything(data: bytes, seed: int) -> None:
    assert decompress(snappy(data, seed), 1 << 20) == data


def test_snappy_of_long_texts() -> None:
    data = random.Random(1).randbytes(100_000) * 2
    assert decompress(snappy(data), len(data)) == data
    with pytest.raises(ValueError, match="larger"):
        decompress(snappy(data), len(data) - 1)


@given(st.binary(max_size=60))
def test_any_bytes_are_snappy_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(decompress(data, 10_000)) <= 10_000


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_seven_bits_a_byte(number: int) -> None:
    cursor = Cursor(varint(number))
    assert cursor.varint() == number
    assert not cursor


@settings(max_examples=60)
@given(st.lists(CHANGES, max_size=5), st.sampled_from([0, 1]))
def test_the_latest_value_of_every_key_is_read(
    generations: list[list[Change]], compression: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_leveldb(Path(name), generations, compression=compression)
        assert is_leveldb(folder)
        assert list(read_leveldb(folder)) == after(generations)


def history() -> list[Change]:
    """The changes that plyvel 1.5.1, opened three times, made tests/vectors/leveldb.zip from."""
    changes: list[Change] = []
    for number in range(1200):
        chance = hashlib.sha256(b"truyvet %d" % number).digest()
        key = (20_000 + chance[0] % 14).to_bytes(2, "big") + bytes([chance[1] % 30]) * 16
        value = chance[2:] * (chance[3] % 5) + bytes(chance[4])
        changes.append((key, None if chance[5] < 40 else value))
    return changes


def test_a_folder_that_leveldb_wrote(tmp_path: Path) -> None:
    with zipfile.ZipFile(VECTOR) as archive:
        archive.extractall(tmp_path)
    suffixes = {path.suffix for path in tmp_path.iterdir()}
    assert suffixes == {"", ".ldb", ".log"}
    found = list(read_leveldb(tmp_path))
    assert len(found) > 300
    assert found == after([history()])


# plyvel is LevelDB itself; it has no wheels for Python 3.13 and none for ARM.
if importlib.util.find_spec("plyvel"):

    @pytest.mark.parametrize("compression", [None, "snappy"])
    def test_folders_of_leveldb_itself(tmp_path: Path, compression: str | None) -> None:
        import plyvel

        for seed in range(6):
            chance = random.Random(seed)
            path = tmp_path / str(seed)
            options = {"write_buffer_size": 1 << 16, "block_size": 1024, "compression": compression}
            truth: dict[bytes, bytes] = {}
            for _ in range(2):  # reopened, as after the phone was restarted
                db = plyvel.DB(str(path), create_if_missing=True, bloom_filter_bits=10, **options)
                for _ in range(chance.randrange(4000)):
                    key = chance.randrange(900).to_bytes(2, "big") * 9
                    if chance.random() < 0.2:
                        db.delete(key)
                        truth.pop(key, None)
                    else:
                        truth[key] = chance.choice(
                            [chance.randbytes(90), b"ab" * chance.randrange(99)]
                        )
                        db.put(key, truth[key])
                if seed == 3:
                    db.compact_range()
                if seed == 4:
                    truth[b"long"] = b"xyz" * 300_000
                    db.put(b"long", truth[b"long"])
                db.close()
            assert list(read_leveldb(path)) == sorted(truth.items())


def test_what_leveldb_compacted_away_stays_away(tmp_path: Path) -> None:
    generations: list[list[Change]] = [[(b"a", b"1"), (b"b", b"1")], [(b"a", None)], []]
    assert list(read_leveldb(write_leveldb(tmp_path, generations))) == [(b"b", b"1")]


def test_a_record_that_was_being_written_is_not_there_yet(tmp_path: Path) -> None:
    changes: list[Change] = [(bytes([number]), bytes(20_000)) for number in range(12)]
    write_leveldb(tmp_path, [changes])
    path = tmp_path / "000050.log"
    whole = path.read_bytes()
    full = len(list(read_leveldb(tmp_path)))
    assert full == 12
    for cut in (1, 7, 5_000, 40_000, 62_000, 70_000, len(whole)):
        path.write_bytes(whole[: len(whole) - cut])
        kept = list(read_leveldb(tmp_path))
        assert kept == sorted(changes)[: len(kept)]
        assert len(kept) < full
    path.write_bytes(whole + bytes(100))  # space that was reserved
    assert len(list(read_leveldb(tmp_path))) == full


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    chance = random.Random(5)
    generations = [
        [(chance.randbytes(2), chance.randbytes(30)) for _ in range(30)] for _ in range(3)
    ]
    write_leveldb(tmp_path, generations, compression=1)
    truth = after(generations)
    refused = 0
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for _ in range(25):
            damaged = bytearray(whole)
            damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            path.write_bytes(damaged)
            try:
                # A length that became longer than the rest of a log looks like its end.
                assert not set(read_leveldb(tmp_path)) - set(truth) or path.suffix == ".log"
            except (InvalidLog, StoreError) as error:
                refused += 1
                assert "\n" not in str(error)  # noqa: PT017
        path.write_bytes(whole)
    assert refused > 90


@settings(max_examples=150)
@given(
    st.sampled_from(["CURRENT", "MANIFEST-000004", "000010.sst", "000050.log"]),
    st.binary(max_size=120),
    st.sampled_from(["raw", "log", "batch", "table", "handle"]),
)
def test_any_bytes_are_read_or_refused(name: str, data: bytes, form: str) -> None:
    wrapped = {
        "raw": data,
        "log": log([data]),
        "batch": log([batch(1, [])[:8] + data]),
        "table": block(data, 0) + (varint(0) * 2 + varint(0) + varint(len(data))).ljust(40, b"\0"),
        "handle": table([(b"k", 1, b"v")])[:-48] + data[:40].ljust(40, b"\0"),
    }[form]
    if form in ("table", "handle"):
        wrapped += table([(b"k", 1, b"v")])[-8:]
    with tempfile.TemporaryDirectory() as folder:
        path = write_leveldb(Path(folder), [[(b"k", b"v")], [(b"l", b"w")]])
        (path / name).write_bytes(wrapped)
        try:
            assert len(list(read_leveldb(path))) < 1000
        except (InvalidLog, StoreError) as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write_leveldb(tmp_path, [[(b"k", b"v")], []])
    (tmp_path / "000010.sst").rename(tmp_path / "elsewhere")
    assert "000010.ldb is missing: copy the whole folder" in refusal(tmp_path)
    (tmp_path / "elsewhere").rename(tmp_path / "000010.ldb")
    assert list(read_leveldb(tmp_path)) == [(b"k", b"v")]
    (tmp_path / "MANIFEST-000004").unlink()
    assert "MANIFEST-000004 is missing" in refusal(tmp_path)
    (tmp_path / "CURRENT").write_bytes(b"../../etc/passwd\n")
    assert not is_leveldb(tmp_path)
    assert "not a LevelDB folder" in refusal(tmp_path)
    (tmp_path / "CURRENT").unlink()
    with pytest.raises(StoreError, match="CURRENT"):
        list(read_leveldb(tmp_path))


def test_what_is_unknown_or_hostile_is_refused(tmp_path: Path) -> None:
    write_leveldb(tmp_path, [[(b"k", b"v")], []])
    path, contents = tmp_path / "000010.sst", entries_block([(b"k" + bytes(8), b"v")])
    index = entries_block([(b"k" + bytes(8), varint(0) + varint(len(contents)))])

    def with_block(stored: bytes, handle: bytes = varint(0) + varint(len(contents))) -> str:
        guide = block(entries_block([(b"k" + bytes(8), handle)]), 0)
        footer = varint(0) * 2 + varint(len(stored)) + varint(len(guide) - 5)
        path.write_bytes(stored + guide + footer.ljust(40, b"\0") + table([])[-8:])
        return refusal(tmp_path)

    assert index
    assert "unknown method 4" in with_block(block(contents, 4))
    assert "checksum" in with_block(contents + bytes(5))
    assert "larger than" in with_block(contents, varint(0) + varint(1 << 40))
    for offset in (1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
        assert "ends too early" in with_block(contents, varint(offset) + varint(len(contents) + 90))
    bomb = varint(1 << 40) + b"\x00a"
    stored = bomb + b"\x01" + masked_crc32c(bomb + b"\x01").to_bytes(4, "little")
    assert "larger than" in with_block(stored, varint(0) + varint(len(bomb)))
    disorder = table([(b"b", 1, b""), (b"a", 2, b"")])
    path.write_bytes(disorder)
    assert "out of order" in refusal(tmp_path)
    path.write_bytes(b"")
    assert "ends too early" in refusal(tmp_path)
    foreign = varint(1) + lump(b"rocksdb.Other")
    (tmp_path / "MANIFEST-000004").write_bytes(manifest([], 50, more=foreign))
    assert "unknown order" in refusal(tmp_path)
    (tmp_path / "MANIFEST-000004").write_bytes(manifest([], 50, more=varint(200)))
    assert "unknown tag 200" in refusal(tmp_path)
