"""The door: one-time links, and the sessions that they open.

The page shows health data, and any program of this machine can reach its port. So a session is an
unguessable path together with a cookie of that path, and opens only by a link that the owner was
given: printed in a terminal, or shown by a session that is already open.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tracing_core.clock import Clock
from tracing_core.errors import StoreError

if TYPE_CHECKING:
    from asyncio import Future

    from starlette.responses import Response

__all__ = ["Closing", "Door", "LinkRefused", "Session"]

_LINK_SECONDS = 300.0
_TOKEN_BYTES = 24
_MOST_LINKS = 8
_MOST_SESSIONS = 8
# The first wrong try waits this long, and each further one twice as long.
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 4.0

_logger = logging.getLogger(__name__)


class Closing(Protocol):
    """What must be closed when its session ends, such as an uploaded file."""

    def close(self) -> None:
        """Close it; again does nothing."""


class LinkRefused(Exception):
    """The token belongs to no link that is still open."""


@dataclass(slots=True, eq=False)
class Session:
    """One browser that came in by a link."""

    language: str
    opened_at: float
    """UTC Unix seconds."""
    last_used: float
    """Monotonic seconds."""
    path: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES), repr=False)
    """First part of the path of all its screens."""
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES), repr=False)
    form_key: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES), repr=False)
    """Hidden field of all its forms."""
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    """Name by which another session may end it; opens nothing."""
    presses: dict[str, Future[Response]] = field(default_factory=dict, repr=False)
    """Answers to forms that must act only once, by what each form was marked with."""
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    """What one screen leaves for the next, such as a result to show once."""
    _open: dict[str, Closing] = field(default_factory=dict, repr=False)
    _has_ended: bool = False

    def hold(self, name: str, thing: Closing) -> None:
        """Keep something until it is released or the session ends; close what had the name."""
        self.release(name)
        self._open[name] = thing
        if self._has_ended:
            self.release_all()

    def held(self, name: str) -> Any:
        """Return what is kept by a name; None if nothing is."""
        return self._open.get(name)

    def release(self, name: str) -> None:
        """Close what is kept by a name, if anything is."""
        if (thing := self._open.pop(name, None)) is not None:
            thing.close()

    def release_all(self) -> None:
        """Close all that is kept."""
        for name in list(self._open):
            self.release(name)

    @property
    def cookie_name(self) -> str:
        """Name of the cookie; a page on another port cannot set one that hides it."""
        return f"truyvet-{self.name}"

    def end(self) -> None:
        """Close all that is kept, and whatever is to be kept later."""
        self._has_ended = True
        for name in list(self._open):
            try:
                self.release(name)
            except StoreError as error:
                # The other sessions and the page must end too.
                _logger.warning("an uploaded file was not removed: %s", error)

    def owns(self, form_key: str) -> bool:
        """Return whether a form came from a screen of this session."""
        return hmac.compare_digest(self.form_key.encode(), form_key.encode())


class Door:
    """Keeper of links and sessions.

    Parameters
    ----------
    clock
        The clock.
    language
        Language in which a session starts.
    idle_seconds
        Time after which an unused session ends.
    """

    def __init__(self, clock: Clock, *, language: str, idle_seconds: float) -> None:
        self.language = language
        """Language in which a session starts."""
        self._clock = clock
        self._idle_seconds = idle_seconds
        # Hashes of tokens, with the moment (monotonic) at which their link expires.
        self._links: dict[bytes, float] = {}
        self._sessions: dict[str, Session] = {}
        self._wrong_tries = 0
        self._last_used = clock.monotonic()

    def new_link(self) -> str:
        """Return the token of a new link, which opens one session within five minutes."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        while len(self._links) >= _MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links[_digest(token)] = self._clock.monotonic() + _LINK_SECONDS
        self._last_used = self._clock.monotonic()
        return token

    def enter(self, token: str) -> Session:
        """Open a session; the link is then used up. A wrong token uses up nothing.

        Raises
        ------
        LinkRefused
            When no open link has this token. Wait for `wait_seconds` before answering.
        """
        now = self._clock.monotonic()
        expires = self._links.pop(_digest(token), None)
        if expires is None or now > expires:
            self._wrong_tries += 1
            raise LinkRefused
        self._wrong_tries = 0
        self._last_used = now
        session = Session(self.language, self._clock.now(), now)
        while len(self._sessions) >= _MOST_SESSIONS:
            self._end(min(self._sessions.values(), key=lambda each: each.last_used))
        self._sessions[session.path] = session
        return session

    @property
    def wait_seconds(self) -> float:
        """How long to let a wrong try wait: longer with each."""
        tries = max(0, min(self._wrong_tries - 1, 16))
        return min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**tries)

    def find(self, path: str, cookies: Mapping[str, str]) -> Session | None:
        """Return the session that a request belongs to, and count it as used; None if none is."""
        session = self._sessions.get(path)
        if session is None:
            return None
        cookie = cookies.get(session.cookie_name, "")
        if not hmac.compare_digest(session.cookie.encode(), cookie.encode()):
            return None
        now = self._clock.monotonic()
        if now - session.last_used > self._idle_seconds:
            self._end(session)
            return None
        session.last_used = self._last_used = now
        return session

    def sessions(self) -> Iterator[Session]:
        """Yield the open sessions, oldest first."""
        now = self._clock.monotonic()
        for session in list(self._sessions.values()):
            if now - session.last_used <= self._idle_seconds:
                yield session

    def end(self, name: str) -> None:
        """End the session of a name, if there is one."""
        for session in list(self._sessions.values()):
            if session.name == name:
                self._end(session)

    def end_idle(self) -> None:
        """End the sessions that were not used for too long, so that nothing they hold stays."""
        now = self._clock.monotonic()
        for session in list(self._sessions.values()):
            if now - session.last_used > self._idle_seconds:
                self._end(session)

    def close(self) -> None:
        """End all sessions."""
        for session in list(self._sessions.values()):
            self._end(session)

    def release_all(self) -> None:
        """Close what the sessions hold, and leave them open."""
        for session in list(self._sessions.values()):
            session.release_all()

    def _end(self, session: Session) -> None:
        self._sessions.pop(session.path, None)
        session.end()

    @property
    def idle_minutes(self) -> int:
        """Minutes without use after which a session, and the page with the last, ends."""
        return round(self._idle_seconds / 60)

    @property
    def is_idle(self) -> bool:
        """Whether the page was unused for so long that it should end."""
        return self._clock.monotonic() - self._last_used > self._idle_seconds


def _digest(token: str) -> bytes:
    # So that looking it up takes no longer for a token that begins as a right one.
    return hashlib.sha256(token.encode()).digest()
