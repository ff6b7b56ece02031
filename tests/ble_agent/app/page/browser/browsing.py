"""A real process of the page, and Debian's Chromium that looks at it and notes what it sees."""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.ble_agent.agents import COMMAND, environment
from tracing_core.clock import ScaledClock

CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is missing: apt install chromium"
)

WIDTHS = (320, 360, 1280)
SCHEMES = ("light", "dark")
LANGUAGES = ("vi", "en")

ZONE = "Asia/Ho_Chi_Minh"

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    # Nothing leaves the machine, whatever the browser itself would like to fetch.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

_AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_LOWEST_TARGET_PIXELS = 24

# Links inside a sentence are exempt from the least size of a target (WCAG 2.2, 2.5.8).
_SMALL_TARGETS = """least => [...document.querySelectorAll(
    "a, button, input:not([type=hidden]), select, textarea, summary, label:has(input)")]
  .filter(each => !each.matches(".skip") && each.checkVisibility({visibilityProperty: true}))
  .map(each => [each.outerHTML.slice(0, 120), each.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < least || box.height < least))
  .map(([html, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`)"""

_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [
  ...document.querySelectorAll("body *")]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 120))"""


@dataclass
class PageProcess:
    """A running page."""

    process: subprocess.Popen[str]
    link: str

    @property
    def origin(self) -> str:
        return self.link.partition("/#")[0]

    @property
    def token(self) -> str:
        return self.link.partition("#")[2]

    def resident_mebibytes(self) -> float:
        """The memory that it has had at most, on Linux."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextlib.contextmanager
def page_process(
    home: Path,
    clock: ScaledClock | None,
    *,
    language: str = "vi",
    prefix: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[PageProcess]:
    """Serve the page of a home as long as the block runs; it must end well."""
    process = subprocess.Popen(
        [*prefix, *COMMAND, "agent", "--home", str(home), "--lang", language, "page", "--no-open"],
        env=environment(clock, **{"TZ": ZONE, **(variables or {})}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, (line, process.stderr and process.stderr.read())
        yield PageProcess(process, line[line.index("http://") :].strip())
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, ""), (process.returncode, errors)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@dataclass
class Tab:
    """A tab of the browser, and all that happened in it that should not."""

    page: Page
    origin: str
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    expects_refusals: bool = False
    """Whether answers of 400 and above are asked for on purpose."""

    def watch(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                None
                if self.expects_refusals and "Failed to load resource" in message.text
                else self.faults.append(message.text)
            ),
        )

    def check(self) -> None:
        """Check that no other host was asked, and that the browser complained of nothing."""
        others = [url for url in self.requests if not url.startswith(f"{self.origin}/")]
        assert (others, self.faults) == ([], []), (others, self.faults)

    def name(self) -> str:
        """The path of the screen, behind the session's."""
        return "/".join(urllib.parse.urlsplit(self.page.url).path.split("/")[2:])

    def open(self, path: str) -> None:
        """Open a screen of the session by its path."""
        session = urllib.parse.urlsplit(self.page.url).path.split("/")[1]
        self.page.goto(f"{self.origin}/{session}/{path}")

    def speak(self, language: str) -> None:
        """Press the button of the other language, unless it is read already."""
        if self.page.locator("html").get_attribute("lang") != language:
            self.press("button[name=lang]")
        assert self.page.locator("html").get_attribute("lang") == language

    def press(self, selector: str) -> None:
        """Press a button or follow a link, and wait for the next screen."""
        with self.page.expect_navigation():
            self.page.click(selector)

    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def look(self, width: int, scheme: str) -> None:
        # So high that the tabs at the foot cover nothing of what is measured.
        self.page.set_viewport_size({"width": width, "height": 3000})
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    def examine(self) -> list[str]:
        """Return what is wrong with the screen: at every width, and by axe-core.

        In Vietnamese axe-core sees it narrow and light, in English wide and dark.
        """
        found = []
        for width in WIDTHS:
            self.look(width, "light")
            found += [f"{width} wide: {each}" for each in self.page.evaluate(_WIDE)]
            small = self.page.evaluate(_SMALL_TARGETS, _LOWEST_TARGET_PIXELS)
            found += [f"{width} small: {each}" for each in small]
        is_narrow = self.page.locator("html").get_attribute("lang") == "vi"
        self.look(320 if is_narrow else 1280, "light" if is_narrow else "dark")
        return found + self.violations()

    def violations(self) -> list[str]:
        """Return what axe-core finds."""
        self.page.evaluate(_AXE)
        found: Any = self.page.evaluate(
            "rules => axe.run({runOnly: rules}).then(found => found.violations)", _RULES
        )
        return [
            json.dumps([each["id"], each["impact"], [node["html"] for node in each["nodes"]]])
            for each in found
        ]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser: Browser, served: PageProcess, **options: Any) -> Iterator[Tab]:
    """Open the page by its link in a browser's profile of its own."""
    context: BrowserContext = browser.new_context(
        viewport={"width": 360, "height": 800}, timezone_id=ZONE, **options
    )
    context.set_default_timeout(30_000)
    tab = Tab(context.new_page(), served.origin)
    tab.watch()
    try:
        tab.page.goto(served.link)
        if options.get("java_script_enabled", True):
            tab.page.wait_for_url(f"{served.origin}/*/*")
        yield tab
        tab.check()
    finally:
        context.close()
