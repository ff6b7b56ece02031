"""Daily summaries, levels, presets and what the owner is left with."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import assess, load_configuration, match_keys
from matcher.risk import preset_names
from matcher.risk.models.env2 import daily_summaries
from tests.matcher import naive
from tests.matcher.examples import START, heard, key
from tracing_core.configuration.env2 import (
    SUMMARISED_REPORT_TYPES,
    Classification,
    DailySummariesConfig,
    ExposureConfiguration,
)
from tracing_core.errors import InvalidValue, StoreError
from tracing_core.protocol.associated_encrypted_metadata import CalibrationConfidence
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.exposure_window import ExposureWindow, Infectiousness, ScanInstance

DAY = START // 144
PLAIN = replace(
    ExposureConfiguration.default(),
    daily_summaries=DailySummariesConfig(
        attenuation_thresholds_db=(30, 50, 60),
        attenuation_bucket_weights=(1.5, 1.0, 0.5, 0.0),
        report_type_weights=dict.fromkeys(SUMMARISED_REPORT_TYPES, 1.0),
        infectiousness_weights={Infectiousness.STANDARD: 1.0, Infectiousness.HIGH: 2.0},
    ),
)


def window(
    *scans: tuple[int, int],
    day: int = DAY,
    report_type: ReportType = ReportType.CONFIRMED_TEST,
    infectiousness: Infectiousness = Infectiousness.STANDARD,
) -> ExposureWindow:
    """A window of scans of so many dB and seconds."""
    return ExposureWindow(
        day,
        report_type,
        infectiousness,
        CalibrationConfidence.LOWEST,
        tuple(ScanInstance(typical, typical, seconds) for typical, seconds in scans),
    )


def weighing(**changes: object) -> ExposureConfiguration:
    return replace(PLAIN, daily_summaries=replace(PLAIN.daily_summaries, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attenuation", "weighted"), [(30, 450), (31, 300), (50, 300), (51, 150), (60, 150), (61, 0)]
)
def test_the_upper_bound_of_a_bucket_is_in_it(attenuation: int, weighted: float) -> None:
    (day,) = daily_summaries([window((attenuation, 300))], PLAIN, DAY)
    assert day.total.weighted_duration_sum == weighted


def test_a_day_by_hand() -> None:
    windows = [
        window((30, 300), (55, 240)),  # 450 + 120 = 570
        window((40, 300), infectiousness=Infectiousness.HIGH),  # 300, scores 600
        window((45, 120), report_type=ReportType.SELF_REPORT),
        window((45, 120), report_type=ReportType.REVOKED),
    ]
    (day,) = daily_summaries(windows, PLAIN, DAY)
    confirmed = day.by_report_type[ReportType.CONFIRMED_TEST]
    assert (confirmed.maximum_score, confirmed.score_sum) == (600, 1170)
    assert confirmed.weighted_duration_sum == 870
    assert (day.total.maximum_score, day.total.score_sum) == (600, 1290)
    assert day.total.weighted_duration_sum == 990
    assert day.duration_seconds == 960
    assert day.level == "high"
    assert set(day.by_report_type) == {ReportType.CONFIRMED_TEST, ReportType.SELF_REPORT}


def test_a_window_below_the_minimum_is_ignored_with_its_duration() -> None:
    windows = [window((40, 300)), window((40, 60))]
    (day,) = daily_summaries(windows, weighing(minimum_window_score=300.0), DAY)
    assert day.total.weighted_duration_sum == 300
    assert daily_summaries(windows, weighing(minimum_window_score=300.5), DAY) == []


@pytest.mark.parametrize("missing", ["report_type_weights", "infectiousness_weights"])
def test_without_a_minimum_even_a_score_of_nothing_keeps_its_duration(missing: str) -> None:
    (day,) = daily_summaries([window((40, 300))], weighing(**{missing: {}}), DAY)
    assert (day.total.score_sum, day.total.weighted_duration_sum) == (0, 300)
    assert day.level == "none"


def test_days_are_in_order_whatever_the_order_of_windows() -> None:
    windows = [window((40, 300), day=DAY + ahead) for ahead in (2, 0, 1)]
    assert [day.date for day in daily_summaries(windows, PLAIN, DAY)] == [DAY, DAY + 1, DAY + 2]


@pytest.mark.parametrize(
    ("threshold", "age", "counts"), [(0, 99, 1), (1, 1, 1), (1, 2, 0), (14, 14, 1), (14, 15, 0)]
)
def test_exposures_grow_too_old(threshold: int, age: int, counts: int) -> None:
    configuration = weighing(days_since_exposure_threshold=threshold)
    assert len(daily_summaries([window((40, 300))], configuration, DAY + age)) == counts


scans = st.lists(st.tuples(st.integers(0, 120), st.sampled_from([0, 60, 120, 300])), min_size=1)
weights = st.sampled_from([0.0, 0.25, 1.0, 2.5])


@given(
    made=st.lists(
        st.builds(
            lambda scans, day, kind, inf: window(
                *scans, day=day, report_type=kind, infectiousness=inf
            ),
            scans,
            st.integers(DAY - 20, DAY),
            st.sampled_from(SUMMARISED_REPORT_TYPES),
            st.sampled_from([Infectiousness.STANDARD, Infectiousness.HIGH]),
        ),
        max_size=8,
    ),
    buckets=st.lists(weights, min_size=4, max_size=4),
    types=st.lists(weights, min_size=4, max_size=4),
    high=weights,
    minimum=st.sampled_from([0.0, 60.0, 900.0]),
    days_back=st.sampled_from([0, 1, 14]),
)
def test_summaries_are_the_naive_ones(
    made: list[ExposureWindow],
    buckets: list[float],
    types: list[float],
    high: float,
    minimum: float,
    days_back: int,
) -> None:
    configuration = weighing(
        attenuation_bucket_weights=tuple(buckets),
        report_type_weights=dict(zip(SUMMARISED_REPORT_TYPES, types, strict=True)),
        infectiousness_weights={Infectiousness.STANDARD: 1.0, Infectiousness.HIGH: high},
        minimum_window_score=minimum,
        days_since_exposure_threshold=days_back,
    )
    scored = []
    for one in made:
        figures = [
            (scan.typical_attenuation_db, scan.min_attenuation_db, scan.seconds_since_last_scan)
            for scan in one.scan_instances
        ]
        duration = naive.weighted(figures, [30, 50, 60], [Fraction(weight) for weight in buckets])
        factor = Fraction(types[SUMMARISED_REPORT_TYPES.index(one.report_type)])
        if one.infectiousness is Infectiousness.HIGH:
            factor *= Fraction(high)
        scored.append(naive.Scored(one.date, one.report_type.name, duration, duration * factor))
    expected = naive.summaries(scored, minimum=Fraction(minimum), today=DAY, days_back=days_back)
    found = {
        day.date: {
            "all": day.total,
            **{kind.name: summary for kind, summary in day.by_report_type.items()},
        }
        for day in daily_summaries(made, configuration, DAY)
    }
    # The weights are exact in binary, so the figures must be too.
    assert {
        day: {
            name: (summary.maximum_score, summary.score_sum, summary.weighted_duration_sum)
            for name, summary in summaries.items()
        }
        for day, summaries in found.items()
    } == expected


@pytest.mark.parametrize(
    ("threshold", "meets"),
    [
        ({"confirmed_test_per_day_sum_erv_seconds": 600}, True),
        ({"confirmed_test_per_day_sum_erv_seconds": 600.5}, False),
        ({"clinical_diagnosis_per_day_sum_erv_seconds": 300}, True),
        ({"clinical_diagnosis_per_day_sum_erv_seconds": 301}, False),
        ({"self_report_per_day_sum_erv_seconds": 1}, False),
        ({"recursive_per_day_sum_erv_seconds": 1}, False),
        ({"per_day_sum_erv_seconds": 900}, True),
        ({"per_day_max_erv_seconds": 600}, True),
        ({"per_day_max_erv_seconds": 601}, False),
        ({"per_day_max_erv_seconds": 0.5}, True),
        ({"weighted_duration_at_attenuation_seconds": 600}, True),
        ({"weighted_duration_at_attenuation_seconds": 601}, False),
        ({"per_day_max_erv_seconds": 601, "per_day_sum_erv_seconds": 900}, True),
        ({}, False),
    ],
)
def test_a_day_meets_a_classification(threshold: dict[str, float], meets: bool) -> None:
    windows = [
        window((40, 300), infectiousness=Infectiousness.HIGH),
        window((40, 300), report_type=ReportType.CONFIRMED_CLINICAL_DIAGNOSIS),
    ]
    configuration = replace(PLAIN, classifications=(Classification("it", **threshold),))
    (day,) = daily_summaries(windows, configuration, DAY)
    assert day.level == ("it" if meets else "none")


def test_the_first_classification_wins_and_the_gravest_day_is_the_level() -> None:
    near = [heard(key(), START + 9 + 30 * n, rssi=-50, previous=1) for n in range(4)]
    far = key("binh", start=START + 144)
    log = [*near, heard(far, START + 150, previous=1)]
    assessment = assess(match_keys(log, [key(), far]), ExposureConfiguration.default(), DAY + 1)
    assert [(day.date, day.level) for day in assessment.days] == [
        (DAY, "high"),
        (DAY + 1, "low"),
    ]
    assert assessment.level == "high"
    assert assessment.score == 4 * 300 * 1.75
    assert len(assessment.windows) == 5


def test_windows_are_shuffled_and_in_order_on_request() -> None:
    log = [heard(key(str(n)), START + n, rssi=-60 - n) for n in range(20)]
    matches = match_keys(log, [key(str(n)) for n in range(20)])
    ordered = assess(matches, PLAIN, DAY, in_order=True)
    orders = {assess(matches, PLAIN, DAY).windows for _ in range(3)}
    assert [one.scan_instances[0].min_attenuation_db for one in ordered.windows] == [
        50 + n for n in range(20)
    ]
    # Three shuffles of twenty are equal once in 10^36.
    assert len(orders) == 3
    assert all(sorted(order, key=repr) == sorted(ordered.windows, key=repr) for order in orders)


def test_nothing_is_no_exposure() -> None:
    assessment = assess([], ExposureConfiguration.default(), DAY)
    assert (assessment.windows, assessment.days) == ((), ())
    assert (assessment.level, assessment.score) == ("none", 0.0)


def test_presets_are_whole_and_name_their_source() -> None:
    assert preset_names() == ["enx", "narrow-v1", "narrow-v2", "nz", "wide-v1", "wide-v2"]
    for name in preset_names():
        preset = load_configuration(name)
        assert preset.name == name
        assert "@" in preset.source
        assert preset.classifications
    assert load_configuration("narrow-v2") == ExposureConfiguration.default()


@pytest.mark.parametrize(
    ("name", "thresholds", "weights", "standard", "high"),
    [
        ("enx", (30, 50, 60), (1.5, 1.0, 0.5, 0.0), range(-14, 15), ()),
        ("narrow-v1", (55, 63, 70), (1.5, 1.0, 0.4, 0.0), (-3, 4), range(-2, 4)),
        ("narrow-v2", (55, 67, 75), (1.75, 1.0, 0.33, 0.0), (-4, -3, 4, 5), range(-2, 4)),
        ("nz", (55, 67, 75), (1.75, 1.0, 0.33, 0.0), range(-10, 14), ()),
        ("wide-v1", (55, 70, 80), (2.0, 1.0, 0.25, 0.0), (-5, -4, 5, 6, 7, 8, 9), range(-3, 5)),
        ("wide-v2", (55, 70, 80), (2.0, 1.0, 0.25, 0.0), (-4, -3, 4, 5), range(-2, 4)),
    ],
)
def test_presets_hold_the_published_figures(
    name: str,
    thresholds: tuple[int, ...],
    weights: tuple[float, ...],
    standard: range | tuple[int, ...],
    high: range | tuple[int, ...],
) -> None:
    preset = load_configuration(name)
    assert preset.daily_summaries.attenuation_thresholds_db == thresholds
    assert preset.daily_summaries.attenuation_bucket_weights == weights
    days = {day: preset.infectiousness(day) for day in range(-14, 15)}
    assert {day for day in days if days[day] is Infectiousness.STANDARD} == set(standard)
    assert {day for day in days if days[day] is Infectiousness.HIGH} == set(high)


def test_a_configuration_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    own = replace(PLAIN, name="own")
    file.write_text(json.dumps(own.to_json()))
    assert load_configuration(str(file)) == own


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "is missing"),
        (b'"' + b"x" * (1 << 20) + b'"', "larger than"),
        (b"9" * 5000, "is not JSON"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    with pytest.raises(InvalidValue, match=says) as caught:
        load_configuration(str(file))
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="use a JSON file, or one of enx, narrow-v1"):
        load_configuration("narrow")
    with pytest.raises(StoreError):
        load_configuration(str(tmp_path))
