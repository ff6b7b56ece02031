"""Run every benchmark, print its table and write its figures: ``python -m benchmarks``.

Each runs in a process of its own, so that none measures another's memory. The benchmark of the
matcher also writes ``matcher.json`` and ``matcher.png`` beside this file.
"""

from __future__ import annotations

import subprocess
import sys

_BENCHMARKS = (
    ("matching",),
    ("matcher",),
    ("pruning",),
    ("reading",),
    ("reading", "--identifiers-a-day", "10000"),
    ("process",),
    ("many_logs",),
    ("earlier_apps",),
    ("server",),
    ("page.status",),
    ("page.screens", "--without", "zxingcpp"),
)


def main() -> None:
    """Run all benchmarks in turn; stop at the first that finds a wrong result."""
    for name, *options in _BENCHMARKS:
        print(f"\n{name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=True)


if __name__ == "__main__":
    main()
