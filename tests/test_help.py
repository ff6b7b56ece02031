"""The help of every command and option, in both languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import click
import pytest
from click.testing import CliRunner

from tracing_core.cli import truyvet
from tracing_core.commands import Command, Option

MARKS = set("ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ")
# What is typed, and what a placeholder of the usage stands for, is the same in both languages.
NAMES = re.compile(r"--[a-z-]+|`[^`]+`|\$\w+|\b\w+://\S+\w|\b[A-Z]{3,}[A-Z_#]*\b|\b\w+\.\w+\b")


def commands(
    command: click.Command = truyvet, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words to type."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*words, name))


COMMANDS = dict(commands())
OPTIONS = {
    (*words, parameter.opts[-1]): (command, parameter)
    for words, command in COMMANDS.items()
    for parameter in command.params
    # The help of click's own option is tested where it is translated.
    if isinstance(parameter, click.Option) and parameter.name != "version"
}


def in_both(monkeypatch: pytest.MonkeyPatch, read: Callable[[], str]) -> tuple[str, str]:
    """Return a text in English and in Vietnamese."""
    texts = []
    for language in ("en", "vi"):
        monkeypatch.setenv("TRUYVET_LANG", language)
        texts.append(read())
    return texts[0], texts[1]


def check(english: str, vietnamese: str) -> None:
    """Check that two texts are a translation of each other, as far as that can be seen."""
    assert english
    assert english != vietnamese
    assert not MARKS & set(english.lower())
    assert MARKS & set(vietnamese.lower())
    assert vietnamese == unicodedata.normalize("NFC", vietnamese)
    assert set(NAMES.findall(english)) == set(NAMES.findall(vietnamese))
    assert english.count("\n\n") == vietnamese.count("\n\n")


def test_every_command_is_looked_at() -> None:
    found = {" ".join(words) for words in COMMANDS}
    assert found >= {"agent run", "air", "demo", "match", "match-many", "server issue"}
    assert len(OPTIONS) > 80


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_has_help_in_both_languages(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = COMMANDS[words]
    assert isinstance(command, Command)

    def long() -> str:
        formatter = click.HelpFormatter(width=10_000)
        command.format_help_text(click.Context(command), formatter)
        return formatter.getvalue()

    check(*in_both(monkeypatch, long))


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_an_option_has_help_in_both_languages(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, option = OPTIONS[words]
    assert isinstance(option, Option)

    def text() -> str:
        record = option.get_help_record(click.Context(command))
        assert record is not None
        return record[1]

    check(*in_both(monkeypatch, text))


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize("name", ["agent", "server"])
def test_a_list_of_commands_is_whole_sentences(name: str, language: str) -> None:
    runner = CliRunner(env={"TRUYVET_LANG": language})
    output = runner.invoke(truyvet, [name, "--help"], terminal_width=80).output
    rows = re.split(r"\n(?:Commands|Các lệnh):\n", output)[1].splitlines()
    assert len(rows) == len([words for words in COMMANDS if words[:-1] == (name,)])
    assert all(row.endswith(".") and "..." not in row for row in rows)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_page_in_vietnamese_has_no_english_of_clicks(words: tuple[str, ...]) -> None:
    runner = CliRunner(env={"TRUYVET_LANG": "vi"})
    output = runner.invoke(truyvet, [*words, "--help"]).output
    assert output.startswith("Cách dùng: ")
    for english in ("Usage", "Options", "Commands:", "[default", "[required", "Show "):
        assert english not in output
