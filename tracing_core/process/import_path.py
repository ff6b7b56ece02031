"""The project's own packages on the import path, and other modules that hide them.

The packages have plain names: ``server`` and ``matcher``. If a folder with a ``server.py`` of the
user's own comes first on the path, it hides our package. The commands move such folders behind
ours. A library must leave its user's path alone, so `import truyvet` only checks.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

__all__ = ["OWN_PACKAGES", "hiding_file", "put_own_packages_first"]

OWN_PACKAGES = ("ble_agent", "matcher", "server", "tracing_core", "truyvet")
"""The project's import packages."""

_FOLDER = Path(__file__).resolve().parents[2]


def put_own_packages_first() -> None:
    """Move the folders that hide our packages behind the folder that contains ours.

    Processes that `multiprocessing` starts inherit the order. An editable installation may find
    our packages through a hook instead of a folder on the path; their folder is then added.
    """
    if not (_FOLDER / "server" / "__init__.py").is_file():
        return  # each package is somewhere else, and only the hook knows where
    place = next((at for at, entry in enumerate(sys.path) if _is_own(entry)), len(sys.path))
    before = sys.path[:place]
    hiding = [entry for entry in before if _hides(entry)]
    if hiding:
        own = sys.path[place : place + 1] or [str(_FOLDER)]
        rest = [entry for entry in before if entry not in hiding]
        sys.path[:] = [*rest, *own, *hiding, *sys.path[place + 1 :]]


def hiding_file(package: str) -> str | None:
    """Return the file that is imported in place of our package; None if ours is imported."""
    own = _FOLDER / package / "__init__.py"
    if not own.is_file():
        return None
    loaded = sys.modules.get(package)
    spec = importlib.util.find_spec(package) if loaded is None else loaded.__spec__
    origin = _origin(spec) or getattr(loaded, "__file__", None)
    if origin is None or Path(origin).resolve() == own:
        return None
    return origin


def _is_own(entry: str) -> bool:
    return Path(entry).resolve() == _FOLDER


def _hides(entry: str) -> bool:
    return any(_origin(PathFinder.find_spec(name, [entry])) for name in OWN_PACKAGES)


def _origin(spec: ModuleSpec | None) -> str | None:
    """Return the file of a module; None for a mere folder, which hides nothing."""
    return spec.origin if spec is not None and spec.has_location else None
