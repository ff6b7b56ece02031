"""Words that stop a reader are not used: the rules for English in CONTRIBUTING.md."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORDS = re.compile(
    r"\b(tells?|telling|told|anew|whoever|nobody|begun|a second of|what it was|that it is not|"
    r"(?<!there )is no (?!longer|more|less|better|worse|faster|slower)[a-z]+|"
    r"(?<!there )is (?-i:none)|on the word of|in earnest|other eyes)\b",
    re.IGNORECASE,
)
# Paths whose wording is still to be read; nothing may be added, and it ends empty.
UNREAD: tuple[str, ...] = ()


def prose(path: Path) -> list[tuple[int, str]]:
    """What a reader of a file reads: comments and texts of a module, a document as it is."""
    text = path.read_text()
    if path.suffix == ".md":
        return list(enumerate(text.splitlines(), 1))
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (token.start[0] + row, line)
        for token in tokens
        if token.type in kinds
        for row, line in enumerate(token.string.splitlines())
    ]


FILES = {
    str(path.relative_to(ROOT)): path
    for pattern in ("*.md", "[a-z]*/**/*.md", "[a-z]*/**/*.py")
    for path in sorted(ROOT.glob(pattern))
    if not path.name.endswith("_pb2.py")
}


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("tests/")])
def test_no_word_stops_a_reader(name: str) -> None:
    found = [f"{row}: {line.strip()}" for row, line in prose(FILES[name]) if WORDS.search(line)]
    if any(name == path or name.startswith(f"{path}/") for path in UNREAD):
        return
    assert not found, "\n".join(found)


def test_what_is_unread_is_there() -> None:
    assert all((ROOT / name).exists() for name in UNREAD)
