"""The command `truyvet agent`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracing_core.errors import TracingError

if TYPE_CHECKING:
    from ble_agent.app.outcome import Outcome
    from ble_agent.config import AgentConfig
    from tracing_core.clock import Clock

__all__ = ["agent"]

_MOST_NAMES = 10
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_SERVER = click.option("--server", help="Where the server is now, if not where you joined it.")
_RADIO = click.option(
    "--radio",
    help="Which radio: auto (if none is named), bluez[:hci0], mgmt[:hci0], hci:TRANSPORT, android"
    " or replay:FILE.",
)


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    kept = ctx.ensure_object(dict)
    if value is not None:
        kept[parameter.name] = value


_EVERYWHERE: list[click.Parameter] = [
    click.Option(
        ["--home"],
        # Whether it may be read is said in the owner's language by whoever reads it.
        type=click.Path(path_type=Path, readable=False),
        expose_value=False,
        callback=_keep,
        help="Folder of this device's data.  [default: $TRUYVET_HOME or"
        " ~/.local/share/truyvet/agent]",
    ),
    click.Option(
        ["--lang"],
        type=click.Choice(["vi", "en"]),
        expose_value=False,
        callback=_keep,
        help="Language.  [default: the locale's]",
    ),
]


class _Agent(click.Group):
    """Takes some options before and after a command, and says errors in the owner's language."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.extend(_EVERYWHERE)
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TracingError as error:
            from ble_agent.messages.explanation import explain
            from ble_agent.messages.language import default_language

            language = (ctx.obj or {}).get("lang") or default_language()
            text = explain(error, language)
            raise TracingError(text) from error


@click.group(
    cls=_Agent, params=_EVERYWHERE, context_settings={"help_option_names": ["-h", "--help"]}
)
def agent() -> None:
    """Run and ask this device's agent: it sends and records identifiers and checks for exposures.

    Chạy và hỏi chương trình trên thiết bị này.
    """


def _config(ctx: click.Context, **said: Any) -> AgentConfig:
    # Not before a command really runs, so that asking for help stays quick.
    from ble_agent.config import default_home, load_config

    config = load_config(ctx.obj.get("home") or default_home(), lang=ctx.obj.get("lang"), **said)
    ctx.obj["lang"] = config.lang
    return config


def _confirm(lang: str, question: str, *, otherwise: str = "nothing_done") -> None:
    """Ask on standard error, and end with exit code 1 unless the answer is yes.

    `otherwise` names the text to print then.
    """
    from ble_agent.messages.catalogue import say
    from ble_agent.messages.language import is_yes

    if not question:
        return
    try:
        asked = f"{question} {say('yes_or_no', lang)}"
        answer = click.prompt(asked, default="", show_default=False, err=True)
    except click.Abort:
        # The end of the input, or Ctrl-C; the line is not ended by either.
        click.echo(err=True)
        answer = ""
    if not is_yes(answer, lang):
        click.echo(say(otherwise, lang), err=True)
        raise click.exceptions.Exit(1)


def _clock() -> Clock:
    from tracing_core.clock import clock_from_environment

    return clock_from_environment()


def _print(outcome: Outcome, *, as_json: bool) -> None:
    """Print an outcome, and raise the error that it ends with."""
    click.echo(json.dumps(outcome.facts, ensure_ascii=False) if as_json else outcome.text)
    if outcome.failure is not None:
        raise outcome.failure


@agent.command()
@click.argument("line", metavar="URL#FINGERPRINT|FILE")
@_YES
@_JSON
@click.pass_context
def join(ctx: click.Context, line: str, yes: bool, as_json: bool) -> None:
    """Join a health authority by the line that it gives out.

    URL#FINGERPRINT is that line; FILE is a file that holds it. A device has one authority: joining
    another one drops what the first one's keys matched, and keeps all that was heard.
    """
    from ble_agent.app import commands

    config = _config(ctx)
    parsed = commands.join_line(line)
    if not yes:
        _confirm(config.lang, commands.join_question(config, parsed))
    _print(commands.join(config, _clock(), parsed), as_json=as_json)


