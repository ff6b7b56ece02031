"""A few of the imports that `python -m tests.fuzz.imports` tries by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.fuzz import imports
from tracing_core.store.files import overwrite


def test_mutated_logs_are_read_or_refused_and_nothing_else_happens() -> None:
    figures = imports.run(count=560, seconds=120, seed=1)
    assert figures.unforeseen == []
    for form in ("database", "database-wal", "database-journal", "capture"):
        assert figures.outcomes[f"{form} taken"]
        assert figures.outcomes[f"{form} refused"]
    assert figures.outcomes["gzip refused"]
    assert figures.outcomes["json-lines refused"]


def test_the_same_seed_tries_the_same() -> None:
    first, second = (imports.run(count=70, seconds=60, seed=2) for _ in range(2))
    assert first.outcomes == second.outcomes


def test_an_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_error(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(imports, "open_source", raise_error)
    result = CliRunner().invoke(imports.main, ["--count", "7", "--seconds", "10"])
    assert result.exit_code == 1
    assert "6 unforeseen errors" in result.stdout
    assert "ZeroDivisionError: a bug" in result.stderr


def test_a_file_of_holes_is_not_filled(tmp_path: Path) -> None:
    # A hostile journal makes SQLite grow the working copy to terabytes that are not there.
    path = tmp_path / "log.db"
    with path.open("wb") as file:
        file.write(b"secret")
        file.truncate(1 << 40)
    overwrite(path)
    assert path.stat().st_blocks * 512 < 1 << 20
    with path.open("rb") as file:
        assert file.read(6) == bytes(6)
