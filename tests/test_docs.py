"""What the documents say is held against the project: commands, files, links, examples."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import click
import pytest

from ble_agent.messages.catalogue import MESSAGES
from tracing_core.cli import truyvet
from tracing_core.export_file import ExportFile, write_export
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik
from tracing_core.store.sighting import Sighting, write_json_lines

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "packaging/*/README.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# What a console block may show besides commands of ours.
OTHER_COMMANDS = {"pip", "git", "cd", "sudo", "bash", "python3", ".", "ssh", "systemd-analyze"}


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return [text for _, kind, text in FENCE.findall(path.read_text()) if kind == language]


def commands() -> list[tuple[str, str]]:
    return [
        (short(path), line.strip().removeprefix("$ "))
        for path in DOCUMENTS
        for block in blocks(path, "console")
        for line in block.splitlines()
        if line.strip().startswith("$ ")
    ]


def mentions() -> list[tuple[str, str]]:
    """Commands in running text, as `truyvet agent check`."""
    found = []
    for path in DOCUMENTS:
        prose = FENCE.sub("", path.read_text())
        found += [(short(path), text) for text in re.findall(r"`(truyvet [^`\n]+)`", prose)]
    return found


def parse(words: list[str], *, whole: bool = True) -> None:
    """Let the real command line read the words, without carrying anything out.

    Unless they are a whole command, its arguments may be missing.
    """
    command: click.Command = truyvet
    parent: click.Context | None = None
    name = "truyvet"
    while True:
        try:
            context = command.make_context(name, list(words), parent=parent)
        except click.exceptions.Exit:
            return
        except click.UsageError as error:
            # Example files and folders need not be there.
            absent = isinstance(error, click.BadParameter) and "does not exist" in error.message
            missing = isinstance(
                error, (click.MissingParameter, click.exceptions.NoArgsIsHelpError)
            )
            if absent or (missing and not whole):
                return
            raise
        if not isinstance(command, click.Group):
            return
        words = [*context._protected_args, *context.args]
        found = command.get_command(context, words[0])
        assert found is not None, f"{name} has no command {words[0]}"
        command, parent, name = found, context, words[0]
        words = words[1:]


def check_command(text: str) -> None:
    words = shlex.split(text, comments=True)
    if words[0] == "sudo":
        words = words[3:] if words[1] == "-u" else words[1:]
        if words[0] not in {"truyvet-agent", "/opt/truyvet/bin/truyvet"}:
            return
        # As packaging/raspberry-pi/truyvet-agent does.
        words[:1] = ["truyvet", "agent"] if words[0] == "truyvet-agent" else ["truyvet"]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert next(word for word in words[1:] if "=" not in word) in targets
    elif words[0] == "truyvet":
        parse(words[1:])
    else:
        assert words[0] in OTHER_COMMANDS, f"{words[0]} is not a command a reader has"


@pytest.mark.parametrize(("document", "text"), commands())
def test_every_command_shown_is_one(document: str, text: str) -> None:
    check_command(text)


@pytest.mark.parametrize(("document", "text"), mentions())
def test_every_command_mentioned_is_one(document: str, text: str) -> None:
    parse(shlex.split(text)[1:], whole=False)


def test_the_check_of_commands_finds_what_is_wrong() -> None:
    for wrong in (
        "truyvet agent rum",
        "truyvet match log.jsonl e --riks x",
        "make tset",
        "sudo truyvet-agent statsu",
        "sudo -u truyvet-server /opt/truyvet/bin/truyvet server rum",
    ):
        with pytest.raises((AssertionError, click.UsageError)):
            check_command(wrong)


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_every_file_named_exists(path: Path) -> None:
    text = path.read_text()
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|json|proto|sh|toml))(?:::\w+)?`", text)
    produced = {"truyvet-demo"}
    missing = [
        name for name in named if not (ROOT / name).exists() and name.split("/")[0] not in produced
    ]
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = target.partition("#")
        if "://" in target:
            continue
        where = path.parent / target if target else path
        if not where.exists():
            missing.append(target)
        elif anchor and anchor not in anchors(where):
            missing.append(f"{target}#{anchor}")
    assert not missing


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as readers of Markdown make them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_document_that_code_names_exists() -> None:
    named = {
        (short(path), name)
        for package in ("tracing_core", "ble_agent", "matcher", "server")
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"\bdocs/[\w/-]+\.\w+", path.read_text())
    }
    assert not {each for each in named if not (ROOT / each[1]).exists()}


def test_the_vietnamese_guide_quotes_what_the_agent_says() -> None:
    table = (ROOT / "docs/huong-dan.md").read_text().partition("## Khi có trục trặc")[2]
    said = [text.vi for text in MESSAGES.values()]
    quoted = [
        quote for row in re.findall(r"^\| (\S.*?) \|", table, re.M) for quote in row.split(", ")
    ]
    assert quoted.pop(0) == "dòng báo"
    assert len(quoted) >= 7
    for quote in quoted:
        assert any(text.startswith(quote) for text in said), quote


def test_the_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / "docs/threat-model.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 12
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


@pytest.fixture
def researcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the log and the key files of the README's example."""
    monkeypatch.chdir(tmp_path)
    first = 2_900_000 // 144 * 144
    key = DiagnosisKey(bytes(range(16)), first, 144, ReportType.CONFIRMED_TEST, 0)
    rpis = derive_rpis(derive_rpik(key.key_data), first, 144)
    sightings = [
        Sighting(rpis[step], bytes(4), (-60,), (first + step) * 600 + 30) for step in range(6)
    ]
    write_json_lines(tmp_path / "log.jsonl", sightings)
    export = ExportFile(
        start_timestamp=(first + 144) * 600,
        end_timestamp=(first + 288) * 600,
        region="VN",
        batch_num=1,
        batch_size=1,
        keys=[key],
        revised_keys=[],
        signature_infos=(),
    )
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "1.zip").write_bytes(write_export(export, []))
    return tmp_path


def test_the_readme_example_runs(researcher: Path) -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    assert "Matched   1 key, 6 identifiers, 6 sightings" in printed.getvalue()
