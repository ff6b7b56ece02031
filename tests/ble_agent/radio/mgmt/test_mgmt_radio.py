"""The radio `mgmt` against a kernel of our own that answers as Linux did."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ble_agent.radio.mgmt.channel import (
    MgmtCommand,
    MgmtEvent,
    MgmtStatus,
    is_powered,
    read_device_found,
    read_monitors,
    read_tlvs,
)
from ble_agent.radio.mgmt.guardian import Guardian
from ble_agent.radio.mgmt.radio import MgmtRadio
from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Heard
from ble_agent.radio.real_time import Timeouts
from tests.ble_agent.radio.mgmt.fake_kernel import DEFAULTS, FakeKernel
from tests.ble_agent.virtual_air.airs import (
    START,
    begin_scan,
    random_advertisement,
    sleepers,
    until,
)
from tracing_core.clock import Clock, ManualClock, ScaledClock
from tracing_core.errors import AdvertisementFault, RadioError, RadioFault


def radio_of(
    kernel: FakeKernel, clock: Clock | None = None, index: int | None = None, **options: Any
) -> MgmtRadio:
    return MgmtRadio(index, clock or ManualClock(START), connect=kernel.connect, **options)


@contextlib.asynccontextmanager
async def opened(
    kernel: FakeKernel, clock: Clock | None = None, index: int | None = None, **options: Any
) -> AsyncIterator[MgmtRadio]:
    radio = radio_of(kernel, clock, index, **options)
    try:
        async with radio:
            yield radio
    finally:
        kernel.close()


async def test_every_identifier_is_a_new_advertisement_of_exact_bytes() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        assert kernel.settings[0] == 1 << 9 | 1
        for _ in range(3):
            advertisement = random_advertisement()
            await radio.rotate(advertisement)
            assert kernel.advertising == {(0, 5): (1200, advertisement.encode())}
        adverts = [each for each in kernel.commands if "_ADVERTISING" in each.name]
        add, remove = MgmtCommand.ADD_ADVERTISING, MgmtCommand.REMOVE_ADVERTISING
        assert adverts == [add, remove, add, remove, add]
        await radio.rotate(None)
        assert kernel.advertising == {}


async def test_on_leaving_the_air_is_silent_and_the_adapter_as_before() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        assert kernel.defaults != DEFAULTS
    assert kernel.advertising == {}
    assert kernel.defaults == DEFAULTS


async def test_the_timeout_is_twenty_minutes_of_the_agents_clock() -> None:
    kernel = FakeKernel()
    async with opened(kernel, ScaledClock(shown=START, real=0.0, rate=40.0)) as radio:
        await radio.rotate(random_advertisement())
        assert kernel.advertising[0, 5][0] == 30


async def test_what_a_killed_agent_left_is_removed_and_others_are_not() -> None:
    kernel = FakeKernel()
    kernel.advertising = {(0, 5): (1200, b"old"), (0, 1): (0, b"another program's")}
    async with opened(kernel):
        assert kernel.advertising == {(0, 1): (0, b"another program's")}


async def test_a_scan_delivers_every_packet_and_counts_the_rest() -> None:
    kernel, clock = FakeKernel(), ManualClock(START)
    heard: list[Heard] = []
    async with opened(kernel, clock) as radio:
        advertisement = random_advertisement()
        kernel.found(0, advertisement.encode(), -50)
        await radio.rotate(advertisement)
        scan = await begin_scan(radio, 4.0, heard.append)
        for rssi_dbm in (-60, -61, 127):
            kernel.found(0, advertisement.encode(), rssi_dbm)
        kernel.found(0, advertisement.encode(), -70, monitored=False)
        kernel.found(3, advertisement.encode(), -80)
        kernel.found(0, b"\x02\x01\x06", -60)
        kernel.event(MgmtEvent.MONITOR_DEVICE_FOUND, 0, bytes(9))
        await until(lambda: radio.rejected.total() == 2)
        clock.advance(4.0)
        await scan
        assert kernel.monitors == set()
    assert heard == [Heard(advertisement, rssi, START) for rssi in (-60, -61, -70)]
    assert radio.without_rssi == 1
    assert radio.rejected == {
        AdvertisementFault.NO_SERVICE_DATA: 1,
        AdvertisementFault.TRUNCATED: 1,
    }


async def test_an_identifier_changes_with_listening_stopped() -> None:
    kernel, clock = FakeKernel(), ManualClock(START)
    async with opened(kernel, clock) as radio:
        scan = await begin_scan(radio, 4.0)
        await radio.rotate(random_advertisement())
        assert kernel.monitors
        clock.advance(4.0)
        await scan
    order = [each.name for each in kernel.commands]
    assert order.index("REMOVE_MONITOR") < order.index("ADD_ADVERTISING")


async def test_kernels_without_monitors_discover() -> None:
    kernel, clock = FakeKernel(), ManualClock(START)
    kernel.refusals[MgmtCommand.ADD_PATTERNS_MONITOR] = MgmtStatus.UNKNOWN_COMMAND
    heard: list[Heard] = []
    async with opened(kernel, clock) as radio:
        assert "every packet" in radio.capabilities.note
        scan = await begin_scan(radio, 4.0, heard.append)
        assert MgmtCommand.START_DISCOVERY in kernel.commands
        kernel.found(0, random_advertisement().encode(), -60, monitored=False)
        await until(lambda: bool(heard))
        clock.advance(4.0)
        await scan
        assert kernel.commands[-1] is MgmtCommand.STOP_DISCOVERY
        assert "one packet" in radio.capabilities.note
        testing = asyncio.create_task(radio.self_test())
        while not testing.done():
            clock.advance(1.0)
            await asyncio.sleep(0)
        assert "too old" in (await testing)[-1].text.en


@pytest.mark.parametrize(
    ("command", "status", "reason", "words"),
    [
        ("REMOVE_ADVERTISING", 0x14, RadioFault.PERMISSION, "CAP_NET_ADMIN"),
        ("SET_POWERED", 0x12, RadioFault.POWERED_OFF, "rfkill unblock"),
        ("SET_POWERED", 0x0F, RadioFault.POWERED_OFF, "switch it on"),
        ("SET_POWERED", 0x03, RadioFault.POWERED_OFF, "rfkill unblock"),
        ("SET_LE", 0x0B, RadioFault.REFUSED, "SET_LE"),
        ("READ_INFO", 0x11, RadioFault.CONNECTION_LOST, "plug it in"),
        ("READ_ADV_FEATURES", 0x77, RadioFault.REFUSED, "0x77"),
    ],
)
async def test_refusals_say_what_to_do(
    command: str, status: int, reason: RadioFault, words: str
) -> None:
    kernel = FakeKernel()
    kernel.advertising[0, 5] = (0, b"")
    kernel.refusals[MgmtCommand[command]] = status
    with pytest.raises(RadioError, match=words) as caught:
        async with opened(kernel):
            pass
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)


async def test_an_advertisement_refused_leaves_silence() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        kernel.refusals[MgmtCommand.ADD_ADVERTISING] = MgmtStatus.INVALID_PARAMETERS
        with pytest.raises(RadioError, match="ADD_ADVERTISING") as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.REFUSED
        del kernel.refusals[MgmtCommand.ADD_ADVERTISING]
        await radio.rotate(random_advertisement())
        assert len(kernel.advertising) == 1


async def test_adapters_are_chosen() -> None:
    kernel = FakeKernel(indices=(3, 1))
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        assert list(kernel.advertising) == [(1, 5)]
    kernel = FakeKernel(indices=(3, 1))
    async with opened(kernel, index=3) as radio:
        await radio.rotate(random_advertisement())
        assert list(kernel.advertising) == [(3, 5)]
    with pytest.raises(RadioError, match="no adapter hci2") as caught:
        async with opened(FakeKernel(), index=2):
            pass
    assert caught.value.reason is RadioFault.NO_ADAPTER
    kernel = FakeKernel()
    kernel.supported = 1
    with pytest.raises(RadioError, match="no Bluetooth Low Energy"):
        async with opened(kernel):
            pass
    kernel = FakeKernel()
    kernel.features = bytes(8)
    with pytest.raises(RadioError, match="cannot advertise"):
        async with opened(kernel):
            pass


async def test_a_kernel_without_bluetooth_says_so() -> None:
    def connect() -> Any:
        raise OSError(97, "Address family not supported by protocol")

    with pytest.raises(RadioError, match="has no Bluetooth") as caught:
        async with MgmtRadio(0, ManualClock(START), connect=connect):
            pass
    assert caught.value.reason is RadioFault.NO_ADAPTER


@pytest.mark.parametrize(
    ("event", "body"),
    [
        (MgmtEvent.INDEX_REMOVED, b""),
        (MgmtEvent.NEW_SETTINGS, struct.pack("<I", 1 << 9)),
        (MgmtEvent.ADVERTISING_REMOVED, b"\x05"),
        (MgmtEvent.CONTROLLER_RESUME, bytes(8)),
    ],
)
async def test_a_scan_ends_at_once_when_the_adapter_is_lost(event: MgmtEvent, body: bytes) -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        scan = await begin_scan(radio, 4.0)
        kernel.event(event, 1, body)
        kernel.event(event, 0, body)
        with pytest.raises(RadioError) as caught:
            await scan
        assert caught.value.reason is RadioFault.CONNECTION_LOST
        with pytest.raises(RadioError, match="went away"):
            await radio.rotate(None)


async def test_one_who_rests_is_told_at_once_that_the_adapter_is_lost() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        resting = asyncio.create_task(radio.rest(300.0))
        await until(lambda: sleepers(radio) > 0)
        kernel.unplug(0)
        with pytest.raises(RadioError, match="unplugged"):
            await resting


async def test_a_kernel_that_does_not_tell_of_suspend_is_given_up_after_it() -> None:
    kernel = FakeKernel()
    slept = [0.0]
    async with opened(kernel, slept=lambda: slept[-1]) as radio:
        await radio.rotate(random_advertisement())
        slept.append(1e9)
        with pytest.raises(RadioError, match="slept"):
            await radio.rest(0.0)
        assert kernel.advertising
    assert not kernel.advertising


async def test_an_adapter_given_up_after_suspend_is_silenced() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        kernel.event(MgmtEvent.CONTROLLER_RESUME, 0, bytes(8))
        with pytest.raises(RadioError, match="slept"):
            await radio.scan(4.0, lambda _: None)
        assert kernel.advertising
    assert not kernel.advertising


async def test_a_radio_is_opened_anew_after_a_loss() -> None:
    kernel = FakeKernel()
    radio = radio_of(kernel)
    async with radio:
        scan = await begin_scan(radio, 4.0)
        kernel.unplug(0)
        with pytest.raises(RadioError, match="unplugged"):
            await scan
    # It may come back under another number.
    kernel.indices.append(1)
    kernel.settings[1] = 0
    async with radio:
        await radio.rotate(random_advertisement())
        assert list(kernel.advertising) == [(1, 5)]
    kernel.close()


async def test_an_adapter_off_because_it_is_unplugged_is_switched_on_again() -> None:
    kernel = FakeKernel()
    radio = radio_of(kernel, timeouts=Timeouts(unplugging_seconds=20.0))
    async with radio:
        scan = await begin_scan(radio, 4.0)
        kernel.switch_off(0)
        kernel.unplug(0)
        with pytest.raises(RadioError, match="unplugged"):
            await scan
    kernel.indices.append(0)
    async with radio:
        assert kernel.settings[0] & 1
        kernel.switch_off(0)
        await until(lambda: radio.may_be_unplugged)
        kernel.refusals[MgmtCommand.ADD_ADVERTISING] = MgmtStatus.NOT_POWERED
        with pytest.raises(RadioError, match="is off"):
            await radio.rotate(random_advertisement())
        # What the command could not know is told a moment later.
        asyncio.get_running_loop().call_later(0.01, kernel.unplug, 0)
    kernel.indices.append(0)
    async with radio:
        assert kernel.settings[0] & 1
    kernel.close()


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_person_who_switches_it_off_is_obeyed(at_once: bool) -> None:
    kernel = FakeKernel()
    radio = radio_of(kernel, timeouts=Timeouts(unplugging_seconds=0.3 if at_once else 0.01))
    async with radio:
        kernel.switch_off(0)
        if at_once:
            # A command is refused before it is decided.
            kernel.refusals[MgmtCommand.ADD_ADVERTISING] = MgmtStatus.NOT_POWERED
            await until(lambda: radio.may_be_unplugged)
            with pytest.raises(RadioError, match="off"):
                await radio.rotate(random_advertisement())
        else:
            with pytest.raises(RadioError, match="switched off"):
                await radio.rest(1000.0)
    with pytest.raises(RadioError, match="switch it on") as caught:
        await radio.__aenter__()
    assert caught.value.reason is RadioFault.POWERED_OFF
    assert not kernel.settings[0] & 1
    kernel.settings[0] |= 1
    async with radio:
        pass
    kernel.close()


async def test_a_kernel_that_hangs_up_or_does_not_answer_is_lost() -> None:
    kernel = FakeKernel()
    async with opened(kernel, timeouts=Timeouts(command_seconds=0.5)) as radio:
        kernel.silent.add(MgmtCommand.ADD_ADVERTISING)
        with pytest.raises(RadioError, match="does not answer ADD_ADVERTISING") as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.CONNECTION_LOST
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        scan = await begin_scan(radio, 4.0)
        kernel.close()
        with pytest.raises(RadioError, match="closed the channel"):
            await scan


async def test_extended_controllers_get_no_timeout_but_a_guardian(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ble_agent.radio.mgmt.radio.seconds_on_air", lambda _: 1)
    monkeypatch.setattr("ble_agent.radio.mgmt.radio.LONGEST_CONTROLLER_TIMEOUT_SECONDS", 0)
    kernel = FakeKernel(extended=True)
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        assert kernel.advertising[0, 8][0] == 0
        await until(lambda: not kernel.advertising)
        with pytest.raises(RadioError, match="its advertisement was removed"):
            await radio.scan(1.0, lambda _: None)


def guardian_of(radio: MgmtRadio) -> Guardian:
    assert radio.guardian is not None
    return radio.guardian


def die(radio: MgmtRadio) -> None:
    """End the pipe to the guardian, as it ends with an agent, however that died."""
    guardian_of(radio).hang_up()


@pytest.mark.parametrize("extended", [False, True])
async def test_the_guardian_undoes_what_a_dead_agent_left(extended: bool) -> None:
    kernel = FakeKernel(extended=extended)
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        scan = await begin_scan(radio, 4.0)
        assert kernel.advertising
        die(radio)
        await until(lambda: not kernel.advertising and not kernel.monitors)
        with pytest.raises(RadioError, match="its advertisement was removed"):
            await scan


async def test_the_guardian_asks_again_when_the_kernel_is_busy() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        scan = await begin_scan(radio, 4.0)
        orders = (MgmtCommand.REMOVE_ADVERTISING, MgmtCommand.REMOVE_MONITOR)
        kernel.refusals = dict.fromkeys(orders, MgmtStatus.BUSY)
        die(radio)
        for order in orders:
            kernel.commands.clear()
            await until(lambda order=order: kernel.commands.count(order) >= 2)  # type: ignore[misc]
            del kernel.refusals[order]
        await until(lambda: not kernel.advertising and not kernel.monitors)
        with pytest.raises(RadioError, match="its advertisement was removed"):
            await scan


async def test_a_guardian_that_cannot_do_one_thing_does_the_other() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        scan = await begin_scan(radio, 4.0)
        kernel.refusals[MgmtCommand.REMOVE_ADVERTISING] = MgmtStatus.FAILED
        die(radio)
        await until(lambda: not kernel.monitors)
        # Nothing was removed under the radio, so it learns from the guardian's end.
        with pytest.raises(RadioError, match="its guardian process has ended"):
            await scan


async def test_a_guardian_too_slow_to_be_waited_for_still_undoes() -> None:
    kernel = FakeKernel(extended=True)
    radio = radio_of(kernel, timeouts=Timeouts(closing_seconds=0.05))
    async with radio:
        await radio.rotate(random_advertisement())
        os.kill(guardian_of(radio).pid, signal.SIGSTOP)
        kernel.refusals[MgmtCommand.REMOVE_ADVERTISING] = MgmtStatus.BUSY
    assert kernel.advertising
    kernel.refusals.clear()
    os.kill(guardian_of(radio).pid, signal.SIGCONT)
    await until(lambda: not kernel.advertising)
    await until(lambda: guardian_of(radio).has_ended)
    kernel.close()


async def test_monitors_of_a_dead_agent_go_where_they_keep_it_from_sending() -> None:
    kernel = FakeKernel()
    kernel.monitors = {7, 9}
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        assert kernel.monitors == set()
        assert len(kernel.advertising) == 1
    kernel = FakeKernel(extended=True)
    kernel.monitors = {7}
    kernel.refusals[MgmtCommand.READ_MONITOR_FEATURES] = MgmtStatus.UNKNOWN_COMMAND
    async with opened(kernel) as radio:
        with pytest.raises(RadioError, match="status 0x03"):
            await radio.rotate(random_advertisement())
    assert kernel.monitors == {7}


async def test_without_its_guardian_nothing_is_sent() -> None:
    kernel = FakeKernel(extended=True)
    async with opened(kernel, ManualClock(START)) as radio:
        os.kill(guardian_of(radio).pid, signal.SIGKILL)
        await until(lambda: guardian_of(radio).has_ended)
        with pytest.raises(RadioError, match="its guardian process"):
            await radio.rotate(random_advertisement())
        assert kernel.advertising == {}


async def test_a_guardian_that_cannot_be_started_is_a_fault_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("subprocess.Popen", full)
    kernel = FakeKernel()
    with pytest.raises(RadioError, match="cannot be started"):
        await radio_of(kernel).__aenter__()
    kernel.close()


async def test_the_end_of_its_guardian_is_noticed_at_once() -> None:
    kernel = FakeKernel()
    async with opened(kernel) as radio:
        await radio.rotate(random_advertisement())
        resting = asyncio.create_task(radio.rest(300.0))
        await until(lambda: sleepers(radio) > 0)
        os.kill(guardian_of(radio).pid, signal.SIGKILL)
        with pytest.raises(RadioError, match="its guardian process"):
            await asyncio.wait_for(resting, 20)
    assert not kernel.advertising


async def test_a_scan_stopped_while_it_begins_leaves_nothing_behind() -> None:
    class Hasty(FakeKernel):
        def _on_add_patterns_monitor(
            self, index: int, body: bytes, channel: Any
        ) -> tuple[int, bytes]:
            scan.cancel()
            return super()._on_add_patterns_monitor(index, body, channel)

    kernel = Hasty()
    async with opened(kernel) as radio:
        scan = asyncio.create_task(radio.scan(4.0, lambda _: None))
        with pytest.raises(asyncio.CancelledError):
            await scan
        assert kernel.monitors == set()
        assert MgmtCommand.ADD_PATTERNS_MONITOR in kernel.commands


async def test_a_scan_stopped_while_it_fails_to_begin_is_no_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Refusing(FakeKernel):
        def _on_add_patterns_monitor(
            self, index: int, body: bytes, channel: Any
        ) -> tuple[int, bytes]:
            scans.pop().cancel()
            return MgmtStatus.REJECTED, b""

    kernel = Refusing()
    scans: list[asyncio.Task[None]] = []
    async with opened(kernel) as radio:
        scans.append(asyncio.create_task(radio.scan(4.0, lambda _: None)))
        done, _ = await asyncio.wait(scans)
        assert done.pop().cancelled()
    gc.collect()
    assert caplog.records == []


async def test_self_test_sends_and_listens() -> None:
    kernel, clock = FakeKernel(), ManualClock(START)
    async with opened(kernel, clock) as radio:
        testing = asyncio.create_task(radio.self_test())
        await until(lambda: sleepers(radio) > 0)
        assert kernel.advertising
        clock.advance(4.0)
        findings = await testing
        assert all(finding.ok for finding in findings)
        assert kernel.advertising == {}


def test_specs_are_read() -> None:
    clock = ManualClock(START)
    assert open_radio("mgmt", clock).name == "mgmt"
    assert open_radio("mgmt:hci12", clock).name == "mgmt:hci12"
    for spec in ("mgmt:usb0", "mgmt:hci", "mgmt:hci0x"):
        with pytest.raises(RadioError, match="no radio is called"):
            open_radio(spec, clock)


@given(
    st.sampled_from([MgmtEvent.DEVICE_FOUND, MgmtEvent.MONITOR_DEVICE_FOUND]),
    st.binary(max_size=80),
)
def test_events_of_any_bytes_are_read(event: MgmtEvent, body: bytes) -> None:
    found = read_device_found(event, body)
    if found is not None:
        assert found.data in body
        assert -128 <= found.rssi_dbm <= 127


@given(st.binary(max_size=80))
def test_settings_and_defaults_of_any_bytes_are_read(body: bytes) -> None:
    with contextlib.suppress(struct.error):
        assert all(len(handle) == 2 and handle in body for handle in read_monitors(body))
    assert is_powered(body) in (True, False)
    assert all(value in body for value in read_tlvs(body).values())


@settings(max_examples=30)  # Each starts a guardian.
@given(st.lists(st.binary(max_size=40), max_size=12))
def test_a_kernel_that_speaks_nonsense_does_no_harm(messages: list[bytes]) -> None:
    async def listen() -> None:
        kernel, clock = FakeKernel(), ManualClock(START)
        async with opened(kernel, clock) as radio:
            scan = await begin_scan(radio, 4.0)
            for message in messages:
                if message:
                    kernel.channels[0].send(message)
            with contextlib.suppress(RadioError):
                while not scan.done():
                    clock.advance(4.0)
                    await asyncio.sleep(0)
                await scan

    asyncio.run(listen())
