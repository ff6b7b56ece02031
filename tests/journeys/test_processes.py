"""The demo's processes: what they are given, and that their faults are one line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from ble_agent.demo.processes import Processes
from tests.journeys.processes import wait_until_gone
from tracing_core.clock import ScaledClock
from tracing_core.errors import TracingError

PYTHON = (sys.executable, "-c")


async def test_a_command_answers_in_json_and_knows_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUYVET_HOME", "/elsewhere")
    async with Processes(tmp_path, program=PYTHON) as running:
        running.clock = ScaledClock(shown=5.0, real=6.0, rate=7.0)
        names = "[n for n in os.environ if n.startswith('TRUYVET')]"
        code = f"import json, os; print(json.dumps([os.environ['TRUYVET_CLOCK'], {names}]))"
        assert await running.run("asker", code) == ["5.0@6.0x7.0", ["TRUYVET_CLOCK"]]


async def test_a_command_that_fails_is_named_with_its_last_line(tmp_path: Path) -> None:
    async with Processes(tmp_path, program=PYTHON) as running:
        with pytest.raises(TracingError, match=r"^asker failed \(exit 3\): the reason$"):
            await running.run(
                "asker", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"
            )


async def test_a_service_that_never_gets_ready_is_an_error(tmp_path: Path) -> None:
    async with Processes(tmp_path, program=PYTHON) as running:
        with pytest.raises(TracingError, match=r"^air ended at once \(exit 1\): no such file$"):
            await running.start_service("air", "import sys; sys.exit('no such file')")


async def test_a_process_that_ends_while_it_is_watched_is_an_error(tmp_path: Path) -> None:
    async with Processes(tmp_path, program=PYTHON) as running:
        await running.start("lasting", "import time; time.sleep(60)")
        await running.start("short", "import sys; sys.exit(4)")
        with pytest.raises(TracingError, match=r"^short ended too early \(exit 4\)$"):
            await running.watch(30)


async def test_whoever_will_not_stop_is_ended_and_told_of(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('{}', flush=True); time.sleep(60)"
    )
    async with Processes(tmp_path, program=PYTHON, stop_seconds=0.2) as running:
        await running.start_service("stubborn", stubborn)
        with pytest.raises(TracingError, match="stubborn did not stop cleanly"):
            await running.stop("stubborn")


async def test_leaving_ends_everything_even_when_cancelled(tmp_path: Path) -> None:
    async def wait() -> None:
        async with Processes(tmp_path, program=PYTHON) as running:
            await running.start("one", "import time; time.sleep(60)", str(tmp_path))
            await running.start("two", "import time; time.sleep(60)", str(tmp_path))
            started.set()
            await running.watch(60)

    started = asyncio.Event()
    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wait_until_gone(tmp_path)
