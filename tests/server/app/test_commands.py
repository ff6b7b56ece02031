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
from sqlalchemy import text

from server.app.cli import server
from server.config import load_settings
from server.context import Server
from server.store.files import write_durably
from tests.json_schemas import printed
from tests.server.homes import NOW, TODAY, make_home, open_server
from tracing_core.clock import ManualClock
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
    assert output("export").splitlines()[0] == "0 key files written"
    assert output("cleanup") == "0 keys, 0 windows of key files, 0 codes or tokens removed"


def test_one_key_that_cannot_be_used_does_not_keep_the_others_out(tmp_path: Path) -> None:
    # efgs-federation-gateway PR 169: a transmission risk of 2147483647 counts as unset.
    open_server(tmp_path / "home").close()
    home, file = tmp_path / "home", tmp_path / "keys.json"
    odd = {"transmissionRisk": 2**31 - 1}, {"rollingPeriod": 145}, {"key": "AAAA"}
    keys = [key_fields(number) | change for number, change in enumerate(({}, *odd))]
    file.write_text(json.dumps({"temporaryExposureKeys": keys}))
    done = invoke(home, "publish-keys", str(file))
    assert done.exit_code == 0
    assert done.stdout == "2 keys accepted (2 new)\n"
    first, second = done.stderr.splitlines()
    assert first.startswith("key 2 cannot be accepted: a rolling period")
    assert second.startswith("key 3 cannot be accepted: a key must be 16 bytes")


def key_fields(days: int) -> dict[str, object]:
    return {
        "key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "rollingStartNumber": TODAY - 144 * (days + 1),
        "rollingPeriod": 144,
    }


def invoke(home: Path, *arguments: str, now: float = NOW, typed: str = "") -> Result:
    environment = {"TRUYVET_CLOCK": str(int(now))}
    command = [*arguments, "--home", str(home)]
    return CliRunner().invoke(server, command, env=environment, input=typed)


def test_an_export_says_what_waits_and_what_is_due(tmp_path: Path) -> None:
    open_server(tmp_path / "home").close()
    home, file = tmp_path / "home", tmp_path / "keys.json"
    file.write_text(json.dumps({"temporaryExposureKeys": [key_fields(0)]}))
    assert invoke(home, "publish-keys", str(file)).exit_code == 0
    said = invoke(home, "export").output.splitlines()
    assert said == [
        "0 key files written",
        "1 key waits; the next key file is due 2025-06-15 22:00 UTC",
    ]
    later = invoke(home, "export", now=NOW + 6 * 3_600).output.splitlines()
    assert later[0] == "1 key file written"
    assert later[2] == "0 keys wait; the next key file is due 2025-06-16 02:00 UTC"


@pytest.mark.usefixtures("vietnam")
def test_a_code_is_read_out_in_two_groups_and_ends_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    open_server(tmp_path / "home").close()
    said = invoke(tmp_path / "home", "issue").output.strip()
    code, _, rest = said.partition("  ")
    assert [len(part) for part in code.split(" ")] == [4, 4]
    assert rest == "valid until 2025-06-15 23:20 (+07), 16:20 UTC"
    long = invoke(tmp_path / "home", "issue", "--long").output.partition("  ")[0]
    assert len(long.split()) == 1


def test_no_code_is_issued_by_a_clock_that_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    open_server(home, ManualClock(NOW)).close()
    clock = ManualClock(NOW - 2 * 3_600)
    monkeypatch.setattr("tracing_core.clock.clock_from_environment", lambda: clock)
    refused = CliRunner().invoke(server, ["issue", "--home", str(home)])
    assert isinstance(refused.exception, StoreError)
    assert str(refused.exception).startswith("the clock shows less than 2025-06-15 16:05 UTC")
    clock.jump(NOW - 1_800)
    assert CliRunner().invoke(server, ["issue", "--home", str(home)]).exception is None


def test_no_code_of_1970(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    refused = invoke(home, "issue", now=60)
    assert str(refused.exception).startswith("the clock shows 1970-01-01 00:01 UTC")


def test_a_key_is_replaced_after_a_question(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = json.loads(invoke(home, "init", "--json").output)["operator_key"]
    asked = invoke(home, "rotate-keys", "operator", typed="n\n")
    assert asked.exit_code == 1
    assert "Programs that use the present operator key will be refused at once." in asked.output
    with Server.open(load_settings(home), ManualClock(NOW)).database.read() as conn:
        assert len(conn.execute(text("SELECT key_hash FROM operator_key")).all()) == 1
    done = invoke(home, "rotate-keys", "operator", "--yes")
    assert done.output.startswith("The new operator key is shown only now: ")
    assert first not in done.output
    assert invoke(home, "rotate-keys", "export", typed="y\n").output.endswith("export key is v2\n")


def test_a_clock_in_doubt_is_shown_and_can_be_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    open_server(home, ManualClock(NOW)).close()
    clock = ManualClock(NOW + 7 * 86_400)
    monkeypatch.setattr("tracing_core.clock.clock_from_environment", lambda: clock)
    command = ["--home", str(home)]
    refused = CliRunner().invoke(server, ["export", *command])
    assert isinstance(refused.exception, StoreError)
    assert f"server clock --is-right --home {home}" in str(refused.exception)
    shown = CliRunner().invoke(server, ["clock", *command]).output
    assert "It is certainly after: 2025-06-15 16:05 UTC" in shown
    assert "A time server vouches: no" in shown
    CliRunner().invoke(server, ["clock", "--is-right", *command], input="y\n")
    printed("server clock", CliRunner().invoke(server, ["clock", "--json", *command]).output)
    assert CliRunner().invoke(server, ["export", *command]).exception is None


def test_a_password_in_the_address_of_the_database_is_warned_of(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    url = "postgresql://server:secret@127.0.0.1:1/none"
    said = CliRunner().invoke(server, ["init", "--home", home, "--database", url])
    assert "keep it in ~/.pgpass or in the file that PGPASSFILE names" in said.output
    assert "secret" not in said.output
    assert "secret" not in str(said.exception)
    plain = ["init", "--home", home, "--database", "postgresql://server@127.0.0.1:1/none"]
    assert "pgpass" not in CliRunner().invoke(server, plain).output


def test_nothing_is_writable_by_others_whatever_the_umask(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = os.umask(0)
    try:
        assert invoke(home, "init").exit_code == 0
        for now in (NOW, NOW + 86_400):
            assert invoke(home, "export", now=now).exit_code == 0
    finally:
        os.umask(before)
    found = [home, *home.rglob("*")]
    assert len(list(home.rglob("*.zip"))) >= 5
    assert [path for path in found if path.stat().st_mode & 0o022] == []
