"""Check for exposures: fetch new key files, match them, and assess all that matched."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ble_agent.air.future_rows import forget_future
from ble_agent.authority.ledger_notes import CHECK, note
from ble_agent.authority.listing import Listing, fetch_listing
from ble_agent.authority.membership import Membership, load_membership, refresh
from ble_agent.exposures.exposure_day import ExposureDay, FoundDay, counting_dates
from ble_agent.exposures.files.bluezone_list import check_bluezone
from ble_agent.exposures.files.download import Download
from ble_agent.exposures.files.key_files import fault_word
from ble_agent.exposures.files.unusable_files import forget_unlisted
from ble_agent.exposures.files.used_files import forget_old_files
from ble_agent.exposures.freshness import freshness_fault, note_first_check, note_newest_end
from ble_agent.exposures.local_days import local_date, local_dates
from ble_agent.exposures.matched_keys import matched_keys, take_key_file
from ble_agent.exposures.others import OtherFindings, days_together, other_findings
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.owner.areas import fetch_areas
from ble_agent.owner.health.isolation import note_exposure
from ble_agent.store.database import additions, forget
from ble_agent.store.own_sightings import own_sightings, unreadable_fault
from ble_agent.store.state import LAST_CHECK
from matcher import KeyMatch, SightingIndex, assess, match_keys
from tracing_core.clock import Clock
from tracing_core.errors import ServerUnreachable, TracingError
from tracing_core.protocol.interval import utc_day
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sqlite import transaction

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = ["CheckFault", "CheckResult", "assess_stored", "check", "recall"]

_EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class CheckFault:
    """One kind of fault that kept a check from being complete."""

    error: TracingError
    """The fault, or the first of several of its kind."""
    key_files: int
    """The number of key files that could not be used for it; 0 if it concerns the whole list, or
    this device's own log."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of a check: days and strengths, without keys and times of day."""

    key_files: int
    """Number of new key files."""
    days: tuple[ExposureDay, ...]
    """By date; empty if nothing was recorded."""
    level: str
    """The highest level of any day; ``none`` if none was reached."""
    faults: tuple[CheckFault, ...] = ()
    """Every kind of fault, gravest first; empty if nothing of the key files was passed over."""
    skipped_keys: int = 0
    """Number of keys in the new files that lie outside the protocol and were left out."""
    unreadable_sightings: int = 0
    """Number of this device's sightings that cannot be read and were left out."""
    sightings: int = 0
    """Number of this device's sightings that were compared with the keys."""
    other: OtherFindings = field(default_factory=OtherFindings)
    """What was found in the recordings of earlier apps."""
    other_fault: TracingError | None = None
    """Why the list for them could not be used, or not whole; None without a fault."""
    areas_fault: TracingError | None = None
    """Why the list of areas could not be used; it makes no check incomplete."""

    @property
    def key_failure(self) -> TracingError | None:
        """The gravest fault of the key files; None if nothing of them was passed over."""
        return self.faults[0].error if self.faults else None

    @property
    def failure(self) -> TracingError | None:
        """The gravest fault of all; None if nothing was passed over."""
        return self.key_failure or self.other_fault

    @property
    def later_faults(self) -> Sequence[TracingError]:
        """The faults besides `failure`."""
        every = [fault.error for fault in self.faults]
        return [*every, *filter(None, [self.other_fault])][1:]

    @property
    def found_days(self) -> Sequence[FoundDay]:
        """Each UTC day once, whatever it was found in."""
        return days_together(self.days, self.other.days)

    def to_json(self, text: str) -> dict[str, Any]:
        """Return the result as the command prints it, with the text for the owner."""
        return {
            "batches": self.key_files,
            "skipped_keys": self.skipped_keys,
            "sightings": self.sightings,
            "unreadable_sightings": self.unreadable_sightings,
            "recorded": bool(self.days or self.other.days),
            "days": [day.to_json() for day in self.days],
            "level": self.level,
            "others": self.other.to_json(),
            "text": text,
        }


def check(db: Database, client: ServerClient, clock: Clock) -> CheckResult:
    """Fetch new key files, match them, and assess all keys that matched so far.

    The levels of all areas are fetched last.

    Raises
    ------
    NotPossible
        When this device has not joined a server yet (``not_joined``).
    ServerError, TrustError
        When the server does not answer, or does not prove that it is the one joined.
    StoreError
        When the result cannot be written.
    """
    while True:
        result = _check_once(db, client, clock)
        if result is not None:
            fault = fetch_areas(db, client, load_membership(db), clock)
            return replace(result, areas_fault=fault)


