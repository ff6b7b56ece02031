"""Modules of the user's own with the names of our packages, against the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.matcher.examples import START, heard, key
from tests.matcher.many.examples import write_parquet
from tracing_core.export_file import ExportFile, write_export
from tracing_core.store.sighting import write_json_lines

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [str(Path(sys.executable).with_name("truyvet"))]
MODULE = [sys.executable, "-m", "truyvet"]
THEIRS = "raise SystemExit('the module of the user ran')\n"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with modules of the user's own, a log and key files."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("matcher.py", "server.py", "ble_agent.py"):
        (folder / name).write_text(THEIRS)
    (folder / "theirs_alone.py").write_text("value = 7\n")
    write_json_lines(folder / "log.jsonl", [heard(key(), START)])
    write_parquet(folder / "logs.parquet", {"an": [heard(key(), START)]})
    (folder / "keys.bin").write_bytes(write_export(ExportFile(0, 600, "VN", [key()]), []))
    return folder


def run(
    command: list[str], folder: Path, *arguments: str, path: Path | None = None
) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
@pytest.mark.parametrize("by", ["PYTHONPATH", "folder"])
def test_the_command_works_beside_modules_of_its_names(
    command: list[str], by: str, theirs: Path, tmp_path: Path
) -> None:
    folder, path = (tmp_path, theirs) if by == "PYTHONPATH" else (theirs, None)
    log, keys = str(theirs / "log.jsonl"), str(theirs / "keys.bin")
    code, out, error = run(command, folder, "match", log, keys, path=path)
    assert (code, error) == (0, "")
    assert "1 key" in out
    home = str(tmp_path / "home")
    code, _, error = run(command, folder, "server", "issue", "--home", home, path=path)
    assert code == 1
    assert error.startswith("truyvet: ")
    assert "hides" not in error
    assert run(command, folder, "agent", "status", "--home", home, path=path)[0] == 1


def test_processes_that_it_starts_find_our_packages_too(theirs: Path, tmp_path: Path) -> None:
    arguments = ("match-many", "logs.parquet", "keys.bin", "--workers", "2", "--out")
    for command, out in ((SCRIPT, "one"), (MODULE, "two")):
        code, _, error = run(command, theirs, *arguments, str(tmp_path / out), path=theirs)
        assert (code, error) == (0, "")


def test_what_cannot_be_helped_is_one_line(theirs: Path) -> None:
    code = (
        "import sys, types\n"
        "module = types.ModuleType('server')\n"
        f"module.__file__ = {str(theirs / 'server.py')!r}\n"
        "sys.modules['server'] = module\n"
        "sys.argv[1:] = ['server', 'issue']\n"
        "from tracing_core.cli import main\n"
        "main()\n"
    )
    returned, _, error = run([sys.executable, "-c", code], theirs.parent)
    assert returned == 1
    assert error == (
        f"truyvet: {theirs / 'server.py'} hides truyvet's package server: rename that file, or"
        " remove its folder from PYTHONPATH\n"
    )


def test_the_facade_names_the_file_and_does_not_run_it(theirs: Path) -> None:
    code = "import truyvet\nprint(truyvet.Sighting.__name__)\ntruyvet.match"
    returned, out, error = run([sys.executable, "-c", code], theirs)
    assert (returned, out) == (1, "Sighting\n")
    assert error.splitlines()[-1] == (
        f"ImportError: {theirs / 'matcher.py'} hides truyvet's package matcher: rename that file"
    )


def paths_after(before: str, folder: Path) -> list[str]:
    code = (
        f"import sys\n{before}\n"
        "from tracing_core.process.import_path import put_own_packages_first\n"
        "put_own_packages_first()\nput_own_packages_first()\nprint(*sys.path, sep='\\n')\n"
    )
    returned, out, error = run([sys.executable, "-c", code], folder)
    assert (returned, error) == (0, "")
    return out.splitlines()


def test_a_path_without_such_modules_stays_as_it_is(theirs: Path, tmp_path: Path) -> None:
    for name in ("matcher.py", "server.py", "ble_agent.py"):
        (theirs / name).unlink()
    (theirs / "server").mkdir()  # a mere folder hides nothing
    printed = run([sys.executable, "-c", "import sys; print(*sys.path, sep='\\n')"], theirs)[1]
    assert paths_after("", theirs) == printed.splitlines()


def test_their_folder_stays_on_the_path_behind_ours(theirs: Path) -> None:
    found = paths_after(f"sys.path.insert(0, {str(theirs)!r})", theirs)
    assert found.index(str(ROOT)) < found.index(str(theirs))


def test_an_installation_found_by_a_hook_goes_on_working(theirs: Path) -> None:
    # As setuptools' editable installations do: no folder of ours is on the path.
    hook = (
        "import importlib.util, sys\n"
        "class Hook:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        file = {str(ROOT)!r} + '/' + name + '/__init__.py'\n"
        "        if path is None and name in ('server', 'matcher', 'tracing_core', 'ble_agent'):\n"
        "            return importlib.util.spec_from_file_location(\n"
        "                name, file, submodule_search_locations=[file[:-12]])\n"
        f"sys.path[:] = [entry for entry in sys.path if entry != {str(ROOT)!r}]\n"
        "sys.meta_path.append(Hook)\n"
        f"sys.argv[1:] = ['match', 'log.jsonl', 'keys.bin']\n"
        "from tracing_core.cli import main\n"
        "main()\n"
    )
    code, out, error = run([sys.executable, "-c", hook], theirs)
    assert (code, error) == (0, "")
    assert "1 key" in out
