"""After suspend the adapter is silenced before it is given up, whoever comes next."""

from __future__ import annotations

import pytest
from bumble import hci

from ble_agent.radio import adapter as adapter_radio
from tests.ble_agent.virtual_air.airs import air_of, radio_on, random_advertisement, standing
from tracing_core.errors import RadioError


async def test_a_controller_that_slept_is_reset_before_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with air_of(*standing(an=0)) as (air, _):
        an = radio_on(air, "an")
        sent: list[str] = []
        async with an:
            await an.rotate(random_advertisement())
            send = an._host.send_hci_packet

            def note(packet: hci.HCI_Packet) -> None:
                sent.append(packet.name if isinstance(packet, hci.HCI_Command) else "")
                send(packet)

            monkeypatch.setattr(an._host, "send_hci_packet", note)
            slept = adapter_radio._slept_seconds()
            monkeypatch.setattr(adapter_radio, "_slept_seconds", lambda: slept + 60)
            with pytest.raises(RadioError, match="slept"):
                await an.rest(0.0)
        # Some transports, such as USB, end without the controller's taking notice.
        assert sent == ["HCI_RESET_COMMAND"]
