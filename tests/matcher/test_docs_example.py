"""The document's example runs and prints what the document says, and its tables miss nothing."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from matcher import load_configuration, match, preset_names
from tests.matcher.examples import START, heard, key
from tracing_core.export_file import ExportFile

DOCUMENT = (Path(__file__).parents[2] / "docs" / "matching.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_example_prints_what_the_document_says() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(block("python"), "docs/matching.md", "exec"), {})
    assert printed.getvalue() == block("text")


def names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names(inner)}
    if isinstance(value, list):
        return {name for inner in value for name in names(inner)}
    return set()


def test_every_field_is_described() -> None:
    file = ExportFile(0, 1, "", [key()])
    answer = match([heard(key(), START)], [file], research=True).to_json()
    described = set(re.findall(r"`(\w+)`", DOCUMENT.partition("## What `--json` prints")[2]))
    assert names(answer) <= described


def test_every_preset_is_described_as_it_is() -> None:
    rows = re.findall(r"^\| `([\w-]+)`[^|]*\| ([\d, ]+) \| ([\d., ]+) \|", DOCUMENT, re.MULTILINE)
    assert [name for name, _, _ in rows] == preset_names()
    for name, thresholds, weights in rows:
        config = load_configuration(name).daily_summaries
        assert tuple(map(int, thresholds.split(", "))) == config.attenuation_thresholds_db
        assert tuple(map(float, weights.split(", "))) == config.attenuation_bucket_weights
