import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.refusals import may_refuse
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.configuration.risk_model import (
    MAX_PARAMETERS_BYTES,
    RiskModelConfiguration,
)
from tracing_core.errors import InvalidValue

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def nested(depth):
    value = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_a_known_model_is_read_as_its_own_type():
    risk = ExposureConfiguration.default()
    model = RiskModelConfiguration("env2", risk.to_json())
    assert model.is_known
    assert model.parsed() == risk
    model.check()


def test_parameters_of_a_known_model_are_checked_when_asked():
    model = RiskModelConfiguration("env2", {"threshold": 3})
    assert model.is_known
    with pytest.raises(InvalidValue, match="'threshold' is not a field"):
        model.check()


def test_an_unknown_model_is_kept_as_it_is():
    fields = {"name": "dose-2", "parameters": {"half_life": 3.5, "levels": [1, None, "a"]}}
    model = RiskModelConfiguration.from_json(fields | {"comment": "of later"})
    assert model.to_json() == fields
    assert not model.is_known
    model.check()
    with pytest.raises(InvalidValue, match="dose-2 is unknown: choose from env2"):
        model.parsed()


def test_parameters_are_the_models_alone():
    parameters = {"levels": [1, 2]}
    model = RiskModelConfiguration("dose", parameters)
    parameters["levels"].append(3)
    assert model.parameters == {"levels": [1, 2]}


@pytest.mark.parametrize("name", ["env2", "dose", "lfph-2", "swiss_2020", "a" * 64])
def test_names(name):
    assert RiskModelConfiguration(name, {}).name == name


@pytest.mark.parametrize(
    "name", ["", "ENv2", "2env", "dose-", "dose--2", "dose model", "../dose", "liều", "a" * 65, 7]
)
def test_names_that_are_refused(name):
    with pytest.raises(InvalidValue, match="a risk model's name must be"):
        RiskModelConfiguration(name, {})


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ([], "parameters must be a JSON object"),
        (None, "parameters must be a JSON object"),
        (nested(17), "nested more than 16 levels deep"),
        ({"a": "x" * MAX_PARAMETERS_BYTES}, "at most 32768 bytes"),
        ({"a": float("nan")}, "finite numbers"),
        ({"a": 2**63}, "numbers of 64 bits"),
        ({"a": "\ud800"}, "JSON values only"),
        ({"a": object()}, "JSON values only"),
        ({"\ud800": 1}, "must be valid Unicode"),
        ({1: 1}, "must be valid Unicode"),
    ],
)
def test_parameters_that_are_refused(parameters, text):
    with pytest.raises(InvalidValue, match=text):
        RiskModelConfiguration("dose", parameters)


def test_the_deepest_parameters():
    assert RiskModelConfiguration("dose", nested(16)).parameters == nested(16)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "risk_model must be a JSON object"),
        ({"parameters": {}}, "risk_model: name is missing"),
        ({"name": "dose"}, "risk_model: parameters is missing"),
    ],
)
def test_a_missing_field_is_named(fields, text):
    with pytest.raises(InvalidValue, match=text):
        RiskModelConfiguration.from_json(fields)


@given(json_values)
def test_nothing_but_a_refusal_comes_of_any_json(value):
    with may_refuse(InvalidValue):
        model = RiskModelConfiguration("dose", value)
        assert json.loads(json.dumps(model.to_json())) == model.to_json()
        assert RiskModelConfiguration.from_json(model.to_json()) == model


def test_it_is_frozen():
    model = RiskModelConfiguration("dose", {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.name = "other"
