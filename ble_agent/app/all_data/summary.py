"""Summary of all data, by days: what the owner reads of the page that holds it."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from ble_agent.air.heard_days import heard_by_day, local_day
from ble_agent.app.health.wording import entry_text
from ble_agent.authority.membership import find_membership
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.config import SETTINGS_FILE, AgentConfig
from ble_agent.exposures.advice import level_text
from ble_agent.exposures.check import assess_stored
from ble_agent.exposures.exposure_day import ExposureDay
from ble_agent.exposures.local_days import local_date
from ble_agent.exposures.matched_keys import matched_keys
from ble_agent.exposures.others import other_findings
from ble_agent.messages.catalogue import MESSAGES, say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text, dates_text
from ble_agent.owner.all_rows import tables_of
from ble_agent.owner.health.diary import read_diary
from ble_agent.owner.ledger import ledger_line, read_ledger
from ble_agent.store.own_sightings import own_sightings
from ble_agent.store.state import CHECK_FAULT, LAST_CHECK
from matcher import SightingIndex
from tracing_core.clock import Clock
from tracing_core.errors import StoreError, TracingError
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.store.left_out import LeftOut

__all__ = ["Summary"]

# A quarter of an hour: every time zone's day begins with one.
_SLOT_SECONDS = 900
_LONGEST_SETTINGS = 1 << 20


class Summary:
    """The sections of the page, as HTML.

    Parameters
    ----------
    db
        The agent's database.
    config, clock
        The agent's settings and clock.
    """

    def __init__(self, db: Database, config: AgentConfig, clock: Clock) -> None:
        self._db, self._config, self._clock = db, config, clock
        # It keeps what it counts, so it stands outside the transaction of the export.
        self._heard = heard_by_day(db, local_day, clock.now())
        self.left_out = LeftOut()
        """The rows of the log that cannot be read."""

    def sections(self) -> Iterator[str]:
        """Yield the sections, the last of which lists the tables.

        Raises
        ------
        StoreError
            When the database cannot be read.
        """
        yield self._section("file_found", self._found())
        yield self._section("file_report", self._report())
        yield self._section("file_authority", self._authority())
        yield self._section("page_tab_health", self._health())
        yield self._section("file_heard", self._heard_days())
        yield self._section("page_link_ledger", self._left_device())
        yield self._section("file_settings", self._settings())
        yield self._section("file_tables", self._tables())

    def say(self, name: str, **values: object) -> str:
        """Return a text in the owner's language, as HTML."""
        return escape(say(name, self._config.lang, **values))

    def paragraph(self, name: str, **values: object) -> str:
        """Return a text as a paragraph."""
        return f"<p>{self.say(name, **values)}</p>"

    def date(self, day: datetime.date) -> str:
        """Return a day as the owner writes it."""
        return date_text(day, self._config.lang)

    def _section(self, title: str, lines: Iterator[str]) -> str:
        return "\n".join(["<section>", f"<h2>{self.say(title)}</h2>", *lines, "</section>"])

    def _found(self) -> Iterator[str]:
        last = LAST_CHECK.get(self._db)
        try:
            membership = find_membership(self._db)
            days: Sequence[ExposureDay] = ()
            if membership is not None and matched_keys(self._db):
                sightings = SightingIndex(own_sightings(self._db, self.left_out))
                days, _ = assess_stored(self._db, sightings, membership, self._clock)
        except StoreError:
            raise
        except TracingError as error:
            yield self.paragraph("file_found_fault", fault=explain(error, self._config.lang))
            return
        for day in days:
            yield self.paragraph(
                "file_found_day",
                date=dates_text(day.owner_dates, self._config.lang),
                count=day.minutes,
                level=level_text(day.level, self._config.lang),
            )
        config = None if membership is None else membership.config
        others = other_findings(self._db, config, self._config.lang).days
        for other in others:
            date = dates_text(other.owner_dates, self._config.lang)
            yield self.paragraph("bluezone_day", date=date, count=other.minutes)
        if last is None:
            yield self.paragraph("file_found_never")
        elif not days and not others:
            yield self.paragraph("file_found_none", date=self.date(local_date(last["at"])))
        fault = CHECK_FAULT.get(self._db)
        if fault is not None:
            text = fault["vi"] if self._config.lang == "vi" else fault["en"]
            yield self.paragraph("file_check_fault", fault=text)
        if self.left_out.unreadable:
            yield self.paragraph("file_unreadable", count=self.left_out.unreadable)

    def _report(self) -> Iterator[str]:
        progress = ReportProgress.load(self._db)
        if progress.is_unfinished(self._clock.now()):
            yield self.paragraph("file_unfinished")
        elif progress.reported_at is None:
            yield self.paragraph("file_no_report")
        if progress.reported_at is not None:
            yield self.paragraph("file_reported", date=self.date(local_date(progress.reported_at)))
            if progress.taken_back is not None:
                yield self.paragraph("file_taken_back")

    def _authority(self) -> Iterator[str]:
        try:
            membership = find_membership(self._db)
        except TracingError as error:
            yield self.paragraph("file_found_fault", fault=explain(error, self._config.lang))
            return
        if membership is None:
            yield self.paragraph("file_not_joined")
        else:
            yield self.paragraph("status_joined", region=membership.region, url=membership.url)

    def _health(self) -> Iterator[str]:
        entries = read_diary(self._db)
        if not entries:
            yield self.paragraph("diary_empty")
        for entry in entries:
            text = entry_text(entry, self._config.lang)
            yield f"<p>{escape(f'{self.date(entry.day)}: {text}.')}</p>"

    def _heard_days(self) -> Iterator[str]:
        sightings: Counter[datetime.date] = Counter()
        for slot, count in self._db.conn.execute(
            f"SELECT seen_at / {_SLOT_SECONDS}, count(*) FROM sighting"  # noqa: S608
            " WHERE seen_at BETWEEN 0 AND 99999999999 GROUP BY 1"
        ):
            sightings[local_day(slot * _SLOT_SECONDS).date] += count
        if not sightings:
            yield self.paragraph("file_heard_nothing")
        else:
            names = ("page_date", "file_identifiers", "file_sightings")
            rows = (
                (self.date(day), self._heard.get(day, 0), sightings[day])
                for day in sorted(sightings, reverse=True)
            )
            yield from self._table(names, rows)
        for form, at, counts in self._db.conn.execute(
            "SELECT format, imported_at, counts FROM import ORDER BY id"
        ):
            yield self.paragraph(
                "file_others",
                protocol=form,
                date=self.date(local_date(at)),
                count=json.loads(counts).get("kept", 0),
            )

    def _left_device(self) -> Iterator[str]:
        days = read_ledger(self._db)
        for day in days:
            yield f"<h3>{escape(self.date(day.date))}</h3>"
            lines = [escape(ledger_line(entry, self._config.lang)) for entry in day.entries]
            yield "\n".join(["<ul>", *(f"<li>{line}</li>" for line in lines), "</ul>"])
        if not days:
            yield self.paragraph("page_ledger_empty")

    def _settings(self) -> Iterator[str]:
        path = self._config.home / SETTINGS_FILE
        with file_errors(path):
            try:
                with path.open("rb") as file:
                    settings = file.read(_LONGEST_SETTINGS).decode(errors="replace")
            except FileNotFoundError:
                yield self.paragraph("file_no_settings")
                return
        yield f"<details><summary>{escape(SETTINGS_FILE)}</summary>"
        yield f'<pre tabindex="0">{escape(settings)}</pre></details>'
        yield self.paragraph("file_settings_why")

    def _tables(self) -> Iterator[str]:
        rows = (
            (f"{self.meaning(name)} ({name})", self._db.table(name).count)
            for name in tables_of(self._db)
        )
        yield from self._table(("file_what", "file_rows"), rows)

    def meaning(self, table: str) -> str:
        """Return what a table holds, in the owner's language."""
        name = f"file_of_{table}"
        return say(name if name in MESSAGES else "file_of_other", self._config.lang)

    def _table(self, names: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
        heads = "".join(f'<th scope="col">{self.say(name)}</th>' for name in names)
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for first, *others in rows:
            cells = "".join(
                f"<td{' class=num' if isinstance(each, int) else ''}>{escape(str(each))}</td>"
                for each in others
            )
            yield f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>'
        yield "</tbody></table>"
