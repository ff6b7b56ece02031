"""The background worker: due exports and deletions, while the web application runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from server.context import Server
from server.export.exporter import run_due
from server.operation import retention
from server.operation.clock_watch import ClockWatch
from server.operation.end_of_use import EndOfUse, is_emptied
from server.store.known_time import KnownTime
from tracing_core.errors import TracingError

__all__ = ["SHORTEST_PAUSE_SECONDS", "run_due_work", "work_until"]

SHORTEST_PAUSE_SECONDS = 0.2
"""Least time between two rounds; a clock a thousand times as fast must leave time for others."""

_log = logging.getLogger(__name__)


def run_due_work(server: Server, watch: ClockWatch, end: EndOfUse | None = None) -> None:
    """Export and delete what is due; errors are only logged.

    Nothing is exported while the clock is far ahead of what is known. The exporter holds back
    single keys. Only what is certainly too old is deleted. After the last day nothing is exported,
    and in the end everything is deleted.
    """
    end = end or EndOfUse()
    works: dict[str, Callable[[Server, KnownTime], None]]
    works = {"export": _export, "cleanup": _clean_up}
    try:
        if is_emptied(server.settings.home):
            return
        if end.reached(server):
            works = {"end": end.work}
    except TracingError as error:
        _log.error("end: %s", error)
    for name, work in works.items():
        try:
            work(server, watch.look(server))
        except TracingError as error:
            _log.error("%s: %s", name, error)
        except Exception:
            # The next round may succeed, and uploads must be accepted meanwhile.
            _log.exception("%s failed", name)


def _export(server: Server, time: KnownTime) -> None:
    if not time.is_far_ahead:
        run_due(server, server.region)


def _clean_up(server: Server, time: KnownTime) -> None:
    retention.run(server, server.region, now=time.certain)


async def work_until(
    stopping: asyncio.Event,
    server: Server,
    *,
    shortest_pause_seconds: float = SHORTEST_PAUSE_SECONDS,
) -> None:
    """Do the due work in rounds until an event is set."""
    watch, end = ClockWatch(), EndOfUse()
    while not stopping.is_set():
        await asyncio.to_thread(run_due_work, server, watch, end)
        waits = {
            asyncio.create_task(stopping.wait()),
            asyncio.create_task(_pause(server, shortest_pause_seconds)),
        }
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _pause(server: Server, shortest_pause_seconds: float) -> None:
    await asyncio.sleep(shortest_pause_seconds)
    await server.clock.sleep(server.settings.worker_interval_seconds)
