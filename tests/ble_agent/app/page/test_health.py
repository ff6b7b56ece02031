"""The screen *Health*, by forms alone, over real connections and on real homes."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from ble_agent.owner.health.diary import (
    DiaryEntry,
    MetPerson,
    Sign,
    TestResult,
    note_entry,
    read_diary,
)
from ble_agent.store.database import DIARY_DAYS, make_home, open_store
from tests.ble_agent.app.page.test_application import Served, served
from tests.ble_agent.app.page.test_more import press
from tracing_core.clock import Clock, local_date

ONE = datetime.timedelta(1)


def today() -> datetime.date:
    return local_date(Clock().now())


def entries(home: Path) -> list[DiaryEntry]:
    with open_store(home) as db:
        return read_diary(db)


def save(page: Served, day: object, **fields: str) -> str:
    press(page, "health/save", day=str(day), **fields)
    return page.get("health").text


def test_a_day_is_noted_shown_changed_and_removed(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path), served(tmp_path) as page:
        day = today()
        shown = page.get("health").text
        assert "Not noted yet." in shown
        assert "Your diary has no entry" in shown
        shown = save(page, day, sign_fever="yes", met_ill="yes", test="positive")
        assert "Saved: the entry for" in shown
        assert len(re.findall(r'name="sign_fever" value="yes" checked', shown)) == 1
        assert entries(tmp_path) == [
            DiaryEntry(
                day, frozenset({Sign.FEVER}), frozenset({MetPerson.ILL}), TestResult.POSITIVE
            )
        ]
        # A form with nothing ticked says that the owner felt well.
        save(page, day)
        assert entries(tmp_path) == [DiaryEntry(day)]
        assert "No signs." in page.get("health").text
        press(page, "health/remove", day=str(day))
        assert "Removed: the entry for" in page.get("health").text
        assert entries(tmp_path) == []
        press(page, "health/remove", day=str(day))
        assert "There was no entry for" in page.get("health").text


def test_a_form_that_was_sent_twice_acts_once(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path), served(tmp_path) as page:
        day = today()
        save(page, day, press="one", sign_cough="yes")
        press(page, "health/remove", day=str(day))
        # The same form once more, as by the button back.
        save(page, day, press="one", sign_cough="yes")
        assert entries(tmp_path) == []
        save(page, day, press="two", sign_cough="yes")
        assert len(entries(tmp_path)) == 1


def test_a_form_that_was_open_at_midnight_is_of_the_day_that_it_shows(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path), served(tmp_path) as page:
        yesterday = today() - ONE
        shown = page.get(f"health?day={yesterday}").text
        assert f'name="day" value="{yesterday}"' in shown
        save(page, yesterday, sign_throat="yes")
        assert [entry.day for entry in entries(tmp_path)] == [yesterday]
        assert "Not noted yet." in page.get("health").text


def test_a_day_of_which_there_is_no_diary_is_refused_in_one_line(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path), served(tmp_path) as page:
        for day in (today() + ONE, today() - (DIARY_DAYS + 1) * ONE, "x", "9999-99-99", ""):
            shown = save(page, day, sign_fever="yes")
            if day:
                assert "the diary has no such day" in shown
        assert [entry.day for entry in entries(tmp_path)] == [today()]
        assert page.get("health?day=nothing").status_code == 303
        assert "the diary has no such day" in page.get("health").text


def test_other_fields_and_values_are_ignored(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path), served(tmp_path) as page:
        save(page, today(), sign_plague="yes", sign_fever="maybe", test="other", note="Chi")
        assert entries(tmp_path) == [DiaryEntry(today())]


def test_a_clock_that_was_set_back_hides_no_entry(tmp_path: Path) -> None:
    make_home(tmp_path)
    ahead = today() + 3 * ONE
    with open_store(tmp_path) as db:
        note_entry(db, DiaryEntry(ahead, frozenset({Sign.BREATH})), ahead)
        with served(tmp_path) as page:
            assert "Shortness of breath." in page.get("health").text
