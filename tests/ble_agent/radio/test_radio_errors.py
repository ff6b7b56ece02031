"""Every way a radio fails ends in one line that says what to do, and never in waiting."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from bumble import hci
from bumble.transport.common import ParserSource, Transport

from ble_agent.radio.hci.radio import HciRadio
from ble_agent.radio.hci.transport import transport_fault, watch_socket
from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Radio
from ble_agent.radio.real_time import Timeouts
from ble_agent.virtual_air.controller import VirtualController
from ble_agent.virtual_air.scenario import AirMode
from tests.ble_agent.virtual_air.airs import (
    air_of,
    begin_scan,
    pass_time,
    radio_on,
    random_advertisement,
    standing,
    until,
)
from tracing_core.clock import Clock
from tracing_core.errors import RadioError, RadioFault


async def _refused(spec: str) -> RadioError:
    return await _not_opened(open_radio(spec, Clock()))


async def _not_opened(radio: Radio) -> RadioError:
    with pytest.raises(RadioError) as caught:
        async with radio:
            pytest.fail("it opened")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    return caught.value


@pytest.mark.parametrize(
    "spec",
    ["", "hci", "hci:", "bluez:usb0", "mgmt:hci", "auto:hci0", "replay:", "HCI:usb:0", "x" * 999],
)
async def test_unknown_kinds(spec: str) -> None:
    with pytest.raises(RadioError, match=r"use auto or .* or replay:FILE") as caught:
        open_radio(spec, Clock())
    assert caught.value.reason is RadioFault.UNKNOWN_RADIO
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "transport",
    ["nonsense:1", "tcp-client", "tcp-client:nowhere", "tcp-client:127.0.0.1:x", "usb", "usb:zero"],
)
async def test_unknown_transports(transport: str) -> None:
    error = await _refused(f"hci:{transport}")
    assert error.reason in (RadioFault.UNKNOWN_RADIO, RadioFault.NO_ADAPTER)
    assert "hci-socket:0" in str(error) or "start or connect it" in str(error)


async def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = await _refused(f"hci:tcp-client:127.0.0.1:{port}")
    assert error.reason is RadioFault.NO_ADAPTER
    assert "start or connect it first" in str(error)


async def test_an_absent_adapter() -> None:
    error = await _refused("hci:hci-socket:65000")
    assert error.reason in (RadioFault.NO_ADAPTER, RadioFault.PERMISSION)


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (PermissionError(1, "Operation not permitted"), RadioFault.PERMISSION, "CAP_NET_ADMIN"),
        (OSError(16, "Device or resource busy"), RadioFault.REFUSED, "bluetoothctl power off"),
        (OSError(132, "Operation not possible"), RadioFault.POWERED_OFF, "rfkill unblock"),
        (OSError(19, "No such device"), RadioFault.NO_ADAPTER, "plug an adapter in"),
        (OSError(97, "Address family not supported"), RadioFault.NO_ADAPTER, "plug an adapter in"),
        (TimeoutError(), RadioFault.NO_ADAPTER, "no answer"),
        (Exception("two\nlines"), RadioFault.NO_ADAPTER, "(two): start or connect it first"),
        (Exception("at 00:11:22:33:44:55: no"), RadioFault.NO_ADAPTER, "(at …: no)"),
    ],
)
def test_what_the_system_says_becomes_advice(
    error: Exception, reason: RadioFault, advice: str
) -> None:
    told = transport_fault("hci-socket:0", error)
    assert told.reason is reason
    assert advice in str(told)
    assert "\n" not in str(told)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def _served_by(serve: Serve) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.CancelledError):
            await serve(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"tcp-client:127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_controller_that_never_answers() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _served_by(silent) as transport:
        timeouts = Timeouts(open_seconds=0.2)
        error = await _not_opened(HciRadio(transport, Clock(), timeouts=timeouts))
    assert error.reason is RadioFault.CONNECTION_LOST
    assert "does not answer RESET" in str(error)


async def test_a_controller_that_hangs_up() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)

    async with _served_by(rude) as transport:
        error = await _refused(f"hci:{transport}")
    assert error.reason is RadioFault.CONNECTION_LOST


async def test_a_controller_that_talks_nonsense() -> None:
    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(100):
            writer.write(os.urandom(100))
        await reader.read()

    async with _served_by(babbling) as transport:
        timeouts = Timeouts(open_seconds=0.5)
        error = await _not_opened(HciRadio(transport, Clock(), timeouts=timeouts))
    assert error.reason in (RadioFault.CONNECTION_LOST, RadioFault.REFUSED)


async def test_nothing_a_controller_says_is_logged_by_the_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    address = os.urandom(6)
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        air.send_from("an", b"\x04\xff\x06" + address)
        air.send_from("an", b"\x04\x0e\x01" + address[:1])
        await an.rotate(random_advertisement())
    assert address.hex() not in caplog.text
    assert address[::-1].hex(":") not in caplog.text.lower()
    assert [record.name for record in caplog.records if record.name.startswith("bumble")] == []


async def test_a_controller_that_stops_answering(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = Timeouts(command_seconds=0.2)
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an", timeouts=timeouts) as an:
        monkeypatch.setattr(VirtualController, "on_packet", lambda self, packet: None)
        with pytest.raises(RadioError, match="does not answer LE_SET_RANDOM_ADDRESS") as caught:
            await an.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.CONNECTION_LOST
        with pytest.raises(RadioError, match="went away"):
            await an.scan(1.0, lambda _: None)


def _refuse(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    disallowed = hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
    monkeypatch.setattr(
        VirtualController, f"on_hci_{command}_command", lambda self, command: disallowed
    )


@pytest.mark.parametrize(
    ("mode", "command"),
    [
        (AirMode.LEGACY, "le_set_random_address"),
        (AirMode.LEGACY, "le_set_advertising_parameters"),
        (AirMode.LEGACY, "le_set_advertising_data"),
        (AirMode.EXTENDED, "le_set_advertising_set_random_address"),
        (AirMode.EXTENDED, "le_set_extended_advertising_parameters"),
        (AirMode.EXTENDED, "le_set_extended_advertising_data"),
    ],
)
async def test_a_refused_rotation_names_the_command_and_leaves_silence(
    mode: AirMode, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with air_of(*standing(an=0), mode=mode) as (air, _), radio_on(air, "an") as an:
        await an.rotate(random_advertisement())
        scan = await begin_scan(an, 100.0)
        assert "an" in air.scanning
        with monkeypatch.context() as patched:
            _refuse(patched, command)
            with pytest.raises(RadioError, match=rf"refused {command.upper()} ") as caught:
                await an.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.REFUSED
        silent = air.packets_sent
        assert "an" in air.scanning
        await pass_time(air, 50.0)
        assert air.packets_sent == silent
        await an.rotate(random_advertisement())
        await pass_time(air, 50.0)
        assert air.packets_sent > silent
        await scan


async def test_a_rotation_that_cannot_go_on_listening_leaves_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        await an.rotate(random_advertisement())
        scan = await begin_scan(an, 100.0)
        _refuse(monkeypatch, "le_set_scan_parameters")
        with pytest.raises(RadioError, match="refused LE_SET_SCAN_PARAMETERS"):
            await an.rotate(random_advertisement())
        silent = air.packets_sent
        await pass_time(air, 150.0)
        assert air.packets_sent == silent
        await scan


@pytest.mark.parametrize("mode", [AirMode.LEGACY, AirMode.EXTENDED])
async def test_a_refused_scan(mode: AirMode, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "" if mode is AirMode.LEGACY else "extended_"
    async with air_of(*standing(an=0), mode=mode) as (air, _), radio_on(air, "an") as an:
        _refuse(monkeypatch, f"le_set_{kind}scan_parameters")
        with pytest.raises(RadioError, match=f"LE_SET_{kind.upper()}SCAN_PARAMETERS"):
            await an.scan(1.0, lambda _: None)


async def test_a_controller_without_low_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VirtualController, "lmp_features", hci.LmpFeatureMask(0))
    async with air_of(*standing(an=0)) as (air, _):
        error = await _refused(f"hci:{air.transports['an']}")
    assert error.reason is RadioFault.NO_LOW_ENERGY


async def test_a_controller_that_cannot_advertise(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = VirtualController.supported_commands - {hci.HCI_LE_SET_ADVERTISING_DATA_COMMAND}
    monkeypatch.setattr(VirtualController, "supported_commands", commands)
    async with air_of(*standing(an=0)) as (air, _):
        error = await _refused(f"hci:{air.transports['an']}")
    assert error.reason is RadioFault.NO_ADVERTISER


async def test_an_unplugged_hci_socket_is_noticed() -> None:
    ours, kernel = socket.socketpair()
    ours.setblocking(False)
    source = ParserSource()
    lost: list[bool] = []

    class Sink:
        def on_packet(self, packet: bytes) -> None:
            packets.append(packet)

        def on_transport_lost(self) -> None:
            lost.append(True)

    packets: list[bytes] = []
    source.set_packet_sink(Sink())
    transport = Transport(source, Sink())
    transport.socket = ours  # type: ignore[attr-defined]
    watch_socket(transport)
    with ours, kernel:
        kernel.sendall(b"\x04\x0e\x04\x01\x03\x0c\x00")
        await until(lambda: bool(packets))
        assert not lost
        kernel.close()
        await until(lambda: bool(lost))
        assert source.terminated.done()


async def test_leaving_an_adapter_that_is_gone() -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        await an.rotate(random_advertisement())
        air.disconnect("an")


@pytest.mark.parametrize("hangs", [False, True])
async def test_an_adapter_that_cannot_even_be_closed_is_opened_again(
    hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts = Timeouts(command_seconds=0.2, closing_seconds=0.2)
    close = Transport.close

    async def fail(transport: Transport) -> None:
        await close(transport)
        if hangs:
            await asyncio.Event().wait()
        raise Exception("LIBUSB_ERROR_NO_DEVICE")

    async with air_of(*standing(an=0)) as (air, _):
        an = radio_on(air, "an", timeouts=timeouts)
        with monkeypatch.context() as patched:
            patched.setattr(Transport, "close", fail)
            async with an:
                air.disconnect("an")
                with pytest.raises(RadioError, match="went away"):
                    await an.rest(1000.0)
        async with an:
            await an.rotate(random_advertisement())


async def test_self_test_of_an_adapter_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        _refuse(monkeypatch, "le_set_advertising_parameters")
        _refuse(monkeypatch, "le_set_scan_parameters")
        sends, listens, silent, _ = await an.self_test()
    assert (sends.ok, listens.ok, silent.ok) == (False, False, True)
    assert "refused LE_SET_ADVERTISING_PARAMETERS" in sends.text.en
    assert "từ chối" in sends.text.vi
    assert "refused LE_SET_SCAN_PARAMETERS" in listens.text.en


async def test_self_test_of_an_adapter_that_is_gone() -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        air.disconnect("an")
        results = await an.self_test()
    assert not results[0].ok
    assert "went away" in results[0].text.en


@pytest.mark.parametrize("mode", [AirMode.LEGACY, AirMode.EXTENDED])
async def test_an_adapter_that_will_not_be_silent_is_reset(
    mode: AirMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "" if mode is AirMode.LEGACY else "extended_"
    async with air_of(*standing(an=0), mode=mode) as (air, _):
        an = radio_on(air, "an")
        async with an:
            await an.rotate(random_advertisement())
            with monkeypatch.context() as patched:
                _refuse(patched, f"le_set_{kind}advertising_enable")
                with pytest.raises(RadioError) as caught:
                    await an.rotate(random_advertisement())
            assert caught.value.reason is RadioFault.REFUSED
            silent = air.packets_sent
            await pass_time(air, 50.0)
            assert air.packets_sent == silent
            with pytest.raises(RadioError, match="went away"):
                await an.rotate(random_advertisement())
        async with an:
            await an.rotate(random_advertisement())
            assert air.packets_sent > silent


async def test_a_controller_that_reports_a_hardware_error_is_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resets: list[bool] = []
    reset = VirtualController.on_hci_reset_command

    def count(controller: VirtualController, command: hci.HCI_Reset_Command) -> object:
        resets.append(controller.is_advertising)
        return reset(controller, command)

    monkeypatch.setattr(VirtualController, "on_hci_reset_command", count)
    async with air_of(*standing(an=0)) as (air, _):
        async with radio_on(air, "an") as an:
            await an.rotate(random_advertisement())
            scan = await begin_scan(an, 100.0)
            assert "an" in air.scanning
            air.send_from("an", b"\x04\x10\x01\x42")
            with pytest.raises(RadioError, match="reported a hardware error") as caught:
                await asyncio.wait_for(scan, 10)
            assert caught.value.reason is RadioFault.CONNECTION_LOST
        # On a cable nobody else would silence it.
        assert resets == [False, True]
