"""The screens of the owner's page, one module each."""

from __future__ import annotations

from collections.abc import Sequence

from ble_agent.app.page.screens import (
    areas,
    browsers,
    data,
    erasing,
    health,
    importing,
    joining,
    last_day,
    ledger,
    more,
    sending,
    session,
    settings,
    today,
)
from ble_agent.app.page.visit import Screen

__all__ = ["SCREENS"]

SCREENS: Sequence[Screen] = (
    *today.SCREENS,
    *health.SCREENS,
    *joining.SCREENS,
    *last_day.SCREENS,
    *sending.SCREENS,
    *more.SCREENS,
    *settings.SCREENS,
    *areas.SCREENS,
    *importing.SCREENS,
    *ledger.SCREENS,
    *data.SCREENS,
    *browsers.SCREENS,
    *erasing.SCREENS,
    *session.SCREENS,
)
"""All screens."""
