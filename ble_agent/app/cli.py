"""The command `truyvet agent`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ble_agent.messages.commands.health import TEXTS as HEALTH
from ble_agent.messages.commands.help import TEXTS
from tracing_core.commands import Group, Option, language_of
from tracing_core.errors import TracingError
from tracing_core.process.output import takes_unicode

if TYPE_CHECKING:
    from ble_agent.app.outcome import Outcome
    from ble_agent.config import AgentConfig
    from tracing_core.clock import Clock

__all__ = ["agent"]

_MOST_NAMES = 10
_JSON = click.option("--json", "as_json", cls=Option, is_flag=True, help=TEXTS["help_json"])
_YES = click.option("--yes", cls=Option, is_flag=True, help=TEXTS["help_yes"])
_SERVER = click.option("--server", cls=Option, help=TEXTS["help_server"])
_RADIO = click.option("--radio", cls=Option, help=TEXTS["help_radio"])


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    kept = ctx.ensure_object(dict)
    if value is not None:
        kept[parameter.name] = value


_EVERYWHERE: list[click.Parameter] = [
    Option(
        ["--home"],
        # Reading it fails with a better error than click's.
        type=click.Path(path_type=Path, readable=False),
        expose_value=False,
        callback=_keep,
        help=TEXTS["help_home"],
    ),
    Option(
        ["--lang"],
        type=click.Choice(["vi", "en"]),
        expose_value=False,
        callback=_keep,
        help=TEXTS["help_lang"],
    ),
]


class _Lines(logging.Formatter):
    """Lines of the log, whose commands name the home folder where they must."""

    def __init__(self, home: str) -> None:
        super().__init__("%(levelname)s %(message)s")
        self._home = home

    def format(self, record: logging.LogRecord) -> str:
        return str(_with_home(super().format(record), self._home))


class _Agent(Group):
    """Takes options before and after a command, and explains errors in the owner's language."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.extend(_EVERYWHERE)
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TracingError as error:
            from ble_agent.messages.explanation import explain

            # The settings may name another language than the command line.
            language = (ctx.obj or {}).get("lang") or language_of(ctx)
            line = _with_home(explain(error, language), _named_home(ctx))
            raise TracingError(line) from error


@click.group(
    cls=_Agent,
    params=_EVERYWHERE,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=TEXTS["help_agent"],
)
def agent() -> None:
    """Run this device's agent."""


def _config(ctx: click.Context, **said: Any) -> AgentConfig:
    # Imported only when a command really runs, so that asking for help stays quick.
    from ble_agent.config import default_home, load_config

    config = load_config(ctx.obj.get("home") or default_home(), lang=ctx.obj.get("lang"), **said)
    ctx.obj["lang"] = config.lang
    return config


def _confirm(lang: str, question: str, *, otherwise: str = "nothing_done") -> None:
    """Ask on standard error, and end with exit code 1 unless the answer is yes.

    `otherwise` names the text to print then.
    """
    from ble_agent.messages.catalogue import say

    if question and not _ask(lang, question):
        click.echo(say(otherwise, lang), err=True)
        raise click.exceptions.Exit(1)


def _ask(lang: str, question: str) -> bool:
    """Ask on standard error, and return whether the answer is yes."""
    from ble_agent.messages.catalogue import say
    from ble_agent.messages.language import is_yes

    try:
        asked = f"{question} {say('yes_or_no', lang)}"
        answer = click.prompt(asked, default="", show_default=False, err=True)
    except click.Abort:
        # Neither the end of the input nor Ctrl-C ends the line.
        click.echo(err=True)
        answer = ""
    return is_yes(answer, lang)


def _clock() -> Clock:
    from tracing_core.clock import clock_from_environment

    return clock_from_environment()


def _print(ctx: click.Context, outcome: Outcome, *, as_json: bool) -> None:
    """Print an outcome, and raise the error that it ends with.

    The exit code is also 1 if something needs the owner.
    """
    home = _named_home(ctx)
    if as_json:
        # In an 8-bit locale a letter is escaped, never replaced.
        escaped = not takes_unicode(sys.stdout)
        click.echo(json.dumps(_with_home(outcome.facts, home), ensure_ascii=escaped))
    else:
        click.echo(_with_home(outcome.text, home))
        # An error of writing ends the command before this line.
        if sys.stdout.isatty():
            outcome.on_seen()
    if outcome.failure is not None:
        raise outcome.failure
    if outcome.needs_owner:
        ctx.exit(1)


