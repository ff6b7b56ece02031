"""Fast starts of `truyvet server run`: a process that has imported it forks.

What is started is a process of its own that runs the same command; only the imports are shared.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


class Spawner:
    """A process that forks others; a context manager."""

    def __enter__(self) -> Spawner:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", "from tests.server.spawner import fork_on_demand as f; f()"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(30)
        self._parent.stdout.close()

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print(json.dumps(request), file=self._parent.stdin, flush=True)
        return int(self._parent.stdout.readline())

    def start(self, arguments: list[str], environment: dict[str, str], output: Path) -> int:
        """Run `truyvet server ARGUMENTS` and return its process id after its first output."""
        output.unlink(missing_ok=True)
        pid = self._ask({"arguments": arguments, "environment": environment, "output": str(output)})
        until = time.monotonic() + 30
        while not (output.exists() and output.read_text().endswith("\n")):
            assert time.monotonic() < until, Path(f"{output}.log").read_text()
            time.sleep(0.005)
        return pid

    def end(self, pid: int, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; return the exit code, negative after a signal."""
        os.kill(pid, number)
        return self._ask({"wait": pid})


def fork_on_demand() -> None:
    """Serve the requests of a `Spawner` until its end."""
    import uvicorn  # noqa: F401

    import server.app.app
    import server.app.cli  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _run(request)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> None:
    from tracing_core.cli import main

    os.environ.update(request["environment"])
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    log = os.open(request["output"] + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(log, 2)
    sys.argv = ["truyvet", "server", *request["arguments"]]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
