"""Compile the locks from pyproject.toml, or check that they agree with it.

requirements.lock has everything; packaging/server/requirements.lock has what a key server needs,
and packaging/raspberry-pi/requirements.lock what an owner's device needs, in the same versions.
Each line has the hashes of all files of its version, so pip refuses any other file. The versions
already locked are kept as long as pyproject.toml allows them, so the check does not depend on what
the package index offers that day. The index is the one pip is configured for; its address is never
written to a lock.
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
LOCKS = {
    "requirements.lock": ("--all-extras", "--group", "dev", "--group", "build"),
    "packaging/server/requirements.lock": (
        *("--extra", "server", "--extra", "postgres", "--group", "build"),
        *("--constraints", "requirements.lock"),
    ),
    "packaging/raspberry-pi/requirements.lock": (
        *("--extra", "agent", "--extra", "page", "--extra", "qr", "--group", "build"),
        *("--constraints", "requirements.lock"),
    ),
}
"""The locks, each with uv's options for its parts."""


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


def compile_lock(name: str, into: Path) -> None:
    """Compile a lock; versions already in the file are preferred."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run(
        [
            *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
            *(*LOCKS[name], "--no-header", "--no-annotate", "--generate-hashes"),
            *("--no-emit-index-url", "--no-emit-find-links", "--output-file", str(into)),
            "pyproject.toml",
        ],
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def check(name: str) -> int:
    """Return 0 if compiling changes nothing, else print what it would change and return 1."""
    lock = ROOT / name
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / lock.name
        shutil.copy(lock, copy)
        compile_lock(name, copy)
        old, new = lock.read_text().splitlines(), copy.read_text().splitlines()
    # A version gets new files later, so hashes that were added are no difference.
    if old == new or _is_same_but_for_new_files(old, new):
        return 0
    print(*difflib.unified_diff(old, new, name, "compiled", lineterm=""), sep="\n")
    print(f"{name} does not agree with pyproject.toml: run make lock", file=sys.stderr)
    return 1


def _is_same_but_for_new_files(old: list[str], new: list[str]) -> bool:
    def parts(lines: list[str]) -> tuple[list[str], set[str]]:
        hashes = {line.strip(" \\") for line in lines if "--hash=" in line}
        return [line.rstrip(" \\") for line in lines if "--hash=" not in line], hashes

    (names, hashes), (new_names, new_hashes) = parts(old), parts(new)
    return names == new_names and hashes <= new_hashes


def main() -> int:
    """Check with ``--check``, else compile."""
    try:
        if sys.argv[1:] == ["--check"]:
            return max(check(name) for name in LOCKS)
        for name in LOCKS:
            compile_lock(name, ROOT / name)
    except subprocess.CalledProcessError as error:
        print(f"uv could not resolve pyproject.toml (exit {error.returncode})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
