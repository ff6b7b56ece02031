"""What hypothesis draws: objects of the protocol."""

from __future__ import annotations

from hypothesis import strategies as st

from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.sighting import Sighting

LATEST_SECOND = LATEST_MOMENT - 1


def fixed(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length)


@st.composite
def teks(draw: st.DrawFn) -> TemporaryExposureKey:
    period = draw(st.integers(1, 144))
    return TemporaryExposureKey(draw(fixed(16)), draw(st.integers(0, 2**32 - period)), period)


def diagnosis_keys() -> st.SearchStrategy[DiagnosisKey]:
    return st.builds(
        DiagnosisKey,
        key_data=fixed(16),
        # The export format has 31 bits for it.
        rolling_start_interval_number=st.integers(0, 2**31 - 1),
        rolling_period=st.integers(1, 144),
        report_type=st.sampled_from(ReportType),
        days_since_onset_of_symptoms=st.none() | st.integers(-(2**31), 2**31 - 1),
        transmission_risk_level=st.integers(0, 8),
        variant_of_concern=st.sampled_from(VariantOfConcern),
    )


def sightings() -> st.SearchStrategy[Sighting]:
    moments = st.integers(0, LATEST_SECOND)
    return st.builds(
        Sighting,
        rpi=fixed(16),
        aem=fixed(4),
        rssi_dbm=st.lists(st.integers(-128, 127), min_size=1, max_size=20).map(tuple),
        seen_at=moments,
        previous_scan_at=st.none() | moments,
        clock_suspect=st.booleans(),
    )
