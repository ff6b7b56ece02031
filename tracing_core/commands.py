"""Commands whose help and usage errors come in the language of the person who types them.

Use `Group`, `Command` and `Option` in place of click's, and give their help as a `Text`::

    @click.group(cls=Group, help=Text(en="Run this device's agent.", vi="Chạy …"))
    def agent() -> None: ...

    @agent.command(help=Text(en="Show what works.", vi="Cho biết …"))
    @click.option("--json", cls=Option, help=Text(en="Print JSON.", vi="In JSON."))
    def status(json: bool) -> None: ...

The language is that of ``--lang`` anywhere on the command line, else of ``TRUYVET_LANG``, else of
the locale; inside a command, `language_of` returns it. Help given as a plain string stays
English. Usage errors of every command below a `Group` are translated, whatever the command's class.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import click

from tracing_core.texts import LANGUAGES, Text, default_language

__all__ = ["Command", "Group", "Option", "language_of"]

_META = "tracing_core.commands.language"

_HEADINGS = {
    "Options": "Tùy chọn",
    "Commands": "Các lệnh",
    "Positional arguments": "Tham số",
}
_METAVARS = (("[OPTIONS]", "[TÙY CHỌN]"), ("COMMAND [ARGS]...", "LỆNH [THAM SỐ]..."))
_OPTION_HELP = {
    "Show this message and exit.": "Hiện hướng dẫn này rồi thoát.",
    "Show the version and exit.": "Hiện phiên bản rồi thoát.",
}
# What click adds to an option's help, in brackets at its end.
_EXTRAS = (
    ("default: ", "mặc định: "),
    ("env var: ", "biến môi trường: "),
    ("required", "bắt buộc"),
)
_USAGE, _ERROR, _HINT = "Cách dùng:", "Lỗi: ", "Gõ '{command} {option}' để xem hướng dẫn."

# The messages of click 8.2 to 8.5; a message that matches none of these stays English.
_SENTENCES = tuple(
    (re.compile(english, re.DOTALL), vietnamese)
    for english, vietnamese in (
        (r"No such option:? (.+?)\.?", "Không có tùy chọn {0}."),
        (r"No such command (.+?)\.", "Không có lệnh {0}."),
        (r"Missing command\.", "Thiếu lệnh."),
        (r"Missing argument (.+?)\.(.*)", "Thiếu tham số {0}.{1}"),
        (r"Missing option (.+?)\.(.*)", "Thiếu tùy chọn {0}.{1}"),
        (r"Choose from:\n(.+)", "Chọn một trong:\n{0}"),
        (r"Missing parameter:? (.+?)\.?", "Thiếu tham số {0}."),
        (r"Got unexpected extra arguments? \((.+)\)", "Thừa tham số: {0}"),
        (r"Option (.+?) requires an argument\.", "Tùy chọn {0} cần một giá trị."),
        (r"Option (.+?) requires (\d+) arguments\.", "Tùy chọn {0} cần {1} giá trị."),
        (r"Option (.+?) does not take a value\.", "Tùy chọn {0} không nhận giá trị."),
        (r"Argument (.+?) takes (\d+) values\.", "Tham số {0} nhận {1} giá trị."),
        (r"(.+) is not one of (.+)\.", "{0} không phải là một trong: {1}."),
        (r"(.+) is not a valid integer( range)?\.", "{0} không phải là số nguyên."),
        (r"(.+) is not a valid float( range)?\.", "{0} không phải là số."),
        (r"(.+) is not a valid boolean\..*", "{0} không phải là yes hay no."),
        (r"(.+) is not in the range (.+)\.", "{0} nằm ngoài khoảng {1}."),
        (r"(.+) does not match the formats? (.+)\.", "{0} không đúng dạng {1}."),
        (r"(?:File|Directory|Path) (.+) does not exist\.", "{0} không tồn tại."),
        (r"(?:File|Directory|Path) (.+) is a file\.", "{0} là tệp, không phải thư mục."),
        (r"(?:File|Directory|Path) (.+) is a directory\.", "{0} là thư mục, không phải tệp."),
        (r"(?:File|Directory|Path) (.+) is not readable\.", "không đọc được {0}."),
        (r"(?:File|Directory|Path) (.+) is not writable\.", "không ghi được {0}."),
        (r"('.+'): No such file or directory", "{0} không tồn tại."),
        (r"('.+'): Is a directory", "{0} là thư mục, không phải tệp."),
        (r"('.+'): Permission denied", "không có quyền mở {0}."),
    )
)
_SUGGESTION = re.compile(
    r"(.*?) \(?(?:Did you mean(?: one of:)?|Possible options:) (.+?)\??\)?", re.DOTALL
)
_INVALID_FOR = re.compile(r"Invalid value for (.+?): (.*)", re.DOTALL)
_INVALID = re.compile(r"Invalid value: (.*)", re.DOTALL)


def language_of(ctx: click.Context | None = None) -> str:
    """Return the language of a command line; without a context, of the current one."""
    ctx = ctx or click.get_current_context(silent=True)
    found = None if ctx is None else ctx.meta.get(_META)
    return str(found) if found else default_language()


def _named_language(arguments: Sequence[str]) -> str | None:
    """Return the language that ``--lang`` names; searched for here, since help is shown first."""
    for word, following in itertools.pairwise([*arguments, ""]):
        if word == "--":
            return None
        option, _, value = word.partition("=")
        if option == "--lang" and (value or following) in LANGUAGES:
            return value or following
    return None


def _translated(message: str) -> str:
    suggestion = _SUGGESTION.fullmatch(message)
    if suggestion:
        return f"{_translated(suggestion[1])} Ý bạn là {suggestion[2]}?"
    if match := _INVALID_FOR.fullmatch(message):
        return f"Giá trị của {match[1]} không hợp lệ: {_translated(match[2])}"
    if match := _INVALID.fullmatch(message):
        return f"Giá trị không hợp lệ: {_translated(match[1])}"
    for english, vietnamese in _SENTENCES:
        if match := english.fullmatch(message):
            return vietnamese.format(*map(_of_part, match.groups("")))
    return message


def _of_part(part: str) -> str:
    # What click adds after a missing argument is a separate sentence.
    return f" {_translated(part[1:])}" if part.startswith(" ") else part


class _Formatter(click.HelpFormatter):
    """Writes click's own words in Vietnamese."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        for english, vietnamese in _METAVARS:
            args = args.replace(english, vietnamese)
        super().write_usage(prog, args, prefix or f"{_USAGE} ")

    def write_heading(self, heading: str) -> None:
        super().write_heading(_HEADINGS.get(heading, heading))

    def write_dl(self, rows: Iterable[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().write_dl([(first, _option_help(text)) for first, text in rows], *args, **kwargs)


def _option_help(text: str) -> str:
    text = _OPTION_HELP.get(text, text)
    head, bracket, extras = text.rpartition("[")
    if bracket and extras.endswith("]"):
        for english, vietnamese in _EXTRAS:
            extras = re.sub(rf"(^|; ){english}", rf"\g<1>{vietnamese}", extras)
    return head + bracket + extras


class _Context(click.Context):
    def make_formatter(self) -> click.HelpFormatter:
        if language_of(self) != "vi":
            return super().make_formatter()
        return _Formatter(width=self.terminal_width, max_width=self.max_content_width)


class _UsageError(click.UsageError):
    """A usage error in Vietnamese."""

    def show(self, file: IO[Any] | None = None) -> None:
        lines = []
        if self.ctx is not None:
            formatter = _Formatter(
                width=self.ctx.terminal_width, max_width=self.ctx.max_content_width
            )
            self.ctx.command.format_usage(self.ctx, formatter)
            lines.append(formatter.getvalue().rstrip("\n"))
            names = self.ctx.command.get_help_option_names(self.ctx)
            if names:
                option = max(names, key=len)
                lines.append(_HINT.format(command=self.ctx.command_path, option=option))
            lines.append("")
        lines.append(_ERROR + self.format_message())
        click.echo("\n".join(lines), file=file, err=file is None)


@contextlib.contextmanager
def _usage_errors(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        # The message of `NoArgsIsHelpError` is the help itself.
        is_done = isinstance(error, _UsageError | click.exceptions.NoArgsIsHelpError)
        if is_done or language_of(ctx) != "vi":
            raise
        raise _UsageError(_translated(error.format_message()), error.ctx) from error


class Option(click.Option):
    """An option whose help may be a `Text`."""

    def __init__(
        self,
        param_decls: Sequence[str] | None = None,
        *,
        help: Text | str | None = None,
        **kwargs: Any,
    ) -> None:
        self._text = help if isinstance(help, Text) else None
        super().__init__(param_decls, help=help.en if isinstance(help, Text) else help, **kwargs)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option's names and its help, in the language of the command line."""
        record = super().get_help_record(ctx)
        if record is None or self._text is None or language_of(ctx) != "vi":
            return record
        # What click adds after the help, such as the default, stays.
        return record[0], self._text.vi + record[1].removeprefix(self._text.en)


class Command(click.Command):
    """A command whose help may be a `Text`."""

    context_class = _Context

    def __init__(self, name: str | None, *, help: Text | str | None = None, **kwargs: Any) -> None:
        self._text = help if isinstance(help, Text) else None
        super().__init__(name, help=help.en if isinstance(help, Text) else help, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, the language first."""
        named = _named_language(args)
        if named is not None or _META not in ctx.meta:
            ctx.meta[_META] = named or default_language()
        with _usage_errors(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _usage_errors(ctx):
            return super().invoke(ctx)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help in the language of the command line."""
        if self._text is None or language_of(ctx) != "vi":
            super().format_help_text(ctx, formatter)
            return
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(inspect.cleandoc(self._text.vi))

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence of the help in the language of the command line."""
        if self._text is None or language_of() != "vi":
            return super().get_short_help_str(limit)
        paragraph = inspect.cleandoc(self._text.vi).partition("\n\n")[0]
        sentence = " ".join(paragraph.split()).partition(". ")[0].rstrip(".")
        if len(sentence) + 1 <= limit:
            return f"{sentence}."
        return sentence[: limit - 3].rpartition(" ")[0] + "..."


class Group(Command, click.Group):
    """A group of commands whose help may be a `Text`; its commands are `Command`s."""

    command_class = Command
