"""Attack on a real server process with requests generated from its OpenAPI document.

Run it with ``python -m tests.server.request_attack --seconds 300``. It fails if the server answers
any request with a status of 500 or above, or no longer answers at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx2

from tests.server.homes import NOW
from tests.server.running import RunningServer, clock_at

# So that generated requests are not refused for their number alone.
UNLIMITED = {
    "verify_requests_per_minute": "1000000000",
    "max_consecutive_code_failures": "1000000000",
}


def main() -> int:
    """Attack for the given time, and return 1 if the server failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningServer(Path(folder) / "home", clock_at(NOW), UNLIMITED) as server,
    ):
        server.init()
        server.start()
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("--no-color", "run", f"{server.url}/openapi.json"),
                *("--checks", "not_a_server_error", "--header"),
                f"X-API-Key: {server.operator_key}",
                *("--max-time", str(options.seconds), "--seed", str(options.seed)),
            ],
            timeout=options.seconds + 300,
            cwd=folder,
        )
        is_well = httpx2.get(f"{server.url}/healthz").status_code == 200
        return 0 if done.returncode == 0 and is_well else 1


if __name__ == "__main__":
    sys.exit(main())
