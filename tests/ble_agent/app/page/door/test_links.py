"""The link: it opens one session, once, within five minutes, whatever is guessed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ble_agent.store.home import erase_home
from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.door.knocking import MOST_MEBIBYTES, Answer, served_page

pytestmark = pytest.mark.slow


def test_erasing_takes_the_link_that_a_killed_page_has_left(tmp_path: Path) -> None:
    """The browser is given a file that leads to the link, which arguments would show to all."""
    home, program = tmp_path / "home", tmp_path / "browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    screen = {"DISPLAY": ":99", "BROWSER": str(program)}
    with served_page(home, variables=screen, opens=True) as served:
        (opener,) = _until(lambda: list(home.glob(".page-*.html")))
        assert opener.stat().st_mode & 0o777 == 0o600
        arguments = Path(f"/proc/{served.process.pid}/cmdline").read_bytes()
        assert served.token.encode() not in arguments
        served.process.kill()
        served.process.wait(30)
    assert erase_home(home) == []
    assert not home.exists()


def _until(look: Callable[[], list[Path]]) -> list[Path]:
    while not (found := look()):
        time.sleep(0.05)
    return found


def test_a_link_opens_once(tmp_path: Path) -> None:
    with served_page(tmp_path / "home") as served:
        visitor = served.visit()
        again = served.enter(served.token)
        assert again.status == 403
        assert again.header("set-cookie") == ""
        assert visitor.is_in


def test_a_link_that_is_five_minutes_old_opens_nothing(tmp_path: Path) -> None:
    # Two seconds are seven minutes of this clock.
    with served_page(tmp_path / "home", clock=clock_at(time.time(), rate=200)) as served:
        time.sleep(2)
        assert served.enter(served.token).status == 403


def test_1000_guesses_slow_down_and_do_not_burn_the_link(tmp_path: Path) -> None:
    def guess(number: int) -> Answer:
        return served.enter(f"guess{number}")

    with served_page(tmp_path / "home") as served, ThreadPoolExecutor(20) as threads:
        answers = threads.map(guess, range(1000))
        # In the middle of it, the owner comes.
        statuses = [next(answers).status for _ in range(300)]
        visitor = served.visit()
        statuses += [answer.status for answer in answers]
        assert set(statuses) == {403}
        assert visitor.is_in
        assert served.peak_mebibytes() < MOST_MEBIBYTES