def _check_once(db: Database, client: ServerClient, clock: Clock) -> CheckResult | None:
    """Check as `check` does; return None if another process interfered meanwhile.

    That process added old sightings or joined another server, so every key file counts as
    unmatched.
    """
    added = additions(db)
    try:
        membership = _refreshed(db, client, load_membership(db), clock)
        listing = fetch_listing(db, client, membership, clock.now())
    finally:
        # A clock that is hours or years off must not delete anything.
        if client.confirms_clock:
            forget(db, clock.now())
    _note_listing(db, membership, listing, clock)
    if client.confirms_clock and listing.fault is None:
        forget_future(db, clock.now())
    left_out = LeftOut()
    sightings = SightingIndex(own_sightings(db, left_out))
    download = Download(db, client, membership, listing, clock)
    count = skipped = 0
    for file in download.new_files():
        if not take_key_file(db, file, sightings, clock, added=added):
            return None
        count += 1
        skipped += file.export.skipped_keys
    other_fault = check_bluezone(db, client, membership, clock, added=added)
    days, level = assess_stored(db, sightings, membership, clock)
    with transaction(db):
        if additions(db) != added:
            return None
        LAST_CHECK.set(db, {"at": int(clock.now()), "level": level, "days": len(days)})
        other = other_findings(db, membership.config, "en")
        found = counting_dates(days_together(days, other.days))
        note_exposure(db, found, local_date(clock.now()))
    lists = [CheckFault(each, 0) for each in (freshness_fault(db), listing.fault) if each]
    faults = (*lists, *_counted(download.errors), *_own_fault(left_out))
    return CheckResult(
        count,
        days,
        level,
        faults,
        skipped,
        left_out.unreadable,
        sightings.kept_count,
        other,
        other_fault,
    )


def _note_listing(db: Database, membership: Membership, listing: Listing, clock: Clock) -> None:
    forget_old_files(db, listing.names, clock)
    forget_unlisted(db, listing)
    with transaction(db):
        note(db, clock.now(), CHECK)
        note_first_check(db, clock.now(), every_window=membership.trust is not None)
        if (end := listing.newest_end) is not None:
            note_newest_end(db, start=end - listing.window_seconds, end=end)


def _counted(errors: Iterable[TracingError]) -> Iterator[CheckFault]:
    """Yield each kind of error once, with the number of key files."""
    kinds: dict[str, list[TracingError]] = {}
    for error in errors:
        kinds.setdefault(fault_word(error), []).append(error)
    for same in kinds.values():
        yield CheckFault(same[0], len(same))


def _own_fault(left_out: LeftOut) -> Iterator[CheckFault]:
    """Yield the fault of this device's own log, if it has one."""
    if (fault := unreadable_fault(left_out)) is not None:
        yield CheckFault(fault, 0)


def recall(db: Database, clock: Clock, failure: TracingError) -> CheckResult:
    """Assess what earlier checks found, for when the server cannot be reached."""
    left_out = LeftOut()
    sightings = SightingIndex(own_sightings(db, left_out))
    membership = load_membership(db)
    days, level = assess_stored(db, sightings, membership, clock)
    faults = (CheckFault(failure, 0), *_own_fault(left_out))
    other = other_findings(db, membership.config, "en")
    return CheckResult(0, days, level, faults, 0, left_out.unreadable, sightings.kept_count, other)


def _refreshed(
    db: Database, client: ServerClient, membership: Membership, clock: Clock
) -> Membership:
    """Return the membership with newer documents, or as it is if only mirrors can be reached."""
    try:
        return refresh(db, client, membership, clock.now())
    except ServerUnreachable:
        expires_at = membership.config.expires_at
        is_expired = expires_at is not None and clock.now() >= expires_at
        if is_expired or not membership.mirrors:
            raise
        return membership


def assess_stored(
    db: Database, sightings: SightingIndex, membership: Membership, clock: Clock
) -> tuple[tuple[ExposureDay, ...], str]:
    """Assess the published keys that matched, by the authority's configuration.

    Returns
    -------
    tuple
        The days with an exposure, and the highest level.
    """
    matches: list[KeyMatch] = match_keys(sightings, matched_keys(db))
    weighing = choose_weighing(membership.config)
    assessment = assess(matches, weighing.parameters, utc_day(clock.now()), model=weighing.model)
    dates = local_dates(matches)
    days = tuple(
        ExposureDay(
            date=_EPOCH + datetime.timedelta(days=day.date),
            level=day.level,
            score_seconds=day.score,
            minutes=round(day.minutes),
            local_dates=dates.get(day.date, ()),
        )
        for day in assessment.days
    )
    return days, assessment.level
