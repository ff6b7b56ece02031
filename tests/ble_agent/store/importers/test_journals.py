"""Journals that name a file: SQLite would delete it after the rollback (attacks.md, T1)."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.messages.explanation import explain
from ble_agent.store.database import open_store
from ble_agent.store.home import erase_home
from ble_agent.store.importers import import_log
from matcher.portable.sightings import read_log
from server.store.database import Database as ServerDatabase
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.store.importers.hostile_journals import (
    JOURNALS,
    SUPER_MAGIC,
    leave_journal,
    leave_wal,
    super_record,
)
from tests.ble_agent.store.importers.test_import import NOW, SOURCES
from tracing_core.errors import InvalidLog, LogFault, NotPossible, StoreDamaged, TracingError
from tracing_core.store.database import Database

DATABASES = ("microg", "ramble", "truyvet")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "thesis.txt"
    path.write_text("four years of work")
    return path


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    home = tmp_path / "home"
    home.mkdir()
    with open_store(home) as opened:
        yield opened


def in_delete_mode(path: Path) -> Path:
    """Put a copy of a database aside whose journal would be a rollback journal."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


@pytest.mark.parametrize("dry_run", [False, True], ids=["real", "dry-run"])
@pytest.mark.parametrize("form", JOURNALS)
@pytest.mark.parametrize("name", DATABASES)
def test_no_journal_has_a_file_deleted(
    db: Database, tmp_path: Path, victim: Path, name: str, form: str, dry_run: bool
) -> None:
    write, count = SOURCES[name]
    path = in_delete_mode(write(tmp_path / "log"))
    journal = JOURNALS[form](leave_journal(path), super_record(victim))
    Path(f"{path}-journal").write_bytes(journal)
    files = {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    if journal.endswith(SUPER_MAGIC):
        with pytest.raises(InvalidLog, match="names another file") as caught:
            import_log(db, path, NOW, dry_run=dry_run)
        assert caught.value.fault is LogFault.JOURNAL
        assert explain(caught.value, "vi").startswith(f"{path}-journal: ")
        assert db.table("sighting").count == 0
    else:
        with contextlib.suppress(TracingError):
            assert import_log(db, path, NOW, dry_run=dry_run).kept == count
        assert form != "nowhere" or dry_run or db.table("sighting").count == count
    assert victim.read_text() == "four years of work"
    assert files == {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}


@pytest.mark.parametrize("beside", ["wal", "wal and journal"])
@pytest.mark.parametrize("name", DATABASES)
def test_no_write_ahead_log_has_a_file_deleted(
    db: Database, tmp_path: Path, victim: Path, name: str, beside: str
) -> None:
    write, count = SOURCES[name]
    path = write(tmp_path / "log")
    wal = leave_wal(path)
    Path(f"{path}-wal").write_bytes(wal + super_record(victim))
    if beside == "wal":
        assert import_log(db, path, NOW).kept == count
    else:
        Path(f"{path}-journal").write_bytes(b"x" + super_record(victim))
        with pytest.raises(InvalidLog, match="names another file"):
            import_log(db, path, NOW)
    assert victim.exists()
    assert Path(f"{path}-wal").read_bytes() == wal + super_record(victim)
    assert not Path(f"{path}-shm").exists()


@pytest.mark.parametrize("victim_name", ["agent.key", "agent.db"])
def test_an_import_keeps_the_agents_own_files(tmp_path: Path, victim_name: str) -> None:
    path = in_delete_mode(SOURCES["microg"][0](tmp_path / "exposure.db"))
    with AgentProcess(tmp_path / "home", clock_at(NOW)) as agent:
        agent.answer("import", str(SOURCES["json-lines"][0](tmp_path / "log")))
        (agent.home / "agent.key").touch()
        journal = leave_journal(path) + super_record(agent.home / victim_name)
        Path(f"{path}-journal").write_bytes(journal)
        assert "names another file" in agent.refusal("import", str(path))
        assert "nêu tên một tệp khác" in agent.refusal("import", str(path), lang="vi")
        assert (agent.home / victim_name).exists()
        assert len(agent.sightings()) == 3


def test_a_journal_laid_beside_our_own_databases_deletes_nothing(
    tmp_path: Path, victim: Path
) -> None:
    path = in_delete_mode(SOURCES["truyvet"][0](tmp_path / "home"))
    Path(f"{path}-journal").write_bytes(leave_journal(path) + super_record(victim))
    with pytest.raises(StoreDamaged, match="names another file"):
        list(read_log(path))
    keys = tmp_path / "keys.db"
    shutil.copyfile(path, keys)
    shutil.copyfile(f"{path}-journal", f"{keys}-journal")
    with pytest.raises(StoreDamaged, match="names another file"):
        ServerDatabase(f"sqlite:///{keys}")
    assert victim.exists()


SLOW_IMPORT = """
import sys, time
from pathlib import Path
from ble_agent.store.database import open_store
from ble_agent.store.importers import open_source
home, log = map(Path, sys.argv[1:])
with open_store(home), open_source(log, home):
    print("open", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def importing(home: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a log open for importing."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_IMPORT, str(home), str(log)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def test_what_a_killed_import_leaves_is_in_the_home_and_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # attacks.md, T10: the copy stayed in the folder for temporary files, where erase left it.
    path = SOURCES["microg"][0](tmp_path / "exposure.db")
    leave_wal(path)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with importing(home, path) as process:
        (copy,) = home.glob(".working-*")
        assert copy.stat().st_mode & 0o777 == 0o700
        assert (copy / "log.db").exists()
        # It is in use, so neither a start nor erasing takes it away.
        with open_store(home):
            assert copy.exists()
        with pytest.raises(NotPossible, match="another command is at work"):
            erase_home(home)
        process.kill()
        process.wait(30)
        assert (copy / "log.db").exists()
    with open_store(home):
        assert not copy.exists()
    with importing(home, path):
        pass
    assert list(home.glob(".working-*"))
    with AgentProcess(home) as agent:
        assert agent.answer("erase", "--yes")["left"] == []
    assert not home.exists()
    assert list(temporary.iterdir()) == []
