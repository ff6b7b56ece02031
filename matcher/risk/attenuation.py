"""How much weaker a signal came than it was sent: the protocol's estimate of nearness."""

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
MAX_TRANSMIT_POWER_DBM = 20


@dataclass(frozen=True, slots=True)
class MeasuredSighting:
    """A sighting, as far as the estimate of risk needs it."""

    seen_at: int
    """UTC Unix seconds."""
    previous_scan_at: int | None
    """UTC Unix seconds; None if unknown."""
    attenuations_db: tuple[int, ...]
    """One a sample: transmit power less signal strength, 0 or more dB."""
    calibration_confidence: CalibrationConfidence
    """As the sender stated it."""


def measured_sightings(match: KeyMatch) -> list[MeasuredSighting]:
    """Decrypt the metadata of a key's sightings and return what can be measured, by time.

    A sighting whose metadata states a transmit power outside −50 to +20 dBm is left out, as the
    protocol's own implementation does: no phone sends so, hence somebody flipped its bits.
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
