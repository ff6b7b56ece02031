"""Build the API documentation of the façade, the matcher and the core as HTML.

It fails on a warning, and on a public name without a docstring. Usage: ``api_docs.py [FOLDER]``.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pdoc
import pdoc.doc
import pdoc.render

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "api"
PACKAGES = ("truyvet", "matcher", "tracing_core")
# Kernels and commands are not for callers; generated modules have no docstrings of ours.
LEFT_OUT = re.compile(r"matcher\.(kernels|cli)|.*\.__main__$|.*_pb2$")
LAZY = ("truyvet", "matcher")


def build(folder: Path) -> None:
    """Write the pages into a new folder, which replaces the old folder once it is complete."""
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    pdoc.render.configure(docformat="numpy", footer_text="truyvet", show_source=False)
    pdoc.pdoc(*modules(), output_directory=partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def load_lazy_names() -> None:
    """Load the names that façades load on first use, since pdoc looks only at loaded names."""
    for package in LAZY:
        module = importlib.import_module(package)
        for name in module.__all__:
            getattr(module, name)


def modules() -> list[str]:
    """Return every module to document; pdoc would stop at a package that has ``__all__``."""
    found: list[str] = []
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        names = [package, *(info.name for info in pkgutil.walk_packages(path, f"{package}."))]
        found += [name for name in names if not LEFT_OUT.match(name)]
    seen: set[str] = set()
    specs = []
    for name in found:
        if name not in seen:
            specs.append(name)
            seen.update(pdoc.extract.walk_specs([name]))
    return [*specs, f"!{LEFT_OUT.pattern}"]


def undocumented() -> Iterator[str]:
    """Yield the full name of each public name that lacks a docstring."""
    for name in pdoc.extract.walk_specs(modules()):
        module = pdoc.doc.Module(importlib.import_module(name))
        if not module.docstring:
            yield name
        public = getattr(module.obj, "__all__", ())
        for member in module.own_members:
            # A constant from another module has its docstring there.
            borrowed = isinstance(member, pdoc.doc.Variable) and f"{member.name} =" not in (
                module.source
            )
            if member.name in public and not borrowed:
                yield from _undocumented(member)


def _undocumented(member: pdoc.doc.Doc) -> Iterator[str]:
    if not member.docstring:
        yield member.fullname
    if isinstance(member, pdoc.doc.Class):
        for inner in member.own_members:
            plain = isinstance(inner, pdoc.doc.Function | pdoc.doc.Class)
            ours = inner.taken_from[0].partition(".")[0] in PACKAGES
            if plain and ours and not inner.name.startswith("_") and not inner.docstring:
                yield inner.fullname


def main() -> int:
    """Build the pages; return 1 if a name lacks a docstring."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    warnings.simplefilter("error")
    # Names that only a type checker imports are shown as they are written, without a link.
    warnings.filterwarnings("ignore", "Error parsing type annotation")
    warnings.filterwarnings("ignore", "Failed to run TYPE_CHECKING code")
    load_lazy_names()
    if missing := list(undocumented()):
        print(*missing, sep="\n", file=sys.stderr)
        print(f"{len(missing)} public names have no docstring: write them", file=sys.stderr)
        return 1
    folder.parent.mkdir(parents=True, exist_ok=True)
    build(folder)
    print(f"API documentation is in {folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
