"""The example of docs/many-logs.md runs and prints what it says; the tables are as described."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from matcher.many.result import empty_table, table_names
from matcher.risk import load_model

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "many-logs.md"


def test_the_example_prints_what_it_says(tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    code, printed = re.findall(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", text, re.S)[0]
    script = tmp_path / "example.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (printed, "")


@pytest.mark.parametrize("name", table_names(load_model()))
def test_every_column_is_described(name: str) -> None:
    part = DOCUMENT.read_text().split(f"`{name}.parquet`")[1]
    told = set(re.findall(r"`(\w+)`", part.split("`daily_summaries.parquet`")[0]))
    if name == "daily_summaries":
        told = set(re.findall(r"`(\w+)`", part.split("\n\n")[0]))
    for research in (False, True):
        assert set(empty_table(name, str, load_model(), research=research).column_names) <= told
