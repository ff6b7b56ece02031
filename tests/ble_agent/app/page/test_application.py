"""What the application answers to a browser that is let in, over real connections."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
import uvicorn
from starlette.responses import Response

from ble_agent.app.page.application import create_application
from ble_agent.app.page.door import Door
from ble_agent.app.page.screens import SCREENS
from ble_agent.app.page.visit import Notice, Page, Screen, Visit
from tracing_core.clock import Clock


class Served:
    """The application on a port of its own, and a browser that has come in."""

    def __init__(self, page: Page, screens: list[Screen]) -> None:
        self.page = page
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        host = self.origin.removeprefix("http://")
        application = create_application(page, origins=[f"http://{host}"], screens=screens)
        config = uvicorn.Config(
            application, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True
        )
        self.browser = httpx2.Client(base_url=self.origin, headers={"Origin": self.origin})

    def enter(self) -> None:
        answer = self.browser.post("/enter", data={"token": self.page.door.new_link()})
        self.path = answer.headers["Location"].rsplit("/", 1)[0]

    def get(self, screen: str) -> httpx2.Response:
        return self.browser.get(f"{self.path}/{screen}")

    def post(self, screen: str, **fields: str) -> httpx2.Response:
        return self.browser.post(f"{self.path}/{screen}", data=fields)


@contextlib.contextmanager
def served(home: Path, *screens: Screen) -> Iterator[Served]:
    page = Page(home, Clock(), Door(Clock(), language="en", idle_seconds=900))
    serving = Served(page, [*SCREENS, *screens])
    serving.thread.start()
    try:
        serving.enter()
        yield serving
    finally:
        serving.browser.close()
        serving.server.should_exit = True
        serving.thread.join(10)


def form_key(answer: httpx2.Response) -> str:
    found = re.search(r'name="key" value="([^"]+)"', answer.text)
    assert found is not None
    return found[1]


def test_a_form_that_was_sent_twice_acts_once(tmp_path: Path) -> None:
    acted: list[int] = []
    started, release = threading.Event(), threading.Event()

    def act(visit: Visit) -> Response:
        acted.append(1)
        started.set()
        release.wait(10)
        return visit.go("more", Notice("acted"))

    with served(tmp_path, Screen("act", act, "POST")) as page, ThreadPoolExecutor(2) as pool:
        key = form_key(page.get("more"))
        presses = [pool.submit(page.post, "act", key=key, press="one") for _ in range(2)]
        assert started.wait(10)
        release.set()
        assert [press.result().status_code for press in presses] == [303, 303]
        assert len(acted) == 1
        assert "acted" in page.get("more").text
        assert "acted" not in page.get("more").text
        page.post("act", key=key, press="two")
        assert len(acted) == 2


def test_a_form_without_its_key_does_nothing(tmp_path: Path) -> None:
    acted: list[int] = []

    def act(visit: Visit) -> Response:
        acted.append(1)
        return visit.go("more")

    with served(tmp_path, Screen("act", act, "POST")) as page:
        for fields in ({}, {"key": ""}, {"key": "ế"}, {"key": page.page.door.new_link()}):
            assert page.post("act", **fields).status_code == 403
        assert page.get("act").status_code in (404, 405)
        assert not acted


def test_a_screen_that_fails_says_so_and_shows_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(visit: Visit) -> Response:
        raise RuntimeError("secret of the traceback")

    with served(tmp_path, Screen("fail", fail)) as page:
        answer = page.get("fail")
        assert answer.status_code == 409
        assert "Something went wrong on this page" in answer.text
        assert "secret of the traceback" not in answer.text
    assert "the screen fail failed" in caplog.text


def test_too_many_fields_are_refused(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        key = form_key(page.get("more"))
        fields = {f"f{number}": "" for number in range(100)}
        assert page.post("language", key=key, **fields).status_code == 400
        assert page.get("more").status_code == 200


def test_the_language_is_one_press_away_on_every_screen(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        key = form_key(page.get("more"))
        assert '<html lang="en">' in page.get("more").text
        answer = page.post("language", key=key, lang="vi", back="more")
        assert answer.headers["Location"] == f"{page.path}/more"
        assert '<html lang="vi">' in page.get("more").text
        for back in ("//evil.example", "more/../../x", "\r\nX: y"):
            answer = page.post("language", key=key, lang="xx", back=back)
            assert answer.headers["Location"] == f"{page.path}/today"
        assert '<html lang="vi">' in page.get("more").text


def test_the_other_language_leads_back_to_a_screen_that_can_be_asked_for(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        answer = page.post("join/preview", key=form_key(page.get("join")), line="no line")
        assert answer.status_code == 400
        assert 'name="back" value="today"' in answer.text
        assert 'name="back" value="join"' in page.get("join").text


def test_commands_on_a_screen_are_as_the_owner_must_type_them(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        page.page.named_home = "<my home>"
        assert "--home &#39;&lt;my home&gt;&#39;" in page.get("send").text
        assert "--home &#39;&lt;my home&gt;&#39;" in page.browser.get("/").text
        page.page.fingerprint = "ab:cd"
        for answer in (page.get("send"), page.browser.get("/")):
            assert "truyvet agent " in answer.text
            assert "my home" not in answer.text


def test_leaving_ends_the_session_and_the_page(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        key = form_key(page.get("more"))
        answer = page.post("leave", key=key)
        assert "The page is closed" in answer.text
        assert page.page.is_ending
        assert page.get("more").status_code == 403
