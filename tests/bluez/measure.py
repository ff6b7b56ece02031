"""How many packets each radio hears in a scan, for the table of docs/radios.md.

``make test-bluez MODES=measure`` runs it: one device sends every 240 ms by raw HCI, and each of the
others listens for 4 s, three times over, alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Heard, Radio
from tracing_core.clock import Clock
from tracing_core.protocol.advertisement import Advertisement

SCANS = 3
SCAN_SECONDS = 4.0


async def scans(radio: Radio) -> str:
    counts, opening, values = [], [], set()
    async with radio:
        for _ in range(SCANS):
            heard: list[Heard] = []
            began = time.monotonic()
            await radio.scan(SCAN_SECONDS, heard.append)
            opening.append(time.monotonic() - began - SCAN_SECONDS)
            counts.append(len(heard))
            values |= {each.rssi_dbm for each in heard}
        changes = []
        for _ in range(SCANS):
            began = time.monotonic()
            await radio.rotate(Advertisement(secrets.token_bytes(16), secrets.token_bytes(4)))
            changes.append(time.monotonic() - began)
    return (
        f"packets in {SCAN_SECONDS:g} s: {counts}, strengths {sorted(values)},"
        f" to start and stop {max(opening):.2f} s, to change an identifier {max(changes):.2f} s"
    )


async def measure(radios: dict[str, str], sender: str, say: Callable[[str], None]) -> None:
    """Print a line for every radio."""
    async with open_radio(sender, Clock()) as sending:
        await sending.rotate(Advertisement(secrets.token_bytes(16), secrets.token_bytes(4)))
        for name, spec in radios.items():
            say(f"{name}: {await scans(open_radio(spec, Clock()))}")
