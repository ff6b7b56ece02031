"""Write the generated files of the tree, or check that they are up to date.

They are what protoc makes of the key file's schema, and the server's OpenAPI document.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = Path("tracing_core/export_file/export.proto")
OPENAPI = Path("docs/api/openapi.json")


def _run(*command: str) -> bytes:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def generate(into: Path) -> list[Path]:
    """Generate every file under a folder laid out as the tree, and return their paths in it."""
    for path in (SCHEMA, OPENAPI):
        (into / path.parent).mkdir(parents=True, exist_ok=True)
    _run(
        *(sys.executable, "-m", "grpc_tools.protoc", "-I", "."),
        *(f"--python_out={into}", f"--pyi_out={into}", str(SCHEMA)),
    )
    truyvet = Path(sys.executable).with_name("truyvet")
    (into / OPENAPI).write_bytes(_run(str(truyvet), "server", "openapi"))
    code = SCHEMA.with_name(f"{SCHEMA.stem}_pb2.py")
    return [code, code.with_suffix(".pyi"), OPENAPI]


def check() -> int:
    """Return 0 if every generated file is up to date, else name the stale ones and return 1."""
    with tempfile.TemporaryDirectory() as folder:
        stale = [
            path
            for path in generate(Path(folder))
            if not (ROOT / path).is_file()
            or (ROOT / path).read_bytes() != (Path(folder) / path).read_bytes()
        ]
    for path in stale:
        print(f"{path} is stale: run make generate", file=sys.stderr)
    return 1 if stale else 0


def main() -> int:
    """Check with ``--check``, else write."""
    try:
        if sys.argv[1:] == ["--check"]:
            return check()
        generate(ROOT)
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed (exit {error.returncode})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
