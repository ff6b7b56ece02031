"""The command `truyvet`, whose subcommands are found by entry point."""

from __future__ import annotations

import contextlib
import sys
from importlib.metadata import entry_points
from typing import NoReturn

import click

from tracing_core.commands import Group, language_of
from tracing_core.errors import MissingExtra, TracingError
from tracing_core.process.import_path import OWN_PACKAGES, hiding_file, put_own_packages_first
from tracing_core.process.output import OutputFailed, discard_outputs, prepare_outputs
from tracing_core.texts import Text, default_language

__all__ = ["main", "truyvet"]

_GROUP = "truyvet.commands"
# Written here, so that asking for help imports no package.
_SUMMARIES = {
    "agent": Text(
        en="Run this device's agent, and look after it.",
        vi="Chạy và điều khiển chương trình trên thiết bị này.",
    ),
    "air": Text(
        en="Serve virtual Bluetooth controllers over TCP.",
        vi="Cung cấp bộ điều khiển Bluetooth ảo qua TCP.",
    ),
    "demo": Text(
        en="Play the whole story on this machine.",
        vi="Diễn lại toàn bộ câu chuyện trên máy này.",
    ),
    "match": Text(
        en="Match a log against key files.",
        vi="Đối chiếu một nhật ký với các tệp khóa.",
    ),
    "match-many": Text(
        en="Match many logs against key files.",
        vi="Đối chiếu nhiều nhật ký với các tệp khóa.",
    ),
    "server": Text(
        en="Run and operate a key server.",
        vi="Chạy và vận hành máy chủ khóa.",
    ),
}
# The extra that brings the libraries of a command.
_EXTRAS = {
    "agent": "agent",
    "air": "hci",
    "demo": "all",
    "match": "matcher",
    "match-many": "matcher",
    "server": "server",
}
_OUTPUT_FAILED = Text(
    en="the output cannot be written ({reason}): free some space, or write it elsewhere",
    vi="không ghi được kết quả ({reason}): hãy giải phóng dung lượng hoặc ghi vào nơi khác",
)


class _Commands(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group=_GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group=_GROUP, name=cmd_name):
            command = entry.load()
            assert isinstance(command, click.Command)
            return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        language = language_of(ctx)
        summaries = {name: text.in_(language) for name, text in _SUMMARIES.items()}
        rows = [(name, summaries.get(name, "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=Text(
        en="Bluetooth proximity contact tracing over the Exposure Notification protocol.",
        vi="Truy vết tiếp xúc gần qua Bluetooth theo giao thức Exposure Notification.",
    ),
)
@click.version_option(package_name="truyvet")
def truyvet() -> None:
    """Bluetooth proximity contact tracing over the Exposure Notification protocol."""


def main() -> None:
    """Run `truyvet`; an expected error is one line on standard error and exit code 1."""
    prepare_outputs()
    try:
        try:
            _run()
        finally:
            # Python itself would find out only at its end, and print a traceback.
            _flush()
    except OutputFailed as error:
        _exit_without_output(error)


def _run() -> None:
    put_own_packages_first()
    try:
        truyvet.main(prog_name="truyvet")
    except TracingError as error:
        click.echo(f"truyvet: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        _say_what_hides(error)
        extra = next((_EXTRAS[word] for word in sys.argv[1:] if word in _EXTRAS), None)
        library = (error.name or "").partition(".")[0]
        # A missing module of our own is a bug in the program, so its traceback is shown.
        if extra is None or library in {"", *OWN_PACKAGES}:
            raise
        click.echo(f"truyvet: {MissingExtra(library, extra=extra)}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output, such as `head`, went away; that is not an error.
        sys.stderr.close()
        sys.exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A closed one was dealt with, and the reader of a pipe may have gone.
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()


def _exit_without_output(error: OutputFailed) -> NoReturn:
    line = _OUTPUT_FAILED.filled(default_language(), reason=error.strerror)
    with contextlib.suppress(OSError):
        click.echo(f"truyvet: {line}", err=True)
    discard_outputs()
    sys.exit(1)


def _say_what_hides(error: ModuleNotFoundError) -> None:
    """Exit with one line if another file is imported in place of our package."""
    package = (error.name or "").partition(".")[0]
    if package in OWN_PACKAGES and (file := hiding_file(package)):
        click.echo(
            f"truyvet: {file} hides truyvet's package {package}: rename that file, or remove its"
            " folder from PYTHONPATH",
            err=True,
        )
        sys.exit(1)
