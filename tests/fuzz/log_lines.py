"""The JSON Lines parser of logs against `read_log`, as `read_columns` uses both."""

from __future__ import annotations

import functools
import random
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import tracing_core.store.json_lines
from matcher.columns import log as log_columns
from matcher.columns.log import LogColumns, read_columns
from matcher.portable.sightings import read_log
from tracing_core.errors import TracingError
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import LineReader, Sighting, write_json_lines

_NUMBERS = (
    *(b"-128", b"-127", b"-1", b"-0", b"0", b"00", b"126", b"127", b"1.5", b"1e3"),
    *(
        b"99999999999",
        b"100000000000",
        b"2576980377600",
        b"9999999999999999999",
        b"18446744073709551616",
    ),
)
_CONSTANTS = (b"null", b"true", b"false")
WORDS = (
    *(b'"%s":' % name for name in (b"rpi", b"aem", b"rssi_dbm", b"seen_at")),
    *(b'"previous_scan_at":', b'"clock_suspect":'),
    *(b'"aem":"00000000",', b'"rssi_dbm":-1,', b'"seen_at":0,'),
    *(b'"previous_scan_at":null,', b'"previous_scan_at":0,', b'"clock_suspect":true,'),
    *(b'"0123456789abcdefABCDEF0123456789"', b'"01234567"', b"[-127,126]"),
    *(b",", b"{", b"}", b"\n", b"\r\n", b"\t", b"\v", b"\\u0030"),
    *_NUMBERS,
    *_CONSTANTS,
)
_TOKEN = re.compile(rb'"[^"\n]*"|-?\d+|[a-z]+|[ \t\r\n]+|.', re.DOTALL)
_LONGEST = 400


def same_either_way(path: Path) -> LogColumns | None:
    """Check that both ways of reading come to the same; return the columns unless both refuse."""
    same_with_bad_lines(path)
    try:
        expected = list(read_log(path))
    except TracingError as error:
        with pytest.raises(type(error), match=re.escape(f"{error}") + "$"):
            read_columns(path)
        return None
    columns = read_columns(path)
    kept = [sighting for sighting in expected if not sighting.clock_suspect]
    assert columns.count == len(expected)
    assert columns.suspect_count == len(expected) - len(kept)
    assert list(columns.sightings(np.arange(len(columns)))) == kept
    assert columns.last_seen_at == max((each.seen_at for each in kept), default=None)
    search = columns.columns()
    assert [rpi.tobytes() for rpi in search.rpi] == [each.rpi for each in kept]
    assert search.interval.tolist() == [each.seen_at // 600 for each in kept]
    return columns


def same_with_bad_lines(path: Path) -> None:
    """Check that both ways count the same bad lines, and keep the same others."""
    slow, fast = LeftOut(), LeftOut()
    try:
        expected = [each for each in read_log(path, slow) if not each.clock_suspect]
    except TracingError as error:
        with pytest.raises(type(error), match=re.escape(f"{error}") + "$"):
            read_columns(path, fast)
        return
    columns = read_columns(path, fast)
    assert list(columns.sightings(np.arange(len(columns)))) == expected
    assert (fast.unreadable, str(fast.first_unreadable)) == (
        slow.unreadable,
        str(slow.first_unreadable),
    )
    assert (fast.unmeasured, fast.first_unmeasured) == (slow.unmeasured, slow.first_unmeasured)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="truyvet-fuzz-")


def check(text: bytes) -> str:
    """Read a log both ways; say whether it was taken, left or refused."""
    path = Path(_folder().name, "log")
    path.write_bytes(text)
    slow = []

    class Noted(LineReader):
        def read(self, line: bytes, number: int) -> Sighting | None:
            slow.append(number)
            return super().read(line, number)

    with (
        patch.object(log_columns, "LineReader", Noted),
        # Short lines may be too long, and blocks end within them, but not in every file.
        patch.object(log_columns, "LONGEST_LINE", _LONGEST),
        patch.object(tracing_core.store.json_lines, "LONGEST_LINE", _LONGEST),
        patch.object(log_columns, "BLOCK_BYTES", 50 if len(text) % 2 else 1 << 20),
    ):
        if same_either_way(path) is None:
            return "refused"
        if not slow:
            return "taken"
        # Once all that is unusual about it is gone, the kernel must take it.
        slow.clear()
        write_json_lines(path, list(read_log(path)))
        path.write_bytes(path.read_bytes()[:-1])
        assert same_either_way(path) is not None
        assert not slow
        return "left"


def examples() -> Iterator[bytes]:
    """Yield what our own agent writes, the same in other words, and the longest line."""
    path = Path(_folder().name, "example")
    log = [
        Sighting(
            bytes(range(number, number + 16)),
            bytes([number] * 4),
            (-60,) * (1 + number % 3),
            1_590_019_200 + 300 * number,
            1_590_018_960 if number % 2 else None,
            number % 4 == 3,
        )
        for number in range(6)
    ]
    for some in (log[:1], log[1:2], log[3:4], log):
        write_json_lines(path, some)
        yield path.read_bytes()
        yield path.read_bytes().replace(b",", b" , ").replace(b"{", b"\r{ ").replace(b":", b":\t")
    yield path.read_bytes().splitlines()[0][:-1].ljust(_LONGEST - 2) + b"}\n"


@functools.cache
def _whole() -> tuple[bytes, ...]:
    return tuple(examples())


def mutate(text: bytes, most: int, seed: int, noise: Callable[[bytes, int], bytes]) -> bytes:
    """Change bytes anywhere, or what JSON takes for a word, often of a log that is right."""
    chance = random.Random(seed)
    if chance.random() < 0.3:
        text = chance.choice(_whole())
    tokens = _TOKEN.findall(text)
    if not tokens or chance.random() < 0.3:
        return noise(text, most)
    at = chance.randrange(len(tokens))
    token = tokens[at]
    match chance.randrange(6):
        case 0 if token[-1:].isdigit():
            tokens[at] = chance.choice(_NUMBERS)
        case 0 if token.isalpha():
            tokens[at] = chance.choice(_CONSTANTS)
        case 0:
            tokens[at] = chance.choice(WORDS)
        case 1:
            tokens.insert(at, chance.choice([*WORDS, *tokens]))
        case 2:
            del tokens[at : at + chance.choice([1, 4])]  # 4 are a field: name, colon, value, comma
        case 3:
            tokens[at] = chance.choice(tokens)
        case 4:
            tokens.insert(at, b" " * (_LONGEST + chance.randrange(2) - len(text)))
        case 5 if len(token) > 2:  # the same in other words, if this is a string
            place = chance.randrange(1, len(token) - 1)
            tokens[at] = token[:place] + b"\\u%04x" % token[place] + token[place + 1 :]
    return b"".join(tokens)[:most]
