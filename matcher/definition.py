"""The definition of a match, written for clarity; every faster path is tested against it.

A sighting matches a published key when, for one of the key's slots,

- the slot's identifier is the one that was heard;
- it was heard in the slot's time;
- it was not heard later, after that identifier was first heard at all, than its protocol allows.

The slots are the protocol's (`tracing_core.protocol.slots`). In Exposure Notification a key has one
per interval of its use. It lasts from 12 intervals before that interval to the end of the 12th
after it, and an identifier counts for 1200 seconds after it was first heard.

There, besides, the receiver's clock must not have been suspect, and the key is neither revoked nor
recursive. The metadata sent with the identifier does not matter: anyone who relays it can change
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, is_allowed_transition
from tracing_core.protocol.gaen import GAEN, MAX_SECONDS_HEARD, TOLERANCE_INTERVALS
from tracing_core.protocol.interval import ENIntervalNumber
from tracing_core.protocol.slots import Slot, slots
from tracing_core.store.sighting import Sighting

__all__ = [
    "MAX_SECONDS_HEARD",
    "TOLERANCE_INTERVALS",
    "KeyMatch",
    "counting",
    "is_matchable",
    "keys_in_force",
    "matches",
    "revised",
]


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


def counting(
    slots: Iterable[Slot], log: Sequence[tuple[bytes, int]], max_seconds_heard: int | None
) -> list[tuple[int, int]]:
    """Return what of a log matches some slots.

    Parameters
    ----------
    slots
        The slots of one key.
    log
        The identifiers that were heard, each with its time (UTC Unix seconds).
    max_seconds_heard
        Seconds for which an identifier counts after it was first heard; None for no such rule.

    Returns
    -------
    list of tuple
        The place in the log and the number of the slot, both from 0, by time, then by place.
    """
    found = []
    for number, slot in enumerate(slots):
        heard = [
            (seen_at, place)
            for place, (identifier, seen_at) in enumerate(log)
            if identifier == slot.identifier
        ]
        first_heard = min((seen_at for seen_at, _ in heard), default=0)
        found += [
            (seen_at, place, number)
            for seen_at, place in heard
            if slot.counts(seen_at)
            and (max_seconds_heard is None or seen_at - first_heard <= max_seconds_heard)
        ]
    return [(place, number) for _, place, number in sorted(found)]


def matches(log: Iterable[Sighting], published: Iterable[DiagnosisKey]) -> list[KeyMatch]:
    """Return the keys that were near, in the order of first appearance.

    `KeyMatch.file_number` and `KeyMatch.key_index` stay 0 here.
    """
    trusted = [sighting for sighting in log if not sighting.clock_suspect]
    heard = [(sighting.rpi, sighting.seen_at) for sighting in trusted]
    found = []
    for key in keys_in_force(published):
        if not is_matchable(key):
            continue
        pairs = counting(slots(GAEN, key), heard, GAEN.max_seconds_heard)
        if pairs:
            start = key.rolling_start_interval_number
            sightings = tuple(trusted[place] for place, _ in pairs)
            intervals = tuple(ENIntervalNumber(start + number) for _, number in pairs)
            found.append(KeyMatch(key, sightings, intervals))
    return found
