"""Every line about a missing library names an extra of this project that brings the library."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tracing_core", "ble_agent", "matcher", "server", "truyvet")
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
DISTRIBUTIONS = packages_distributions()


def distribution(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def brought_by(extra: str) -> set[str]:
    """Return the distributions that an extra asks for, and those that they ask for."""
    found: set[str] = set()
    asked = list(EXTRAS[extra])
    while asked:
        one = asked.pop()
        if one.startswith("truyvet["):
            asked += [each for name in one[8:-1].split(",") for each in EXTRAS[name]]
        elif distribution(one) not in found and "extra ==" not in one:
            found.add(distribution(one))
            try:
                asked += requires(distribution(one)) or []
            except PackageNotFoundError:  # of another platform
                continue
    return found


def calls() -> Iterator[tuple[str, str, str]]:
    """Yield place, module and extra of each call that requires a library."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                    continue
                named = {each.arg: each.value for each in node.keywords}
                if node.func.id not in ("require", "MissingExtra") or "extra" not in named:
                    continue
                module, extra = node.args[0], named["extra"]
                if isinstance(module, ast.Constant) and isinstance(extra, ast.Constant):
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield place, str(module.value), str(extra.value)


CALLS = list(calls())


def test_there_are_such_calls() -> None:
    assert {extra for _, _, extra in CALLS} >= {"agent", "hci", "matcher", "arrow", "server"}


@pytest.mark.parametrize(("place", "module", "extra"), CALLS, ids=[call[0] for call in CALLS])
def test_the_extra_brings_the_library(place: str, module: str, extra: str) -> None:
    assert extra in EXTRAS
    distributions = DISTRIBUTIONS[module.partition(".")[0]]
    assert brought_by(extra) & set(map(distribution, distributions)), place


def test_many_logs_need_no_cluster() -> None:
    # The smallest extra that brings pyarrow.
    wrong = [place for place, module, extra in CALLS if "pyarrow" in module and extra != "arrow"]
    assert not wrong


def lines() -> Iterator[tuple[str, str]]:
    """Yield place and extras of each line that says what to install."""
    folders = (*PACKAGES, "docs", "packaging")
    files = [path for name in folders for path in (ROOT / name).rglob("*.*")]
    for path in [*files, ROOT / "README.md", ROOT / "CHANGELOG.md"]:
        if path.suffix not in (".py", ".md", ".sh", ".json"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for found in re.finditer(r"pip3? install '?\S*?\[([^\]]*)\]'?", line):
                yield f"{path.relative_to(ROOT)}:{number}: {found[0]}", found[1]


def test_every_line_names_extras_of_this_project() -> None:
    found = list(lines())
    assert len(found) > 8
    for place, extras in found:
        # As the shell reads it, from the project's folder, for no release is published yet.
        assert re.search(r"install '\.\[[^\]]+\]'$", place), place
        names = {each.strip() for each in extras.split(",")}
        assert names <= {*EXTRAS, "{extra}"}, place
