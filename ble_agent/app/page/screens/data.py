"""*All my data*: one archive to take away, whose copy here is overwritten afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from ble_agent.app.all_data import all_data_to_download
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.config import AgentConfig
from ble_agent.messages.explanation import explain

__all__ = ["SCREENS"]


class _Download(FileResponse):
    """A file that is sent and then removed, whether or not the browser took all of it."""

    def __init__(self, path: Path, closing: contextlib.ExitStack) -> None:
        super().__init__(path, media_type="application/zip", filename=path.name)
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Overwriting a large file takes a moment.
            await asyncio.shield(asyncio.to_thread(self._closing.close))


def _data(visit: Visit) -> Response:
    return visit.render("more/data.html")


def _download(visit: Visit) -> Response:
    # Settings that cannot be read must not keep the owner from the data.
    config = AgentConfig(visit.page.home, lang=visit.language)
    with contextlib.ExitStack() as stack:
        made = all_data_to_download(config, visit.page.clock)
        path, outcome = stack.enter_context(made)
        if outcome.failure is not None:
            fault = explain(outcome.failure, visit.language)
            visit.session.kept["notice"] = Notice(fault, "warn")
        return _Download(path, stack.pop_all())


SCREENS: Sequence[Screen] = (
    Screen("more/data", _data, tab="more"),
    Screen("more/data/download", _download, "POST", tab="more"),
)
"""The screens."""
