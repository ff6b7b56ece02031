"""Diagnosis key: a key whose owner tested positive, as a health authority publishes it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tracing_core.errors import InvalidKey
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD, interval_start
from tracing_core.protocol.temporary_exposure_key import check_key

__all__ = [
    "MAX_DAYS_SINCE_ONSET",
    "MAX_TRANSMISSION_RISK",
    "DiagnosisKey",
    "ReportType",
    "VariantOfConcern",
    "is_allowed_transition",
    "known_risk",
]

MAX_DAYS_SINCE_ONSET = 14
"""Days since onset of symptoms range from minus this to plus this."""

MAX_TRANSMISSION_RISK = 8
"""Transmission risk levels range from 0, unset, to this."""


def known_risk(level: int) -> int:
    """Return a transmission risk level, or 0 (unset) for one outside 0 to 8."""
    return level if 0 <= level <= MAX_TRANSMISSION_RISK else 0


class ReportType(enum.IntEnum):
    """How the diagnosis was made (``TemporaryExposureKey.ReportType`` of export.proto)."""

    UNKNOWN = 0
    CONFIRMED_TEST = 1
    CONFIRMED_CLINICAL_DIAGNOSIS = 2
    SELF_REPORT = 3
    RECURSIVE = 4
    REVOKED = 5


class VariantOfConcern(enum.IntEnum):
    """What is known about the virus variant (``VariantOfConcern`` of export.proto)."""

    UNKNOWN = 0
    TYPE_1 = 1
    TYPE_2 = 2
    TYPE_3 = 3
    TYPE_4 = 4


# A published key may change its report type once, as more becomes known about the diagnosis.
_TRANSITIONS = {
    ReportType.UNKNOWN: {ReportType.CONFIRMED_TEST, ReportType.REVOKED},
    ReportType.CONFIRMED_CLINICAL_DIAGNOSIS: {ReportType.CONFIRMED_TEST, ReportType.REVOKED},
    ReportType.SELF_REPORT: {
        ReportType.CONFIRMED_TEST,
        ReportType.CONFIRMED_CLINICAL_DIAGNOSIS,
        ReportType.REVOKED,
    },
}


def is_allowed_transition(old: ReportType, new: ReportType) -> bool:
    """Return whether a published key may change its report type this way (Google's table)."""
    return new in _TRANSITIONS.get(old, ())


@dataclass(frozen=True, slots=True)
class DiagnosisKey:
    """A published key.

    Raises
    ------
    InvalidKey
        When a value lies outside the protocol.
    """

    key_data: bytes = field(repr=False)
    """16 bytes."""
    rolling_start_interval_number: int
    """The first interval the key was used in."""
    rolling_period: int = TEK_ROLLING_PERIOD
    """How many intervals it was used for, 1 to 144."""
    report_type: ReportType = ReportType.UNKNOWN
    days_since_onset_of_symptoms: int | None = None
    """Days from the onset of symptoms to the key's day, any sign; None if unknown. Values beyond
    ±14 mean "unknown" to a device and are kept, since other systems encode more in them."""
    transmission_risk_level: int = 0
    """0 (unset) to 8; deprecated by the protocol, still sent by old servers."""
    variant_of_concern: VariantOfConcern = VariantOfConcern.UNKNOWN

    def __post_init__(self) -> None:
        check_key(self.key_data, self.rolling_start_interval_number, self.rolling_period)
        if not 0 <= self.transmission_risk_level <= MAX_TRANSMISSION_RISK:
            raise InvalidKey(
                f"a transmission risk level must be 0 to 8, not {self.transmission_risk_level}"
            )

    @property
    def end_interval_number(self) -> int:
        """The first interval the key was no longer used in."""
        return self.rolling_start_interval_number + self.rolling_period

    @property
    def expires_at(self) -> int:
        """The first second the key was no longer used in (UTC Unix seconds)."""
        return interval_start(self.end_interval_number)
