"""The command as its owner types it: questions, answers, programs, and kills."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ble_agent.app import take_over
from ble_agent.app.cli import agent as agent_command
from ble_agent.store.database import open_store
from ble_agent.store.working_folder import WORKING_FOLDERS
from tests.ble_agent.agents import COMMAND, AgentProcess, clock_at, environment
from tests.ble_agent.owner.take_over.folders import (
    ADDED,
    NOW,
    REFUSED,
    every_format,
    lay_traps,
    lines,
)
from tests.json_schemas import printed
from tracing_core.store.other_sighting import select_other_sightings
from tracing_core.store.sighting import select_sightings

# `make attack` sets a larger number.
KILLS = int(os.environ.get("CRASHES", "8"))


@pytest.fixture
def device(tmp_path: Path) -> AgentProcess:
    return AgentProcess(tmp_path / "home", clock_at(NOW))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def facts(device: AgentProcess, *arguments: str) -> Any:
    answer = device.command("take-over", *arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    return printed("agent take-over", answer.stdout)


def sightings(home: Path) -> list[object]:
    with open_store(home) as db:
        return [*select_sightings(db), *select_other_sightings(db)]


def test_everything_in_a_full_folder_is_taken_once(
    device: AgentProcess, folder: Path, tmp_path: Path
) -> None:
    # The formats are the newest, since the search ends before the other files.
    for number in range(5_000):
        path = folder / f"file{number}"
        path.touch()
        os.utime(path, (1_000, 1_000))
    every_format(folder)
    lay_traps(folder, tmp_path)
    found = facts(device, str(folder), "--yes")
    assert found["taken"] is True
    assert found["looked_at"] == 2_000
    assert found["left"]["many"] > 3_000
    assert found["left"]["link"] == 3
    assert {each["format"] for each in found["logs"]} >= {
        *("microg", "play-services", "ramble", "json-lines", "truyvet", "bluezone"),
        "bluezone-trace",
    }
    assert len(found["logs"]) == len(ADDED)
    assert {each["fault"] for each in found["refused"]} >= {
        *("fixed", "sealed", "addresses", "places", "line")
    }
    there = sightings(device.home)
    assert len(there) == found["kept"]
    again = facts(device, str(folder), "--yes")
    assert (again["kept"], again["taken"]) == (0, False)
    assert sightings(device.home) == there
    assert not list(device.home.glob(WORKING_FOLDERS))


def test_nothing_is_added_before_the_owner_agrees(device: AgentProcess, folder: Path) -> None:
    lines(folder / "log", 0, 3)
    code, shown = device.in_terminal("take-over", str(folder), typed="n\n")
    assert code == 1
    assert "Sightings to add: 3" in shown
    assert "Add all of this to what this device holds (3 sightings)?" in shown
    assert sightings(device.home) == []
    code, shown = device.in_terminal("take-over", str(folder), typed="có\n", lang="vi")
    assert code == 0
    assert "Thêm tất cả những dữ liệu trên vào thiết bị này (3 lượt ghi nhận)?" in shown
    assert "Đã thêm 3 lượt ghi nhận" in shown
    assert len(sightings(device.home)) == 3
    assert not list(device.home.glob(WORKING_FOLDERS))


def test_a_question_never_goes_to_the_program_that_reads_the_answer(
    device: AgentProcess, folder: Path
) -> None:
    lines(folder / "log", 0, 3)
    answer = device.command("take-over", str(folder), "--json")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "Sightings to add: 3" in answer.stderr
    assert sightings(device.home) == []


def test_an_empty_folder_is_said_to_hold_nothing(device: AgentProcess, folder: Path) -> None:
    english = device.command("take-over", str(folder))
    assert english.returncode == 0
    assert "In what was looked at, there is no data of an earlier app." in english.stdout
    (folder / "link").symlink_to(folder)
    vietnamese = device.command("take-over", str(folder), lang="vi")
    assert "không có dữ liệu của ứng dụng cũ" in vietnamese.stdout
    assert "liên kết tượng trưng" in vietnamese.stdout
    assert "truyvet agent take-over --home" in vietnamese.stdout


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_each_reason_is_in_the_owner_s_words(device: AgentProcess, folder: Path, lang: str) -> None:
    every_format(folder)
    answer = device.command("take-over", str(folder), "--yes", lang=lang)
    assert answer.returncode == 0
    said = answer.stdout
    assert said.count("✔") == len(ADDED)
    assert said.count("✘") == len(REFUSED) - 1
    assert str(device.home / ".working") not in said
    for word in ("met An", "Quán cà phê", "Tràng Tiền"):
        assert word not in said


def test_a_folder_that_may_not_be_read_is_one_line(device: AgentProcess, folder: Path) -> None:
    lines(folder / "log", 0, 1)
    (folder / "shut").mkdir(0o000)
    (folder / "secret").touch(0o000)
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot")
    stranger = AgentProcess(device.home, device.clock, prefix=() if os.geteuid() else drop)
    found = facts(stranger, str(folder), "--yes")
    assert found["left"] == {"denied": 2}
    assert found["kept"] == 1
    for lang, said in (("en", "check the path"), ("vi", "kiểm tra đường dẫn")):
        refused = stranger.command("take-over", str(folder / "shut"), lang=lang)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_the_usual_folders_are_looked_into_after_asking(
    device: AgentProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Downloads").mkdir()
    lines(tmp_path / "Downloads" / "log", 0, 2)
    device.variables = {"HOME": str(tmp_path)}
    answer = device.command("take-over")
    assert answer.returncode == 1
    assert f"{tmp_path / 'Downloads'}" in answer.stderr
    assert "Sightings" not in answer.stdout + answer.stderr
    found = facts(device, "--yes")
    assert str(tmp_path / "Downloads") in found["folders"]
    assert len(sightings(device.home)) == found["kept"]
    # The command line's own list of folders may be empty.
    monkeypatch.setattr(take_over, "where_to_look", list)
    from click.testing import CliRunner

    refused = CliRunner().invoke(agent_command, ["--home", str(tmp_path / "h"), "take-over"])
    assert "name the folder" in str(refused.exception)


def test_all_data_of_a_device_is_not_restored_unseen(
    device: AgentProcess, folder: Path, tmp_path: Path
) -> None:
    lines(folder / "log", 0, 3)
    old = AgentProcess(tmp_path / "old", device.clock)
    assert facts(old, str(folder), "--yes")["kept"] == 3
    downloads = tmp_path / "Downloads"
    downloads.mkdir()
    answer = old.command("export", "--all", str(downloads / "all.html"))
    assert answer.returncode == 0, answer.stderr
    device.variables = {"HOME": str(tmp_path)}
    refused = device.command("take-over", "--yes")
    assert refused.returncode == 1
    assert "leave --yes away" in refused.stderr
    assert sightings(device.home) == []
    assert facts(device, str(downloads), "--yes")["kept"] == 3


def test_names_that_are_no_text_are_shown_without_control_characters(
    device: AgentProcess, folder: Path
) -> None:
    lines(folder / os.fsdecode(b"log-\xff\x1b[2J\n"), 0, 2)
    (folder / os.fsdecode(b"diary-\xff\x1b[2J\n")).write_text('[{"startDate":1,"type":"scan"}]')
    said = device.command("take-over", str(folder), "--yes").stdout
    assert "\x1b" not in said
    assert "log-��[2J�: JSON Lines" in said
    assert said.count("diary-��[2J�") == 1
    found = facts(device, str(folder))
    assert found["logs"][0]["path"].endswith("log-��[2J�")


def test_killed_at_any_moment_all_is_taken_over_or_nothing(
    device: AgentProcess, folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(20261201)
    for number in range(4):
        lines(folder / f"log{number}", 1_500 * number, 1_500)
    every_format(folder)
    measured = AgentProcess(tmp_path / "measured", device.clock)
    began = time.monotonic()
    whole = facts(measured, str(folder), "--yes")["kept"]
    longest = time.monotonic() - began
    command = [*COMMAND, "agent", "--home", str(device.home), "take-over", str(folder), "--yes"]
    outcomes: set[int] = set()
    for _ in range(KILLS):
        with subprocess.Popen(
            command,
            env=environment(device.clock),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(longest / 4, longest))
            process.send_signal(signal.SIGKILL)
        if (device.home / "agent.db").exists():
            outcomes.add(len(sightings(device.home)))
            assert not list(device.home.glob(WORKING_FOLDERS))
        assert outcomes <= {0, whole}
        if whole in outcomes:
            # The next kill meets an empty home again.
            answer = device.command("erase", "--yes", "--json")
            assert json.loads(answer.stdout) == {"erased": True, "left": []}
            outcomes = set()
    assert facts(device, str(folder), "--yes")["kept"] in (0, whole)
    assert len(sightings(device.home)) == whole
