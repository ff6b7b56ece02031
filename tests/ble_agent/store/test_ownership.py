"""A home that others may write to: what they put there gets no secret (attacks.md, T11)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.download import PartialFile
from ble_agent.messages.explanation import explain
from ble_agent.store.database import make_home, open_store
from ble_agent.store.home import LOCK_NAME, PART_NAME, erase_home, exclusive_use
from ble_agent.store.ownership import keep_private
from ble_agent.store.vault import KEY_FILE
from tests.ble_agent.agents import AgentProcess
from tracing_core.errors import StoreError
from tracing_core.protocol.associated_encrypted_metadata import Metadata

NOW = 20_800 * 86_400 + 50_000
ANOTHER_USER = 4_321


def open_home(path: Path, mode: int = 0o777) -> Path:
    path.mkdir()
    path.chmod(mode)
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize(
    ("before", "after"),
    [(0o777, 0o755), (0o775, 0o755), (0o770, 0o750), (0o702, 0o700), (0o755, 0o755)],
)
def test_others_lose_the_right_to_write_to_a_home(tmp_path: Path, before: int, after: int) -> None:
    home = open_home(tmp_path / "home", before)
    make_home(home)
    assert mode(home) == after
    home.chmod(before)
    with open_store(home):
        assert mode(home) == after


def test_a_shared_folder_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    home = open_home(tmp_path / "shared", 0o1777)
    with pytest.raises(StoreError, match="other users can write to this folder") as caught:
        make_home(home)
    assert "người dùng khác ghi được vào thư mục này" in explain(caught.value, "vi")
    assert mode(home) == 0o1777
    with AgentProcess(home) as agent:
        assert "chmod 700" in agent.refusal("import", str(tmp_path))
    assert [each.name for each in home.iterdir()] == []


def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", 0o755)
    keep_private(home, home.stat().st_uid)
    if os.geteuid() == 0:
        # Root's own folder is as good as one's own.
        keep_private(home, ANOTHER_USER)
        os.chown(home, ANOTHER_USER, -1)
        keep_private(home, 0)
    with pytest.raises(StoreError, match="other users can write"):
        keep_private(home, ANOTHER_USER + 1)


@pytest.mark.parametrize("name", ["agent.key", "agent.toml", "agent.db-wal", "download.part"])
def test_another_users_file_in_the_home_is_refused(tmp_path: Path, name: str) -> None:
    home = open_home(tmp_path / "home", 0o700)
    (home / name).write_bytes(bytes(32))
    (home / "notes.txt").touch()
    keep_private(home)
    if os.geteuid() == 0:
        # Only root can give a file to another user.
        os.chown(home / "notes.txt", ANOTHER_USER, -1)
        keep_private(home)
        os.chown(home / name, ANOTHER_USER, -1)
        with pytest.raises(StoreError, match="belongs to another user"):
            make_home(home)


def test_a_file_laid_there_does_not_receive_the_key(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    laid = home / f"{KEY_FILE}.{os.getpid()}.part"
    laid.touch(0o666)
    with laid.open("rb") as spy, open_store(home) as db:
        assert KeyRing(db, {}).next_advertisement(NOW, Metadata(0)) is not None
        assert spy.read() == b""
    assert (home / KEY_FILE).stat().st_size == 32
    assert mode(home / KEY_FILE) == 0o600
    assert list(home.glob(f".{KEY_FILE}.*")) == []


def test_a_link_laid_there_leads_nowhere(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", 0o700)
    elsewhere = tmp_path / "elsewhere"
    (home / LOCK_NAME).symlink_to(elsewhere)
    with pytest.raises(StoreError), exclusive_use(home):
        pass
    (home / LOCK_NAME).unlink()
    (home / PART_NAME).symlink_to(elsewhere)
    partial = PartialFile(home / PART_NAME)
    partial.restart("1.zip")
    partial.append(b"beginning")
    assert partial.begin("1.zip") == b"beginning"
    assert not elsewhere.exists()
    (home / f".{KEY_FILE}.0123456789abcdef").write_bytes(bytes(32))
    assert erase_home(home) == []
