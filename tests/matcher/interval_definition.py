"""What matches in Exposure Notification, once more in the terms of the protocol: intervals.

`matcher.definition` says the same over slots. This was the definition before it.
"""

from __future__ import annotations

from collections.abc import Iterable

from matcher.definition import KeyMatch, is_matchable, keys_in_force
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import ENIntervalNumber, interval_number
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.sighting import Sighting


def matches(log: Iterable[Sighting], published: Iterable[DiagnosisKey]) -> list[KeyMatch]:
    trusted = [entry for entry in enumerate(log) if not entry[1].clock_suspect]
    found = []
    for key in keys_in_force(published):
        if not is_matchable(key):
            continue
        tek = TemporaryExposureKey(
            key.key_data, ENIntervalNumber(key.rolling_start_interval_number), key.rolling_period
        )
        counting = []
        for derived_for in range(key.rolling_start_interval_number, key.end_interval_number):
            rpi = derive_rpi(tek, derived_for)
            heard = [(place, sighting) for place, sighting in trusted if sighting.rpi == rpi]
            first_heard = min((sighting.seen_at for _, sighting in heard), default=0)
            counting += [
                (sighting.seen_at, place, sighting, ENIntervalNumber(derived_for))
                for place, sighting in heard
                if -12 <= interval_number(sighting.seen_at) - derived_for <= 12
                and sighting.seen_at - first_heard <= 1200
            ]
        if counting:
            counting.sort(key=lambda entry: entry[:2])
            _, _, sightings, intervals = zip(*counting, strict=True)
            found.append(KeyMatch(key, sightings, intervals))
    return found
