"""The command `truyvet server`."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import click

from server.app.areas import areas
from server.app.bluezone import bluezone
from server.app.help import HELP
from server.app.last_day import trust
from server.app.options import (
    DATABASE,
    agree,
    counted,
    home_option,
    json_option,
    load_home,
    open_server,
    open_until_the_end,
    yes_option,
)
from server.app.schema import schema
from server.app.times import LAST_DAY, check_clock, check_not_behind, doubts, local_time
from tracing_core.commands import Group, Option
from tracing_core.errors import InvalidValue, TracingError
from tracing_core.process.output import takes_unicode

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tracing_core.http.publish_request import PublishRequest

__all__ = ["server"]

_OPTIONS_OF_FIELDS = {"symptomDate": "--symptom-date", "testDate": "--test-date"}
_TEST_TYPES = ("confirmed", "likely", "negative")
_REMOVED = {
    "keys": ("key", "keys"),
    "batches": ("window of key files", "windows of key files"),
    "codes": ("code or token", "codes or tokens"),
}
_BEFORE_ROTATION = {
    "export": "A new export key will sign key files; the old one signs alongside for 14 days.",
    "config": "A new configuration key takes over at once. Devices follow at their next check.",
    "operator": "Programs that use the present operator key will be refused at once.",
}
_SEEN = (
    "the password in --database can be read in the list of processes, and is written to"
    " server.toml: leave it out, and keep it in ~/.pgpass or in the file that PGPASSFILE names"
)
_HOST, _PORT = "127.0.0.1", 8080
_BACKLOG = 1_024
_GRACE_SECONDS = 10

_log = logging.getLogger(__name__)


@click.group(cls=Group, help=HELP["server"])
def server() -> None:
    """Operate a key server."""


server.add_command(areas)
server.add_command(bluezone)
server.add_command(trust)
server.add_command(schema)


@server.command(help=HELP["init"])
@home_option
@click.option("--region", cls=Option, default="VN", show_default=True, help=HELP["--region"])
@click.option(
    "--url",
    cls=Option,
    default="http://127.0.0.1:8080",
    show_default=True,
    help=HELP["--url"],
)
@click.option(
    "--contact",
    cls=Option,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help=HELP["--contact"],
)
@click.option(
    "--last-day", cls=Option, metavar="YYYY-MM-DD", type=LAST_DAY, help=HELP["--last-day of init"]
)
@json_option
def init(
    home: Path, region: str, url: str, contact: Path | None, last_day: date | None, as_json: bool
) -> None:
    """Set up a server."""
    from server.app.home import JOIN_FILE, set_up_home
    from server.store.database import has_password
    from tracing_core.clock import clock_from_environment

    url_of_database = click.get_current_context().meta.get(DATABASE)
    if has_password(url_of_database):
        click.echo(_SEEN, err=True)
    made = set_up_home(
        home,
        clock_from_environment(),
        region=region,
        url=url,
        contact=contact,
        database_url=url_of_database,
        last_day=last_day,
    )
    operator_key, join = made.operator_key, made.join
    if as_json:
        answer = {"operator_key": operator_key, "join": join, "region": region, "home": str(home)}
        click.echo(json.dumps({**answer, "last_day": made.last_day.isoformat()}))
        return
    option = f" --home {home}"
    click.echo(
        f"The server for {region} is set up in {home}.\n\n"
        f"1. Start it:            truyvet server run{option}{_where(url)}\n"
        f"2. Issue a code:        truyvet server issue{option}\n"
        f"3. Let devices join it: truyvet agent join {join}\n"
        f"   (the line is also in {home / JOIN_FILE})\n\n"
        f"The last day is {made.last_day}, and it is fixed. After it, the server and all devices\n"
        "stop and delete everything.\n\n"
        "Your authority's programs issue codes at /api/issue with this key in X-API-Key.\n"
        "It is shown only now:   " + operator_key
    )


def _where(url: str) -> str:
    """Return the options with which `run` serves a URL of this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        # A proxy is in front, and its settings say where it forwards requests.
        return ""
    host, port = parts.hostname, parts.port or 80
    option = "" if host in (_HOST, "localhost") else f" --host {host}"
    return option + ("" if port == _PORT else f" --port {port}")


