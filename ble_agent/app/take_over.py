"""Command `truyvet agent take-over`: search, preview, and one press."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.app.commands import left_out_lines, restored_lines
from ble_agent.app.outcome import Outcome
from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import path_text
from ble_agent.owner.restoring import RestoreReport
from ble_agent.owner.take_over.copies import Candidate, copied
from ble_agent.owner.take_over.left import Reason
from ble_agent.owner.take_over.places import usual_folders
from ble_agent.owner.take_over.plan import Finding, Plan, plan, take
from ble_agent.owner.take_over.search import Search
from ble_agent.store.database import make_home
from ble_agent.store.recovery import open_recovered
from tracing_core.clock import Clock
from tracing_core.errors import InvalidLog, StoreError, TracingError

__all__ = [
    "TakeOver",
    "fault_text",
    "finding_lines",
    "make_plan",
    "prepared",
    "take_plan",
    "where_question",
    "where_to_look",
]


def where_to_look() -> list[Path]:
    """Return the folders to look into if none is named."""
    user = pwd.getpwuid(os.getuid())
    return usual_folders(Path.home(), user.pw_name)


def where_question(folders: Sequence[Path], lang: str) -> str:
    """Return the question whether to look into folders that the owner did not name."""
    names = ", ".join(path_text(folder) for folder in folders)
    return say("take_over_where", lang, folders=names)


def make_plan(config: AgentConfig, clock: Clock, candidates: Sequence[Candidate]) -> Plan:
    """Return what logs would add, and add nothing."""
    make_home(config.home)
    with open_recovered(config.home, clock.now()) as db:
        return plan(db, candidates, clock.now())


def take_plan(config: AgentConfig, clock: Clock, planned: Plan) -> Plan:
    """Add what was planned, or nothing."""
    with open_recovered(config.home, clock.now()) as db:
        return take(db, planned, clock.now())


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A search that has ended, and what its logs would add."""

    config: AgentConfig
    clock: Clock
    folders: Sequence[Path]
    search: Search
    planned: Plan

    def preview(self) -> str:
        """Return what was found and what would be added."""
        return "\n".join(self._lines())

    def taken(self, *, is_shown: bool) -> Outcome:
        """Add what was shown, or return that there is nothing to add.

        Parameters
        ----------
        is_shown
            Whether the owner has read the preview, so that the outcome need not repeat it.

        Raises
        ------
        NotPossible
            When something else would be added by now (``take_over_changed``).
        """
        lang = self.config.lang
        lines = [] if is_shown else list(self._lines())
        count, is_taken = self.planned.kept, self.planned.adds_anything
        if is_taken:
            taken = take_plan(self.config, self.clock, self.planned)
            name = "taken_over" if taken.is_of_own_protocol else "taken_over_other"
            lines.append(say(name, lang, count=count))
            lines += [
                say("import_other_protocol", lang, protocol=protocol)
                for protocol in taken.other_protocols
            ]
        return Outcome(self._facts(is_taken=is_taken), "\n".join(lines))

    def _lines(self) -> Iterator[str]:
        lang, search = self.config.lang, self.search
        findings = [each for each in self.planned.findings if not each.is_of_other_program]
        yield say("take_over_looked", lang, count=search.looked_at)
        for finding in findings:
            yield from finding_lines(finding, lang)
        left = search.left.counts()
        if others := self._others():
            yield say("take_over_others", lang, count=others)
        for reason, count in left:
            name = "take_over_left" if search.left.is_whole else "take_over_left_some"
            why = say(f"left_{reason.value}", lang)
            yield say(name, lang, count=count, reason=why)
        if any(reason not in (Reason.OWN, Reason.SPECIAL) for reason, _ in left):
            yield say("take_over_go_on", lang)
        if not findings:
            yield say("take_over_none", lang)
        elif not self.planned.adds_anything:
            yield say("take_over_nothing", lang)

    def _others(self) -> int:
        return self.search.others + sum(each.is_of_other_program for each in self.planned.findings)

    def _facts(self, *, is_taken: bool) -> dict[str, Any]:
        found = [each for each in self.planned.findings if not each.is_of_other_program]
        return {
            "folders": [path_text(folder) for folder in self.folders],
            "looked_at": self.search.looked_at,
            "others": self._others(),
            "left": {reason.value: count for reason, count in self.search.left.counts()},
            "left_is_whole": self.search.left.is_whole,
            "logs": [
                {
                    "path": path_text(each.candidate.name),
                    **_named(each.candidate, each.report.to_json()),
                }
                for each in found
                if each.report is not None
            ],
            "refused": [
                {
                    "path": path_text(each.candidate.name),
                    "fault": _fault_word(each.fault),
                    "text": fault_text(each, self.config.lang),
                }
                for each in found
                if each.fault is not None
            ],
            "kept": self.planned.kept,
            "taken": is_taken,
        }


@contextlib.contextmanager
def prepared(
    config: AgentConfig, clock: Clock, folders: Sequence[Path], *, are_named: bool
) -> Iterator[TakeOver]:
    """Search folders, copy what was found, and find out what it would add.

    The copies are overwritten and removed at the end.

    Parameters
    ----------
    config, clock
        The agent's settings, and its clock.
    folders
        Where to look.
    are_named
        Whether the owner named them; then one that cannot be read is an error.

    Raises
    ------
    StoreError
        When a named folder cannot be read, or the home not be written to.
    """
    make_home(config.home)
    search = Search(clock, config.home)
    for folder in folders:
        try:
            search.add_folder(folder)
        except StoreError:
            if are_named:
                raise
            search.left.note(Reason.DENIED)
    search.look()
    with copied(search, config.home) as candidates:
        planned = make_plan(config, clock, candidates)
        yield TakeOver(config, clock, folders, search, planned)


def finding_lines(finding: Finding, lang: str) -> Iterator[str]:
    """Yield what one log adds, what it leaves out, or why it cannot be taken over."""
    candidate, report = finding.candidate, finding.report
    if report is None:
        yield f"✘ {fault_text(finding, lang)}."
        return
    yield say(
        "take_over_log",
        lang,
        path=path_text(candidate.name),
        format=report.title,
        read=report.read,
        kept=report.kept,
        known=report.known,
        too_old=report.too_old,
    )
    if isinstance(report, RestoreReport):
        for line in restored_lines(report, lang):
            yield f"  {line}"
    for line in left_out_lines(report, candidate.path, lang):
        yield f"  {candidate.named(line)}"


def fault_text(finding: Finding, lang: str) -> str:
    """Return why a log cannot be taken over; "" if it can."""
    if finding.fault is None:
        return ""
    return path_text(finding.candidate.named(explain(finding.fault, lang)))


def _fault_word(fault: TracingError | None) -> str:
    if isinstance(fault, InvalidLog) and fault.fault is not None:
        return fault.fault.name.lower()
    return "unreadable"


def _named(candidate: Candidate, facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: path_text(candidate.named(value)) if isinstance(value, str) else value
        for name, value in facts.items()
    }
