"""The day of onset that goes with a report, if the owner agrees."""

from __future__ import annotations

import datetime

from ble_agent.app.commands import ReportPreview
from ble_agent.app.health.diary import read_day
from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import DIARY_DAYS
from tracing_core.clock import Clock, local_date

__all__ = ["proposed_question", "stated_onset"]


def stated_onset(text: str, clock: Clock) -> datetime.date | None:
    """Return the day that the owner states, YYYY-MM-DD; None for "".

    Raises
    ------
    NotPossible
        When it is not a day from today to 21 days ago (``diary_day``).
    """
    if not text:
        return None
    today = local_date(clock.now())
    day = read_day(text, today)
    if not 0 <= (today - day).days <= DIARY_DAYS:
        raise not_possible("diary_day")
    return day


def proposed_question(preview: ReportPreview, config: AgentConfig) -> str:
    """Return the question whether to send the newest day of onset of the diary."""
    return say("onset_question", config.lang, date=date_text(preview.onsets[0], config.lang))
