"""Windows and scans: by hand, against the naive machine, and whatever the metadata says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import KeyMatch, match_keys
from matcher.risk.attenuation import measured_sightings
from matcher.risk.windows import exposure_windows
from tests.matcher import naive
from tests.matcher.examples import START, heard, key, sightings
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.protocol.associated_encrypted_metadata import (
    CalibrationConfidence,
    Metadata,
    decrypt_aem,
)
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.exposure_window import ExposureWindow, Infectiousness, ScanInstance
from tracing_core.protocol.temporary_exposure_key import derive_aemk
from tracing_core.store.sighting import Sighting

CONFIGURATION = ExposureConfiguration.default()
NOON = (START + 72) * 600


def windows(*log: Sighting, of: object = None) -> list[ExposureWindow]:
    (match,) = match_keys(log, [key()])
    return exposure_windows(match, CONFIGURATION)


def at(seconds: int, *, rssi: int | list[int] = -60, **more: object) -> Sighting:
    """What is heard so many seconds after noon, sent with −10 dBm in that interval."""
    moment = NOON + seconds
    return heard(key(), moment // 600, at=moment, rssi=rssi, **more)  # type: ignore[arg-type]


def test_an_hour_by_hand() -> None:
    log = [
        at(0, rssi=[-60, -63], previous=NOON - 240),
        at(25, rssi=-58),
        at(300, rssi=-70, previous=NOON),
        at(1799, rssi=-80, previous=NOON + 1500),
        at(1800, rssi=-90, previous=NOON + 1799),
        at(2100, rssi=-5),
    ]
    first, second = windows(*log)
    assert first == ExposureWindow(
        date=START // 144,
        report_type=ReportType.CONFIRMED_TEST,
        infectiousness=Infectiousness.HIGH,
        calibration_confidence=CalibrationConfidence.LOWEST,
        scan_instances=(
            ScanInstance(50, 48, 240),  # mean of 50, 53 and 48 is 50.33
            ScanInstance(60, 60, 300),
            ScanInstance(70, 70, 240),  # 29:59 less 25:00 is four whole minutes on the clock
        ),
    )
    assert second.scan_instances == (
        ScanInstance(80, 80, 60),  # 30:00 less 29:59 is the next minute
        ScanInstance(0, 0, 120),
    )


@pytest.mark.parametrize(("gap", "scans"), [(25, 1), (26, 2)])
def test_sightings_this_close_are_one_scan(gap: int, scans: int) -> None:
    (window,) = windows(at(0), at(gap))
    assert len(window.scan_instances) == scans


def test_a_scan_goes_on_as_long_as_sightings_follow_each_other() -> None:
    (window,) = windows(*(at(20 * step) for step in range(10)))
    assert len(window.scan_instances) == 1


def test_a_new_window_cuts_even_a_scan() -> None:
    first, second = windows(at(0), at(1790), at(1800))
    assert (len(first.scan_instances), len(second.scan_instances)) == (2, 1)


@pytest.mark.parametrize(
    ("samples", "typical"),
    [([-60, -61], 51), ([-60, -61, -61], 51), ([-60, -60, -61], 50), ([-5, -6, -60], 17)],
)
def test_the_mean_is_rounded_half_up(samples: list[int], typical: int) -> None:
    (window,) = windows(at(0, rssi=samples))
    assert window.scan_instances[0].typical_attenuation_db == typical


@pytest.mark.parametrize(
    ("previous", "seconds"),
    [(None, 120), (0, 120), (NOON - 1, 60), (NOON, 0), (NOON - 3600, 300), (NOON + 600, 0)],
)
def test_seconds_since_the_last_scan(previous: int | None, seconds: int) -> None:
    (window,) = windows(at(0, previous=previous))
    assert window.scan_instances[0].seconds_since_last_scan == seconds


@pytest.mark.parametrize(
    ("power", "counts"), [(-51, False), (-50, True), (20, True), (21, False), (127, False)]
)
def test_a_sighting_of_impossible_power_matches_and_is_not_measured(
    power: int, counts: bool
) -> None:
    (match,) = match_keys([at(0, power=power)], [key()])
    assert bool(exposure_windows(match, CONFIGURATION)) is counts


def test_confidence_is_the_first_measured_sighting_s() -> None:
    high = Metadata(-10, minor_version=1, calibration_confidence=CalibrationConfidence.HIGH)
    (window,) = windows(at(0, power=100), at(5, metadata=high), at(9))
    assert window.calibration_confidence is CalibrationConfidence.HIGH


@pytest.mark.parametrize(
    ("onset", "infectiousness"),
    [
        (None, Infectiousness.HIGH),
        (15, Infectiousness.HIGH),
        (-15, Infectiousness.HIGH),
        (3999, Infectiousness.HIGH),
        (14, None),
        (-14, None),
        (-5, None),
        (-4, Infectiousness.STANDARD),
        (-2, Infectiousness.HIGH),
        (3, Infectiousness.HIGH),
        (5, Infectiousness.STANDARD),
        (6, None),
    ],
)
def test_infectiousness_by_days_since_onset(
    onset: int | None, infectiousness: Infectiousness | None
) -> None:
    (match,) = match_keys([at(0)], [key(onset=onset)])
    found = [window.infectiousness for window in exposure_windows(match, CONFIGURATION)]
    assert found == ([] if infectiousness is None else [infectiousness])


def test_an_unknown_report_type_is_what_the_authority_says() -> None:
    configuration = replace(CONFIGURATION, report_type_when_missing=ReportType.SELF_REPORT)
    (match,) = match_keys([at(0)], [key(report_type=ReportType.UNKNOWN)])
    (window,) = exposure_windows(match, configuration)
    assert window.report_type is ReportType.SELF_REPORT


@pytest.mark.parametrize("report_type", [ReportType.REVOKED, ReportType.RECURSIVE])
def test_a_revoked_key_has_no_windows(report_type: ReportType) -> None:
    match = KeyMatch(key(report_type=report_type), (at(0),), ())
    assert exposure_windows(match, CONFIGURATION) == []


def test_the_day_is_of_the_window_s_first_sighting() -> None:
    midnight = (START + 144) * 600
    log = [heard(key(), START + 143, at=midnight + second) for second in (-1, 200)]
    (match,) = match_keys(log, [key()])
    (window,) = exposure_windows(match, CONFIGURATION)
    assert window.date == START // 144


def as_naive(match: KeyMatch) -> list[naive.Heard]:
    aemk = derive_aemk(match.key.key_data)
    plain = [decrypt_aem(aemk, sighting.rpi, sighting.aem) for sighting in match.sightings]
    return [
        naive.Heard(
            sighting.seen_at,
            sighting.previous_scan_at,
            metadata.transmit_power_dbm,
            sighting.rssi_dbm,
            metadata.calibration_confidence,
        )
        for sighting, metadata in zip(match.sightings, plain, strict=True)
    ]


moments = st.integers(0, 4000).map(lambda seconds: NOON + seconds)


@st.composite
def busy(draw: st.DrawFn) -> list[Sighting]:
    """An hour near one key, with samples, gaps and powers of every kind."""
    return [
        heard(
            key(),
            moment // 600,
            at=moment,
            rssi=draw(st.lists(st.integers(-128, 127), min_size=1, max_size=4)),
            previous=draw(st.none() | st.just(0) | st.integers(NOON - 900, NOON + 4100)),
            power=draw(st.integers(-55, 25)),
        )
        for moment in draw(st.lists(moments, min_size=1, max_size=12))
    ]


@given(log=busy() | sightings())
def test_windows_are_the_naive_machine_s(log: list[Sighting]) -> None:
    for match in match_keys(log, [key()]):
        found = [
            {
                "day": window.date,
                "confidence": window.calibration_confidence,
                "scans": [
                    (
                        scan.typical_attenuation_db,
                        scan.min_attenuation_db,
                        scan.seconds_since_last_scan,
                    )
                    for scan in window.scan_instances
                ],
            }
            for window in exposure_windows(match, CONFIGURATION)
        ]
        assert found == naive.windows(as_naive(match))


@given(log=busy(), flips=st.lists(st.binary(min_size=4, max_size=4), min_size=12, max_size=12))
def test_flipped_metadata_changes_nothing_but_the_estimate(
    log: list[Sighting], flips: list[bytes]
) -> None:
    flipped = [
        replace(sighting, aem=bytes(a ^ b for a, b in zip(sighting.aem, flip, strict=True)))
        for sighting, flip in zip(log, flips, strict=False)
    ]

    def found(log: list[Sighting]) -> list[object]:
        return [
            (match.key, match.intervals, [replace(s, aem=b"\0\0\0\0") for s in match.sightings])
            for match in match_keys(log, [key()])
        ]

    assert found(flipped) == found(log)
    for match in match_keys(flipped, [key()]):
        for measured in measured_sightings(match):
            assert all(0 <= attenuation <= 147 for attenuation in measured.attenuations_db)
        for window in exposure_windows(match, CONFIGURATION):
            assert window.scan_instances