def _named_home(ctx: click.Context) -> str:
    """Return the home folder that the command line names, which the next command must name too."""
    return str((ctx.obj or {}).get("home") or "")


def _with_home(value: Any, home: str) -> Any:
    """Return a value with the home folder in all commands that its texts name."""
    from ble_agent.messages.catalogue import with_home

    if isinstance(value, str):
        return with_home(value, home)
    if isinstance(value, Mapping):
        return {name: _with_home(each, home) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_home(each, home) for each in value]
    return value


@agent.command(help=TEXTS["help_join"])
@click.argument("line", metavar="URL#FINGERPRINT|FILE")
@_YES
@_JSON
@click.pass_context
def join(ctx: click.Context, line: str, yes: bool, as_json: bool) -> None:
    """Join a health authority."""
    from ble_agent.app import commands
    from ble_agent.authority.ledger_notes import EarlyNotes

    config, clock = _config(ctx), _clock()
    origin, agreed = commands.join_origin(line), None
    early = EarlyNotes(clock)
    if not yes:
        terms = commands.join_terms(config, clock, origin, early=early)
        _confirm(config.lang, terms.question(config.lang))
        agreed = terms.last_day
    outcome = commands.join(config, clock, origin, agreed=agreed, early=early)
    _print(ctx, outcome, as_json=as_json)


@agent.command("last-day", help=TEXTS["help_last_day"])
@click.option("--yes/--no", "answer", cls=Option, default=None, help=TEXTS["help_last_day_yes"])
@_JSON
@click.pass_context
def last_day(ctx: click.Context, answer: bool | None, as_json: bool) -> None:
    """Show the last day, and agree to it."""
    from ble_agent.app import joining

    config, clock = _config(ctx), _clock()
    known = joining.known_last_day(config, clock)
    if known.is_open and answer is None and sys.stdin.isatty() and not as_json:
        _confirm(config.lang, joining.last_day_question(known, config.lang))
        answer = True
    if answer is not None:
        joining.answer_last_day(config, clock, known, agrees=answer)
    _print(ctx, joining.last_day(config, clock), as_json=as_json)


@agent.command("run", help=TEXTS["help_run"])
@_RADIO
@_SERVER
@click.option("-v", "--verbose", cls=Option, is_flag=True, help=TEXTS["help_verbose"])
@click.pass_context
def run_(ctx: click.Context, radio: str | None, server: str | None, verbose: bool) -> None:
    """Run the agent until it is stopped."""
    from ble_agent.app.running import run

    home = _named_home(ctx)
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(home))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("ble_agent").setLevel(logging.DEBUG if verbose else logging.INFO)
    config = _config(ctx, radio=radio, server=server)
    run(config, _clock(), named_home=home)


@agent.command(help=TEXTS["help_page"])
@click.option("--no-open", cls=Option, is_flag=True, help=TEXTS["help_no_open"])
@click.option(
    "--lan", cls=Option, is_flag=False, flag_value="", metavar="[ADDRESS]", help=TEXTS["help_lan"]
)
@click.pass_context
def page(ctx: click.Context, no_open: bool, lan: str | None) -> None:
    """Serve the owner's page."""
    from tracing_core.errors import require

    for library in ("jinja2", "segno", "starlette", "uvicorn"):
        require(library, extra="page")
    from ble_agent.app.page.serving import serve
    from ble_agent.config import default_home, load_config

    home, said = ctx.obj.get("home") or default_home(), ctx.obj.get("lang")
    try:
        language = load_config(home, usual_lang="vi", lang=said).lang
    except TracingError:
        # Settings that cannot be read must not shut the owner out; the screens name them.
        language = said or "vi"
    ctx.obj["lang"] = language
    named = _named_home(ctx)
    serve(home, _clock(), language=language, named_home=named, should_open=not no_open, lan=lan)


@agent.command("status", help=TEXTS["help_status"])
@_JSON
@click.pass_context
def status_(ctx: click.Context, as_json: bool) -> None:
    """Show what works."""
    from ble_agent.app.status import status

    _print(ctx, status(_config(ctx), _clock()), as_json=as_json)


@agent.command(help=TEXTS["help_check"])
@_SERVER
@_JSON
@click.pass_context
def check(ctx: click.Context, server: str | None, as_json: bool) -> None:
    """Check for exposures."""
    from ble_agent.app import commands

    _print(ctx, commands.check(_config(ctx, server=server), _clock()), as_json=as_json)


