"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FEWEST = 10


def with_examples() -> list[str]:
    paths = [
        path.relative_to(ROOT).with_suffix("")
        for package in ("truyvet", "matcher", "tracing_core")
        for path in (ROOT / package).rglob("*.py")
        if ">>> " in path.read_text()
    ]
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)


def examples(name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder().find(importlib.import_module(name))
    return [each for each in found if each.examples]


def test_there_are_examples() -> None:
    assert sum(len(examples(name)) for name in with_examples()) >= FEWEST


@pytest.mark.parametrize("name", with_examples())
def test_examples_do_what_they_show(name: str) -> None:
    for each in examples(name):
        printed: list[str] = []
        failed, _ = doctest.DocTestRunner().run(each, out=printed.append)
        assert not failed, "".join(printed)
