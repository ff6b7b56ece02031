"""Output of the server's commands for the person who types them."""

import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from server.app.cli import server
from server.config import load_settings
from server.store.files import write_durably
from tests.server.homes import NOW, TODAY, make_home, open_server
from tracing_core.errors import InvalidValue, StoreError, TracingError


def test_the_list_of_commands_is_whole_sentences() -> None:
    text = CliRunner().invoke(server, ["--help"], terminal_width=80).output
    rows = text.partition("Commands:\n")[2].splitlines()
    assert len(rows) == len(server.commands)
    assert all(row.endswith(".") and "..." not in row for row in rows)


def test_every_option_says_what_it_is_for() -> None:
    for name, command in server.commands.items():
        for option in command.params:
            assert isinstance(option, click.Argument) or option.help, (name, option.name)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["issue", "--symptom-date", "2020-01-01"], "--symptom-date must be within the last 28"),
        (["issue", "--symptom-date", "2999-01-01"], "--symptom-date is in the future: today is "),
        (["issue", "--symptom-date", "soon"], "--symptom-date must be YYYY-MM-DD"),
        (["issue", "--test-date", "2025-13-01"], "--test-date must be YYYY-MM-DD"),
        (["init", "--region", "a/b"], "--region: must be 1 to 16 letters, digits, - and _"),
        (["init", "--url", "ftp://x"], "--url: must be like https://host/path"),
        (["run", "--host", "a" * 300], "cannot listen on aaa"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_typed(
    tmp_path: Path, arguments: list[str], text: str
) -> None:
    home = make_home(tmp_path / "home") if arguments[0] != "init" else tmp_path / "new"
    done = CliRunner().invoke(server, [*arguments, "--home", str(home)])
    assert isinstance(done.exception, TracingError)
    assert str(done.exception).startswith(text)
    assert "\n" not in str(done.exception)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("colour = 1", "colour: unknown setting"),
        ("code_digits = 3", "code_digits: must be greater than or equal to 6"),
        ("mirrors = 3", "mirrors: must be a list"),
        ('mirrors = ["x"]', "mirrors.0: must be like https://host/path"),
        ('debug = "perhaps"', "debug: must be a valid boolean"),
        ("export_padding_report_types = 1", "export_padding_report_types: must be a table"),
    ],
)
def test_a_wrong_setting_is_said_without_words_of_programmers(
    tmp_path: Path, line: str, text: str
) -> None:
    home = make_home(tmp_path / "home")
    with (home / "server.toml").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(StoreError) as caught:
        load_settings(home)
    said = str(caught.value).partition("server.toml or the environment: ")[2]
    assert said.startswith(text)
    assert "Input" not in said


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("http://127.0.0.1:8099", "--port 8099"),
        ("http://localhost:8099/", "--port 8099"),
        ("http://127.0.0.1:8080", ""),
        ("https://keys.example.org:8443", ""),
    ],
)
def test_what_init_says_to_run_serves_where_devices_look(
    tmp_path: Path, url: str, command: str
) -> None:
    home = tmp_path / "home"
    said = CliRunner().invoke(server, ["init", "--home", str(home), "--url", url]).output
    (line,) = (line for line in said.splitlines() if line.startswith("1. "))
    assert line.partition(f"truyvet server run --home {home}")[2].strip() == command