@agent.command("area", help=TEXTS["help_area"])
@click.argument("words", nargs=-1, metavar="[NAME]")
@click.option("--in", "inside", cls=Option, metavar="NAME", default="", help=TEXTS["help_area_in"])
@click.option("--forget", cls=Option, is_flag=True, help=TEXTS["help_area_forget"])
@_JSON
@click.pass_context
def area_(
    ctx: click.Context, words: tuple[str, ...], inside: str, forget: bool, as_json: bool
) -> None:
    """Show or choose the own area."""
    from ble_agent.app.outcome import Outcome
    from ble_agent.owner.area_search import area

    if forget and (words or inside):
        raise click.UsageError("--forget stands alone")
    found = area(_config(ctx), _clock(), " ".join(words), inside=inside, should_forget=forget)
    outcome = Outcome(found.facts, found.text, needs_owner=found.needs_owner)
    _print(ctx, outcome, as_json=as_json)


@agent.command(help=TEXTS["help_report"])
@click.argument("code", nargs=-1, required=True, metavar="CODE")
@click.option("--onset", cls=Option, metavar="DAY", default="", help=HEALTH["help_onset"])
@_YES
@_SERVER
@_JSON
@click.pass_context
def report(
    ctx: click.Context,
    code: tuple[str, ...],
    onset: str,
    yes: bool,
    server: str | None,
    as_json: bool,
) -> None:
    """Report a test."""
    from ble_agent.app import commands
    from ble_agent.app.health.onset import proposed_question, stated_onset

    config, clock = _config(ctx, server=server), _clock()
    day = stated_onset(onset, clock)
    if not yes:
        preview = commands.report_preview(config, clock)
        if day is None and preview.onsets and _ask(config.lang, proposed_question(preview, config)):
            day = preview.onsets[0]
        _confirm(config.lang, preview.question(config.lang, day))
    _print(ctx, commands.report(config, clock, " ".join(code), day), as_json=as_json)


@agent.command(help=HEALTH["help_diary"])
@click.option("--day", cls=Option, metavar="DAY", default="", help=HEALTH["help_diary_day"])
@click.option(
    "--sign",
    cls=Option,
    multiple=True,
    type=click.Choice(["fever", "cough", "breath", "pneumonia", "throat", "tiredness"]),
    metavar="NAME",
    help=HEALTH["help_diary_sign"],
)
@click.option(
    "--met",
    cls=Option,
    multiple=True,
    type=click.Choice(["patient", "traveller", "ill"]),
    metavar="NAME",
    help=HEALTH["help_diary_met"],
)
@click.option(
    "--test",
    cls=Option,
    type=click.Choice(["negative", "positive"]),
    metavar="RESULT",
    help=HEALTH["help_diary_test"],
)
@click.option("--well", cls=Option, is_flag=True, help=HEALTH["help_diary_well"])
@click.option("--remove", cls=Option, is_flag=True, help=HEALTH["help_diary_remove"])
@_JSON
@click.pass_context
def diary(ctx: click.Context, /, as_json: bool, **asked: Any) -> None:
    """Show or change the health diary."""
    from ble_agent.app.health.diary import change_diary

    _print(ctx, change_diary(_config(ctx), _clock(), **asked), as_json=as_json)


@agent.command(help=TEXTS["help_erase"])
@_YES
@_JSON
@click.pass_context
def erase(ctx: click.Context, yes: bool, as_json: bool) -> None:
    """Delete the home folder."""
    from ble_agent.app.outcome import Outcome
    from ble_agent.config import default_home
    from ble_agent.messages.catalogue import say
    from ble_agent.store.home import erase_home, is_running

    # Settings that cannot be read must not prevent erasing.
    home = ctx.obj.get("home") or default_home()
    try:
        lang = _config(ctx).lang
    except TracingError:
        lang = ctx.obj.get("lang") or language_of(ctx)
    if not yes:
        asked = [say("erase_running", lang)] if is_running(home) else []
        asked.append(say("erase_question", lang))
        _confirm(lang, " ".join(asked), otherwise="nothing_erased")
    stops: list[str] = []
    left = erase_home(home, on_stop=lambda: stops.append(say("erase_stopped", lang)))
    names = ", ".join(left[:_MOST_NAMES] + ["…"] * (len(left) > _MOST_NAMES))
    text = say("erased_but", lang, folder=home, names=names) if left else say("erased", lang)
    text = "\n".join([text, *stops[:1]])
    _print(ctx, Outcome({"erased": True, "left": left}, text), as_json=as_json)


