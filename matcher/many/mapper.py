"""The mapper: what applies a function to parts of the work, in this process or in others."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, NamedTuple

from matcher.kernels.choice import available_threads

__all__ = ["Mapper", "open_mapper"]


class Mapper(NamedTuple):
    """A map function and where it runs."""

    map: Callable[..., Iterable[Any]]
    """Applies a function to each item, like the built-in, and keeps their order."""
    is_local: bool
    """True if the function runs in this process."""


@contextlib.contextmanager
def open_mapper(executor: Executor | None, workers: int | None, parts: int) -> Iterator[Mapper]:
    """Yield a mapper over an executor; without one, over processes of this machine."""
    if executor is not None:
        yield Mapper(executor.map, isinstance(executor, ThreadPoolExecutor))
        return
    workers = min(workers or available_threads(), parts)
    if workers < 2:  # there may be no part
        yield Mapper(map, True)
        return
    # Spawned, because a forked copy of a process with threads may inherit a lock that is held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            yield Mapper(pool.map, False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
