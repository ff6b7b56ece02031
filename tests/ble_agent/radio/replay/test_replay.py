"""Recordings: our own in every format, damaged ones, and those of real phones."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Heard
from ble_agent.radio.reception import Reception
from ble_agent.radio.replay.capture import CapturedPacket, PacketKind, read_capture
from ble_agent.radio.replay.radio import ReplayRadio
from tests.ble_agent.radio.captures import (
    Packet,
    extended_report,
    legacy_report,
    write_btsnoop,
    write_packet_logger,
)
from tests.ble_agent.virtual_air.airs import random_advertisement
from tracing_core.clock import Clock, ManualClock
from tracing_core.errors import RadioError, RadioFault
from tracing_core.protocol.advertisement import Advertisement

START = 1_700_000_000.25
FORMATS: dict[str, Any] = {
    "btsnoop-h1": lambda path, packets: write_btsnoop(path, packets, datalink=1001),
    "btsnoop-h4": lambda path, packets: write_btsnoop(path, packets, datalink=1002),
    "btsnoop-monitor": lambda path, packets: write_btsnoop(path, packets, datalink=2001),
    "packetlogger": lambda path, packets: write_packet_logger(path, packets),
    "packetlogger-little": lambda path, packets: write_packet_logger(path, packets, order="<"),
}
ALL_FORMATS = pytest.mark.parametrize("form", FORMATS)


def _recording() -> tuple[list[Packet], list[Advertisement]]:
    """Two scans, 240 s apart, of two neighbours; and much that is none of our business."""
    one, other = random_advertisement(), random_advertisement()
    foreign = b"\x02\x01\x06\x05\xff\x4c\x00\x10\x00"
    packets: list[Packet] = [(START - 5, 1, b"\x03\x0c\x00")]
    for scan in (0.0, 240.0):
        begin = START + scan
        packets += [
            (begin, 4, legacy_report((one.encode(), -50))),
            (begin + 0.5, 4, legacy_report((foreign, -40), (one.encode(flags=None), -51))),
            (begin + 1.0, 2, b"\x01\x00\x02\x00\xff\xff"),
            (begin + 3.5, 4, extended_report((other.encode(flags=None), -70), (foreign, -1))),
        ]
    packets.append((START + 500, 4, b"\x0e\x04\x01\x03\x0c\x00"))
    return packets, [one, one, other]


async def _replay(path: Path) -> tuple[ReplayRadio, list[list[Heard]]]:
    radio = open_radio(f"replay:{path}", Clock())
    assert isinstance(radio, ReplayRadio)
    scans: list[list[Heard]] = []
    async with radio:
        while not radio.exhausted:
            scans.append([])
            await radio.scan(4.0, scans[-1].append)
    return radio, scans


@ALL_FORMATS
async def test_bursts_are_delivered_on_the_recordings_clock(form: str, tmp_path: Path) -> None:
    packets, expected = _recording()
    radio, scans = await _replay(FORMATS[form](tmp_path / "capture", packets))
    assert [[what.advertisement for what in scan] for scan in scans] == [expected, expected]
    assert [[what.rssi_dbm for what in scan] for scan in scans] == [[-50, -51, -70]] * 2
    moments = [what.heard_at for scan in scans for what in scan]
    assert moments == pytest.approx([START + add for add in (0, 0.5, 3.5, 240, 240.5, 243.5)])
    assert radio.clock.now() == pytest.approx(START + 500)
    assert radio.rejected.total() == 4


@ALL_FORMATS
def test_packets_come_back_as_written(form: str, tmp_path: Path) -> None:
    packets, _ = _recording()
    got = list(read_capture(FORMATS[form](tmp_path / "capture", packets)))
    if form == "btsnoop-monitor":
        packets = [packet for packet in packets if packet[1] != 2]
    assert [(packet.kind, packet.data) for packet in got] == [
        (PacketKind(kind), data) for _, kind, data in packets
    ]
    assert [packet.time for packet in got] == pytest.approx([packet[0] for packet in packets])


async def test_a_long_burst_is_cut_into_scans(tmp_path: Path) -> None:
    data = random_advertisement().encode()
    packets = [(START + second, 4, legacy_report((data, -50))) for second in range(100)]
    _, scans = await _replay(write_btsnoop(tmp_path / "capture", packets))
    assert [len(scan) for scan in scans] == [26, 26, 26, 22]


async def test_sleepers_wake_as_the_recording_goes_on(tmp_path: Path) -> None:
    packets, _ = _recording()
    radio = open_radio(f"replay:{write_btsnoop(tmp_path / 'capture', packets)}", Clock())
    async with radio:
        sleeping = asyncio.ensure_future(radio.clock.sleep(100.0))
        await radio.scan(4.0, lambda _: None)
        assert not sleeping.done()
        await radio.scan(4.0, lambda _: None)
        await asyncio.wait_for(sleeping, 5)
        assert radio.exhausted
        before = radio.clock.now()
        await radio.scan(4.0, lambda _: pytest.fail("there is nothing more"))
        assert radio.clock.now() == before + 4


async def test_a_clock_that_was_set_back_is_followed(tmp_path: Path) -> None:
    data = random_advertisement().encode()
    moments = [START, START + 1, START - 4, START + 2, START - 7200, START - 7199]
    packets = [(moment, 4, legacy_report((data, -50))) for moment in moments]
    _, scans = await _replay(write_btsnoop(tmp_path / "capture", packets))
    got = [what.heard_at - START for scan in scans for what in scan]
    assert got == pytest.approx([0, 1, 1, 2, -7200, -7199])


async def test_nothing_is_sent(tmp_path: Path) -> None:
    packets, _ = _recording()
    radio = open_radio(f"replay:{write_btsnoop(tmp_path / 'capture', packets)}", Clock())
    async with radio:
        assert not radio.capabilities.can_advertise
        await radio.rotate(None)
        with pytest.raises(RadioError) as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.NO_ADVERTISER
        (finding,) = await radio.self_test()
        assert finding.ok
        assert " 6 " in finding.text.en


async def test_a_recording_of_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    radio = open_radio(f"replay:{write_btsnoop(tmp_path / 'capture', [])}", clock)
    async with radio:
        assert radio.exhausted
        assert radio.clock.now() == START
        await radio.scan(4.0, lambda _: pytest.fail("there is nothing"))


def _unreadable(path: Path) -> str:
    with pytest.raises(RadioError) as caught:
        for _ in read_capture(path):
            pass
    assert caught.value.reason is RadioFault.UNREADABLE_CAPTURE
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (
        b"",
        b"btsnoop",
        b"btsnoop\0",
        b"btsnoop\0" + bytes(8),
        b"btsnoop\0\0\0\0\2\0\0\3\xea",
        b"btsnoop\0\0\0\0\1\0\0\3\xeb",
        b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(30),
        b"PK\x03\x04" + bytes(100),
        b"hello, this is a text file\n" * 5,
        gzip.compress(bytes(1000)),
        bytes(1000),
        b"\xff" * 1000,
    ):
        path.write_bytes(content)
        assert "file" in _unreadable(path)
        with pytest.raises(RadioError):
            open_radio(f"replay:{path}", Clock())
    assert "No such file" in _unreadable(tmp_path / "absent")
    assert "directory" in _unreadable(tmp_path)


def _read_until_damage(path: Path) -> tuple[list[CapturedPacket], RadioError | None]:
    got: list[CapturedPacket] = []
    try:
        got.extend(read_capture(path))
    except RadioError as error:
        return got, error
    return got, None


@ALL_FORMATS
def test_what_comes_before_the_end_of_a_truncated_recording_is_read(
    form: str, tmp_path: Path
) -> None:
    path: Path = FORMATS[form](tmp_path / "capture", _recording()[0])
    content = path.read_bytes()
    whole = list(read_capture(path))
    for cut in range(30, len(content), 7):
        path.write_bytes(content[:cut])
        got, error = _read_until_damage(path)
        assert got == whole[: len(got)]
        assert error is None or "inside a record" in str(error)


def _with_ending(form: str, path: Path, packets: list[Packet], ending: str) -> Path:
    """Write a recording and what is left of one more record."""
    FORMATS[form](path, [(START + 250, 4, bytes(range(1, 61)))])
    record = path.read_bytes()[16 if form.startswith("btsnoop") else 0 :]
    left = {
        "in the packet": record[:40],
        "in the header": record[:4],
        "zeros": bytes(8192),
        "garbage": b"\xff" * 100,
    }
    FORMATS[form](path, packets)
    path.write_bytes(path.read_bytes() + left[ending])
    return path


@ALL_FORMATS
@pytest.mark.parametrize("ending", ["in the packet", "in the header", "zeros"])
async def test_a_recording_that_was_cut_ends_there(
    form: str, ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Issue 9, F13: a recorder that is killed leaves half a record (bluez pull request 2243).
    packets, expected = _recording()
    radio, scans = await _replay(_with_ending(form, tmp_path / "capture", packets[:5], ending))
    assert [what.advertisement for scan in scans for what in scan] == expected
    assert radio.exhausted
    (line,) = [record.getMessage() for record in caplog.records]
    assert "ends inside a record: everything before it was read" in line
    (finding,) = await radio.self_test()
    assert finding.ok


@ALL_FORMATS
async def test_a_damaged_recording_is_replayed_then_refused(form: str, tmp_path: Path) -> None:
    packets, expected = _recording()
    path = _with_ending(form, tmp_path / "capture", packets[:5], "garbage")
    heard: list[Heard] = []
    async with open_radio(f"replay:{path}", Clock()) as radio:
        await radio.scan(4.0, heard.append)
        assert [what.advertisement for what in heard] == expected
        for _ in range(2):
            assert not radio.exhausted
            with pytest.raises(RadioError) as caught:
                await radio.scan(4.0, heard.append)
            assert caught.value.reason is RadioFault.UNREADABLE_CAPTURE


@ALL_FORMATS
def test_a_file_without_one_whole_record_is_refused(form: str, tmp_path: Path) -> None:
    path = _with_ending(form, tmp_path / "capture", [], "in the packet")
    if form.startswith("packetlogger"):
        path.write_bytes(path.read_bytes()[17:])
    with pytest.raises(RadioError, match="ends inside"):
        open_radio(f"replay:{path}", Clock())


async def test_a_record_of_no_bytes_is_passed_over(tmp_path: Path) -> None:
    packets, expected = _recording()
    path = write_btsnoop(tmp_path / "capture", [(START - 1, 4, b""), *packets[:5]], datalink=1001)
    _, scans = await _replay(path)
    assert [what.advertisement for scan in scans for what in scan] == expected


def test_a_record_cannot_ask_for_much(tmp_path: Path) -> None:
    path = write_btsnoop(tmp_path / "capture", [])
    huge = (0xFFFFFFF0).to_bytes(4, "big")
    path.write_bytes(path.read_bytes() + huge + huge + bytes(16) + bytes(100))
    assert "claims a record of 4294967280 bytes" in _unreadable(path)


def test_times_outside_the_protocol_are_refused(tmp_path: Path) -> None:
    path = write_btsnoop(tmp_path / "capture", [(-1e9, 4, b"\x0e\x00")])
    assert "outside the protocol" in _unreadable(path)


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_no_damage_harms_the_readers(
    tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "capture"
    content = bytearray(FORMATS[form](path, _recording()[0]).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    _survive(path)


@given(
    st.sampled_from([b"", b"btsnoop\0\0\0\0\1\0\0\3\xe9", b"btsnoop\0\0\0\0\1\0\0\3\xea"]),
    st.binary(max_size=400),
)
def test_no_bytes_harm_the_readers(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "capture"
    path.write_bytes(head + tail)
    _survive(path)


def _survive(path: Path) -> None:
    packets, error = _read_until_damage(path)
    assert error is None or error.reason in (
        RadioFault.UNREADABLE_CAPTURE,
        RadioFault.CUT_CAPTURE,
    )
    reception = Reception()
    for packet in packets:
        for heard in reception.read_event(packet.data, packet.time):
            assert len(heard.advertisement.service_data) == 20


# Recordings of real phones (DP-3T, bt-measurements, CC BY-ND 4.0) stay where they are.

RECORDINGS = os.environ.get("TRUYVET_RECORDINGS")
needs_recordings = pytest.mark.skipif(
    RECORDINGS is None, reason="TRUYVET_RECORDINGS names no folder of recordings"
)
REPORTS_IN = {
    "exp29-calibration-pixel4-anechoic/23.btsnoop": (440, 0x0D),
    "exp29-calibration-pixel4-anechoic/24.btsnoop": (118, 0x0D),
    "exp29-calibration-pixel4-anechoic/03.btsnoop": (104, 0x0D),
    "exp25-calibration-iphone-to-android-anechoic/02.btsnoop": (197, 0x0D),
    "exp25-calibration-iphone-to-android-anechoic/103.pklg": (16, 0x0D),
    "exp27-calibration-iphone-to-iphone-anechoic/01.pklg": (33, 0x02),
}


def _recorded(name: str) -> Path:
    assert RECORDINGS is not None
    return Path(RECORDINGS) / "bt-captures" / "dp3t-bt-measurements" / name


def _facts() -> list[dict[str, Any]]:
    assert RECORDINGS is not None
    path = Path(RECORDINGS).parent / "vectors" / "gaen_real_ble_adverts.json"
    if not path.exists():
        pytest.skip("the facts about the recordings are not beside them")
    facts: list[dict[str, Any]] = json.loads(path.read_text())["captures"]
    return facts


@needs_recordings
@pytest.mark.parametrize("name", REPORTS_IN)
async def test_real_phones_reports_are_all_delivered(name: str) -> None:
    radio, scans = await _replay(_recorded(name))
    heard = [what for scan in scans for what in scan]
    count, subevent = REPORTS_IN[name]
    assert len(heard) == count
    assert radio.without_rssi == 0
    subevents = {
        packet.data[2]
        for packet in read_capture(_recorded(name))
        if packet.kind is PacketKind.EVENT and b"\x16\x6f\xfd" in packet.data
    }
    assert subevents == {subevent}
    for scan in scans:
        assert scan[-1].heard_at - scan[0].heard_at < 5
    if name.endswith("btsnoop"):
        # Phones scan every few minutes; each of their scans is one of ours.
        starts = [scan[0].heard_at for scan in scans]
        assert all(after - before > 100 for before, after in itertools.pairwise(starts))


@needs_recordings
async def test_real_phones_heard_what_is_known() -> None:
    for facts in _facts():
        _, scans = await _replay(_recorded(facts["file"]))
        heard = [what for scan in scans for what in scan]
        assert len(heard) == facts["rx_reports"]
        for expected in facts["rx"]:
            mine = [what for what in heard if what.advertisement.rpi.hex() == expected["rpi"]]
            assert len(mine) == expected["count"]
            assert {what.advertisement.aem.hex() for what in mine} == {expected["aem"]}
            values = [what.rssi_dbm for what in mine]
            assert (min(values), max(values)) == (expected["rssi_min"], expected["rssi_max"])
            assert values[:10] == expected["rssi_first10"]


@needs_recordings
def test_real_phones_sent_what_we_would_send() -> None:
    for facts in _facts():
        sent = list(_sent_by(_recorded(facts["file"])))
        assert [data.hex() for _, data in sent] == [expected["ad"] for expected in facts["tx"]]
        moments = [moment for moment, _ in sent]
        assert moments == pytest.approx([expected["t"] for expected in facts["tx"]], abs=0.01)
        for _, data in sent:
            assert Advertisement.decode(data).encode(flags=None) == data
        assert len({Advertisement.decode(data).rpi for _, data in sent}) == len(sent)


def _sent_by(path: Path) -> list[tuple[float, bytes]]:
    """When a phone handed its controller new advertising data with an identifier."""
    legacy, extended = b"\x08\x20", b"\x37\x20"
    sent: list[tuple[float, bytes]] = []
    for packet in read_capture(path):
        if packet.kind is not PacketKind.COMMAND:
            continue
        if packet.data[:2] == legacy:
            data = packet.data[4 : 4 + packet.data[3]]
        elif packet.data[:2] == extended:
            data = packet.data[7 : 7 + packet.data[6]]
        else:
            continue
        if b"\x16\x6f\xfd" in data:
            sent.append((packet.time, data))
    return sent
