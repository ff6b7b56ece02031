"""Compile requirements.lock from pyproject.toml, or check that the two agree.

The versions already locked are kept as long as pyproject.toml allows them, so the check does not
depend on what the package index offers that day. The index is the one pip is configured for; its
address is never written to the lock.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


def _pip_setting(name: str) -> str | None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", f"global.{name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None if done.returncode == 0 else None


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    for variable, pip_variable, setting in (
        ("UV_DEFAULT_INDEX", "PIP_INDEX_URL", "index-url"),
        ("UV_INDEX", "PIP_EXTRA_INDEX_URL", "extra-index-url"),
        ("SSL_CERT_FILE", "PIP_CERT", "cert"),
    ):
        value = os.environ.get(pip_variable) or _pip_setting(setting)
        if value and variable not in environment:
            environment[variable] = value
    return environment


def compile_lock(into: Path) -> None:
    """Compile the lock; versions already in the file are preferred."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run(
        [
            *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
            *("--all-extras", "--group", "dev", "--no-header", "--no-annotate"),
            *("--no-emit-index-url", "--no-emit-find-links", "--output-file", str(into)),
            "pyproject.toml",
        ],
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def check() -> int:
    """Return 0 if compiling changes nothing, else print what it would change and return 1."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / LOCK.name
        shutil.copy(LOCK, copy)
        compile_lock(copy)
        old, new = LOCK.read_text().splitlines(), copy.read_text().splitlines()
    if old == new:
        return 0
    print(*difflib.unified_diff(old, new, "requirements.lock", "compiled", lineterm=""), sep="\n")
    print("requirements.lock does not agree with pyproject.toml: run make lock", file=sys.stderr)
    return 1


def main() -> int:
    """Check with ``--check``, else compile."""
    try:
        if sys.argv[1:] == ["--check"]:
            return check()
        compile_lock(LOCK)
    except subprocess.CalledProcessError as error:
        print(f"uv could not resolve pyproject.toml (exit {error.returncode})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