@agent.command("run")
@_RADIO
@_SERVER
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.pass_context
def run_(ctx: click.Context, radio: str | None, server: str | None, verbose: bool) -> None:
    """Send and record identifiers and check, until stopped."""
    from ble_agent.app.running import run

    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("ble_agent").setLevel(logging.DEBUG if verbose else logging.INFO)
    run(_config(ctx, radio=radio, server=server), _clock())


@agent.command("status")
@_JSON
@click.pass_context
def status_(ctx: click.Context, as_json: bool) -> None:
    """Tell what works and what does not, and what to do."""
    from ble_agent.app.status import status

    _print(status(_config(ctx), _clock()), as_json=as_json)


@agent.command()
@_SERVER
@_JSON
@click.pass_context
def check(ctx: click.Context, server: str | None, as_json: bool) -> None:
    """Fetch new keys and tell if this device was near any."""
    from ble_agent.app import commands

    _print(commands.check(_config(ctx, server=server), _clock()), as_json=as_json)


@agent.command()
@click.argument("code")
@_YES
@_SERVER
@_JSON
@click.pass_context
def report(ctx: click.Context, code: str, yes: bool, server: str | None, as_json: bool) -> None:
    """Report a test by the CODE that the authority gave you."""
    from ble_agent.app import commands

    config, clock = _config(ctx, server=server), _clock()
    if not yes:
        _confirm(config.lang, commands.report_question(config, clock))
    _print(commands.report(config, clock, code), as_json=as_json)


@agent.command()
@_YES
@_JSON
@click.pass_context
def erase(ctx: click.Context, yes: bool, as_json: bool) -> None:
    """Delete all that was recorded, the keys and settings.

    Files in the folder that are not the agent's stay, and are named.
    """
    from ble_agent.app.outcome import Outcome
    from ble_agent.config import default_home
    from ble_agent.messages.catalogue import say
    from ble_agent.messages.language import default_language
    from ble_agent.store.home import erase_home

    # Settings that cannot be read must not keep anybody from leaving.
    home = ctx.obj.get("home") or default_home()
    try:
        lang = _config(ctx).lang
    except TracingError:
        lang = ctx.obj.get("lang") or default_language()
    if not yes:
        _confirm(lang, say("erase_question", lang), otherwise="nothing_erased")
    left = erase_home(home)
    names = ", ".join(left[:_MOST_NAMES] + ["…"] * (len(left) > _MOST_NAMES))
    text = say("erased_but", lang, folder=home, names=names) if left else say("erased", lang)
    _print(Outcome({"erased": True, "left": left}, text), as_json=as_json)


@agent.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, readable=False))
@_JSON
@click.pass_context
def export(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write what was heard to FILE, as JSON Lines.

    The file is gzipped if its name ends in .gz.
    """
    from ble_agent.app import commands

    _print(commands.export_log(_config(ctx), file), as_json=as_json)


@agent.command("import")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--dry-run", is_flag=True, help="Only tell what would be added.")
@_JSON
@click.pass_context
def import_(ctx: click.Context, file: Path, dry_run: bool, as_json: bool) -> None:
    """Add what another app or device heard, from FILE.

    FILE is JSON Lines, gzipped or not; another agent's agent.db; microG's exposure.db; the
    LevelDB folder of Google Play Services; or RaMBLE's database. What is read of them:
    docs/importing.md.
    """
    from ble_agent.app import commands

    outcome = commands.import_log(_config(ctx), _clock(), file, dry_run=dry_run)
    _print(outcome, as_json=as_json)


@agent.command("self-test")
@_RADIO
@_JSON
@click.pass_context
def self_test(ctx: click.Context, radio: str | None, as_json: bool) -> None:
    """Really send and listen, and say what works."""
    from ble_agent.app import commands

    outcome = commands.self_test(_config(ctx, radio=radio), _clock())
    _print(outcome, as_json=as_json)
    ctx.exit(0 if outcome.facts["ok"] else 1)
