"""One database, one server: a second `init` or a second folder is refused (attacks.md T6, T7)."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from server.app.cli import server
from server.config import load_settings
from server.context import Server
from server.export.exporter import publish_index, run_due
from server.store.database import Database
from tests.server.homes import NOW
from tests.server.postgresql import running_postgresql
from tests.server.running import command, free_port
from tracing_core.clock import ManualClock
from tracing_core.errors import StoreError

RUN = (sys.executable, "-c", "from tracing_core.cli import main; main()", "server", "run")
FEW = {"export_padding_keys": 5, "export_padding_spread": 1}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with running_postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    url = request.getfixturevalue("postgresql")
    database = Database(url)
    with database.begin() as conn:
        conn.execute(text("DROP SCHEMA public CASCADE"))
        conn.execute(text("CREATE SCHEMA public"))
    database.close()
    assert isinstance(url, str)
    return url


def invoke(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(server, [*arguments, "--home", str(home)])


def operators(url: str) -> list[bytes]:
    database = Database(url)
    with database.read() as conn:
        found = [row[0] for row in conn.execute(text("SELECT key_hash FROM operator_key"))]
    database.close()
    return found


@pytest.mark.parametrize("region", ["VN", "LA"])
def test_a_second_init_on_one_database_is_refused(tmp_path: Path, url: str, region: str) -> None:
    init = ["init", "--database", url]
    assert invoke(tmp_path / "first", *init).exit_code == 0
    before = operators(url)
    for _ in range(2):
        refused = invoke(tmp_path / "second", *init, "--region", region)
        assert isinstance(refused.exception, StoreError)
        assert "already belongs to another server" in str(refused.exception)
        assert "give this server an empty database" in str(refused.exception)
        assert not (tmp_path / "second").exists()
    assert operators(url) == before
    assert invoke(tmp_path / "first", "issue").exception is None


def test_a_second_init_on_a_database_of_an_older_version_is_refused(
    tmp_path: Path, url: str
) -> None:
    assert invoke(tmp_path / "first", "init", "--database", url).exit_code == 0
    database = Database(url)
    with database.begin() as conn:
        conn.execute(text("DROP TABLE owner"))
    database.close()
    refused = invoke(tmp_path / "second", "init", "--database", url)
    assert "already belongs to another server" in str(refused.exception)


def test_an_init_that_was_interrupted_goes_on(tmp_path: Path, url: str) -> None:
    home = tmp_path / "home"
    assert invoke(home, "init", "--database", url).exit_code == 0
    # The settings are written last.
    (home / "server.toml").unlink()
    assert invoke(home, "init", "--database", url).exception is None
    assert len(operators(url)) == 1


def test_a_home_with_other_keys_does_not_open_the_database(tmp_path: Path, url: str) -> None:
    assert invoke(tmp_path / "first", "init", "--database", url).exit_code == 0
    assert invoke(tmp_path / "second", "init").exit_code == 0
    refused = invoke(tmp_path / "second", "issue", "--database", url)
    assert "belongs to a server with other keys" in str(refused.exception)


def exported(home: Path, hours: int) -> list[str]:
    opened = Server.open(load_settings(home, **FEW), ManualClock(NOW + hours * 3_600))
    try:
        return run_due(opened, "VN")
    finally:
        opened.close()


def test_a_second_folder_on_one_database_is_refused(tmp_path: Path, url: str) -> None:
    first, copy, moved = tmp_path / "first", tmp_path / "copy", tmp_path / "moved"
    assert invoke(first, "init", "--database", url).exit_code == 0
    assert invoke(first, "export").exception is None
    # A copy of the home is a node with a folder of its own; a link to it shares the folder.
    shutil.copytree(first, copy, copy_function=shutil.copy)
    refused = invoke(copy, "export")
    assert isinstance(refused.exception, StoreError)
    assert "are in another folder" in str(refused.exception)
    assert "run --adopt-folder" in str(refused.exception)
    done = command("run", "--port", str(free_port()), home=copy, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "are in another folder" in done.stderr
    with pytest.raises(StoreError, match="are in another folder"):
        exported(copy, 30)
    (tmp_path / "link").symlink_to(first)
    assert invoke(tmp_path / "link", "export").exception is None
    first.rename(moved)
    assert invoke(moved, "export").exception is None


def test_a_folder_that_was_restored_is_adopted(tmp_path: Path, url: str) -> None:
    first, restored = tmp_path / "first", tmp_path / "restored"
    assert invoke(first, "init", "--database", url).exit_code == 0
    assert invoke(first, "export").exception is None
    shutil.copytree(first, restored, copy_function=shutil.copy)
    port = str(free_port())
    with subprocess.Popen(
        [*RUN, "--home", str(restored), "--port", port, "--adopt-folder"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "Serving" in process.stdout.readline()
        process.terminate()
    assert invoke(restored, "export").exception is None
    assert "are in another folder" in str(invoke(first, "export").exception)
    # The process that still runs there stops exporting too, and signs no index without the files.
    with pytest.raises(StoreError, match="are in another folder"):
        exported(first, 30)
    opened = Server.open(load_settings(first, **FEW), ManualClock(NOW + 30 * 3_600))
    with pytest.raises(StoreError, match="are in another folder"):
        publish_index(opened, "VN")
    opened.close()
