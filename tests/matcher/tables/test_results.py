"""Results as tables of Arrow and pandas, and as HTML: the same facts as `to_json`."""

from __future__ import annotations

import datetime
import re
import sys
from html.parser import HTMLParser

import pytest

from matcher import match
from matcher.many.logs import ManyLogs
from matcher.many.matching import match_many
from matcher.result import MatchResult
from matcher.tables.html import html_page
from matcher.tables.shown import ShownTable
from tests.matcher.examples import START, heard, key
from tracing_core.errors import InvalidValue, MissingExtra
from tracing_core.export_file import ExportFile

LOG = [heard(key(), START + 10 * n, rssi=(-60, -61), previous=1) for n in range(4)]
FILE = ExportFile(0, 600, "VN", [key(), key("binh")])
DAY = datetime.date(2020, 5, 21)


@pytest.fixture
def result() -> MatchResult:
    pytest.importorskip("pyarrow")
    return match(LOG, FILE)


def test_days_are_dates_and_enumerations_are_names(result: MatchResult) -> None:
    (day,) = result.to_arrow().to_pylist()
    (told,) = result.to_json()["daily_summaries"]
    assert day["date"] == DAY
    assert (day["level"], day["duration_seconds"]) == ("high", told["duration_seconds"])
    assert [each["report_type"] for each in day["report_types"]] == ["confirmed_test"]
    windows = result.to_arrow("exposure_windows").to_pylist()
    assert sorted(map(repr, windows)) == sorted(
        repr({**window, "date": DAY}) for window in result.to_json()["exposure_windows"]
    )


def test_pandas_has_the_same(result: MatchResult) -> None:
    pytest.importorskip("pandas")
    frame = result.to_pandas()
    assert frame["date"].tolist() == [DAY]
    assert frame["level"].tolist() == ["high"]
    assert len(result.to_pandas("exposure_windows")) == len(result.assessment.windows)


def test_matches_are_a_table_for_research_alone(result: MatchResult) -> None:
    assert result.tables == ("daily_summaries", "exposure_windows")
    with pytest.raises(InvalidValue, match=r"^no table 'matches' .*; matches need research=True$"):
        result.to_arrow("matches")
    with pytest.raises(InvalidValue, match=r"^no table 'days' .*daily_summaries, exposure_windows"):
        result.to_arrow("days")
    (row,) = match(LOG, FILE, research=True).to_arrow("matches").to_pylist()
    (told,) = match(LOG, FILE, research=True).to_json()["matches"]
    for name in ("file", "key_index", "identifiers", "sightings"):
        assert row[name] == told[name]
    assert (row["date"], row["report_type"]) == (DAY, "confirmed_test")


@pytest.mark.parametrize("research", [False, True])
def test_tables_are_those_of_many_logs(research: bool) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("numba")
    one = match(LOG, FILE, research=research)
    many = match_many(ManyLogs.from_sightings({"an": LOG}), [FILE], workers=1, research=research)
    of_many = {"daily_summaries": many.days, "exposure_windows": many.exposure_windows}
    if research:
        of_many["matches"] = many.matches
    assert set(of_many) == set(one.tables)
    for name, table in of_many.items():
        plain = table.drop_columns("log_id")
        assert one.to_arrow(name).schema == plain.schema
        key_of = repr
        assert sorted(one.to_arrow(name).to_pylist(), key=key_of) == sorted(
            plain.to_pylist(), key=key_of
        )


def test_nothing_found_gives_empty_tables_of_the_same_columns(result: MatchResult) -> None:
    nothing = match([], FILE)
    for name in nothing.tables:
        assert nothing.to_arrow(name).num_rows == 0
        assert nothing.to_arrow(name).schema == result.to_arrow(name).schema


def test_a_date_that_has_no_name_is_one_line() -> None:
    pytest.importorskip("pandas")
    far = 2**32 - 144
    late = match([heard(key(start=far), far)], ExportFile(0, 600, "VN", [key(start=far)]))
    assert late.to_arrow("exposure_windows").num_rows == 1
    with pytest.raises(InvalidValue, match="a date lies beyond the year 9999: use to_arrow"):
        late.to_pandas("exposure_windows")


@pytest.mark.parametrize("library", ["pyarrow", "pandas"])
def test_a_missing_library_is_one_line(
    library: str, result: MatchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"^{library} is not installed: .*\[arrow\]"):
        result.to_pandas()


class Texts(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts += [data] if data.strip() else []


@pytest.mark.parametrize("research", [False, True])
def test_a_notebook_shows_what_a_terminal_shows(research: bool) -> None:
    shown = match(LOG, FILE, research=research)
    texts = Texts(shown._repr_html_()).texts
    words = str(shown).split()
    assert " ".join(texts).split() == words
    assert "No exposure counts." in match([], FILE)._repr_html_()


def test_without_research_a_page_has_no_time_finer_than_a_day() -> None:
    page = match(LOG, FILE)._repr_html_()
    assert "2020-05-21" in page
    assert not re.search(r"\d{6,}|\d:\d", page)
    for one in LOG:
        assert one.rpi.hex() not in page
    assert str(START) in match(LOG, FILE, research=True)._repr_html_()


def test_everything_on_a_page_is_escaped() -> None:
    bad = "<script>&\"'"
    page = html_page([(bad, bad)], [ShownTable((bad,), [(bad,)], bad)])
    assert "<script>" not in page
    assert Texts(page).texts == [bad] * 5
