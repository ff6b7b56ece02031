"""*Earlier apps*: take over logs of other apps and devices, after seeing what they would add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from ble_agent.app import commands, take_over
from ble_agent.app.page.upload import Upload
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.owner.restoring import RestoreReport
from ble_agent.owner.take_over.gathering import gathered
from ble_agent.owner.take_over.plan import Finding, Plan
from ble_agent.store.importers import ImportReport
from tracing_core.errors import NotPossible, TracingError

__all__ = ["SCREENS"]

_FILES = "import"
_MOST_FILES = 100


@dataclass(frozen=True, slots=True)
class _Shown:
    """A log that adds something, as the preview shows it."""

    name: str
    report: ImportReport
    left_out: list[str]
    restored: list[str]
    """What all data of a device brings beside sightings; empty for a log."""


def _import(visit: Visit) -> Response:
    return visit.render("more/import.html", fault="", named=[])


def _file(visit: Visit) -> Response:
    """Take files, and find out what they would add."""
    try:
        upload = visit.sent_file()
        candidates = gathered(
            [(file.path, file.name) for file in upload.files], visit.say("page_import_folder")
        )
        planned = take_over.make_plan(visit.config, visit.page.clock, candidates)
    except TracingError as error:
        return visit.render("more/import.html", 400, fault=visit.explained(error), named=[])
    if all(each.report is None for each in planned.findings):
        return visit.render("more/import.html", 400, fault="", named=_faults(visit, planned))
    visit.keep_file(_FILES)
    visit.session.kept[_FILES] = planned
    return visit.go("more/import/preview")


def _faults(visit: Visit, planned: Plan) -> list[str]:
    return [
        take_over.fault_text(each, visit.language)
        for each in planned.findings
        if each.fault is not None
    ]


def _preview(visit: Visit) -> Response:
    upload: Upload | None = visit.session.held(_FILES)
    if upload is None:
        return visit.go("more/import")
    planned: Plan = visit.session.kept[_FILES]
    return visit.render(
        "more/import_preview.html",
        planned=planned,
        logs=[_shown(visit, each, each.report) for each in planned.findings if each.report],
        faults=_faults(visit, planned),
    )


def _shown(visit: Visit, finding: Finding, report: ImportReport) -> _Shown:
    lines = commands.left_out_lines(report, finding.candidate.path, visit.language)
    left_out = [finding.candidate.named(line) for line in lines]
    return _Shown(finding.candidate.name, report, left_out, _restored(visit, report))


def _confirm(visit: Visit) -> Response:
    upload: Upload | None = visit.session.held(_FILES)
    if upload is None:
        return visit.go("more/import", Notice(visit.say("page_import_gone"), "warn"))
    planned: Plan = visit.session.kept[_FILES]
    try:
        taken = take_over.take_plan(visit.config, visit.page.clock, planned)
    except NotPossible as error:
        if error.code != "take_over_changed":
            visit.session.release(_FILES)
            raise
        candidates = [each.candidate for each in planned.findings]
        planned = take_over.make_plan(visit.config, visit.page.clock, candidates)
        visit.session.kept[_FILES] = planned
        return visit.go("more/import/preview", Notice(visit.explained(error), "warn"))
    except BaseException:
        visit.session.release(_FILES)
        raise
    visit.session.release(_FILES)
    return visit.go("more/import", _notice(visit, taken))


def _restored(visit: Visit, report: ImportReport) -> list[str]:
    """Return what all data of a device brings beside sightings; nothing for a log."""
    if not isinstance(report, RestoreReport):
        return []
    return list(commands.restored_lines(report, visit.language))


def _notice(visit: Visit, taken: Plan) -> Notice:
    # No check compares what is of another protocol.
    name = "page_imported" if taken.is_of_own_protocol else "page_imported_other"
    lines = [visit.say(name, count=taken.kept)]
    lines += [visit.say("page_import_other", protocol=each) for each in taken.other_protocols]
    for finding in taken.findings:
        lines += _restored(visit, finding.report) if finding.report else []
    return Notice("\n".join(lines))


def _discard(visit: Visit) -> Response:
    visit.session.release(_FILES)
    return visit.go("more/import", Notice(visit.say("page_import_discarded")))


SCREENS: Sequence[Screen] = (
    Screen("more/import", _import, tab="more"),
    Screen("more/import/file", _file, "POST", tab="more", takes_file=True, most_files=_MOST_FILES),
    Screen("more/import/preview", _preview, tab="more"),
    Screen("more/import/confirm", _confirm, "POST", tab="more"),
    Screen("more/import/discard", _discard, "POST", tab="more"),
)
"""The screens."""
