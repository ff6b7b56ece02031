"""Write the generated files of the tree, or check with ``--check`` that they are up to date.

They are what protoc makes of the key file's schema, and the server's OpenAPI document.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "docs/api/openapi.json"


def openapi() -> bytes:
    """Return the server's OpenAPI document."""
    truyvet = Path(sys.executable).with_name("truyvet")
    command = [str(truyvet), "server", "openapi"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def main() -> int:
    """Check with ``--check``, else write."""
    checking = sys.argv[1:] == ["--check"]
    try:
        schema = [sys.executable, "-m", "tracing_core.export_file.generate", *sys.argv[1:]]
        subprocess.run(schema, cwd=ROOT, check=True)
        document = openapi()
    except subprocess.CalledProcessError as error:
        return error.returncode
    if not checking:
        OPENAPI.parent.mkdir(parents=True, exist_ok=True)
        OPENAPI.write_bytes(document)
    elif not OPENAPI.is_file() or OPENAPI.read_bytes() != document:
        print("docs/api/openapi.json is out of date: run make generate", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
