"""After suspend the adapter is silenced before it is given up, whoever comes next."""

from __future__ import annotations

import pytest
from bumble import hci

from ble_agent.virtual_air.controller import VirtualController
from tests.ble_agent.virtual_air.airs import air_of, radio_on, random_advertisement, standing
from tracing_core.errors import RadioError


async def test_a_controller_that_slept_is_reset_before_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    take = VirtualController.on_hci_command_packet

    def note(controller: VirtualController, command: hci.HCI_Command) -> None:
        sent.append(command.name)
        take(controller, command)

    monkeypatch.setattr(VirtualController, "on_hci_command_packet", note)
    slept = [0.0]
    async with air_of(*standing(an=0)) as (air, _):
        async with radio_on(air, "an", slept=lambda: slept[-1]) as an:
            await an.rotate(random_advertisement())
            sent.clear()
            slept.append(60.0)
            with pytest.raises(RadioError, match="slept"):
                await an.rest(0.0)
        # Some transports, such as USB, end without the controller's taking notice.
        assert sent == ["HCI_RESET_COMMAND"]
