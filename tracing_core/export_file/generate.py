"""Regenerate `export_pb2`: ``python -m tracing_core.export_file.generate [--check]`` (development).

With ``--check`` nothing is written and the exit code is 1 if the committed files are out of date.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

_FOLDER = Path(__file__).parent
_ROOT = _FOLDER.parents[1]
_NAMES = ("export_pb2.py", "export_pb2.pyi")


def _generate(into: Path) -> dict[str, bytes]:
    protoc = importlib.import_module("grpc_tools.protoc")
    # Named from the root, since protobuf knows every file of a process by this name.
    source = (_FOLDER / "export.proto").relative_to(_ROOT)
    outputs = [f"--python_out={into}", f"--pyi_out={into}"]
    code = protoc.main(["protoc", f"-I{_ROOT}", *outputs, str(source)])
    if code != 0:
        sys.exit(code)
    made = {name: (into / source.parent / name).read_bytes() for name in _NAMES}
    # protoc leaves Mapping without arguments, which strict type checking refuses.
    made[_NAMES[1]] = b"# mypy: disable-error-code=type-arg\n" + made[_NAMES[1]]
    return made


def main() -> None:
    """Write the generated files, or check them."""
    with tempfile.TemporaryDirectory() as folder:
        made = _generate(Path(folder))
    stale = [
        name
        for name, data in made.items()
        if not (_FOLDER / name).exists() or (_FOLDER / name).read_bytes() != data
    ]
    if "--check" in sys.argv[1:]:
        if stale:
            names = ", ".join(stale)
            sys.exit(f"{names} out of date: run python -m tracing_core.export_file.generate")
        return
    for name in stale:
        (_FOLDER / name).write_bytes(made[name])


if __name__ == "__main__":
    main()
