"""Threads for blocking work alongside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from tracing_core.clock import Clock

__all__ = ["in_thread", "repeat"]

_T = TypeVar("_T")


async def in_thread(work: Callable[[], _T], cancelled: threading.Event) -> _T:
    """Run work in a thread that never keeps the process alive, and return its result.

    Cancelling this coroutine sets `cancelled`, which the work may check.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def finish(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:
            failure = error
        if not cancelled.is_set():
            # The loop may have ended in between.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=run, name="check", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        cancelled.set()
        raise


async def repeat(
    clock: Clock, first_seconds: float, work: Callable[[Callable[[], bool]], float]
) -> None:
    """Repeat work in threads of its own until this coroutine is cancelled.

    Parameters
    ----------
    clock
        The clock to wait by.
    first_seconds
        Time before the work is done for the first time.
    work
        Called with a function that returns True once this coroutine was cancelled. It returns the
        number of seconds after which to call it again.
    """
    cancelled = threading.Event()
    seconds = first_seconds
    while True:
        await clock.sleep(seconds)
        seconds = await in_thread(lambda: work(cancelled.is_set), cancelled)
