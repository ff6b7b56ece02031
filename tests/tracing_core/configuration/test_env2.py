"""The JSON form of a risk configuration: nothing misspelt, nothing out of range."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.configuration.env2 import (
    SUMMARISED_REPORT_TYPES,
    Classification,
    DailySummariesConfig,
    ExposureConfiguration,
)
from tracing_core.errors import InvalidValue
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.exposure_window import Infectiousness

DEFAULT = ExposureConfiguration.default()


def weights(kinds: tuple[Any, ...]) -> st.SearchStrategy[dict[Any, float]]:
    return st.dictionaries(st.sampled_from(kinds), st.floats(0, 2.5))


printable = st.characters().filter(str.isprintable)
positive = st.floats(0, allow_nan=False, allow_infinity=False)
configurations = st.builds(
    ExposureConfiguration,
    daily_summaries=st.builds(
        DailySummariesConfig,
        attenuation_thresholds_db=st.sets(st.integers(0, 255), min_size=3, max_size=3).map(
            lambda bounds: tuple(sorted(bounds))
        ),
        attenuation_bucket_weights=st.tuples(*[st.floats(0, 2.5)] * 4),
        report_type_weights=weights(SUMMARISED_REPORT_TYPES),
        infectiousness_weights=weights((Infectiousness.STANDARD, Infectiousness.HIGH)),
        days_since_exposure_threshold=st.integers(0, 1000),
        minimum_window_score=positive,
    ),
    days_since_onset_to_infectiousness=st.tuples(*[st.sampled_from(Infectiousness)] * 29),
    infectiousness_when_days_since_onset_missing=st.sampled_from(Infectiousness),
    report_type_when_missing=st.sampled_from(SUMMARISED_REPORT_TYPES[:3]),
    classifications=st.lists(
        st.builds(
            Classification,
            name=st.text(printable, min_size=1, max_size=9).filter(lambda name: name != "none"),
            **{part.name: positive for part in fields(Classification) if part.name != "name"},
        ),
        unique_by=lambda level: level.name,
        max_size=3,
    ).map(tuple),
    name=st.text(printable, max_size=9),
    source=st.text(printable, max_size=9),
)


@given(configurations)
def test_json_there_and_back(configuration: ExposureConfiguration) -> None:
    text = json.dumps(configuration.to_json())
    assert ExposureConfiguration.from_json(json.loads(text)) == configuration


def test_the_shortest_form() -> None:
    configuration = ExposureConfiguration.from_json(
        {
            "daily_summaries": {
                "attenuation_thresholds_db": [1, 2, 3],
                "attenuation_bucket_weights": [1, 1, 1, 0],
            },
            "days_since_onset_to_infectiousness": {"0": "high"},
            "infectiousness_when_days_since_onset_missing": "none",
            "report_type_when_missing": "self_report",
        }
    )
    assert configuration.infectiousness(0) is Infectiousness.HIGH
    assert configuration.infectiousness(1) is Infectiousness.NONE
    assert configuration.infectiousness(None) is Infectiousness.NONE
    assert configuration.report_type_when_missing is ReportType.SELF_REPORT
    assert (configuration.name, configuration.classifications) == ("custom", ())


DAILY = "daily_summaries"
THRESHOLDS = (DAILY, "attenuation_thresholds_db")
WEIGHTS = (DAILY, "attenuation_bucket_weights")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (THRESHOLDS, [1, 2], "attenuation_thresholds_db must have three entries"),
        (THRESHOLDS, [1, 2, 2], "attenuation_thresholds_db must rise strictly"),
        (THRESHOLDS, [1, 2, 256], "attenuation_thresholds_db must be a whole number"),
        (THRESHOLDS, [1, 2, 3.5], "attenuation_thresholds_db must be a whole number"),
        (THRESHOLDS, [1, 2, True], "attenuation_thresholds_db must be a whole number"),
        (THRESHOLDS, {}, "attenuation_thresholds_db must be a JSON array"),
        (WEIGHTS, [1, 1, 1], "attenuation_bucket_weights must have four entries"),
        (WEIGHTS, [1, 1, 1, 2.6], "attenuation_bucket_weights must be 0 to 2.5"),
        (WEIGHTS, [1, 1, 1, -1], "attenuation_bucket_weights must be 0 to 2.5"),
        (WEIGHTS, [1, 1, 1, float("nan")], "attenuation_bucket_weights must be 0 to 2.5"),
        (WEIGHTS, [1, 1, 1, 10**400], "attenuation_bucket_weights must be 0 to 2.5"),
        (WEIGHTS, [1, 1, 1, "1"], "attenuation_bucket_weights must be a number"),
        ((DAILY, "report_type_weights"), {"revoked": 1}, "'revoked' is not a field"),
        ((DAILY, "report_type_weights"), {"self_report": 3}, "report_type_weights must be"),
        ((DAILY, "infectiousness_weights"), {"none": 1}, "'none' is not a field"),
        ((DAILY, "days_since_exposure_threshold"), -1, "days_since_exposure_threshold must be"),
        ((DAILY, "minimum_window_score"), float("inf"), "minimum_window_score must be 0 or more"),
        ((DAILY, "minimumWindowScore"), 0, "'minimumWindowScore' is not a field"),
        (("days_since_onset_to_infectiousness",), {"15": "high"}, "'15' is not a field"),
        (("days_since_onset_to_infectiousness",), {"0": "High"}, "must be one of none, standard"),
        (("infectiousness_when_days_since_onset_missing",), None, "must be one of none, standard"),
        (("report_type_when_missing",), "unknown", "report_type_when_missing must be"),
        (("report_type_when_missing",), "revoked", "report_type_when_missing must be"),
        (("classifications",), [{"name": "none"}], "name must not be empty or 'none'"),
        (("classifications",), [{"name": ""}], "name must not be empty or 'none'"),
        (("classifications",), [{"name": "a"}, {"name": "a"}], "must have different names"),
        (("classifications",), [{"name": str(n)} for n in range(17)], "must be at most 16"),
        (("classifications",), [{"name": "a", "per_day_sum": 1}], "'per_day_sum' is not a field"),
        (("classifications",), [{}], "name is missing"),
        (("name",), 7, "name must be one line"),
        (("name",), "a\nb", "name must be one line"),
        (("source",), "\ud800", "source must be one line"),
        (("classifications",), [{"name": "\x1b[2Jhigh"}], "name must be one line"),
        (("source",), "x" * 10_001, "source must be one line of at most"),
        (("surprise",), 1, "'surprise' is not a field"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[str, ...], value: Any, says: str) -> None:
    changed = copy.deepcopy(DEFAULT.to_json())
    part = changed
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(InvalidValue) as caught:
        ExposureConfiguration.from_json(changed)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), "daily_summaries"),
        ((), "days_since_onset_to_infectiousness"),
        ((), "infectiousness_when_days_since_onset_missing"),
        ((), "report_type_when_missing"),
        ((DAILY,), "attenuation_thresholds_db"),
        ((DAILY,), "attenuation_bucket_weights"),
    ],
)
def test_what_is_missing_is_named(path: tuple[str, ...], name: str) -> None:
    changed = copy.deepcopy(DEFAULT.to_json())
    part = changed
    for step in path:
        part = part[step]
    del part[name]
    with pytest.raises(InvalidValue, match=f"{name} is missing"):
        ExposureConfiguration.from_json(changed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.data())
def test_any_json_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    changed = copy.deepcopy(DEFAULT.to_json())
    part: Any = changed
    while isinstance(part, dict):
        name = data.draw(st.sampled_from(sorted(part)))
        if not isinstance(part[name], dict) or data.draw(st.booleans()):
            part[name] = data.draw(json_values)
            break
        part = part[name]
    says = ""
    try:
        ExposureConfiguration.from_json(changed)
    except InvalidValue as error:
        says = str(error)
    assert "\n" not in says


@given(json_values)
def test_any_json_is_read_or_refused(value: Any) -> None:
    with pytest.raises(InvalidValue):
        ExposureConfiguration.from_json(value)
