"""The part of every self-test that sends and listens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from ble_agent.messages.explanation import explain
from ble_agent.messages.language import Text
from ble_agent.messages.radio import radio_text
from ble_agent.radio.protocol import Finding, Heard, Radio
from tracing_core.errors import RadioError
from tracing_core.protocol.advertisement import Advertisement

__all__ = ["try_radio"]

_SCAN_SECONDS = 4.0


async def try_radio(radio: Radio) -> list[Finding]:
    """Send a random identifier, listen, and return what works.

    It listens while sending, unless that would change the address. The radio is silent afterwards.
    """
    heard: list[Heard] = []
    before = radio.rejected.total()
    invented = Advertisement(secrets.token_bytes(16), secrets.token_bytes(4))
    sending = (
        lambda: radio.rotate(invented),
        "test_sends",
    )
    listening = (
        lambda: radio.scan(_SCAN_SECONDS, heard.append),
        "test_listens",
    )
    silence = (
        lambda: radio.rotate(None),
        "test_stops",
    )
    trials = [sending, listening, silence]
    if not radio.capabilities.listens_while_sending:
        trials = [sending, silence, listening]
    findings = [await _finding(*trial) for trial in trials]
    others = radio.rejected.total() - before
    findings.append(Finding(True, radio_text("test_heard", identifiers=len(heard), others=others)))
    return findings


async def _finding(attempt: Callable[[], Coroutine[Any, Any, None]], name: str) -> Finding:
    what = radio_text(name)
    try:
        await attempt()
    except RadioError as error:
        fault = Text(explain(error, "en"), explain(error, "vi"))
        return Finding(False, radio_text("test_failed", what=what, fault=fault))
    return Finding(True, radio_text("test_passed", what=what))
