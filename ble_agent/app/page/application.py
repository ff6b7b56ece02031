"""The page's application: the door, the static files, and the screens behind a session."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ble_agent.app.page.door import LinkRefused
from ble_agent.app.page.guard import Guard
from ble_agent.app.page.screens import SCREENS
from ble_agent.app.page.screens.last_day import over_instead
from ble_agent.app.page.upload import receive_upload
from ble_agent.app.page.visit import Page, Screen, Visit, read_form
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from tracing_core.errors import StoreDamaged, TracingError

__all__ = ["create_application"]

_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_MOST_WAITING = 8
_MOST_THREADS = 4
_MOST_PRESSES = 16

_logger = logging.getLogger(__name__)


def create_application(
    page: Page, *, origins: Collection[str], screens: Sequence[Screen] = SCREENS
) -> ASGIApp:
    """Make the application.

    Parameters
    ----------
    page
        What all requests share.
    origins
        Scheme, host and port of each address at which the page may be asked for.
    screens
        The screens behind a session.
    """
    threads = anyio.CapacityLimiter(_MOST_THREADS)

    async def door(_: Request) -> Response:
        return _door(page)

    async def absent(_: Request, error: Exception) -> Response:
        return _door(page, error.status_code if isinstance(error, HTTPException) else 404)

    routes = [
        Route("/", door),
        Route("/enter", _entrance(page), methods=["POST"]),
        *(_static(path) for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES),
        *(
            Route(
                f"/{{session}}/{screen.path}",
                _behind_session(page, screen, threads),
                methods=[screen.method],
            )
            for screen in screens
        ),
    ]

    app = Starlette(routes=routes, exception_handlers={404: absent, 405: absent})
    uploads = {screen.path.rsplit("/", 1)[-1] for screen in screens if screen.takes_file}
    return Guard(app, origins=origins, uploads=uploads)


def _entrance(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a link: a session, or after a while a refusal."""
    waiting = asyncio.Semaphore(_MOST_WAITING)

    async def enter(request: Request) -> Response:
        try:
            form = read_form(await request.body())
            session = page.door.enter(form.get("token", "").strip())
        except (ClientDisconnect, LinkRefused, ValueError):
            if not waiting.locked():
                async with waiting:
                    await asyncio.sleep(page.door.wait_seconds)
            return _door(page, 403)
        answer = RedirectResponse(f"/{session.path}/today", 303)
        answer.set_cookie(
            session.cookie_name,
            session.cookie,
            path=f"/{session.path}/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    return enter


def _door(page: Page, status: int = 200) -> Response:
    command = "truyvet agent page --lan" if page.is_lan else "truyvet agent page"
    html = page.render("door.html", page.door.language, command=command, refused=status != 200)
    return HTMLResponse(html, status)


def _static(path: Path) -> Route:
    content = path.read_bytes()

    async def serve(_: Request) -> Response:
        return Response(content, media_type=_TYPES[path.suffix])

    return Route(f"/{path.name}", serve)


def _behind_session(
    page: Page, screen: Screen, threads: anyio.CapacityLimiter
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        path = request.path_params["session"]
        session = page.door.find(path, request.cookies)
        if session is None:
            return _door(page, 403)
        visit = Visit(page, session, request, screen)
        try:
            if screen.takes_file:
                return await _with_file(visit, threads)
            if screen.method == "POST":
                visit.form = read_form(await request.body())
                if not session.owns(visit.form.get("key", "")):
                    return _door(page, 403)
                return await _once(visit, threads)
            return await _answer(visit, threads)
        except (ClientDisconnect, ValueError):
            return PlainTextResponse("form\n", 400)

    return handle


async def _with_file(visit: Visit, threads: anyio.CapacityLimiter) -> Response:
    """Answer a form with a file, which is overwritten afterwards unless the screen kept it."""
    request = visit.request
    try:
        visit.upload = await receive_upload(
            visit.page.home,
            request.stream(),
            request.headers.get("content-type", ""),
            most_files=visit.screen.most_files,
        )
        visit.form = visit.upload.fields
    except TracingError as error:
        # The screen says so beside its form. Nothing was taken, so nothing can be done.
        visit.upload_fault = error
    try:
        if visit.upload is not None and not visit.session.owns(visit.form.get("key", "")):
            return _door(visit.page, 403)
        return await _answer(visit, threads)
    finally:
        if visit.upload is not None:
            await asyncio.shield(asyncio.to_thread(visit.upload.close))


async def _once(visit: Visit, threads: anyio.CapacityLimiter) -> Response:
    """Answer a form; one that was sent twice, as by a double click, gets the first answer."""
    press = visit.form.get("press")
    if not press:
        return await _answer(visit, threads)
    presses = visit.session.presses
    if press not in presses:
        while len(presses) >= _MOST_PRESSES:
            del presses[next(iter(presses))]
        presses[press] = asyncio.ensure_future(_answer(visit, threads))
    return await asyncio.shield(presses[press])


async def _ask(visit: Visit, threads: anyio.CapacityLimiter) -> Response:
    """Let the screen answer; one that meets a damaged database is asked again, and recovers it."""
    async with threads:
        over = await run_in_threadpool(over_instead, visit)
    if over is not None:
        return over
    if inspect.iscoroutinefunction(visit.screen.answer):
        answered = await visit.screen.answer(visit)
    else:
        async with threads:
            try:
                answered = await run_in_threadpool(visit.screen.answer, visit)
            except StoreDamaged:
                if visit.screen.method != "GET":
                    raise
                answered = await run_in_threadpool(visit.screen.answer, visit)
    assert isinstance(answered, Response)
    return answered


async def _answer(visit: Visit, threads: anyio.CapacityLimiter) -> Response:
    try:
        answered = await _ask(visit, threads)
    except TracingError as error:
        text = explain(error, visit.language)
    except Exception:
        # The owner reads no traceback; the log holds it.
        _logger.exception("the screen %s failed", visit.screen.path)
        text = say("page_failed", visit.language)
    else:
        return answered
    return visit.render("problem.html", 409, text=text)
