"""Description of the machine that measures, without its name."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.limit import limit_samplers
from tracing_core.errors import InvalidValue

__all__ = ["machine", "units", "versions"]


def machine() -> dict[str, str | int | float | None]:
    """Describe the machine, and how busy it was."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.is_file() else None
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def versions(*names: str) -> dict[str, str]:
    """Return the versions of the libraries that were measured."""
    return {name: version(name) for name in names}


def units() -> dict[str, Callable[[], float]]:
    """Return samplers of the processor's limit; none, with a message, if it is unknown."""
    try:
        return limit_samplers()
    except InvalidValue as error:
        print(f"limit left out: {error}", file=sys.stderr)
        return {}
