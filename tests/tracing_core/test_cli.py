import subprocess
import sys
from importlib.metadata import entry_points

import click
import pytest
from click.testing import CliRunner

from tracing_core import cli
from tracing_core.errors import StoreBusy

# What a help page has no use for; together they take seconds on a small machine.
HEAVY = {
    "alembic",
    "bumble",
    "cryptography",
    "fastapi",
    "google.protobuf",
    "httpx2",
    "jwt",
    "llvmlite",
    "numba",
    "numpy",
    "obstore",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlite3",
    "uvicorn",
}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from tracing_core.cli import truyvet;"
        "truyvet.main(['--help'], prog_name='truyvet', standalone_mode=False);"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: truyvet [OPTIONS] COMMAND" in done.stdout
    assert HEAVY & set(done.stderr.split()) == set()
    assert {name.split(".")[0] for name in done.stderr.split()}.isdisjoint(
        {"ble_agent", "matcher", "server"}
    )


def test_help_names_every_command():
    result = CliRunner().invoke(cli.truyvet, ["-h"])
    assert result.exit_code == 0
    for name, summary in cli._SUMMARIES.items():
        assert f"{name} " in result.output
        assert summary.en in result.output


def test_help_in_vietnamese():
    result = CliRunner(env={"TRUYVET_LANG": "vi"}).invoke(cli.truyvet, ["--help"])
    assert result.output.startswith("Cách dùng: ")
    for summary in cli._SUMMARIES.values():
        assert summary.vi in result.output


def test_the_version():
    result = CliRunner().invoke(cli.truyvet, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("truyvet, version ")


def test_a_command_nobody_knows():
    result = CliRunner().invoke(cli.truyvet, ["dance"])
    assert result.exit_code == 2
    assert "No such command 'dance'" in result.output
    result = CliRunner(env={"TRUYVET_LANG": "vi"}).invoke(cli.truyvet, ["dance"])
    assert result.exit_code == 2
    assert "Lỗi: Không có lệnh 'dance'." in result.output


def run(monkeypatch, capsys, error, command="fail"):
    @click.command()
    def fail():
        raise error

    monkeypatch.setattr(cli.truyvet, "get_command", lambda ctx, name: fail)
    monkeypatch.setattr(sys, "argv", ["truyvet", command])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code, capsys.readouterr().err


def test_an_error_of_ours_is_one_line(monkeypatch, capsys):
    told = run(monkeypatch, capsys, StoreBusy("agent.db is in use by another process: stop it"))
    assert told == (1, "truyvet: agent.db is in use by another process: stop it\n")


def test_a_missing_library_is_one_line_of_what_to_type(monkeypatch, capsys):
    for command in entry_points(group="truyvet.commands"):
        error = ModuleNotFoundError("No module named 'x'", name="x")
        assert run(monkeypatch, capsys, error, command.name)[1].startswith(
            "truyvet: x is not installed: run pip install '.["
        )


def test_an_error_in_the_program_is_not_hidden(monkeypatch, capsys):
    @click.command()
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(cli.truyvet, "get_command", lambda ctx, name: fail)
    monkeypatch.setattr(sys, "argv", ["truyvet", "fail"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_a_reader_that_went_away_is_no_fault():
    code = "from tracing_core.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
