"""The command as a person meets it: settings, status, moving logs, erasing, errors of one line."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import socket
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ble_agent.app.cli import agent as agent_command
from ble_agent.config import AgentConfig, load_config
from ble_agent.messages.explanation import explain
from ble_agent.service import notify
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import open_store
from ble_agent.store.home import LOCK_NAME
from ble_agent.store.state import LAST_CHECK, NOTIFIED, REPORT
from tests.ble_agent.agents import AgentProcess, clock_at, environment
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.ble_agent.radio.captures import legacy_report, write_btsnoop
from tests.json_schemas import printed
from tracing_core.errors import InvalidSetting
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.store.sighting import Sighting, insert_sightings, write_json_lines
from tracing_core.store.sqlite import transaction

NOW = 1_800_000_000.0
ROW = Sighting(bytes(range(16)), b"abcd", (-60, -61), int(NOW) - 1000, int(NOW) - 1300)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path / "home", clock_at(NOW)) as process:
        yield process


def capture_at(path: Path, moments: list[float]) -> Path:
    data = Advertisement(os.urandom(16), os.urandom(4)).encode()
    event = legacy_report((data, -60))
    return write_btsnoop(path, [(moment, 4, event) for moment in moments])


def test_nothing_works_before_joining_and_says_so(agent: AgentProcess, server: FakeServer) -> None:
    for command in (["status"], ["check"], ["report", "1", "--yes"], ["export", "x.jsonl"]):
        join = f"truyvet agent join --home {agent.home}"
        assert f"run {join} first" in agent.refusal(*command)
        assert f"hãy chạy {join} trước" in agent.refusal(*command, lang="vi")
        assert not agent.home.exists()
    agent.command("import", "/dev/null")
    assert "not joined a health authority" in agent.refusal("check")
    assert "not joined a health authority" in agent.refusal("report", "1", "--yes")


def test_joining_takes_the_line_or_a_file_with_it(
    agent: AgentProcess, server: FakeServer, tmp_path: Path
) -> None:
    path = tmp_path / "join.txt"
    path.write_text(f"{server.line}\n")
    assert agent.answer("join", str(path), "--yes")["url"] == server.url
    assert "VN" in agent.command("join", server.line, "--yes").stdout
    assert agent.answer("status")["joined"] is True
    assert agent.home.stat().st_mode & 0o777 == 0o700
    assert (agent.home / DATABASE_NAME).stat().st_mode & 0o777 == 0o600


def test_joining_another_authority_asks_first_and_says_what_goes(
    agent: AgentProcess, server: FakeServer
) -> None:
    agent.answer("join", server.line, "--yes")
    with open_store(agent.home) as db, transaction(db):
        insert_sightings(db, [ROW])
        db.execute("INSERT INTO batch VALUES ('1.zip', 1)")
        LAST_CHECK.set(db, {"at": int(NOW), "level": "none", "days": 0})
        NOTIFIED.set(db, {"2027-01-14": "low"})
        REPORT.set(db, {"reported_at": int(NOW)})
    assert agent.answer("join", server.line, "--yes")["region"] == "VN"
    with fake_server() as other:
        for lang, words in (("en", "Everything that was heard"), ("vi", "Mọi tín hiệu đã thu")):
            asked = agent.command("join", other.line, "--json", lang=lang)
            assert asked.returncode == 1
            assert asked.stdout == ""
            assert words in asked.stderr
            assert server.url in asked.stderr
            assert other.url in asked.stderr
        with open_store(agent.home) as db:
            assert db.table("batch").count == 1
        assert agent.answer("join", other.line, "--yes")["url"] == other.url
    with open_store(agent.home) as db:
        assert db.table("batch").count == 0
        assert db.table("sighting").count == 1
        assert [value.get(db) for value in (LAST_CHECK, NOTIFIED, REPORT)] == [None] * 3


@pytest.mark.parametrize(("lang", "heading"), [("en", "Commands:"), ("vi", "Các lệnh:")])
def test_the_list_of_commands_is_whole(agent: AgentProcess, lang: str, heading: str) -> None:
    listed = agent.command("--help", lang=lang).stdout.partition(heading)[2]
    assert listed.count("\n") == len(agent_command.commands) + 1, listed
    assert "..." not in listed
    assert all(line.endswith(".") for line in listed.strip().splitlines())


@pytest.mark.parametrize("command", sorted(agent_command.commands))
def test_help_is_in_the_owner_s_language(command: str) -> None:
    helped = {
        lang: CliRunner().invoke(agent_command, [command, "--lang", lang, "--help"]).output
        for lang in ("en", "vi")
    }
    assert "Folder of this device's data." in helped["en"]
    assert "Thư mục dữ liệu của thiết bị." in helped["vi"]
    assert "Options:" in helped["en"]
    assert "Tùy chọn:" in helped["vi"]
    options = [line for line in helped["en"].splitlines() if line.startswith("  -")]
    assert not [line for line in options if line in helped["vi"]]


def test_a_code_may_be_typed_as_it_is_read_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = []

    def report(_config: object, _clock: object, code: str, onset: object) -> None:
        assert onset is None
        typed.append(code)
        raise InvalidSetting("reported")

    monkeypatch.setattr("ble_agent.app.commands.report", report)
    for code in (["4619 7387"], ["4619", "7387"], ["46197387"]):
        done = ["report", *code, "--yes", "--home", str(tmp_path / "home")]
        CliRunner().invoke(agent_command, done)
    assert typed == ["4619 7387", "4619 7387", "46197387"]


def test_a_usage_error_is_in_the_owner_s_language(agent: AgentProcess) -> None:
    done = agent.command("report", lang="vi")
    assert done.returncode == 2
    assert "Thiếu tham số 'CODE'." in done.stderr
    assert "Không có tùy chọn" in agent.command("status", "--jsn", lang="vi").stderr


def test_home_and_language_stand_before_or_after_a_command(
    agent: AgentProcess, tmp_path: Path
) -> None:
    agent.command("import", "/dev/null")
    elsewhere = str(tmp_path / "elsewhere")
    assert "hãy chạy" in agent.refusal("check", "--home", elsewhere, "--lang", "vi")
    nearer = ["--home", str(agent.home), "--lang", "en"]
    done = agent.command("--home", elsewhere, "--lang", "vi", "status", "--json", *nearer)
    assert json.loads(done.stdout)["keys"] == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("http://192.168.1.1:80#" + "0" * 64, "https"),
        ("https://example.org", "copy all of it"),
        ("https://example.org#12", "64 hex digits"),
        ("https://example.org/" + "x" * 5000, "copy all of it"),
    ],
)
def test_a_wrong_line_is_refused_in_one(agent: AgentProcess, line: str, words: str) -> None:
    assert words in agent.refusal("join", line)
    assert "hãy sao chép lại toàn bộ dòng" in agent.refusal("join", line, lang="vi")
    assert not agent.home.exists()


def test_a_join_file_that_is_not_there_is_named(agent: AgentProcess) -> None:
    assert agent.refusal("join", "/nowhere/join.txt").startswith(
        "/nowhere/join.txt: this file does not exist: give a join line"
    )
    said = agent.refusal("join", "/nowhere/join.txt", lang="vi")
    assert said.startswith("/nowhere/join.txt: không có tệp này")
    assert not agent.home.exists()


def test_a_recording_is_logged_whole_and_status_tells(agent: AgentProcess, tmp_path: Path) -> None:
    moments = [NOW - 3000 + 300 * scan + packet / 4 for scan in range(5) for packet in range(16)]
    capture = capture_at(tmp_path / "capture.btsnoop", moments)
    agent.start(f"replay:{capture}")
    assert agent.process is not None
    assert agent.process.wait(60) == 0, agent.log()
    rows = agent.sightings()
    assert [len(row.rssi_dbm) for row in rows] == [16] * 5
    assert [row.previous_scan_at for row in rows[1:]] == [row.seen_at for row in rows[:-1]]
    status = agent.answer("status")
    assert status["identifiers_by_day"] == {"2027-01-15": 1}
    assert status["joined"] is status["running"] is status["clock_suspect"] is False
    text = agent.command("status", lang="vi").stdout
    assert "  15/01/2027: 1" in text.partition("Số mã định danh thu được")[2]
    assert "chưa kết nối" in text


def test_old_recordings_in_any_order_are_kept_and_believed(
    agent: AgentProcess, tmp_path: Path
) -> None:
    for year in (3, 5, 4):
        began = NOW - year * 365 * 86_400
        capture = capture_at(tmp_path / f"{year}.btsnoop", [began, began + 300])
        home = AgentProcess(tmp_path / "recordings", agent.clock)
        home.start(f"replay:{capture}")
        assert home.process is not None
        assert home.process.wait(60) == 0, home.log()
        assert home.answer("export", str(tmp_path / f"{year}.jsonl"))["exported"] >= 2
        assert not any(row.clock_suspect for row in home.sightings())
    assert home.answer("status")["clock_suspect"] is False


@pytest.mark.parametrize(("is_cut", "code"), [(True, 0), (False, 1)], ids=["cut", "damaged"])
def test_a_cut_or_damaged_recording_keeps_what_came_before(
    agent: AgentProcess, tmp_path: Path, is_cut: bool, code: int
) -> None:
    capture = capture_at(tmp_path / "c.btsnoop", [NOW - 3000, NOW - 2000, NOW - 1000][: 2 + is_cut])
    content = capture.read_bytes()
    capture.write_bytes(content[:-20] if is_cut else content + b"\xff" * 100)
    agent.start(f"replay:{capture}")
    assert agent.process is not None
    assert agent.process.wait(60) == code
    assert ("ends inside a record" if is_cut else "record it again") in agent.log()
    assert len(agent.sightings()) == 2


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_a_log_moves_to_another_device_and_back(
    agent: AgentProcess, tmp_path: Path, name: str
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / name
    write_json_lines(source, [ROW])
    dry = agent.answer("import", str(source), "--dry-run")
    counts = {"read": 1, "kept": 1, "known": 0, "too_old": 0}
    assert dry == {"format": "json-lines", **counts, "refused": {}}
    assert agent.answer("import", str(source))["kept"] == 1
    assert agent.answer("import", str(source))["known"] == 1
    assert agent.answer("export", str(target)) == {"exported": 1}
    raw = target.read_bytes()
    assert (gzip.decompress(raw) if name.endswith("gz") else raw) == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    source.write_text("{}\n")
    assert "line 1" in agent.refusal("import", str(source))


def test_a_line_that_cannot_be_read_keeps_no_other_from_being_imported(
    agent: AgentProcess, tmp_path: Path
) -> None:
    # Issue 9, F11: one bad line never takes the good ones with it.
    source = tmp_path / "in.jsonl"
    write_json_lines(source, [ROW])
    source.write_bytes(b"{}\n" + source.read_bytes())
    facts = agent.answer("import", str(source), "--dry-run")
    assert (facts["read"], facts["kept"], facts["refused"]) == (2, 1, {"unreadable": 1})
    assert facts["first_unreadable"] == f"{source}, line 1: rpi is missing"
    said = agent.command("import", str(source)).stdout
    assert f"The first that cannot be read: {source}, line 1: rpi is missing." in said
    said = agent.command("import", str(source), lang="vi").stdout
    assert f"Dòng đầu tiên không đọc được: {source}, dòng 1." in said
    assert len(agent.sightings()) == 1
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(source.read_bytes()[3:] * 2000)[:-9])
    said = agent.command("import", str(cut), lang="vi").stdout
    assert f"Phần sau của {cut} bị hỏng" in said
    assert "Bỏ qua, 1: không đọc được." in said


def test_an_export_replaces_no_file_unless_it_must(agent: AgentProcess, tmp_path: Path) -> None:
    # ux.md section 2, 4: `agent export thesis.txt` overwrote the thesis.
    thesis, link = tmp_path / "thesis.txt", tmp_path / "link.txt"
    thesis.write_text("my thesis")
    link.symlink_to(tmp_path / "absent")
    agent.command("import", "/dev/null")
    for file in (thesis, link):
        assert agent.refusal("export", str(file)).endswith(
            "is already there: choose another name, or replace it with --force"
        )
        assert "ghi đè bằng --force" in agent.refusal("export", str(file), lang="vi")
    assert thesis.read_text() == "my thesis"
    assert sorted(path.name for path in tmp_path.glob("*t*.txt*")) == ["thesis.txt"]
    assert agent.answer("export", str(thesis), "--force") == {"exported": 0}
    assert thesis.read_text() == ""


@pytest.mark.parametrize("name", ["agent.db", "agent.key", "agent.toml", "agent.lock"])
def test_an_export_never_takes_the_place_of_the_agents_own_files(
    agent: AgentProcess, server: FakeServer, tmp_path: Path, name: str
) -> None:
    agent.answer("join", server.line, "--yes")
    own = agent.home / name
    if not own.exists():
        own.write_text("lang = 'en'")
    before = own.read_bytes()
    link = tmp_path / "link"
    link.symlink_to(agent.home)
    for target in (own, link / name):
        assert "the agent's own file" in agent.refusal("export", str(target))
        assert "tệp của chính chương trình" in agent.refusal("export", str(target), lang="vi")
    assert own.read_bytes() == before
    assert agent.answer("status")["joined"] is True


def test_a_home_of_somebody_else_is_one_line(agent: AgentProcess, server: FakeServer) -> None:
    agent.answer("join", server.line, "--yes")
    closed = agent.home / "closed"
    closed.mkdir(mode=0o000)
    # Nobody may look into it, root neither without its capabilities.
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    user = () if os.geteuid() else ("--securebits=+noroot",)
    stranger = AgentProcess(closed / "home", agent.clock, prefix=(*drop, *user))
    if os.geteuid():
        stranger.prefix = ()
    for command in (["status"], ["check"], ["join", server.line], ["run"], ["erase", "--yes"]):
        assert "check the path and who owns it" in stranger.refusal(*command)
        assert "kiểm tra đường dẫn và chủ sở hữu" in stranger.refusal(*command, lang="vi")
    closed.rmdir()
    # Nor may anybody else look into a home itself.
    agent.home.chmod(0o000)
    stranger.home = agent.home
    for command in (["status"], ["check"], ["export", "x"], ["run"], ["erase", "--yes"]):
        assert "check the path and who owns it" in stranger.refusal(*command)
        assert "kiểm tra đường dẫn và chủ sở hữu" in stranger.refusal(*command, lang="vi")
    agent.home.chmod(0o700)
    stranger.home = agent.home.with_name("another")
    log = agent.home / "log.jsonl"
    log.touch(0o000)
    assert "check the path and who owns it" in stranger.refusal("import", str(log))
    assert "kiểm tra đường dẫn và chủ sở hữu" in stranger.refusal("import", str(log), lang="vi")


def test_names_that_are_no_text_are_named_all_the_same(
    agent: AgentProcess, server: FakeServer
) -> None:
    agent.answer("join", server.line, "--yes")
    name = os.fsdecode(b"photo-\xff\x1b.jpg")
    assert agent.answer("export", str(agent.home / name)) == {"exported": 0}
    again = agent.command("export", str(agent.home / name), "--force")
    assert "photo-��.jpg. Keep" in again.stdout
    assert agent.answer("erase", "--yes") == {"erased": True, "left": ["photo-��.jpg"]}


def test_erasing_leaves_nothing(agent: AgentProcess, server: FakeServer) -> None:
    agent.answer("join", server.line, "--yes")
    (agent.home / "agent.toml").write_text('lang = "vi"\n')
    with open_store(agent.home) as db, transaction(db):
        insert_sightings(db, [ROW])
    done = agent.command("erase")
    assert done.returncode == 1
    assert agent.home.exists()
    assert agent.answer("erase", "--yes") == {"erased": True, "left": []}
    assert not agent.home.exists()
    assert agent.answer("erase", "--yes") == {"erased": True, "left": []}


@pytest.mark.parametrize(
    ("lang", "answer", "is_erased"),
    [
        ("vi", "có", True),
        ("vi", unicodedata.normalize("NFD", "Có"), True),
        ("vi", "c", True),
        ("vi", "y", True),
        ("vi", "không", False),
        ("vi", "", False),
        ("en", "yes", True),
        ("en", "c", False),
        ("en", "", False),
    ],
)
def test_a_question_is_answered_in_its_language(
    tmp_path: Path, lang: str, answer: str, is_erased: bool
) -> None:
    (tmp_path / "agent.toml").write_text("")
    words = ["--home", str(tmp_path), "--lang", lang, "erase"]
    for typed in [answer] if is_erased else [answer + "\n", ""]:
        done = CliRunner().invoke(agent_command, words, input=typed)
        assert done.exit_code == int(not is_erased)
        assert (tmp_path / "agent.toml").exists() is not is_erased
        said = {
            "vi": ("Đã xóa", "Chưa xóa gì"),
            "en": ("Everything was", "Nothing was deleted"),
        }[lang]
        assert done.output.splitlines()[-1].startswith(said[int(not is_erased)])
        assert ("có" in done.output) is (lang == "vi")
        assert "y/N" not in done.output or lang == "en"


@pytest.mark.parametrize("settings", ['lang = "xx"', "lang =", "unknown = 1", "\xff"])
def test_settings_that_cannot_be_read_do_not_keep_anything_from_being_erased(
    agent: AgentProcess, settings: str
) -> None:
    agent.home.mkdir()
    (agent.home / "agent.toml").write_text(settings, encoding="latin-1")
    (agent.home / "agent.db").write_bytes(b"not a database, or a newer one")
    assert agent.answer("erase", "--yes") == {"erased": True, "left": []}
    assert not agent.home.exists()


def test_erasing_leaves_others_files_and_waits_for_a_running_agent(agent: AgentProcess) -> None:
    agent.home.mkdir()
    (agent.home / DATABASE_NAME).write_bytes(b"secret" * 1000)
    (agent.home / "photo.jpg").write_bytes(b"mine")
    with (agent.home / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "stop it first" in agent.refusal("erase", "--yes")
        assert (agent.home / DATABASE_NAME).exists()
    for unfinished in ("agent.key.77.part", ".probe-0123abcd"):
        (agent.home / unfinished).write_bytes(b"secret")
    done = agent.command("erase", "--yes")
    assert f"still in {agent.home}: photo.jpg" in done.stdout
    assert "Everything" not in done.stdout
    assert [path.name for path in agent.home.iterdir()] == ["photo.jpg"]
    assert agent.answer("erase", "--yes") == {"erased": True, "left": ["photo.jpg"]}
    told = agent.command("erase", "--yes", lang="vi").stdout
    assert f"vẫn còn trong {agent.home}: photo.jpg" in told


def test_two_agents_never_run_in_one_home(agent: AgentProcess) -> None:
    agent.home.mkdir()
    with (agent.home / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "stop it first" in agent.refusal("run", "--radio", "hci:tcp-client:127.0.0.1:9")
        assert not (agent.home / DATABASE_NAME).exists()


def test_a_radio_that_is_not_there_is_one_line(agent: AgentProcess, tmp_path: Path) -> None:
    gone = "hci:tcp-client:127.0.0.1:9"
    assert "127.0.0.1:9" in agent.refusal("run", "--radio", gone)
    assert "không mở được tcp-client" in agent.refusal("run", "--radio", gone, lang="vi")
    assert "no radio is called" in agent.refusal("run", "--radio", "carrier-pigeon")
    assert "không đọc được" in agent.refusal("run", "--radio", "replay:/nowhere", lang="vi")
    done = agent.command("self-test", "--radio", gone, "--json")
    assert done.returncode == 1
    assert printed("agent self-test", done.stdout)["ok"] is False


def test_a_self_test_of_a_recording_tells_what_it_holds(
    agent: AgentProcess, tmp_path: Path
) -> None:
    capture = capture_at(tmp_path / "capture.btsnoop", [NOW, NOW + 1])
    done = agent.command("self-test", "--radio", f"replay:{capture}")
    assert (done.returncode, done.stdout) == (
        0,
        "✔ The recording holds 2 packets with identifiers.\n",
    )


def test_a_locked_and_a_newer_database_are_one_line_and_a_broken_one_is_replaced(
    agent: AgentProcess, server: FakeServer
) -> None:
    agent.answer("join", server.line, "--yes")
    path = agent.home / DATABASE_NAME
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        # Reading goes on while somebody writes.
        assert agent.answer("status")["joined"] is True
        assert "in use by another process" in agent.refusal("check")
        assert "đang được chương trình khác sử dụng" in agent.refusal("check", lang="vi")
        connection.execute("ROLLBACK")
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('agent', 'm999_future', '')"
        )
    connection.close()
    assert "newer version" in agent.refusal("status")
    assert "phiên bản truyvet mới hơn" in agent.refusal("status", lang="vi")
    path.write_bytes(b"not a database" * 1000)
    assert "found damaged or missing" in agent.command("status").stdout


def test_a_full_disk_is_one_line(agent: AgentProcess, server: FakeServer) -> None:
    agent.answer("join", server.line, "--yes")
    size = (agent.home / DATABASE_NAME).stat().st_size // 4096
    source = agent.home / "in.jsonl"
    write_json_lines(source, [ROW] * 3)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from tracing_core.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "agent", "--home", str(agent.home), "import", str(source)],
        env=environment(agent.clock),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "full" in done.stderr or "cannot be written" in done.stderr
    assert size > 0
    assert agent.answer("export", str(agent.home / "out.jsonl")) == {"exported": 0}


def test_settings_come_from_the_command_then_the_environment_then_the_file(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('lang = "vi"\nradio = "hci:usb:0"\nscan_seconds = 8\n')
    config = load_config(tmp_path, {"TRUYVET_RADIO": "hci:usb:1"}, lang="en", server=None)
    assert config == AgentConfig(tmp_path, "en", radio="hci:usb:1", scan_seconds=8)


@pytest.mark.parametrize(
    "text",
    [
        'lang = "fr"',
        "lang = 3",
        "colour = 1",
        "scan_seconds = true",
        "scan_seconds = 0",
        "transmit_power_dbm = 99",
        "transmit_power_dbm = 1.5",
        "least_scan_gap_seconds = 500",
        "lang =",
        "\x00",
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(InvalidSetting) as caught:
        load_config(tmp_path, {})
    said, path = explain(caught.value, "en"), str(tmp_path / "agent.toml")
    assert said.startswith(path)
    assert said.endswith(": correct it")
    assert "\n" not in said
    name = text.partition(" ")[0] if " = " in text else ""
    assert name.removesuffix("_seconds") in said
    vietnamese = explain(caught.value, "vi")
    assert vietnamese.startswith(f"{path}, {name}: " if name else f"{path}: ")
    assert vietnamese.endswith("hãy sửa lại")


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="TRUYVET_LANG: must be vi or en, not 'fr'") as caught:
        load_config(tmp_path, {"TRUYVET_LANG": "fr"})
    assert explain(caught.value, "vi").startswith("TRUYVET_LANG: ")


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"truyvet-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name}" if abstract else name)
        channel.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        notify("READY=1")
        assert channel.recv(100) == b"READY=1"
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
