"""Write the generated files of the tree, or check with ``--check`` that they are up to date.

They are the modules that protoc makes from the key file's schema, the server's OpenAPI document,
and the pages of settings, commands and tables.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pages import commands, settings, tables

ROOT = Path(__file__).resolve().parent.parent


def openapi() -> str:
    """Return the server's OpenAPI document."""
    truyvet = Path(sys.executable).with_name("truyvet")
    command = [str(truyvet), "server", "openapi"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


FILES = {
    "docs/api/openapi.json": openapi,
    "docs/settings.md": settings.page,
    "docs/commands.md": commands.page,
    "docs/tables.md": tables.page,
}
"""The function that makes each file."""


def main() -> int:
    """Check with ``--check``, else write."""
    checking = sys.argv[1:] == ["--check"]
    try:
        schema = [sys.executable, "-m", "tracing_core.export_file.generate", *sys.argv[1:]]
        subprocess.run(schema, cwd=ROOT, check=True)
        documents = {name: make() for name, make in FILES.items()}
    except subprocess.CalledProcessError as error:
        return error.returncode
    old = False
    for name, text in documents.items():
        path = ROOT / name
        if not checking:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"{name} is out of date: run make generate", file=sys.stderr)
            old = True
    return int(old)


if __name__ == "__main__":
    sys.exit(main())
