"""Processes of the demo: started with a clock, watched, and always ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracing_core.clock import ScaledClock
from tracing_core.errors import TracingError

__all__ = ["Processes"]

_START_SECONDS = 60.0
_COMMAND_SECONDS = 60.0
# The console script may not be on the path, as in a virtual environment that is not activated.
_TRUYVET = (sys.executable, "-c", "from tracing_core.cli import main; main()")


class Processes:
    """Commands of `truyvet`, each in its own process, with a log in a folder.

    It is an asynchronous context manager: leaving it ends all processes.

    Parameters
    ----------
    logs
        The folder for what each process writes to standard error.
    program
        What every command line begins with.
    stop_seconds
        How long a process may take to end.
    """

    def __init__(
        self, logs: Path, *, program: Sequence[str] = _TRUYVET, stop_seconds: float = 15.0
    ) -> None:
        self._logs = logs
        self._program = program
        self._stop_seconds = stop_seconds
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._drains: set[asyncio.Task[bytes]] = set()
        self.clock: ScaledClock | None = None
        """Clock of every process started from now on; None for the system's."""

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.shield(self._end(*self._running))

    def _environment(self) -> Mapping[str, str]:
        # The user's settings for other agents and servers do not belong to the story.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUYVET")}
        clock = {} if self.clock is None else {"TRUYVET_CLOCK": str(self.clock)}
        return {**kept, **clock, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}

    async def _spawn(self, name: str, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        with (self._logs / f"{name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self._program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment(),
                # Ctrl-C must reach only the demo, which then ends the others in order.
                start_new_session=True,
            )

    def _failed(self, name: str, what: str) -> TracingError:
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        reason = f": {lines[-1]:.200}" if lines else ""
        return TracingError(f"{name} {what}{reason}")

    def _drain(self, process: asyncio.subprocess.Process) -> None:
        """Read and drop further output, so that the process never blocks on a full pipe."""
        assert process.stdout is not None
        drain = asyncio.create_task(process.stdout.read())
        self._drains.add(drain)
        drain.add_done_callback(self._drains.discard)

    async def run(self, name: str, *arguments: str) -> Any:
        """Run a command to its end, and return the JSON object it printed, if any.

        Exit code 1 is a failure only without an object: a check that found something ends so.

        Raises
        ------
        TracingError
            When it fails or takes too long; the text ends with the last line it wrote.
        """
        process = await self._spawn(name, arguments)
        self._running[name] = process
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError as error:
            raise self._failed(name, f"did not end within {_COMMAND_SECONDS:.0f} s") from error
        finally:
            if process.returncode is None:
                await asyncio.shield(self._end(name))
            self._running.pop(name, None)
        if process.returncode not in (0, 1) or (process.returncode and not output.strip()):
            raise self._failed(name, f"failed (exit {process.returncode})")
        return json.loads(output) if output.strip() else None

    async def start(self, name: str, *arguments: str) -> None:
        """Start a command that runs until `stop`."""
        process = await self._spawn(name, arguments)
        self._running[name] = process
        self._drain(process)

    async def start_service(self, name: str, *arguments: str) -> Any:
        """Start a command that prints one line of JSON when it is ready, and return the object.

        Raises
        ------
        TracingError
            When it ends, or takes too long, before that line.
        """
        process = await self._spawn(name, arguments)
        self._running[name] = process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError as error:
            raise self._failed(name, f"was not ready within {_START_SECONDS:.0f} s") from error
        if not line:
            await process.wait()
            raise self._failed(name, f"ended at once (exit {process.returncode})")
        self._drain(process)
        return json.loads(line)

    async def watch(self, seconds: float) -> None:
        """Wait for `seconds` of real time while all processes run.

        Raises
        ------
        TracingError
            As soon as any process ends.
        """
        ends = {
            asyncio.create_task(process.wait()): name for name, process in self._running.items()
        }
        try:
            done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
        for task in done:
            raise self._failed(ends[task], f"ended too early (exit {task.result()})")

    async def stop(self, *names: str) -> None:
        """Ask processes to end, together.

        Raises
        ------
        TracingError
            When one did not end by itself, or not cleanly; all have ended in any case.
        """
        stopping = {name: self._running[name] for name in names if name in self._running}
        await asyncio.shield(self._end(*stopping))
        for name, process in stopping.items():
            if process.returncode:
                raise self._failed(name, f"did not stop cleanly (exit {process.returncode})")

    async def _end(self, *names: str) -> None:
        ending = [process for name in names if (process := self._running.pop(name, None))]
        for process in ending:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        waits = [asyncio.create_task(process.wait()) for process in ending]
        if waits:
            await asyncio.wait(waits, timeout=self._stop_seconds)
        for process in ending:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
