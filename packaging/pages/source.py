"""Docstrings under names in the source, as Markdown."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["attribute_docs", "cell", "list_table", "markdown"]


def attribute_docs(module: ModuleType, class_name: str | None = None) -> dict[str, str]:
    """Return the docstrings under the names that a module, or a class of it, assigns."""
    source = inspect.getsourcefile(module)
    assert source is not None
    body: Sequence[ast.stmt] = ast.parse(Path(source).read_text()).body
    if class_name is not None:
        body = next(
            statement.body
            for statement in body
            if isinstance(statement, ast.ClassDef) and statement.name == class_name
        )
    docs = {}
    for statement, following in itertools.pairwise(body):
        if not isinstance(following, ast.Expr) or not isinstance(following.value, ast.Constant):
            continue
        if isinstance(statement, ast.AnnAssign):
            target: ast.expr = statement.target
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
        else:
            continue
        if isinstance(target, ast.Name) and isinstance(following.value.value, str):
            docs[target.id] = markdown(following.value.value)
    return docs


def markdown(docstring: str) -> str:
    """Return a docstring on one line, with code in single backticks."""
    return " ".join(docstring.replace("``", "`").split())


def cell(text: str) -> str:
    """Return a text escaped for a cell of a table."""
    return text.replace("|", "\\|")


def list_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)
