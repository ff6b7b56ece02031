"""Outputs of every command: locales of 8 bits, and disks that are full."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.json_schemas import printed
from tracing_core.cli import truyvet
from tracing_core.process.output import prepare_outputs

COMMAND = (sys.executable, "-c", "from tracing_core.cli import main; main()")
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def subcommands() -> list[tuple[str, ...]]:
    context = click.Context(truyvet)
    found: list[tuple[str, ...]] = [()]
    for name in truyvet.list_commands(context):
        command = truyvet.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, each) for each in sorted(command.commands)]
    return found


def run(*arguments: str, stdout: int | None = None, **variables: str) -> tuple[int, bytes, bytes]:
    kept = {name: value for name, value in os.environ.items() if "TRUYVET" not in name}
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=kept | variables,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout or b"", done.stderr


@needs_full
@pytest.mark.parametrize(
    "words", [(), ("agent",), ("server", "issue"), ("match",), ("air",)], ids=" ".join
)
def test_a_full_output_is_one_line_of_every_command(words: tuple[str, ...]) -> None:
    # ux.md section 2, 5: 25 lines of OSError.
    with FULL.open("wb") as full:
        code, _, errors = run(*words, "--help", stdout=full.fileno())
    assert code == 1
    assert errors.decode() == (
        "truyvet: the output cannot be written (No space left on device): free some space, or"
        " write it elsewhere\n"
    )


@needs_full
def test_a_full_output_is_one_line_in_vietnamese_and_with_results(tmp_path: Path) -> None:
    with FULL.open("wb") as full:
        code, _, errors = run("--help", stdout=full.fileno(), TRUYVET_LANG="vi")
        assert (code, errors.count(b"\n")) == (1, 1)
        assert "không ghi được kết quả" in errors.decode()
        home = str(tmp_path / "home")
        code, _, errors = run(
            "agent", "import", "/dev/null", "--home", home, stdout=full.fileno(), LC_ALL="C.UTF-8"
        )
        assert (code, errors.count(b"\n")) == (1, 1)
        for words in (("status",), ("status", "--json")):
            code, _, errors = run(
                "agent", *words, "--home", home, stdout=full.fileno(), LC_ALL="C.UTF-8"
            )
            assert (code, errors.count(b"\n")) == (1, 1), errors
            assert b"the output cannot be written" in errors


@needs_full
def test_an_error_that_cannot_be_written_is_no_traceback(tmp_path: Path) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "agent", "status", "--home", str(tmp_path / "none")],
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso8859-15"])
def test_an_8_bit_locale_reads_plain_letters(tmp_path: Path, encoding: str) -> None:
    # ux.md section 2, 5: UnicodeEncodeError in `agent status` and `agent --help`.
    home = str(tmp_path / "home")
    assert run("agent", "import", "/dev/null", "--home", home)[0] == 0
    locale = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    code, output, errors = run("agent", "status", "--home", home, TRUYVET_LANG="vi", **locale)
    assert errors == b""
    text = output.decode(encoding)
    assert "[!!] " in text
    assert "[ok] " in text
    assert re.search("Chuong tr.nh chua chay.", text)
    assert "?" not in text
    code, output, _ = run("agent", "status", "--json", "--home", home, TRUYVET_LANG="vi", **locale)
    assert "Chương trình chưa chạy." in str(printed("agent status", output.decode("ascii")))
    code, _, errors = run("agent", "report", TRUYVET_LANG="vi", **locale)
    assert code == 2
    assert "Traceback" not in errors.decode(encoding)


def test_help_of_every_command_is_readable_in_latin_1() -> None:
    prepare_outputs()
    for words in subcommands():
        for lang in ("vi", "en"):
            result = CliRunner(env={"TRUYVET_LANG": lang}).invoke(truyvet, [*words, "--help"])
            assert result.exit_code == 0
            assert b"?" not in result.output.encode("latin-1", "truyvet-plain")


def test_the_c_locale_itself() -> None:
    for name in ("C", "POSIX"):
        for variables in ({}, {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
            code, _, errors = run("--help", LC_ALL=name, TRUYVET_LANG="vi", **variables)
            assert (code, errors) == (0, b"")


def test_the_description_of_the_server_is_whole_in_latin_1() -> None:
    code, output, _ = run("server", "openapi", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert code == 0
    assert json.loads(output) == json.loads(run("server", "openapi")[1])
