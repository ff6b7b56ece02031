"""`truyvet demo` as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.journeys.processes import wait_until_gone

COMMAND = (sys.executable, "-c", "from tracing_core.cli import main; main()", "demo")


def environment(folder: Path) -> dict[str, str]:
    # The story's processes are told from others by the folder of their homes.
    return {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def test_the_story_ends_with_true_answers_a_table_and_a_picture(tmp_path: Path) -> None:
    out, homes = tmp_path / "out", tmp_path / "homes"
    homes.mkdir()
    done = subprocess.run(
        [*COMMAND, "--out", str(out), "--seed", "3"],
        env=environment(homes),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    table = [line for line in done.stdout.splitlines() if line.endswith("true")]
    assert [line.split()[0] for line in table[:4]] == ["An", "Bình", "Chi", "Dung"]
    answers = json.loads((out / "answers.json").read_text())
    assert answers["binh"]["answer"]["level"] == "high"
    assert answers["chi"]["answer"]["recorded"]
    for name in ("an", "dung"):
        assert not answers[name]["answer"]["recorded"]
    picture = ElementTree.parse(out / "encounters.svg")
    words = " ".join(element.text or "" for element in picture.iter())
    assert "Bình's agent found" in words
    assert "Nothing was recorded" in words
    wait_until_gone(homes)
    assert not list(homes.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_no_process(tmp_path: Path, number: int) -> None:
    homes = tmp_path / "homes"
    homes.mkdir()
    demo = subprocess.Popen(
        [*COMMAND, "--out", str(tmp_path / "out")],
        env=environment(homes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    assert any("they go out" in line for line in demo.stdout)
    demo.send_signal(number)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert errors == "truyvet: the demo was stopped; its processes have ended\n"
    wait_until_gone(homes)
    assert not list(homes.iterdir())


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = subprocess.run(
        [*COMMAND, "--out", str(tmp_path / "out" / "deeper")],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be used" in done.stderr