@server.command(help=HELP["run"])
@home_option
@click.option("--host", cls=Option, default=_HOST, show_default=True, help=HELP["--host"])
@click.option(
    "--port",
    cls=Option,
    default=_PORT,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help=HELP["--port"],
)
@click.option("--adopt-folder", cls=Option, is_flag=True, help=HELP["--adopt-folder"])
@json_option
def run(home: Path, host: str, port: int, adopt_folder: bool, as_json: bool) -> None:
    """Serve until stopped."""
    import uvicorn

    from server.app.app import create_app, create_ended_app
    from server.app.home import claim_folder
    from server.store.ended import read_ended
    from server.trust.config_document import current_config
    from tracing_core.clock import clock_from_environment
    from tracing_core.http.connections import ConnectionLimits, bounded_protocol

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for name in ("uvicorn", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    settings = load_home(home)
    app: ASGIApp
    if (ended := read_ended(home)) is not None:
        app = create_ended_app(settings, ended, clock_from_environment())
        _log.warning("the last day was %s: everything is deleted, and nothing served", ended[0])
    else:
        app = create_app(settings, clock_from_environment())
        claim_folder(app.server, is_adopted=adopt_folder)
        # Before any device asks, so that the log shows a file that cannot be used.
        try:
            current_config(app.server.keys, app.server.region, settings, app.server.clock.now())
        except TracingError as error:
            _log.error("devices get no configuration: %s", error)
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    click.echo(json.dumps({"url": url}) if as_json else f"Serving {home} at {url}; Ctrl-C stops.")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        # Addresses are logged nowhere.
        access_log=False,
        log_config=None,
        http=bounded_protocol(
            ConnectionLimits(
                settings.max_connections, settings.request_seconds, settings.answer_seconds
            )
        ),
        ws="none",
        server_header=False,
        # The application sends the time of its own clock.
        date_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _stop(*_: object) -> NoReturn:
    # The web server raises the signal again once it has stopped cleanly.
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a host name"
        raise TracingError(
            f"cannot listen on {host} port {port}: {why}; choose another with --host or --port"
        ) from error
    return listener


@server.command(help=HELP["issue"])
@home_option
@click.option(
    "--test-type",
    cls=Option,
    type=click.Choice(_TEST_TYPES),
    default="confirmed",
    show_default=True,
    help=HELP["--test-type"],
)
@click.option(
    "--symptom-date",
    cls=Option,
    metavar="YYYY-MM-DD",
    default="",
    help=HELP["--symptom-date"],
)
@click.option("--test-date", cls=Option, metavar="YYYY-MM-DD", default="", help=HELP["--test-date"])
@click.option("--long", "is_long", cls=Option, is_flag=True, help=HELP["--long"])
@click.option(
    "--count",
    cls=Option,
    type=click.IntRange(1, 1_000),
    default=1,
    show_default=True,
    help=HELP["--count"],
)
@json_option
def issue(
    home: Path,
    test_type: str,
    symptom_date: str,
    test_date: str,
    is_long: bool,
    count: int,
    as_json: bool,
) -> None:
    """Issue codes."""
    from server.errors import Refused
    from server.verification.rules import issue_code
    from tracing_core.http.verification import IssueRequest

    opened = open_until_the_end(home)
    check_not_behind(opened)
    here = datetime.fromtimestamp(opened.clock.now()).astimezone().utcoffset() or timedelta()
    request = IssueRequest(
        symptom_date=symptom_date,
        test_date=test_date,
        test_type=test_type,
        tz_offset=here.total_seconds() / 60,
    )
    for _ in range(count):
        try:
            made = issue_code(opened, request, is_long=is_long)
        except Refused as error:
            option = _OPTIONS_OF_FIELDS.get(error.field, error.field)
            raise InvalidValue(f"{option} {error.what}".strip()) from error
        if as_json:
            click.echo(json.dumps({"code": made.code, "expires_at": made.expires_at}))
        else:
            code = made.code if is_long else _grouped(made.code)
            click.echo(f"{code}  valid until {local_time(made.expires_at)}")


def _grouped(code: str) -> str:
    """Put a space into a code that is read out, which may also be typed with it."""
    half = (len(code) + 1) // 2
    return f"{code[:half]} {code[half:]}"


def _with_known_risks(request: PublishRequest) -> PublishRequest:
    """Return a request in which a transmission risk outside 0 to 8 is 0, as in key files."""
    from tracing_core.protocol.diagnosis_key import known_risk

    keys = tuple(
        replace(key, transmission_risk_level=known_risk(key.transmission_risk_level))
        for key in request.keys
    )
    return replace(request, keys=keys)


@server.command(help=HELP["publish-keys"])
@click.argument("file", type=click.File("rb"))
@home_option
@json_option
def publish_keys(file: Any, home: Path, as_json: bool) -> None:
    """Publish keys."""
    from server.publish.upload import take_upload
    from server.verification.certificate import REPORT_TYPES, Claims
    from tracing_core.http.publish_request import PublishRequest

    try:
        fields = json.load(file)
        word = fields.pop("reportType", "confirmed")
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        raise InvalidValue(f"{file.name} must be a JSON object") from error
    if word not in _TEST_TYPES:
        raise InvalidValue(f"{file.name}: reportType must be confirmed, likely or negative")
    request = _with_known_risks(PublishRequest.from_json(fields))
    opened = open_until_the_end(home)
    claims = Claims(REPORT_TYPES[word])
    response = take_upload(opened, opened.region, request, claims, by_operator=True)
    if as_json:
        click.echo(json.dumps({"insertedExposures": 0, **response.to_json()}))
        return
    left_out = [*filter(None, response.error.split("; ")), *response.warnings]
    taken = len(request.keys) - len(left_out)
    # Other keys were revised, or are as they were.
    click.echo(f"{counted(taken, 'key', 'keys')} accepted ({response.inserted_exposures} new)")
    for line in left_out:
        click.echo(line, err=True)


@server.command(help=HELP["export"])
@home_option
@json_option
def export(home: Path, as_json: bool) -> None:
    """Write key files."""
    from server.app.home import claim_folder
    from server.export.exporter import run_due
    from server.export.outlook import next_export

    opened = open_until_the_end(home)
    claim_folder(opened)
    check_clock(opened)
    files = run_due(opened, opened.region)
    if as_json:
        click.echo(json.dumps({"files": files}))
        return
    click.echo(f"{counted(len(files), 'key file', 'key files')} written")
    for name in files:
        click.echo(name)
    outlook = next_export(opened, opened.region)
    waiting = counted(outlook.waiting_keys, "key waits", "keys wait")
    click.echo(f"{waiting}; the next key file is due {local_time(outlook.due_at)}")
    for line in doubts(outlook.time, home):
        click.echo(line, err=True)


@server.command(help=HELP["cleanup"])
@home_option
@json_option
def cleanup(home: Path, as_json: bool) -> None:
    """Delete what is too old."""
    from dataclasses import asdict

    from server.operation import retention
    from server.operation.end_of_use import empty, is_over, known_last_day

    opened = open_server(home)
    with opened.database.begin() as conn:
        moment = opened.time.note(conn, opened.clock)
    last_day = known_last_day(opened)
    if last_day is not None and is_over(last_day, moment.certain):
        empty(opened.settings, last_day, opened.database)
        text = f"the last day was {last_day}: everything was removed"
        click.echo(json.dumps({"ended": last_day.isoformat()}) if as_json else text)
        return
    removed = asdict(retention.run(opened, opened.region, now=moment.certain))
    if as_json:
        click.echo(json.dumps(removed))
    else:
        parts = [counted(number, *_REMOVED[name]) for name, number in removed.items()]
        click.echo(f"{', '.join(parts)} removed")
    for line in doubts(moment, home):
        click.echo(line, err=True)


@server.command(help=HELP["openapi"])
def openapi() -> None:
    """Print the OpenAPI description."""
    from server.app.app import openapi_document
    from server.config import load_settings

    document = openapi_document(load_settings(Path("/nonexistent")))
    escaped = not takes_unicode(sys.stdout)
    click.echo(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=escaped))


