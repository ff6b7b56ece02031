"""Mutation testing of the pure files: small faults that some test must notice.

Each mutant is one file with one operator, number or word changed. It is imported in place of the
file, in a process that runs the file's tests; the tree itself is never touched. A mutant that no
test notices has survived, and shows a gap in the tests. The mutants are tried in random
order until the time is up, so a short run is a fair sample.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = {
    "ble_agent/air/clock_watch.py": ("tests/ble_agent/air/test_encounter_log.py",),
    "ble_agent/air/schedule.py": ("tests/ble_agent/air/test_schedule.py",),
    "matcher/definition.py": ("tests/matcher/test_match.py", "tests/matcher/portable/test_join.py"),
    "matcher/risk/windows.py": ("tests/matcher/risk/test_windows.py",),
    "server/operation/clock_watch.py": ("tests/server/operation/test_clock_watch.py",),
    "server/publish/rules.py": ("tests/server/publish/test_publish_rules.py",),
    "tracing_core/protocol/exposure_window.py": ("tests/matcher/risk",),
}
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult},
    **{ast.Div: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd},
    **{ast.Not: ast.UAdd, ast.USub: ast.UAdd, ast.Continue: ast.Break, ast.Break: ast.Continue},
}


@dataclass(frozen=True)
class Mutant:
    """A file with one fault."""

    file: str
    line: int
    fault: str
    source: str


def mutants(file: str) -> list[Mutant]:
    """Return every mutant of a file."""
    tree = ast.parse((ROOT / file).read_text())
    found = []
    for path in _places(tree):
        changed = copy.deepcopy(tree)
        parent: ast.AST = changed
        line = 0
        for name, index in path[:-1]:
            value = getattr(parent, name)
            parent = value if index is None else value[index]
            line = getattr(parent, "lineno", line)
        name, index = path[-1]
        value = getattr(parent, name)
        old = value if index is None else value[index]
        line = getattr(old, "lineno", line)
        new = _changed(old)
        if index is None:
            setattr(parent, name, new)
        else:
            value[index] = new
        fault = f"{_named(old)} becomes {_named(new)}"
        source = ast.unparse(ast.fix_missing_locations(changed))
        found.append(Mutant(file, line, fault, source))
    return found


_Path = tuple[tuple[str, int | None], ...]


def _places(node: ast.AST, path: _Path = ()) -> Iterator[_Path]:
    """Yield the path to each node that can be changed; texts, types and decorators are not code."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or isinstance(child, (ast.Raise, ast.JoinedStr)):
                continue
            step = (*path, (name, index if isinstance(value, list) else None))
            if _changed(child) is not None:
                yield step
            yield from _places(child, step)


def _changed(node: ast.AST) -> ast.AST | None:
    if type(node) in SWAPS:
        return SWAPS[type(node)]()
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        return ast.Constant(value)
    return None


def _named(node: ast.AST | None) -> str:
    return repr(node.value) if isinstance(node, ast.Constant) else type(node).__name__


class _Finder:
    """Imports one module from a given source."""

    def __init__(self, file: str, source: str) -> None:
        self.name = file.removesuffix(".py").replace("/", ".")
        self.path = ROOT / file
        self.code = compile(source, str(self.path), "exec")

    def find_spec(self, name: str, *_: object) -> object:
        if name != self.name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self.path))  # type: ignore[arg-type]

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: object) -> None:
        exec(self.code, module.__dict__)


def run_tests(file: str, source: Path) -> int:
    """Run a file's tests with a source in its place, in this process."""
    import pytest

    sys.path[0] = str(ROOT)
    sys.meta_path.insert(0, _Finder(file, source.read_text()))  # type: ignore[arg-type]
    options = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return int(pytest.main([*options, "--hypothesis-seed=0", "-m", "not slow", *SUBJECTS[file]]))


def survives(mutant: Mutant, seconds: float) -> bool:
    """Return whether the tests pass in spite of the mutant."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "mutant.py"
        source.write_text(mutant.source)
        command = [sys.executable, __file__, "--run", str(source), mutant.file]
        environment = {**os.environ, "HYPOTHESIS_PROFILE": "quick", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def measure(file: str, seconds: float, workers: int, seed: int) -> bool:
    """Try a file's mutants and print the survivors; return False if the unchanged file fails."""
    began = time.monotonic()
    unchanged = Mutant(file, 0, "", ast.unparse(ast.parse((ROOT / file).read_text())))
    if not survives(unchanged, 300):
        print(f"{file}: its tests fail without a fault", file=sys.stderr)
        return False
    each = 10 + 3 * (time.monotonic() - began)
    every = mutants(file)
    random.Random(seed).shuffle(every)
    tried: list[tuple[Mutant, bool]] = []

    def attempt(mutant: Mutant) -> None:
        if time.monotonic() - began < seconds:
            tried.append((mutant, survives(mutant, each)))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(attempt, every))
    survivors = sorted((m.line, m.fault) for m, survived in tried if survived)
    lines = (ROOT / file).read_text().splitlines()
    for line, fault in survivors:
        print(f"{file}:{line}: {fault}: {lines[line - 1].strip()}")
    noticed = len(tried) - len(survivors)
    print(f"{file}: {noticed} of {len(tried)} faults noticed, {len(every)} possible", flush=True)
    return True


def main() -> int:
    """Measure the files named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", default=sorted(SUBJECTS), metavar="FILE")
    parser.add_argument("--seconds", type=float, default=180, help="most time per file (180)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (2)")
    parser.add_argument("--seed", type=int, default=0, help="order of the mutants (0)")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    for file in said.files:
        if file not in SUBJECTS:
            parser.error(f"{file} is not among {', '.join(sorted(SUBJECTS))}")
    if said.run:
        return run_tests(said.files[0], said.run)
    passed = [measure(file, said.seconds, said.workers, said.seed) for file in said.files]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
