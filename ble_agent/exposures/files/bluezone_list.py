"""The list of Bluezone keys beside the key files: fetched, verified, and compared once."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from ble_agent.authority.ledger_notes import BLUEZONE, note
from ble_agent.authority.membership import Membership
from ble_agent.exposures.check_fault import note_bluezone
from ble_agent.messages.refusals import refused
from ble_agent.store.database import additions
from ble_agent.store.own_sightings import other_sightings, rows_unreadable
from ble_agent.store.state import BLUEZONE_LIST, BluezoneDayState, BluezoneListState
from matcher.others.matching import minutes_by_day, sightings_of_key
from matcher.others.sightings import OtherIndex
from tracing_core.clock import Clock, local_date
from tracing_core.errors import (
    ExportFileError,
    InvalidValue,
    ServerError,
    ServerRefused,
    TracingError,
)
from tracing_core.export_file.bluezone_file import SignedBluezoneList, verify_list
from tracing_core.protocol import bluezone
from tracing_core.protocol.bluezone_list import BluezoneList
from tracing_core.protocol.interval import utc_date
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import OtherSighting
from tracing_core.store.sqlite import transaction

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = ["check_bluezone"]

_EPOCH = datetime.date(1970, 1, 1)


def check_bluezone(
    db: Database, client: ServerClient, membership: Membership, clock: Clock, *, added: int
) -> TracingError | None:
    """Compare what Bluezone recorded with the authority's list, if the configuration promises one.

    Every device fetches it, whether it holds such recordings or not. What an earlier list found
    stays until a later one is used, or for its 14 days.

    Parameters
    ----------
    db
        The agent's database.
    client
        The way to the server.
    membership
        The authority.
    clock
        The agent's clock.
    added
        What `additions` returned before the check.

    Returns
    -------
    TracingError or None
        Why the list could not be used, or not whole, which is noted for the status too; None
        without a fault, or without such a list.

    Raises
    ------
    StoreError
        When the result cannot be written.
    """
    promised = membership.config.bluezone_list
    fault: TracingError | None = None
    if promised is not None and membership.trust is not None:
        known = BLUEZONE_LIST.get(db)
        with transaction(db):
            note(db, clock.now(), BLUEZONE)
        try:
            fault = _compare(db, client, membership, max(promised, _sequence(known)), added)
        except (ServerError, ExportFileError, InvalidValue) as error:
            fault = _named(error)
    if fault is None or not client.is_cancelled:
        note_bluezone(db, fault)
    return fault


def _sequence(known: BluezoneListState | None) -> int:
    return 0 if known is None else known["sequence"]


def _named(error: TracingError) -> TracingError:
    """Return an error as the owner is to read it."""
    if isinstance(error, ServerRefused):
        return refused("bluezone_missing") if error.code == "not_found" else error
    if isinstance(error, ExportFileError):
        return refused("bluezone_signature")
    return refused("bluezone_form") if isinstance(error, InvalidValue) else error


def _compare(
    db: Database, client: ServerClient, membership: Membership, least: int, added: int
) -> TracingError | None:
    """Fetch the list unless the known one is still there, compare it, and return its fault."""
    known = BLUEZONE_LIST.get(db)
    is_usable = known is not None and known["sequence"] >= least and known["additions"] == added
    sha256_of_known = known["sha256"] if known is not None and is_usable else ""
    data = client.bluezone_list(membership.region, membership.mirrors, known_sha256=sha256_of_known)
    is_known = data is None or sha256(data).hexdigest() == sha256_of_known
    if known is not None and is_known:
        return _fault_of(known)
    assert data is not None
    signed, data = _verified(client, membership, data)
    if signed.region != membership.region:
        raise refused("bluezone_region")
    if signed.sequence < least:
        raise refused("bluezone_older")
    left_out = LeftOut()
    index = OtherIndex(other_sightings(db, left_out, bluezone.BLUEZONE.name))
    first = left_out.first_unreadable
    result: BluezoneListState = {
        "sequence": signed.sequence,
        "sha256": sha256(data).hexdigest(),
        "additions": added,
        "left_out": signed.records.unusable + signed.records.shortened,
        "unreadable": left_out.unreadable,
        "row": 0 if first is None else first.line,
        "days": _days(_matching(index, signed.records)),
    }
    with transaction(db):
        # Another process may have added recordings; then the whole check is repeated.
        if additions(db) == added:
            BLUEZONE_LIST.set(db, result)
    return _fault_of(result)


def _verified(
    client: ServerClient, membership: Membership, data: bytes
) -> tuple[SignedBluezoneList, bytes]:
    keys = [key.public_key for key in membership.export_keys]
    where = (membership.region, membership.mirrors)
    try:
        return verify_list(data, client.bluezone_signatures(*where), keys), data
    except ExportFileError:
        # The list may have been replaced between the two requests.
        again = client.bluezone_list(*where)
        assert again is not None
        return verify_list(again, client.bluezone_signatures(*where), keys), again


def _fault_of(compared: BluezoneListState) -> TracingError | None:
    if compared["left_out"]:
        return refused("bluezone_partly")
    return rows_unreadable(compared["unreadable"], compared["row"])


def _matching(index: OtherIndex, records: BluezoneList) -> Sequence[OtherSighting]:
    """Return what was recorded of the people of a list, by time; each sighting counts once."""
    if not len(index):
        return ()
    positions = {
        position
        for _, key in records.keys
        for position in sightings_of_key(bluezone.BLUEZONE, key, index)
    }
    return sorted(map(index.__getitem__, positions), key=lambda each: each.seen_at)


def _days(sightings: Sequence[OtherSighting]) -> dict[str, BluezoneDayState]:
    days: dict[str, BluezoneDayState] = {
        (_EPOCH + datetime.timedelta(day)).isoformat(): {
            "minutes": max(1, minutes),
            "local_dates": [],
        }
        for day, minutes in sorted(minutes_by_day(sightings).items())
    }
    for sighting in sightings:
        dates = days[utc_date(sighting.seen_at).isoformat()]["local_dates"]
        if (date := local_date(sighting.seen_at).isoformat()) not in dates:
            dates.append(date)
    return days
