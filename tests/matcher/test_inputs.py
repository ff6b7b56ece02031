"""What `match` takes as a log and as key files, and how it refuses anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matcher import match, read_log
from matcher.many.matching import match_many
from tests.matcher.examples import START, heard, key
from tracing_core.errors import InvalidValue
from tracing_core.export_file import ExportFile, read_export, write_export
from tracing_core.store.sighting import write_json_lines

LOG = [heard(key(), START), heard(key(), START + 1)]
FILE = ExportFile(0, 600, "VN", [key()])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json_lines(tmp_path / "log.jsonl", LOG)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "one.bin").write_bytes(write_export(FILE, []))
    return tmp_path


@pytest.mark.parametrize(
    "given",
    [
        lambda folder: str(folder / "keys"),
        lambda folder: folder / "keys",
        lambda folder: str(folder / "keys" / "one.bin"),
        lambda folder: (folder / "keys" / "one.bin" for _ in range(1)),
        lambda folder: {str(folder / "keys")},
        lambda folder: read_export(str(folder / "keys" / "one.bin")),
        lambda _: FILE,
    ],
)
def test_one_key_file_or_many(given: Callable[[Path], Any], folder: Path) -> None:
    for log in (str(folder / "log.jsonl"), folder / "log.jsonl", LOG, iter(LOG), tuple(LOG)):
        assert match(log, given(folder)).matched_sightings == 2
    assert len(list(read_log(str(folder / "log.jsonl")))) == 2


def test_many_logs_take_one_key_file_too(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    found = match_many(str(folder / "log.jsonl"), str(folder / "keys"), workers=1)
    assert found.to_json()["matches"] == 1


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (7, "not an int"),
        (None, "not a NoneType"),
        (b"log.jsonl", "not a bytes"),
        ({"rpi": []}, "not a dict"),
        (FILE, "not an ExportFile"),
        ([LOG[0], "log.jsonl"], "its item 1 is a str, not a Sighting"),
        ([Path("log.jsonl")], "its item 0 is a PosixPath, not a Sighting"),
        ((one for one in ["log.jsonl"]), "its item 0 is a str, not a Sighting"),
    ],
)
def test_what_is_no_log_is_one_line(log: Any, said: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        match(log, FILE)
    text = str(refused.value)
    assert text.startswith("a log is a path, a DataFrame, an Arrow table or Sighting objects")
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("exports", "said"),
    [
        (7, "a key file is a path or an ExportFile, not an int; give one or many"),
        (b"keys", "a key file is a path or an ExportFile, not a bytes; give one or many"),
        ([FILE, 7], "exports[1] is an int, not a path or an ExportFile"),
        ([FILE, key()], "exports[1] is a DiagnosisKey, not a path or an ExportFile"),
        ([b"keys"], "exports[0] is a bytes, not a path or an ExportFile"),
    ],
)
def test_what_is_no_key_file_is_one_line(exports: Any, said: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        match(LOG, exports)
    assert str(refused.value) == said
