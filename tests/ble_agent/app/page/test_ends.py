"""What a real page process leaves behind: an uploaded file never, and nothing after erasing."""

from __future__ import annotations

import functools
import signal
from pathlib import Path

import httpx2
import pytest

from ble_agent.app.page.screens import erasing
from ble_agent.store.home import erase_home, is_running
from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.browser.browsing import page_process
from tests.ble_agent.app.page.test_application import form_key, served
from tests.ble_agent.app.page.test_more import lines, press, upload, working_files
from tests.ble_agent.store.test_erasing import DEAF, PRESENT, process
from tracing_core.clock import Clock


def test_a_file_that_waits_is_overwritten_when_the_page_ends(tmp_path: Path) -> None:
    with page_process(tmp_path / "home", clock_at(Clock().now()), language="en") as page:
        origin, _, token = page.link.partition("/#")
        with httpx2.Client(base_url=origin, headers={"Origin": origin}) as browser:
            today = browser.post("/enter", data={"token": token}).headers["Location"]
            key = form_key(browser.get(today.replace("today", "more")))
            answer = browser.post(
                today.replace("today", "more/import/file"),
                data={"key": key},
                files={"file": ("a.jsonl", lines(Clock().now(), 60))},
            )
            assert answer.status_code == 303
            assert len(working_files(tmp_path / "home")) == 1
    assert not working_files(tmp_path / "home")


def test_erasing_stops_the_agent_and_ends_the_page(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with page_process(home, clock_at(Clock().now()), language="vi") as page:
        origin, _, token = page.link.partition("/#")
        with (
            process(home, PRESENT, "agent", "run") as agent,
            httpx2.Client(base_url=origin, headers={"Origin": origin}, timeout=60) as browser,
        ):
            today = browser.post("/enter", data={"token": token}).headers["Location"]
            shown = browser.get(today.replace("today", "more/erase"))
            assert "Việc ghi nhận sẽ được dừng trước khi xóa" in shown.text
            answer = browser.post(
                today.replace("today", "more/erase/confirm"),
                data={"key": form_key(shown), "sure": "yes"},
            )
            assert "Đã xóa toàn bộ." in answer.text
            assert "Thiết bị đã dừng ghi nhận." in answer.text
            assert agent.wait(30) == -signal.SIGTERM
        assert page.process.wait(30) == 0
    assert not home.exists()


def test_a_hung_agent_is_named_and_nothing_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "erase_home", functools.partial(erase_home, stop_seconds=0.2))
    with served(tmp_path) as page, process(tmp_path, DEAF + PRESENT, "agent", "run") as agent:
        upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60))
        press(page, "more/import/confirm")
        answer = press(page, "more/erase/confirm", sure="yes")
        assert answer.status_code == 409
        assert f"kill -9 {agent.pid}" in answer.text
        assert "nothing was deleted" in answer.text
        assert (tmp_path / "agent.db").exists()
        assert is_running(tmp_path)
        assert not page.page.is_ending
        assert page.get("more").status_code == 200
