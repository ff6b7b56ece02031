"""Rules of isolation: what is read, and what is refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.refusals import may_refuse
from tracing_core.configuration.isolation import (
    MOST_DAYS,
    IsolationCause,
    IsolationRule,
    IsolationRules,
)
from tracing_core.errors import InvalidValue

RULE = st.integers(1, MOST_DAYS).flatmap(
    lambda days: st.builds(
        IsolationRule, st.just(days), st.none() | st.integers(min_value=0, max_value=days)
    )
)
RULES = st.dictionaries(st.sampled_from(IsolationCause), RULE, min_size=1).map(IsolationRules)


@given(RULES)
def test_rules_are_read_as_written(rules: IsolationRules) -> None:
    assert IsolationRules.from_json(rules.to_json(), is_strict=True) == rules


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "isolation must be a JSON object"),
        ({}, "isolation must have a rule for one of exposure, onset, positive_test"),
        ({"onset": 7}, "onset must be a JSON object"),
        ({"onset": {}}, "onset.days is missing"),
        ({"onset": {"days": 0}}, "onset.days must be a whole number from 1 to 18"),
        ({"onset": {"days": 19}}, "onset.days must be a whole number from 1 to 18"),
        ({"onset": {"days": True}}, "onset.days must be a whole number"),
        (
            {"exposure": {"days": 5, "negative_test_after": 6}},
            "exposure.negative_test_after must be a whole number from 0 to 5",
        ),
    ],
)
def test_what_cannot_be_used_is_named(value: object, why: str) -> None:
    for is_strict in (False, True):
        with pytest.raises(InvalidValue) as caught:
            IsolationRules.from_json(value, is_strict=is_strict)
        assert str(caught.value).startswith(why)


@pytest.mark.parametrize(
    ("added", "why"),
    [
        ({"exposures": {"days": 5}}, "'exposures' is not a field of isolation"),
        ({"onset": {"days": 5, "negative": 3}}, "onset.'negative' is not a field of a rule"),
    ],
)
def test_an_operator_s_misspelt_field_is_named_and_a_device_ignores_it(
    added: dict[str, object], why: str
) -> None:
    value = {"onset": {"days": 5}, **added}
    with pytest.raises(InvalidValue, match=why):
        IsolationRules.from_json(value, is_strict=True)
    rules = IsolationRules.from_json(value)
    assert rules == IsolationRules({IsolationCause.ONSET: IsolationRule(5)})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["exposure", "onset", "days", "negative_test_after", "x"]), inner
        )
    ),
)


@given(JSON, st.booleans())
def test_anything_else_is_refused(value: object, is_strict: bool) -> None:
    with may_refuse(InvalidValue):
        IsolationRules.from_json(value, is_strict=is_strict)
