"""The definition of a match, written for clarity; every faster path is tested against it.

A sighting matches a published key when, for one of the intervals the key was used in,

- the key's identifier of that interval is the one that was heard;
- the interval it was heard in is at most 12 away from that interval, before or after;
- it was heard at most 1200 seconds after that identifier was first heard at all;

and when the receiver's clock was not suspect, and the key is neither revoked nor recursive.
The metadata sent with the identifier does not matter: anyone who relays it can change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, is_allowed_transition
from tracing_core.protocol.interval import ENIntervalNumber, interval_number
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.sighting import Sighting

__all__ = [
    "MAX_SECONDS_HEARD",
    "TOLERANCE_INTERVALS",
    "KeyMatch",
    "is_matchable",
    "is_within_tolerance",
    "keys_in_force",
    "matches",
    "revised",
]

TOLERANCE_INTERVALS = 12
"""Intervals that the clocks of sender and receiver may differ by, either way: two hours
(``tkMatchingClockDriftRollingPeriods`` of Google's published internals)."""

MAX_SECONDS_HEARD = 1200
"""Seconds for which an identifier counts after it was first heard: two intervals. A device sends an
identifier for at most 20 minutes, so a later sighting is a replay."""


@dataclass(frozen=True, slots=True)
class KeyMatch:
    """A published key whose device was near, and when."""

    key: DiagnosisKey
    """As it stands after revisions."""
    sightings: tuple[Sighting, ...] = field(repr=False)
    """The sightings of its identifiers, by time, then in the order of the log; one or more."""
    intervals: tuple[ENIntervalNumber, ...] = field(repr=False)
    """For each sighting, the interval its identifier was derived for."""
    file_number: int = 0
    """The file that the key is in, counted from 0."""
    key_index: int = 0
    """The place in that file, counting ``keys``, then ``revised_keys``, from 0."""


def is_matchable(key: DiagnosisKey) -> bool:
    """Return whether a key is looked for at all.

    Revoked keys are not. Nor are recursive ones: their owners were not diagnosed, and the
    protocol's own implementation skips them by default.

    >>> is_matchable(DiagnosisKey(bytes(16), 2650032, report_type=ReportType.CONFIRMED_TEST))
    True
    >>> is_matchable(DiagnosisKey(bytes(16), 2650032, report_type=ReportType.REVOKED))
    False
    """
    return key.report_type not in (ReportType.REVOKED, ReportType.RECURSIVE)


def is_within_tolerance(heard_in: int, derived_for: int) -> bool:
    """Return whether an identifier of one interval counts when heard in another.

    >>> is_within_tolerance(2650044, 2650032), is_within_tolerance(2650045, 2650032)
    (True, False)
    """
    return -TOLERANCE_INTERVALS <= heard_in - derived_for <= TOLERANCE_INTERVALS


def revised(key: DiagnosisKey, later: DiagnosisKey) -> DiagnosisKey | None:
    """Return what a key becomes when a later record has the same key data; None for no change.

    Only a change of report type that `is_allowed_transition` allows is a revision, and only by a
    record of the same intervals. A record that states no days since onset keeps those known.
    """
    same = (key.rolling_start_interval_number, key.rolling_period) == (
        later.rolling_start_interval_number,
        later.rolling_period,
    )
    if not same or not is_allowed_transition(key.report_type, later.report_type):
        return None
    if later.days_since_onset_of_symptoms is None:
        return replace(later, days_since_onset_of_symptoms=key.days_since_onset_of_symptoms)
    return later


def keys_in_force(published: Iterable[DiagnosisKey]) -> list[DiagnosisKey]:
    """Return each key once, as it stands after all revisions, in the order of first appearance.

    Parameters
    ----------
    published
        The records of all files in order, in each file ``keys`` before ``revised_keys``. A key is
        revised once at most.
    """
    standing: dict[bytes, DiagnosisKey] = {}
    changed: set[bytes] = set()
    for record in published:
        known = standing.setdefault(record.key_data, record)
        revision = revised(known, record)
        if revision is not None and record.key_data not in changed:
            standing[record.key_data] = revision
            changed.add(record.key_data)
    return list(standing.values())


def matches(log: Iterable[Sighting], published: Iterable[DiagnosisKey]) -> list[KeyMatch]:
    """Return the keys that were near, in the order of first appearance.

    `KeyMatch.file_number` and `KeyMatch.key_index` stay 0 here.
    """
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
                if is_within_tolerance(interval_number(sighting.seen_at), derived_for)
                and sighting.seen_at - first_heard <= MAX_SECONDS_HEARD
            ]
        if counting:
            counting.sort(key=lambda entry: entry[:2])
            _, _, sightings, intervals = zip(*counting, strict=True)
            found.append(KeyMatch(key, sightings, intervals))
    return found