@server.command(help=HELP["rotate-keys"])
@click.argument("kind", type=click.Choice(["export", "config", "operator"]))
@home_option
@yes_option
@json_option
def rotate_keys(kind: str, home: Path, is_agreed: bool, as_json: bool) -> None:
    """Replace a key."""
    from server.export.exporter import publish_index
    from server.trust.chain import rotate_config_key, rotate_export_key
    from server.verification.rules import replace_operator_key

    opened = open_until_the_end(home)
    agree(_BEFORE_ROTATION[kind], is_agreed=is_agreed or as_json)
    now = opened.clock.now()
    if kind == "operator":
        name = replace_operator_key(opened)
    elif kind == "export":
        name = rotate_export_key(opened.keys, opened.region, opened.settings, now)
    else:
        name = rotate_config_key(opened.keys, opened.region, now)
        # Devices refuse an index that the old key signed.
        publish_index(opened, opened.region)
    if as_json:
        click.echo(json.dumps({"key": name}))
    elif kind == "operator":
        click.echo(f"The new operator key is shown only now: {name}")
    else:
        click.echo(f"the new {kind} key is {name}")


@server.command(help=HELP["clock"])
@home_option
@click.option("--is-right", cls=Option, is_flag=True, help=HELP["--is-right"])
@yes_option
@json_option
def clock(home: Path, is_right: bool, is_agreed: bool, as_json: bool) -> None:
    """Show what is certain about the time."""
    opened = open_server(home)
    with opened.database.read() as conn:
        moment = opened.time.read(conn, opened.clock)
    if is_right:
        question = f"The clock shows {local_time(moment.now)}. Keys in use leave if this is wrong."
        agree(question, is_agreed=is_agreed or as_json)
        with opened.database.begin() as conn:
            moment = opened.time.believe(conn, opened.clock)
    if as_json:
        values = {
            "now": int(moment.now),
            "certain": int(moment.at),
            "vouched_for": moment.is_vouched_for,
        }
        click.echo(json.dumps(values))
        return
    click.echo(f"The clock shows:       {local_time(moment.now)}")
    click.echo(f"It is certainly after: {local_time(moment.at)}")
    click.echo(f"A time server vouches: {'yes' if moment.is_vouched_for else 'no'}")
    for line in doubts(moment, home):
        click.echo(line, err=True)


@server.command(help=HELP["join"])
@home_option
@json_option
def join(home: Path, as_json: bool) -> None:
    """Print the join line."""
    from server.trust.chain import join_line

    opened = open_server(home)
    line = str(join_line(opened.keys, opened.settings.url))
    click.echo(json.dumps({"join": line}) if as_json else line)
