"""HCI advertising events: several reports in one, fragments, and every kind of damage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ble_agent.radio.reception import Reception
from ble_agent.radio.reports import ReportReader
from tests.ble_agent.radio.captures import extended_report, legacy_report
from tests.ble_agent.virtual_air.airs import random_advertisement
from tracing_core.errors import AdvertisementFault

REPORTS = st.lists(
    st.tuples(st.binary(max_size=31), st.integers(-128, 127)), min_size=1, max_size=6
)


@given(REPORTS, st.booleans())
def test_every_report_of_an_event_is_read(reports: list[tuple[bytes, int]], legacy: bool) -> None:
    if not legacy:
        reports = reports[:4]  # 255 bytes hold no more of the longer ones.
    event = legacy_report(*reports) if legacy else extended_report(*reports)
    reader = ReportReader()
    assert [tuple(report) for report in reader.read(event)] == reports
    assert reader.damaged == 0


@given(REPORTS.map(lambda reports: reports[:4]), st.booleans(), st.data())
def test_what_was_cut_off_is_counted_and_the_rest_read(
    reports: list[tuple[bytes, int]], legacy: bool, data: st.DataObject
) -> None:
    event = legacy_report(*reports) if legacy else extended_report(*reports)
    cut = data.draw(st.integers(4, len(event) - 1))
    reader = ReportReader()
    got = [tuple(report) for report in reader.read(event[:cut])]
    assert got == reports[: len(got)]
    assert len(got) < len(reports)
    assert reader.damaged == 1


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x3e", b"\x3e\xff\x02", b"\x3e\xff\x0d"]))
def test_no_bytes_harm_the_reader(tail: bytes, head: bytes) -> None:
    reader = ReportReader()
    for _ in range(3):
        for data, rssi in reader.read(head + tail):
            assert len(data) <= 1650
            assert -128 <= rssi <= 127


def test_fragments_are_joined_for_each_advertiser() -> None:
    reader = ReportReader()
    one, other = random_advertisement().encode(), random_advertisement().encode()
    assert list(reader.read(extended_report((one[:10], -50), status=1, advertiser=1))) == []
    assert list(reader.read(extended_report((other[:5], -60), status=1, advertiser=2))) == []
    (report,) = reader.read(extended_report((one[10:], -51), advertiser=1))
    assert report == (one, -51)
    (report,) = reader.read(extended_report((other[5:], -61), status=2, advertiser=2))
    assert report == (other, -61)
    (report,) = reader.read(extended_report((b"", -61), advertiser=2))
    assert report.data == b""


def test_endless_fragments_stay_bounded() -> None:
    reader = ReportReader()
    reports = 0
    for number in range(5000):
        event = extended_report((bytes(200), -50), status=1, advertiser=number % 250)
        reports += sum(1 for _ in reader.read(event))
    assert reader.pending_bytes <= 64 * 1650
    one = ReportReader()
    lengths = [
        len(report.data)
        for _ in range(100)
        for report in one.read(extended_report((bytes(200), -50), status=1))
    ]
    assert set(lengths) == {1650}


def test_unknown_strength_is_counted_and_not_delivered() -> None:
    reception = Reception()
    data = random_advertisement().encode()
    event = legacy_report((data, 127), (data, -128), (data, -127), (data, 75))
    assert [heard.rssi_dbm for heard in reception.read_event(event, 1.0)] == [-127, 75]
    assert reception.without_rssi == 2
    assert not reception.rejected
    assert list(reception.read_event(event[:20], 1.0)) == []
    assert reception.rejected == {AdvertisementFault.TRUNCATED: 1}
