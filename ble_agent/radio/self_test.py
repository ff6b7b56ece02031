"""The part of every self-test that really sends and listens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from ble_agent.messages.explanation import explain
from ble_agent.radio.protocol import Finding, Heard, Radio
from tracing_core.errors import RadioError
from tracing_core.protocol.advertisement import Advertisement

__all__ = ["try_radio"]

_SCAN_SECONDS = 4.0


async def try_radio(radio: Radio) -> list[Finding]:
    """Send a random identifier of nobody's, listen, and say what came of it.

    It listens meanwhile, unless that would change the address. The radio is silent afterwards.
    """
    heard: list[Heard] = []
    before = radio.rejected.total()
    nobodys = Advertisement(secrets.token_bytes(16), secrets.token_bytes(4))
    sending = (
        lambda: radio.rotate(nobodys),
        "The adapter sends identifiers, each with an address of its own",
        "Bộ điều hợp gửi được mã định danh, mỗi mã kèm một địa chỉ riêng",
    )
    listening = (
        lambda: radio.scan(_SCAN_SECONDS, heard.append),
        "The adapter listens",
        "Bộ điều hợp nghe được",
    )
    silence = (
        lambda: radio.rotate(None),
        "The adapter falls silent when told to",
        "Bộ điều hợp im lặng khi được yêu cầu",
    )
    trials = [sending, listening, silence]
    if not radio.capabilities.listens_while_sending:
        trials = [sending, silence, listening]
    findings = [await _finding(*trial) for trial in trials]
    others = radio.rejected.total() - before
    findings.append(
        Finding(
            True,
            f"Packets heard nearby: {len(heard)} with identifiers, {others} others.",
            f"Số gói nghe được xung quanh: {len(heard)} có mã định danh, {others} gói khác.",
        )
    )
    return findings


async def _finding(
    attempt: Callable[[], Coroutine[Any, Any, None]], text_en: str, text_vi: str
) -> Finding:
    try:
        await attempt()
    except RadioError as error:
        return Finding(
            False,
            f"{text_en}: no, {explain(error, 'en')}.",
            f"{text_vi}: không, {explain(error, 'vi')}.",
        )
    return Finding(True, f"{text_en}.", f"{text_vi}.")
