"""The façade: its names, its types, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import truyvet
from tracing_core.export_file import read_export

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", truyvet.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(truyvet, name)
    assert value is getattr(truyvet, name)
    assert name == "__version__" or value.__doc__
    assert name in dir(truyvet)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'truyvet' has no attribute 'matsch'"):
        _ = truyvet.matsch  # type: ignore[attr-defined]


def test_names_mean_what_they_say() -> None:
    assert truyvet.__version__ == version("truyvet")
    assert truyvet.read_key_file is read_export
    assert (Path(truyvet.__file__).parent / "py.typed").is_file()


def test_importing_it_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import truyvet\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert names <= {"truyvet", "typing"} | set(sys.stdlib_module_names)


def test_a_type_checker_knows_the_names(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import truyvet\n"
        "reveal_type(truyvet.match)\n"
        "key: truyvet.DiagnosisKey\n"
        "truyvet.load_configuration('enx').nonsense\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--config-file=", str(script)],
        cwd=ROOT,
        env={"MYPYPATH": str(ROOT), "PATH": "", "MYPY_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert "MatchResult" in done.stdout
    assert '"ExposureConfiguration" has no attribute "nonsense"' in done.stdout
    assert done.stdout.count("error:") == 1
