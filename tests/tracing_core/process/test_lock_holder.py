from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.process.lock_holder import (
    LockHolder,
    ask_to_end,
    find_holder,
    forget_holder,
    note_holder,
)

ANOTHER_USER = 4_321


def nobody(_command: list[str]) -> bool:
    return False


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("is_lasting", [True, False])
def test_the_holder_is_this_process_until_it_says_otherwise(
    tmp_path: Path, lock: int, is_lasting: bool
) -> None:
    note_holder(lock, is_lasting=is_lasting)
    found = find_holder(tmp_path / "lock", nobody)
    assert found is not None
    assert (found.pid, found.is_lasting) == (os.getpid(), is_lasting)
    forget_holder(lock)
    assert (tmp_path / "lock").read_bytes() == b""
    assert find_holder(tmp_path / "lock", nobody) is None


def test_the_kernel_names_a_holder_that_wrote_nothing(tmp_path: Path, lock: int) -> None:
    found = find_holder(tmp_path / "lock", lambda command: bool(command))
    assert found is not None
    assert found.pid == os.getpid()


def test_a_number_that_another_process_got_names_nobody(tmp_path: Path, lock: int) -> None:
    note_holder(lock, is_lasting=True)
    found = find_holder(tmp_path / "lock", nobody)
    assert found is not None
    fcntl.flock(lock, fcntl.LOCK_UN)
    record = f"lasting {found.pid} {found.started + 1}\n"
    (tmp_path / "lock").write_text(record)
    assert find_holder(tmp_path / "lock", nobody) is None
    assert ask_to_end(LockHolder(found.pid, found.started + 1, is_lasting=True), 0.0)


def test_a_process_of_another_user_is_not_named(tmp_path: Path) -> None:
    if os.geteuid():
        return
    command = ["setpriv", f"--reuid={ANOTHER_USER}", "--clear-groups", "sleep", "600"]
    with subprocess.Popen(command) as other:
        try:
            (tmp_path / "lock").touch()
            started = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
            (tmp_path / "lock").write_text(f"lasting {other.pid} {started}\n")
            while f"Uid:\t{ANOTHER_USER}" not in Path(f"/proc/{other.pid}/status").read_text():
                assert other.poll() is None
            assert find_holder(tmp_path / "lock", nobody) is None
            # Its own user names it, but does not get any right over a process of root.
            os.chown(tmp_path / "lock", ANOTHER_USER, -1)
            found = find_holder(tmp_path / "lock", nobody)
            assert found is not None
            assert ask_to_end(found, 30.0)
            assert other.wait(30) == -signal.SIGTERM
        finally:
            other.kill()


@given(record=st.binary(max_size=100))
def test_no_record_is_misread(tmp_path_factory: pytest.TempPathFactory, record: bytes) -> None:
    path = tmp_path_factory.mktemp("record") / "lock"
    path.write_bytes(record)
    assert find_holder(path, nobody) is None


def test_no_file_or_a_link_has_no_holder(tmp_path: Path, lock: int) -> None:
    note_holder(lock, is_lasting=True)
    (tmp_path / "link").symlink_to(tmp_path / "lock")
    assert find_holder(tmp_path / "link", nobody) is None
    assert find_holder(tmp_path / "absent", nobody) is None


def test_what_has_ended_need_not_end() -> None:
    with subprocess.Popen(["true"]) as ended:
        started = int(Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[19])
        ended.wait(30)
    assert ask_to_end(LockHolder(ended.pid, started, is_lasting=True), 0.0)
