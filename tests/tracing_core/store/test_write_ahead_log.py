"""Write-ahead logs whose header is wrong in a way that SQLite never writes."""

import struct
from pathlib import Path

import pytest

from tracing_core.store.write_ahead_log import lost_commits


def header(page_bytes: int) -> bytes:
    """Return a header with right checksums (SQLite, "WAL Header")."""
    fields = struct.pack(">6I", 0x377F0683, 3007000, page_bytes, 0, 1, 2)
    first = second = 0
    for one, other in zip(*[iter(struct.unpack(">6I", fields))] * 2, strict=True):
        first = (first + one + second) % 2**32
        second = (second + other + first) % 2**32
    return fields + struct.pack(">2I", first, second)


@pytest.mark.parametrize("page_bytes", [0, 1, 4, 5, 511, 513, 2**17, 2**31])
def test_a_size_that_no_page_has_is_no_traceback(tmp_path: Path, page_bytes: int) -> None:
    log = tmp_path / "agent.db-wal"
    frame = struct.pack(">6I", 1, 1, 1, 2, 0, 0) + bytes(page_bytes if page_bytes < 1000 else 0)
    log.write_bytes(header(page_bytes) + 3 * frame)
    assert lost_commits(log) is False