def test_a_home_of_another_user_is_one_line(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    home.chmod(0o000)
    # Root may read it anyway, unless it loses its capabilities.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot"]
    issue = [sys.executable, "-c", "from tracing_core.cli import main; main()", "server", "issue"]
    done = subprocess.run(
        [*([] if os.geteuid() else drop), *issue, "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    home.chmod(0o700)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "check the path and who owns it" in done.stderr


def test_init_notes_the_database_it_was_given(tmp_path: Path) -> None:
    home, database = tmp_path / "home", tmp_path / "elsewhere.db"
    init = ["init", "--home", str(home), "--database", f"sqlite:///{database}"]
    assert CliRunner().invoke(server, init).exit_code == 0
    issue = ["issue", "--home", str(home), "--json"]
    assert json.loads(CliRunner().invoke(server, issue).output)["code"]
    assert database.exists()
    assert not (home / "server.db").exists()


def test_init_notes_no_database_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUYVET_SERVER_DATABASE_URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    assert CliRunner().invoke(server, ["init", "--home", str(tmp_path / "home")]).exit_code == 0
    assert (tmp_path / "elsewhere.db").exists()
    assert "elsewhere" not in (tmp_path / "home" / "server.toml").read_text()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("elsewhere.db", "database_url must be like sqlite:////path/to/file or postgresql://"),
        ("mysql://host/name", "mysql is not supported: use sqlite or postgresql"),
    ],
)
def test_a_database_that_cannot_be_is_one_line(tmp_path: Path, url: str, text: str) -> None:
    home = make_home(tmp_path / "home")
    done = CliRunner().invoke(server, ["issue", "--home", str(home), "--database", url])
    assert isinstance(done.exception, StoreError)
    assert str(done.exception).startswith(text)


def test_a_set_up_that_was_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    write_durably(tmp_path / "contact.json", b"{}")
    (tmp_path / "contact.json").rename(tmp_path / ".contact.json.0123456789abcdef")
    done = CliRunner().invoke(server, ["init", "--home", str(tmp_path)])
    assert done.exception is None
    assert not list(tmp_path.glob(".contact*"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"reportType": "user-report"}', "reportType must be confirmed, likely or negative"),
        ('{"reportType": []}', "reportType must be confirmed, likely or negative"),
        ("[]", "must be a JSON object"),
        ("{", "must be a JSON object"),
    ],
)
def test_keys_are_published_for_reports_that_codes_are_issued_for(
    tmp_path: Path, text: str, said: str
) -> None:
    home, file = make_home(tmp_path / "home"), tmp_path / "keys.json"
    file.write_text(text)
    done = CliRunner().invoke(server, ["publish-keys", str(file), "--home", str(home)])
    assert isinstance(done.exception, InvalidValue)
    assert said in str(done.exception)
    assert str(file) in str(done.exception)


@pytest.fixture
def vietnam(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "<+07>-7")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("vietnam")
def test_a_code_may_be_of_today_where_the_day_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "home")
    # 18:00 UTC on 23 November 2026, which is 01:00 on the 24th there.
    monkeypatch.setenv("TRUYVET_CLOCK", "1795456800")

    def issue(day: str) -> Result:
        arguments = ["issue", "--home", str(home), "--json", "--symptom-date", day]
        return CliRunner().invoke(server, arguments)

    assert json.loads(issue("2026-11-24").output)["code"]
    refused = str(issue("2026-11-25").exception)
    assert refused == "--symptom-date is in the future: today is 2026-11-24"


@pytest.mark.parametrize(
    ("keys", "text"),
    [(1, "1 key accepted (1 new)"), (2, "2 keys accepted (2 new)")],
)
def test_numbers_agree_with_their_nouns(tmp_path: Path, keys: int, text: str) -> None:
    opened = open_server(tmp_path / "home")
    opened.close()
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"temporaryExposureKeys": [key_fields(n) for n in range(keys)]}))
    environment = {"TRUYVET_CLOCK": str(int(NOW))}

    def output(*arguments: str) -> str:
        command = [*arguments, "--home", str(opened.settings.home)]
        return CliRunner().invoke(server, command, env=environment).output.strip()

    assert output("publish-keys", str(file)) == text
    assert output("export") == "0 key files written"
    assert output("cleanup") == "0 keys, 0 windows of key files, 0 codes or tokens removed"


def key_fields(days: int) -> dict[str, object]:
    return {
        "key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "rollingStartNumber": TODAY - 144 * (days + 1),
        "rollingPeriod": 144,
    }
