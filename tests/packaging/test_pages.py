"""The generated pages are whole and up to date."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import server.app.app  # noqa: F401  (it defines every table)
from ble_agent.config import AgentConfig
from ble_agent.store.database import open_store
from server.config import Settings
from server.store.database import metadata
from tests.test_docs import blocks
from tracing_core.cli import truyvet

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def generate(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "packaging/generate.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("packaging", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_every_setting_has_a_row() -> None:
    listed = first_cells((DOCS / "settings.md").read_text())
    agent = {part.name for part in dataclasses.fields(AgentConfig)}
    assert (agent | set(Settings.model_fields)) - {"home"} <= listed


def test_every_variable_of_the_program_is_named() -> None:
    text = (DOCS / "settings.md").read_text()
    used = {
        name
        for package in ("tracing_core", "ble_agent", "matcher", "server", "truyvet")
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"\bTRUYVET_[A-Z_]*[A-Z]\b", path.read_text())
    }
    assert used >= {"TRUYVET_HOME", "TRUYVET_KERNEL"}
    assert not {name for name in used if f"`{name}`" not in text}


def paths(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from paths(below, f"{path} {name}")


def test_every_command_and_option_appears() -> None:
    text = (DOCS / "commands.md").read_text()
    sections = dict(re.findall(r"^##+ (truyvet[^\n]*)\n\n```text\n(.*?)^```$", text, re.M | re.S))
    found = dict(paths(truyvet, "truyvet"))
    assert sections.keys() == found.keys()
    for path, command in found.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert max(parameter.opts, key=len) in sections[path], f"{path} {parameter.name}"


def test_every_table_and_column_appears(tmp_path: Path) -> None:
    text = (DOCS / "tables.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.M | re.S))
    with open_store(tmp_path) as db:
        agent = {name: {column.name for column in db[name].columns} for name in db.table_names()}
    servers = {table.name: set(table.columns.keys()) for table in metadata.tables.values()}
    for name, columns in {**agent, **servers}.items():
        assert first_cells(sections[name]) == columns, name


@pytest.mark.slow
@pytest.mark.parametrize("page", ["settings", "commands", "tables"])
def test_a_changed_page_fails_the_check(copy: Path, page: str) -> None:
    path = copy / "docs" / f"{page}.md"
    text = path.read_text()
    path.write_text(text + "\n")
    checked = generate(copy, "--check")
    assert checked.returncode == 1
    assert checked.stderr == f"docs/{page}.md is out of date: run make generate\n"
    generate(copy)
    assert path.read_text() == text


@pytest.mark.slow
def test_the_pages_do_not_depend_on_who_makes_them(copy: Path) -> None:
    checked = generate(copy, "--check", LANG="vi_VN.UTF-8", TRUYVET_LANG="vi", COLUMNS="40")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_examples_of_notifications_run(tmp_path: Path) -> None:
    scripts = blocks(DOCS / "settings.md", "sh")
    assert len(scripts) == 3
    light = tmp_path / "ACT"
    light.mkdir()
    for name in ("sendmail", "curl"):
        stub = tmp_path / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/done"\n')
        stub.chmod(0o755)
    for script in scripts:
        path = tmp_path / "notify"
        path.write_text(script.replace("/sys/class/leds/ACT", str(light)))
        path.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run([str(path), "high", "2026-11-02"], check=True, env=environment)
    done = (tmp_path / "done").read_text()
    assert done.startswith("sendmail -t\ncurl ")
    # They pass through the machines of others, so they say neither level nor day.
    assert "high" not in done
    assert "2026-11-02" not in done
    assert (light / "brightness").read_text() == "1\n"
