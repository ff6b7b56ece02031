"""Attenuation of a signal between sender and receiver, the protocol's estimate of distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from matcher.definition import KeyMatch
from tracing_core.protocol.associated_encrypted_metadata import (
    AEM_LENGTH,
    CalibrationConfidence,
    decrypt_aem,
)
from tracing_core.protocol.signal_strength import measured_samples
from tracing_core.protocol.temporary_exposure_key import derive_aemk

__all__ = [
    "MAJOR_VERSION",
    "MAX_TRANSMIT_POWER_DBM",
    "MIN_TRANSMIT_POWER_DBM",
    "MeasuredSighting",
    "Measurement",
    "measure",
    "measured_sightings",
]

MIN_TRANSMIT_POWER_DBM = -50
"""The lowest transmit power that metadata may state."""

MAX_TRANSMIT_POWER_DBM = 20
"""The highest transmit power that metadata may state."""

MAJOR_VERSION = 1
"""The version of metadata whose second byte is the transmit power."""


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


class Measurement(NamedTuple):
    """The sightings of one key, by whether they can be measured."""

    sightings: list[MeasuredSighting]
    """Those that can, by time."""
    without_strength: int
    """Number of those whose signal strength is unknown."""
    without_power: int
    """Number of the others, whose metadata states no usable transmit power."""


def measure(match: KeyMatch) -> Measurement:
    """Decrypt the metadata of a key's sightings, and return their attenuations.

    A sighting is left out if its strength is unknown, or if its metadata is not of version 1 or
    states a transmit power outside −50 to +20 dBm: no phone sends so, and bits of metadata can be
    flipped. So is all metadata of a key that was not received but filled in: zeros, or the same
    four bytes beside different identifiers.
    """
    aemk = derive_aemk(match.key.key_data)
    is_filled_in = _is_filled_in(match)
    measured = []
    without_strength = without_power = 0
    for sighting in match.sightings:
        samples = measured_samples(sighting.rssi_dbm)
        metadata = decrypt_aem(aemk, sighting.rpi, sighting.aem)
        power = metadata.transmit_power_dbm
        is_possible = MIN_TRANSMIT_POWER_DBM <= power <= MAX_TRANSMIT_POWER_DBM
        if not samples:
            without_strength += 1
        elif is_filled_in or not is_possible or metadata.major_version != MAJOR_VERSION:
            without_power += 1
        else:
            measured.append(
                MeasuredSighting(
                    sighting.seen_at,
                    sighting.previous_scan_at,
                    tuple(max(power - sample, 0) for sample in samples),
                    metadata.calibration_confidence,
                )
            )
    return Measurement(measured, without_strength, without_power)


def measured_sightings(match: KeyMatch) -> list[MeasuredSighting]:
    """Return the sightings of a key that can be measured, by time, as `measure` finds them."""
    return measure(match).sightings


def _is_filled_in(match: KeyMatch) -> bool:
    """Return whether the metadata is constant, though each identifier encrypts it differently."""
    values = {sighting.aem for sighting in match.sightings}
    several = len({sighting.rpi for sighting in match.sightings}) > 1
    return len(values) == 1 and (several or values == {bytes(AEM_LENGTH)})
