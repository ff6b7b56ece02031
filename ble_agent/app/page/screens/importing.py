"""*Earlier apps*: import a log of another app or device, after seeing what it would add."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from ble_agent.app import commands
from ble_agent.app.page.upload import Upload
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.store.importers import ImportReport
from tracing_core.errors import TracingError

__all__ = ["SCREENS"]

_FILE = "import"


def _import(visit: Visit) -> Response:
    return visit.render("more/import.html", fault="")


def _file(visit: Visit) -> Response:
    """Take a file, and find out what it would add."""
    try:
        upload = visit.sent_file()
        report = commands.import_report(visit.config, visit.page.clock, upload.path, dry_run=True)
    except TracingError as error:
        return visit.render("more/import.html", 400, fault=visit.explained(error))
    visit.keep_file(_FILE)
    visit.session.kept[_FILE] = report
    return visit.go("more/import/preview")


def _preview(visit: Visit) -> Response:
    upload: Upload | None = visit.session.held(_FILE)
    if upload is None:
        return visit.go("more/import")
    report = visit.session.kept[_FILE]
    left_out = commands.left_out_lines(report, upload.path, visit.language)
    return visit.render(
        "more/import_preview.html",
        name=upload.name,
        report=report,
        left_out=[upload.named(line) for line in left_out],
    )


def _confirm(visit: Visit) -> Response:
    upload: Upload | None = visit.session.held(_FILE)
    if upload is None:
        return visit.go("more/import", Notice(visit.say("page_import_gone"), "warn"))
    try:
        report = commands.import_report(visit.config, visit.page.clock, upload.path, dry_run=False)
    finally:
        visit.session.release(_FILE)
    return visit.go("more/import", _notice(visit, report))


def _notice(visit: Visit, report: ImportReport) -> Notice:
    # No check compares what is of another protocol.
    name = "page_imported_other" if report.other_protocols else "page_imported"
    lines = [visit.say(name, count=report.kept)]
    lines += [
        visit.say("page_import_other", protocol=protocol)
        for protocol in sorted(report.other_protocols)
    ]
    return Notice("\n".join(lines))


def _discard(visit: Visit) -> Response:
    visit.session.release(_FILE)
    return visit.go("more/import", Notice(visit.say("page_import_discarded")))


SCREENS: Sequence[Screen] = (
    Screen("more/import", _import, tab="more"),
    Screen("more/import/file", _file, "POST", tab="more", takes_file=True),
    Screen("more/import/preview", _preview, tab="more"),
    Screen("more/import/confirm", _confirm, "POST", tab="more"),
    Screen("more/import/discard", _discard, "POST", tab="more"),
)
"""The screens."""
