"""The isolation clock: against a definition by days, in every order of what can happen."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ble_agent.authority.report_progress import ReportProgress
from ble_agent.owner.health.diary import (
    DiaryEntry,
    Sign,
    TestResult,
    note_entry,
    onsets,
    read_diary,
)
from ble_agent.owner.health.isolation import Isolation, KnownDays, count_down, note_exposure
from ble_agent.owner.health.known import note_reported
from ble_agent.store.database import delete_old, make_home, open_store
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tests.tracing_core.configuration.test_isolation import RULES
from tracing_core.clock import local_date
from tracing_core.configuration.isolation import (
    MOST_DAYS,
    IsolationCause,
    IsolationRule,
    IsolationRules,
)
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

DAY = 86_400
ONE = datetime.timedelta(1)
START = datetime.date(2021, 8, 1)

DAYS = st.frozensets(st.integers(0, 30).map(lambda days: START + days * ONE), max_size=4)
KNOWN = st.builds(KnownDays, DAYS, DAYS, DAYS, DAYS)


def is_isolating(rules: IsolationRules, known: KnownDays, today: datetime.date) -> bool:
    """The definition: a cause not too long ago, and no negative test that ended it."""
    for cause, each in rules.by_cause.items():
        for day in known.of(cause):
            if not 0 <= (today - day).days <= each.days:
                continue
            after = each.negative_test_after
            if after is None or not any(
                day + after * ONE <= test <= today for test in known.negative_tests
            ):
                return True
    return False


@given(RULES, KNOWN)
def test_it_lasts_on_the_days_that_the_rules_say(rules: IsolationRules, known: KnownDays) -> None:
    shown = [count_down(rules, known, START + days * ONE) for days in range(60)]
    for days, isolation in enumerate(shown):
        today = START + days * ONE
        causes = {day for cause in rules.by_cause for day in known.of(cause)}
        if not any(day > today for day in causes):
            assert isolation.lasts == is_isolating(rules, known, today)
        if isolation.lasts:
            assert isolation.days_left == max(
                (s.last - max(today, s.day)).days for s in isolation.spans
            )
        else:
            assert isolation.days_left == 0
    assert not shown[30 + MOST_DAYS + 1].lasts


@given(RULES, KNOWN)
def test_a_later_day_never_shows_more_days_left(rules: IsolationRules, known: KnownDays) -> None:
    causes = {day for cause in rules.by_cause for day in known.of(cause)}
    first = max(causes, default=START)
    left = [count_down(rules, known, first + days * ONE) for days in range(60)]
    for before, after in itertools.pairwise(left):
        assert after.days_left == max(0, before.days_left - 1) or not after.lasts
        assert before.lasts or not after.lasts
    assert not left[-1].lasts


@given(RULES, KNOWN, DAYS, st.sampled_from(["exposures", "onsets", "positive_tests"]))
def test_a_further_cause_never_shortens_it_and_a_negative_test_never_lengthens_it(
    rules: IsolationRules, known: KnownDays, added: frozenset[datetime.date], name: str
) -> None:
    values = {
        each: getattr(known, each)
        for each in ("exposures", "onsets", "positive_tests", "negative_tests")
    }
    more = KnownDays(**values | {name: values[name] | added})
    fewer = KnownDays(**values | {"negative_tests": values["negative_tests"] | added})
    for days in range(0, 60, 3):
        today = START + days * ONE
        now = count_down(rules, known, today)
        assert count_down(rules, more, today).days_left >= now.days_left
        assert count_down(rules, fewer, today).days_left <= now.days_left


@given(RULES, KNOWN, st.integers(1, 4_000))
def test_a_clock_set_back_shows_no_more_than_the_rules_allow(
    rules: IsolationRules, known: KnownDays, days: int
) -> None:
    isolation = count_down(rules, known, START - days * ONE)
    assert isolation.days_left <= max(each.days for each in rules.by_cause.values())


def test_without_rules_nothing_is_counted() -> None:
    known = KnownDays(exposures=frozenset({START}))
    assert count_down(None, known, START) == Isolation(has_rules=False, days_left=0)


CAUSES = st.sampled_from(["exposure", "signs", "positive", "negative", "well", "report"])


class IsolationMachine(RuleBasedStateMachine):
    """A device whose days go by, through its real database."""

    home: Path

    @initialize(rules=RULES)
    def begin(self, rules: IsolationRules) -> None:
        self.store = open_store(self.home)
        self.db = self.store.__enter__()
        with transaction(self.db):
            for table in ("diary", "state"):
                self.db.conn.execute(f"DELETE FROM {table}")
        self.rules = rules
        self.now = NOW
        self.exposures: set[datetime.date] = set()
        self.last_event: datetime.date | None = None

    @property
    def today(self) -> datetime.date:
        return local_date(self.now)

    def shown(self) -> Isolation:
        known = KnownDays.read(self.db, self.exposures, self.today)
        return count_down(self.rules, known, self.today)

    def note(self, **changes: object) -> None:
        entry = {each.day: each for each in read_diary(self.db)}.get(self.today)
        values = {"signs": frozenset(), "test": None}
        if entry is not None:
            values = {"signs": entry.signs, "test": entry.test}
        note_entry(self.db, DiaryEntry(self.today, **{**values, **changes}), self.today)  # type: ignore[arg-type]

    @rule(what=CAUSES)
    def happen(self, what: str) -> None:
        before = self.shown()
        if what == "exposure":
            self.exposures.add(self.today)
            with transaction(self.db):
                note_exposure(self.db, self.exposures, self.today)
        elif what == "signs":
            self.note(signs=frozenset({Sign.COUGH}))
        elif what == "well":
            self.note(signs=frozenset())
            return
        elif what == "report":
            ReportProgress(reported_at=int(self.now)).save(self.db)
            note_reported(self.db, False, self.now)
        else:
            self.note(test=TestResult(what))
        self.last_event = self.today
        after = self.shown()
        if what == "negative":
            assert after.days_left <= before.days_left
        elif what in ("exposure", "signs"):
            assert after.days_left >= before.days_left

    @rule(days=st.integers(1, 6))
    def wait(self, days: int) -> None:
        for _ in range(days):
            before = self.shown()
            self.now += DAY
            # Signals are gone after 14 days, and so is what the assessment makes of them.
            self.exposures = {day for day in self.exposures if (self.today - day).days < 14}
            with transaction(self.db):
                delete_old(self.db, self.now)
                note_exposure(self.db, self.exposures, self.today)
            after = self.shown()
            # It goes on by one day, however much was deleted, and never begins by itself.
            assert after.days_left == max(0, before.days_left - 1)
            assert before.lasts or not after.lasts
            if before.days_left:
                assert after.lasts

    @invariant()
    def it_always_ends(self) -> None:
        if getattr(self, "last_event", None) is None:
            return
        if (self.today - self.last_event).days > MOST_DAYS:
            assert not self.shown().lasts

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.__exit__(None, None, None)


def test_in_every_order_it_goes_forward_and_ends(tmp_path: Path) -> None:
    make_home(tmp_path / "home")
    machine = type("Machine", (IsolationMachine,), {"home": tmp_path / "home"})
    run_state_machine_as_test(
        machine, settings=settings(stateful_step_count=30, max_examples=40, deadline=None)
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    make_home(tmp_path / "home")
    with open_store(tmp_path / "home") as opened:
        yield opened


def test_an_exposure_counts_after_its_signals_are_gone_but_not_after_it_was_withdrawn(
    db: Database,
) -> None:
    rules = IsolationRules({IsolationCause.EXPOSURE: IsolationRule(18)})
    today = local_date(NOW)

    def shown(exposures: set[datetime.date], day: datetime.date) -> Isolation:
        with transaction(db):
            note_exposure(db, exposures, day)
        return count_down(rules, KnownDays.read(db, exposures, day), day)

    assert shown({today}, today).days_left == 18
    assert not shown(set(), today + 5 * ONE).lasts
    assert shown({today}, today + 6 * ONE).days_left == 12
    assert shown(set(), today + 14 * ONE).days_left == 4
    assert not shown(set(), today + 19 * ONE).lasts


def test_a_report_is_noted_in_the_diary_with_what_the_day_says(db: Database) -> None:
    today = local_date(NOW)
    note_entry(db, DiaryEntry(today, frozenset({Sign.FEVER})), today)
    ReportProgress(reported_at=int(NOW)).save(db)
    note_reported(db, False, NOW)
    assert read_diary(db) == [DiaryEntry(today, frozenset({Sign.FEVER}), test=TestResult.POSITIVE)]
    ReportProgress(reported_at=int(NOW), taken_back_at=int(NOW) + 3 * DAY).save(db)
    note_reported(db, True, NOW + 3 * DAY)
    assert read_diary(db)[0] == DiaryEntry(today + 3 * ONE, test=TestResult.NEGATIVE)
    assert onsets(read_diary(db)) == [today]


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_an_illness_that_goes_on_for_months_begins_once(db: Database, gap: int) -> None:
    """Its first day is deleted after 21 days, and no later day may take its place."""
    rules = IsolationRules({IsolationCause.ONSET: IsolationRule(MOST_DAYS)})
    for days in range(90):
        now = NOW + days * DAY
        today = local_date(now)
        with transaction(db):
            delete_old(db, now)
        if days % gap == 0:
            note_entry(db, DiaryEntry(today, frozenset({Sign.TIREDNESS})), today)
        isolation = count_down(rules, KnownDays.read(db, (), today), today)
        assert isolation.lasts == (days <= MOST_DAYS)
        assert isolation.days_left == max(0, MOST_DAYS - days)
