"""Another page on this machine, in the owner's own browser, that knows even the session's path."""

from __future__ import annotations

import functools
import http.server
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ble_agent.app.page.browser.browsing import (
    chromium,
    needs_chromium,
    opened,
    page_process,
)

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "other"
    made.mkdir()
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[str]:
    """Serve a folder at another port of the same host."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_pages_form_frame_script_and_cookie(
    tmp_path: Path, folder: Path, origin: str
) -> None:
    with (
        chromium() as browser,
        page_process(tmp_path / "home", None, language="en") as served,
        opened(browser, served) as tab,
    ):
        session = urllib.parse.urlsplit(tab.page.url).path.split("/")[1]
        base = f"{served.origin}/{session}"
        (folder / "form.html").write_text(
            f'<form method="post" action="{base}/language">'
            '<input name="lang" value="vi"><button>x</button></form>'
        )
        (folder / "parts.html").write_text(
            f'<script>document.cookie = "truyvet=x; path=/";</script>'
            f'<iframe src="{base}/join"></iframe><iframe src="{served.origin}/"></iframe>'
            f'<img src="{served.origin}/icon.svg"><script src="{served.origin}/door.js"></script>'
        )
        other = tab.page.context.new_page()
        other.goto(f"{origin}/form.html")
        with other.expect_navigation() as led:
            other.click("button")
        assert led.value is not None
        assert led.value.status == 403
        other.goto(f"{origin}/parts.html", wait_until="load")
        assert other.evaluate("document.images[0].naturalWidth") == 0
        for frame in other.frames[1:]:
            assert "truyvet" not in frame.content()
        other.close()
        # The owner's page is open, and in the language that it was in.
        tab.open("join")
        assert tab.page.locator("html").get_attribute("lang") == "en"
        assert tab.name() == "join"
        assert tab.page.locator("nav").count() == 1
