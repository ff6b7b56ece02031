"""The published table of transmission risk levels: every row."""

from __future__ import annotations

import pytest

from tests.tracing_core.vectors import load
from tracing_core.configuration.transmission_risk import (
    ROW_DAYS,
    OnsetAnswer,
    transmission_risk,
    transmission_risks,
)

TABLE = load("transmission_risk.json")


@pytest.mark.parametrize("days_ago", range(21))
def test_an_onset_on_a_known_day(days_ago: int) -> None:
    assert list(transmission_risks(days_ago)) == TABLE["days_ago"][days_ago]


def test_an_onset_longer_ago() -> None:
    assert len(TABLE["days_ago"]) == 21
    for days_ago in range(21, 400):
        assert list(transmission_risks(days_ago)) == TABLE["longer_ago"]


@pytest.mark.parametrize("answer", OnsetAnswer)
def test_an_onset_without_a_day(answer: OnsetAnswer) -> None:
    assert list(transmission_risks(answer)) == TABLE["answers"][answer.value]
    assert len(TABLE["answers"]) == len(OnsetAnswer)


def test_a_level_of_a_key_depends_on_nothing_but_the_distance() -> None:
    for days_ago, row in enumerate(TABLE["days_ago"]):
        assert len(row) == ROW_DAYS
        assert [transmission_risk(days_ago - age) for age in range(ROW_DAYS)] == row
