"""Exposure windows: half an hour at most near one key, and the scans in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tracing_core.protocol.associated_encrypted_metadata import CalibrationConfidence
from tracing_core.protocol.diagnosis_key import ReportType

__all__ = ["CalibrationConfidence", "ExposureWindow", "Infectiousness", "ScanInstance"]


class Infectiousness(enum.IntEnum):
    """How infectious the key's owner was that day."""

    NONE = 0
    STANDARD = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class ScanInstance:
    """What one scan heard of one key."""

    typical_attenuation_db: int
    """Mean attenuation of the samples, rounded half up, 0 or more dB."""
    min_attenuation_db: int
    """The least attenuation of the samples, 0 or more dB."""
    seconds_since_last_scan: int
    """Seconds since this device's scan before, as the protocol reports them: whole minutes, at
    most 300; 120 where the scan before is unknown."""


@dataclass(frozen=True, slots=True)
class ExposureWindow:
    """At most 30 minutes near one key."""

    date: int
    """The UTC day of its first sighting, in days since the Unix epoch."""
    report_type: ReportType
    infectiousness: Infectiousness
    calibration_confidence: CalibrationConfidence
    """As the sender stated it in the window's first sighting."""
    scan_instances: tuple[ScanInstance, ...]
    """In the order of time, one or more."""
