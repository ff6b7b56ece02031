"""One request to the page: who sent it, in which language, with what form."""

from __future__ import annotations

import datetime
import secrets
import unicodedata
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ble_agent.app.page.door import Door, Session
from ble_agent.app.page.upload import Upload
from ble_agent.authority.ledger_notes import EarlyNotes
from ble_agent.config import AgentConfig, load_config
from ble_agent.messages.catalogue import say, with_home
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text
from tracing_core.clock import Clock
from tracing_core.errors import TracingError

__all__ = ["Notice", "Page", "Screen", "Visit", "read_form"]

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_FIELDS = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """What a press of a button led to, shown once."""

    text: str
    """One or more lines."""
    kind: str = "good"
    """``good``, ``warn`` or ``bad``."""


@dataclass(slots=True, eq=False)
class Page:
    """What all requests share."""

    home: Path
    clock: Clock
    door: Door
    named_home: str = ""
    """The home folder to name in commands that the owner is to type; "" for the usual one."""
    fingerprint: str = ""
    """SHA-256 of the certificate that other devices see; "" if the page is not open to them."""
    make_link: Callable[[], str] | None = None
    """Returns a new link for another browser; None if there can be no other."""
    is_ending: bool = False
    """Whether the process should end as soon as all is answered."""
    early: EarlyNotes = field(init=False)
    """Requests sent before this device has a home."""
    templates: Environment = field(init=False)

    def __post_init__(self) -> None:
        """Make the templates; every command they show is as the owner must type it."""
        self.early = EarlyNotes(self.clock)
        self.templates = _environment(self._shown)

    def _shown(self, value: Any) -> Any:
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        # The folder's name is not for everybody in the network, and the door is open to them.
        return with_home(value, "" if self.is_lan else self.named_home)

    @property
    def is_lan(self) -> bool:
        """Whether devices of the same network can open the page."""
        return bool(self.fingerprint)

    def config(self, language: str) -> AgentConfig:
        """Return the settings as they are now.

        Raises
        ------
        InvalidSetting
            When one is wrong; the text names it.
        """
        return load_config(self.home, lang=language)

    def render(self, template: str, language: str, **values: Any) -> str:
        """Return a template's HTML in a language."""

        def text(name: str, **filled: object) -> str:
            return say(name, language, **filled)

        def date(day: datetime.date) -> str:
            return date_text(day, language)

        shown = {"lang": language, "t": text, "date": date, "page": self, **values}
        return self.templates.get_template(template).render(shown)


def _sentence(text: str) -> str:
    """Return a line of an error as a sentence of its own; a file's or setting's name stays."""
    end = "" if text.endswith((".", "!", "?", ":")) else "."
    is_name = any(sign in text.partition(" ")[0].rstrip(":,.") for sign in "./_")
    return f"{text[:1] if is_name else text[:1].upper()}{text[1:]}{end}"


def _sentence_start(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _environment(finalize: Callable[[Any], Any]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sentence"] = _sentence
    environment.filters["sentence_start"] = _sentence_start
    return environment


@dataclass(slots=True, eq=False)
class Visit:
    """One request of an open session."""

    page: Page
    session: Session
    request: Request
    screen: Screen
    form: Mapping[str, str] = field(default_factory=dict)
    """Fields as `read_form` returns them; empty unless a form was sent."""
    upload: Upload | None = None
    """The files of a form that has some; closed after the answer, unless they were kept."""
    upload_fault: TracingError | None = None
    """Why there is no `upload`."""

    @property
    def language(self) -> str:
        """The language that the session reads."""
        return self.session.language

    @property
    def config(self) -> AgentConfig:
        """The settings as they are now."""
        return self.page.config(self.language)

    def say(self, name: str, **values: object) -> str:
        """Return a text of the catalogue in the session's language."""
        return say(name, self.language, **values)

    def field(self, name: str, most: int = 200) -> str:
        """Return a field's text without surrounding space, cut to a length; "" if absent."""
        return self.form.get(name, "").strip()[:most]

    def sent_file(self) -> Upload:
        """Return the file that was sent.

        Raises
        ------
        NotPossible, StoreError
            When none was sent, or it could not be taken.
        """
        if self.upload_fault is not None:
            raise self.upload_fault
        assert self.upload is not None
        return self.upload

    def explained(self, error: TracingError) -> str:
        """Return what an error means, naming a file that was sent as its owner does."""
        text = explain(error, self.language)
        return text if self.upload is None else self.upload.named(text)

    def keep_file(self, name: str) -> None:
        """Keep the file that was sent until the session releases it."""
        self.session.hold(name, self.sent_file())
        self.upload = None

    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        """Answer with a screen."""
        values.setdefault("notice", self.session.kept.pop("notice", None))
        html = self.page.render(
            template,
            self.language,
            screen=self.screen,
            base=f"/{self.session.path}",
            form_key=self.session.form_key,
            press=secrets.token_hex(8),
            **values,
        )
        return HTMLResponse(html, status)

    def go(self, path: str, notice: Notice | None = None) -> Response:
        """Answer with another screen, where a notice is shown."""
        if notice is not None:
            self.session.kept["notice"] = notice
        return RedirectResponse(f"/{self.session.path}/{path}", 303)


@dataclass(frozen=True, slots=True)
class Screen:
    """A path below the session's, and what answers there."""

    path: str
    answer: Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]
    """Runs in a thread, unless it is a coroutine function."""
    method: str = "GET"
    tab: str = ""
    """The tab that the screen belongs to: ``today``, ``health``, ``send`` or ``more``."""
    takes_file: bool = False
    """Whether its form has a file."""
    most_files: int = 1
    """How many files it may have then."""


def read_form(body: bytes) -> dict[str, str]:
    """Read an urlencoded form; of a repeated field, the last counts.

    The text is in Unicode's composed form, without the invisible characters that a copied text may
    bring along. They would make a code wrong, or turn the text around them.

    Raises
    ------
    ValueError
        When it has too many fields.
    """
    text = body.decode("utf-8", "replace")
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    return {name: _visible(value) for name, value in pairs}


def _visible(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        each
        for each in composed
        if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cf")
    )
