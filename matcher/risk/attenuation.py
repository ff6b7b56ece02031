"""Attenuation of a signal between sender and receiver, the protocol's estimate of distance."""

from __future__ import annotations

from dataclasses import dataclass

from matcher.definition import KeyMatch
from tracing_core.protocol.associated_encrypted_metadata import CalibrationConfidence, decrypt_aem
from tracing_core.protocol.temporary_exposure_key import derive_aemk

__all__ = [
    "MAX_TRANSMIT_POWER_DBM",
    "MIN_TRANSMIT_POWER_DBM",
    "MeasuredSighting",
    "measured_sightings",
]

MIN_TRANSMIT_POWER_DBM = -50
"""The lowest transmit power that metadata may state."""

MAX_TRANSMIT_POWER_DBM = 20
"""The highest transmit power that metadata may state."""


@dataclass(frozen=True, slots=True)
class MeasuredSighting:
    """The part of a sighting that a risk model needs."""

    seen_at: int
    """UTC Unix seconds."""
    previous_scan_at: int | None
    """UTC Unix seconds; None if unknown."""
    attenuations_db: tuple[int, ...]
    """One per sample: transmit power less signal strength, 0 or more dB."""
    calibration_confidence: CalibrationConfidence
    """As the sender stated it."""


def measured_sightings(match: KeyMatch) -> list[MeasuredSighting]:
    """Decrypt the metadata of a key's sightings; return them with their attenuations, by time.

    A sighting is left out if its metadata states a transmit power outside −50 to +20 dBm, as in
    the protocol's own implementation: no phone sends so, and bits of metadata can be flipped.
    """
    aemk = derive_aemk(match.key.key_data)
    measured = []
    for sighting in match.sightings:
        metadata = decrypt_aem(aemk, sighting.rpi, sighting.aem)
        power = metadata.transmit_power_dbm
        if MIN_TRANSMIT_POWER_DBM <= power <= MAX_TRANSMIT_POWER_DBM:
            measured.append(
                MeasuredSighting(
                    sighting.seen_at,
                    sighting.previous_scan_at,
                    tuple(max(power - rssi, 0) for rssi in sighting.rssi_dbm),
                    metadata.calibration_confidence,
                )
            )
    return measured
