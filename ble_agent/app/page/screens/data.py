"""*All my data*: one file to take away, whose copy here is overwritten afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from ble_agent.app.all_data import all_data_to_download, page_to_download
from ble_agent.app.outcome import Outcome
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.config import AgentConfig
from ble_agent.messages.explanation import explain

__all__ = ["SCREENS"]


class _Download(FileResponse):
    """A file that is sent and then removed, whether or not the browser took all of it."""

    def __init__(self, path: Path, closing: contextlib.ExitStack) -> None:
        kind = "application/zip" if path.suffix == ".zip" else "text/html"
        super().__init__(path, media_type=kind, filename=path.name)
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Overwriting a large file takes a moment.
            await asyncio.shield(asyncio.to_thread(self._closing.close))


def _data(visit: Visit) -> Response:
    return visit.render("more/data.html")


def _archive(visit: Visit) -> Response:
    return _download(visit, all_data_to_download(_config(visit), visit.page.clock))


def _page(visit: Visit) -> Response:
    with_keys = visit.field("with_keys") == "yes"
    made = page_to_download(_config(visit), visit.page.clock, with_keys=with_keys)
    return _download(visit, made)


def _config(visit: Visit) -> AgentConfig:
    # Settings that cannot be read must not keep the owner from the data.
    return AgentConfig(visit.page.home, lang=visit.language)


def _download(visit: Visit, made: AbstractContextManager[tuple[Path, Outcome]]) -> Response:
    with contextlib.ExitStack() as stack:
        path, outcome = stack.enter_context(made)
        if outcome.failure is not None:
            fault = explain(outcome.failure, visit.language)
            visit.session.kept["notice"] = Notice(fault, "warn")
        return _Download(path, stack.pop_all())


SCREENS: Sequence[Screen] = (
    Screen("more/data", _data, tab="more"),
    Screen("more/data/page", _page, "POST", tab="more"),
    Screen("more/data/download", _archive, "POST", tab="more"),
)
"""The screens."""