@agent.command("export", help=TEXTS["help_export"])
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, readable=False))
@click.option("--force", cls=Option, is_flag=True, help=TEXTS["help_force"])
@click.option(
    "--protocol",
    cls=Option,
    type=click.Choice(["gaen", "bluezone", "dp3t"]),
    metavar="NAME",
    default="gaen",
    show_default=True,
    help=TEXTS["help_export_protocol"],
)
@click.option("--all", "all_", cls=Option, is_flag=True, help=TEXTS["help_export_page"])
@click.option("--with-keys", cls=Option, is_flag=True, help=TEXTS["help_with_keys"])
@_JSON
@click.pass_context
def export(
    ctx: click.Context,
    file: Path,
    force: bool,
    protocol: str,
    all_: bool,
    with_keys: bool,
    as_json: bool,
) -> None:
    """Export the log, or all data."""
    from ble_agent.app import all_data, commands
    from ble_agent.messages.catalogue import say

    language = language_of(ctx)
    if with_keys and not all_:
        raise click.UsageError(say("export_all_only", language))
    if all_ and protocol != "gaen":
        raise click.UsageError(say("export_all_protocol", language))
    config = _config(ctx)
    if all_:
        outcome = all_data.export_page(config, _clock(), file, overwrite=force, with_keys=with_keys)
    elif protocol == "gaen":
        outcome = commands.export_log(config, _clock(), file, overwrite=force)
    else:
        outcome = commands.export_others(config, _clock(), file, protocol, overwrite=force)
    _print(ctx, outcome, as_json=as_json)


@agent.command("export-all", help=TEXTS["help_export_all"])
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, readable=False))
@click.option("--force", cls=Option, is_flag=True, help=TEXTS["help_force"])
@_JSON
@click.pass_context
def export_all(ctx: click.Context, file: Path, force: bool, as_json: bool) -> None:
    """Export all data."""
    from ble_agent.app import all_data

    outcome = all_data.export_all(_config(ctx), _clock(), file, overwrite=force)
    _print(ctx, outcome, as_json=as_json)


@agent.command("import", help=TEXTS["help_import"])
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--dry-run", cls=Option, is_flag=True, help=TEXTS["help_dry_run"])
@_JSON
@click.pass_context
def import_(ctx: click.Context, file: Path, dry_run: bool, as_json: bool) -> None:
    """Import a log."""
    from ble_agent.app import commands

    outcome = commands.import_log(_config(ctx), _clock(), file, dry_run=dry_run)
    _print(ctx, outcome, as_json=as_json)


@agent.command("take-over", help=TEXTS["help_take_over"])
@click.argument("folder", required=False, type=click.Path(path_type=Path, readable=False))
@_YES
@_JSON
@click.pass_context
def take_over(ctx: click.Context, folder: Path | None, yes: bool, as_json: bool) -> None:
    """Take over data of earlier apps."""
    from ble_agent.app import take_over as taking
    from ble_agent.messages.catalogue import say
    from ble_agent.messages.refusals import not_possible

    config = _config(ctx)
    folders = taking.where_to_look() if folder is None else [folder]
    if not folders:
        raise not_possible("take_over_nowhere")
    if folder is None and not yes:
        _confirm(config.lang, taking.where_question(folders, config.lang))
    with taking.prepared(config, _clock(), folders, are_named=folder is not None) as found:
        if folder is None and yes and found.planned.restores:
            raise not_possible("take_over_unasked")
        is_asked = found.planned.adds_anything and not yes
        if is_asked:
            # Standard output is for programs then.
            click.echo(_with_home(found.preview(), _named_home(ctx)), err=as_json)
            question = say("take_over_question", config.lang, count=found.planned.kept)
            _confirm(config.lang, question)
        outcome = found.taken(is_shown=is_asked)
    _print(ctx, outcome, as_json=as_json)


@agent.command("self-test", help=TEXTS["help_self_test"])
@_RADIO
@_JSON
@click.pass_context
def self_test(ctx: click.Context, radio: str | None, as_json: bool) -> None:
    """Test the radio."""
    from ble_agent.app import commands

    outcome = commands.self_test(_config(ctx, radio=radio), _clock())
    _print(ctx, outcome, as_json=as_json)
