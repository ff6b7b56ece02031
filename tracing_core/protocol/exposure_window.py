"""Exposure windows: up to half an hour near one key, with its scans."""

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
    """What one scan heard from one key."""

    typical_attenuation_db: int
    """Mean attenuation of the samples, rounded half up, 0 or more dB."""
    min_attenuation_db: int
    """The least attenuation of the samples, 0 or more dB."""
    seconds_since_last_scan: int
    """Seconds since this device's previous scan, as the protocol reports them: whole minutes, at
    most 300; 120 if the previous scan is unknown."""


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
    """One or more, in order of time."""
