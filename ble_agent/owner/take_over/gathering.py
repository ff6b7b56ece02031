"""Files that the owner handed over together, as logs: a database with its companions is one.

The files lie in a folder that only this process changes, under other names than the owner's. Those
names show only which files belong together; what a log is, its content shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ble_agent.owner.take_over.copies import COMPANION_SUFFIXES, LEVELDB_NAME, Candidate
from ble_agent.owner.take_over.kinds import has_manifest
from tracing_core.store.files import file_errors

__all__ = ["gathered"]

_LONGEST_CURRENT = 64


def gathered(files: Sequence[tuple[Path, str]], folder_name: str) -> list[Candidate]:
    """Return the logs that files are, after moving those together that belong together.

    Parameters
    ----------
    files
        Where each file lies, and what its owner calls it.
    folder_name
        What to call the folder of a log that is one.

    Raises
    ------
    StoreError
        When a file cannot be moved.
    """
    counts = Counter(name for _, name in files)
    by_name = {name: path for path, name in files if name and counts[name] == 1}
    moved: set[Path] = set()
    candidates = []
    if (folder := _leveldb(by_name, moved)) is not None:
        candidates.append(Candidate(folder, folder_name))
    for name, path in by_name.items():
        for suffix in COMPANION_SUFFIXES:
            main = by_name.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
            if main is not None and path not in moved and main not in moved:
                with file_errors(path):
                    path.rename(f"{main}{suffix}")
                moved.add(path)
    candidates += [Candidate(path, name or path.name) for path, name in files if path not in moved]
    return candidates


def _leveldb(by_name: dict[str, Path], moved: set[Path]) -> Path | None:
    """Move the files of a LevelDB folder into one; None if there are none."""
    current = by_name.get("CURRENT")
    if current is None:
        return None
    with file_errors(current):
        with current.open("rb") as file:
            if not has_manifest(file.read(_LONGEST_CURRENT)):
                return None
        folder = current.with_name(f"{current.name}-folder")
        folder.mkdir(mode=0o700)
        for name, path in by_name.items():
            if LEVELDB_NAME.fullmatch(name):
                path.rename(folder / name)
                moved.add(path)
    return folder
