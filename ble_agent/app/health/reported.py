"""What a report led to, as the owner reads it."""

from __future__ import annotations

from typing import Any

from ble_agent.app.outcome import Outcome
from ble_agent.authority.report import Reported
from ble_agent.messages.catalogue import say

__all__ = ["report_outcome"]

_REASONS = ("far_from_onset", "future", "overlap", "too_old")


def report_outcome(reported: Reported, lang: str) -> Outcome:
    """Return the outcome of a report; its exit code is 1 if the server took no key."""
    count = reported.number
    facts: dict[str, Any] = {"reported_keys": count}
    if reported.is_taken_back:
        facts = {"reported_keys": 0, "taken_back_keys": count}
    if reported.left_out:
        facts["left_out_keys"] = {each.reason: each.count for each in reported.left_out}
    reasons = "; ".join(_reasons(reported, lang))
    if not count:
        name = "not_reported"
        if reported.is_taken_back:
            name = "none_taken_back" if reported.left_out else "not_taken_back"
        text = say(name, lang, reasons=reasons or "?")
        return Outcome(facts, text, needs_owner=True)
    text = say("taken_back" if reported.is_taken_back else "reported", lang, count=count)
    if reported.left_out:
        left_out = sum(each.count for each in reported.left_out)
        text += "\n" + say("left_out", lang, count=left_out, reasons=reasons)
    return Outcome(facts, text)


def _reasons(reported: Reported, lang: str) -> list[str]:
    # The texts are our own: what a server writes is never shown.
    counts: dict[str, int] = {}
    for each in reported.left_out:
        reason = each.reason if each.reason in _REASONS else "other"
        counts[reason] = counts.get(reason, 0) + each.count
    return [say(f"left_out_{reason}", lang, count=count) for reason, count in counts.items()]
