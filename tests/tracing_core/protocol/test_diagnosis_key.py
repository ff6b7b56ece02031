import itertools

import pytest
from hypothesis import given

from tests.tracing_core.strategies import diagnosis_keys
from tracing_core.errors import InvalidKey
from tracing_core.export_file import export_pb2
from tracing_core.protocol.diagnosis_key import (
    DiagnosisKey,
    ReportType,
    VariantOfConcern,
    is_allowed_transition,
)

ALLOWED = {
    ("UNKNOWN", "CONFIRMED_TEST"),
    ("UNKNOWN", "REVOKED"),
    ("CONFIRMED_CLINICAL_DIAGNOSIS", "CONFIRMED_TEST"),
    ("CONFIRMED_CLINICAL_DIAGNOSIS", "REVOKED"),
    ("SELF_REPORT", "CONFIRMED_TEST"),
    ("SELF_REPORT", "CONFIRMED_CLINICAL_DIAGNOSIS"),
    ("SELF_REPORT", "REVOKED"),
}


def test_the_table_of_transitions():
    pairs = itertools.product(ReportType, ReportType)
    assert {(old.name, new.name) for old, new in pairs if is_allowed_transition(old, new)} == (
        ALLOWED
    )


def test_no_key_can_change_for_ever():
    for old, new in itertools.product(ReportType, ReportType):
        assert not (is_allowed_transition(old, new) and is_allowed_transition(new, old))


def test_numbers_are_those_of_a_key_file():
    known = {"REPORT_TYPE_UNKNOWN": "UNKNOWN"}
    assert {known.get(name, name): number for name, number in export_pb2.ReportType.items()} == {
        each.name: each.value for each in ReportType
    }
    assert {
        name.removeprefix("VARIANT_"): number
        for name, number in export_pb2.VariantOfConcern.items()
    } == {each.name: each.value for each in VariantOfConcern}


@given(diagnosis_keys())
def test_end_of_a_key(key):
    assert key.end_interval_number - key.rolling_start_interval_number == key.rolling_period
    assert key.expires_at == key.end_interval_number * 600


@given(diagnosis_keys())
def test_no_text_of_a_key_shows_it(key):
    assert key.key_data.hex() not in repr(key)
    assert repr(key.key_data)[2:-1] not in repr(key)


@pytest.mark.parametrize("level", [-1, 9])
def test_transmission_risk_outside_the_protocol(level):
    with pytest.raises(InvalidKey, match="0 to 8"):
        DiagnosisKey(bytes(16), 0, transmission_risk_level=level)


def test_lengths_are_checked():
    with pytest.raises(InvalidKey, match="16 bytes"):
        DiagnosisKey(bytes(17), 0)
    with pytest.raises(InvalidKey, match="1 to 144"):
        DiagnosisKey(bytes(16), 0, 0)
