"""Areas: the authority's levels, which every device fetches alike, and the owner's own area.

What the owner chose stays on the device: each check asks for the same whole list, whatever was
chosen and whether anything was.
"""

from __future__ import annotations

import contextlib
import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ble_agent.authority.ledger_notes import AREAS as AREAS_ASKED
from ble_agent.authority.ledger_notes import note
from ble_agent.authority.membership import Membership
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.refusals import not_possible, refused
from ble_agent.store.database import note_deletion
from ble_agent.store.state import AREA, AREAS, AREAS_DOCUMENT, AreasState, AreaState
from tracing_core.clock import Clock
from tracing_core.errors import (
    ServerRefused,
    ServerUnreachable,
    StoreDamaged,
    StoreError,
    TracingError,
    TrustError,
)
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.signed_areas import Area, SignedAreas

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = [
    "LATE_SECONDS",
    "OLD_SECONDS",
    "KnownAreas",
    "choose_area",
    "fetch_areas",
    "find_areas",
    "forget_area",
    "known_areas",
    "published_areas",
]

OLD_SECONDS = 14 * 86_400
"""Age from which the owner is warned that levels may have changed."""

LATE_SECONDS = 2 * 86_400
"""Time after which the owner is warned that the server has not confirmed the list."""

_NEVER: AreasState = {
    "tag": "",
    "sequence": 0,
    "issued_at": 0,
    "count": 0,
    "confirmed_at": 0,
    "fault": None,
}


@dataclass(frozen=True, slots=True)
class KnownAreas:
    """What this device knows without reading the whole list."""

    issued_at: int | None
    """When the authority set the levels (UTC Unix seconds); None if it never published any."""
    count: int
    """Number of areas; 0 if the authority has withdrawn its list."""
    confirmed_at: int
    """When the server last confirmed the list (UTC Unix seconds); 0 if never."""
    own: AreaState | None
    """The owner's area, as the list has it; None if none was chosen."""
    fault_texts: tuple[str, str] | None
    """Why the newest list could not be used, in English and Vietnamese; None if it could."""

    def fault(self, language: str) -> str:
        """Return why the newest list could not be used; "" if it could."""
        if self.fault_texts is None:
            return ""
        return self.fault_texts[language == "vi"]

    def is_old(self, now: float) -> bool:
        """Return whether the levels were set so long ago that they may have changed."""
        return self.issued_at is not None and now - self.issued_at > OLD_SECONDS

    def is_late(self, now: float) -> bool:
        """Return whether the server has not confirmed the list for long."""
        return self.issued_at is not None and now - self.confirmed_at > LATE_SECONDS


def known_areas(db: Database) -> KnownAreas:
    """Return what this device knows of the areas, and of the owner's own."""
    known = AREAS.get(db) or _NEVER
    fault = known["fault"]
    return KnownAreas(
        known["issued_at"] if known["sequence"] else None,
        known["count"],
        known["confirmed_at"],
        AREA.get(db),
        None if fault is None else (fault["en"], fault["vi"]),
    )


def published_areas(db: Database) -> SignedAreas | None:
    """Return the last good list; None if there is none."""
    document, known = AREAS_DOCUMENT.get(db), AREAS.get(db)
    if document is None or known is None or _tag(document) != known["tag"]:
        return None
    # It was verified when it came; the authority may sign with another key by now.
    return SignedAreas.verify(document, None)


def fetch_areas(
    db: Database, client: ServerClient, membership: Membership, clock: Clock
) -> TracingError | None:
    """Ask for the list, as every device does in every check, and keep the last good one.

    Returns
    -------
    TracingError or None
        Why the list could not be used; None if it could, or if the server publishes none.

    Raises
    ------
    StoreDamaged
        When the database must be recovered.
    """
    if membership.trust is None:
        # Other authorities' servers have no such list.
        return None
    fault: TracingError | None = None
    try:
        with transaction(db):
            note(db, clock.now(), AREAS_ASKED)
        _fetch(db, client, membership, clock)
    except StoreDamaged:
        raise
    except ServerUnreachable:
        # The owner sees since when the server has not confirmed the list.
        return None
    except TrustError as error:
        error.vi = say("error_areas_unusable", "vi")
        fault = error
    except TracingError as error:
        fault = error
    with contextlib.suppress(StoreError):
        _note_fault(db, fault)
    return fault


def _fetch(db: Database, client: ServerClient, membership: Membership, clock: Clock) -> None:
    """Fetch the list and store it if it is new."""
    assert membership.trust is not None
    known = AREAS.get(db) or _NEVER
    document = AREAS_DOCUMENT.get(db)
    tag = known["tag"] if document is not None and _tag(document) == known["tag"] else ""
    del document
    try:
        fetched = client.areas(membership.region, tag)
    except ServerRefused as error:
        if error.code != "not_found":
            raise
        if known["sequence"]:
            raise refused("areas_missing") from error
        # The server is of a version without areas, or its operator has set none.
        return
    if fetched is None:
        _confirm(db, clock)
        return
    areas = SignedAreas.verify(fetched, membership.trust.config_key)
    if areas.region != membership.region:
        raise refused("areas_region")
    if areas.sequence < known["sequence"]:
        raise refused("areas_older")
    with transaction(db):
        AREAS_DOCUMENT.set(db, fetched)
        state: AreasState = {
            "tag": _tag(fetched),
            "sequence": areas.sequence,
            "issued_at": areas.issued_at,
            "count": len(areas.areas),
            "confirmed_at": int(clock.now()),
            "fault": None,
        }
        AREAS.set(db, state)
        own = AREA.get(db)
        if own is not None and areas.areas:
            AREA.set(db, _own(areas, areas.find(own["code"]), own))


def _confirm(db: Database, clock: Clock) -> None:
    with transaction(db):
        known = AREAS.get(db)
        if known is not None:
            AREAS.set(db, {**known, "confirmed_at": int(clock.now())})


def _note_fault(db: Database, fault: TracingError | None) -> None:
    known = AREAS.get(db)
    texts = None
    if fault is not None:
        texts = {"en": explain(fault, "en"), "vi": explain(fault, "vi")}
    if (known or _NEVER)["fault"] != texts:
        with transaction(db):
            AREAS.set(db, {**(known or _NEVER), "fault": texts})  # type: ignore[typeddict-item]


def _tag(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def _own(areas: SignedAreas, area: Area | None, before: AreaState | None = None) -> AreaState:
    """Return what is kept of the owner's area, or of one that the list no longer has."""
    if area is None:
        assert before is not None
        return {**before, "is_gone": True}
    parent = areas.find(area.parent)
    return {
        "code": area.code,
        "name": area.name,
        "parent": parent.name if parent else "",
        "level": area.level,
        "vi": areas.level_text(area, "vi"),
        "en": areas.level_text(area, "en"),
        "is_gone": False,
    }


def choose_area(db: Database, code: str) -> KnownAreas:
    """Make an area of the list the owner's own, on this device only.

    Raises
    ------
    NotPossible
        When the authority publishes no areas (``areas_none``), or none with this code
        (``area_unknown``).
    """
    areas = published_areas(db)
    if areas is None or not areas.areas:
        raise not_possible("areas_none")
    area = areas.find(code)
    if area is None:
        raise not_possible("area_unknown")
    with transaction(db):
        before = AREA.get(db)
        AREA.set(db, _own(areas, area))
        if before is not None:
            note_deletion(db)
    return known_areas(db)


def forget_area(db: Database) -> None:
    """Forget which area is the owner's own; its bytes leave the file when it is next compacted."""
    with transaction(db):
        if AREA.get(db) is not None:
            AREA.clear(db)
            note_deletion(db)


def find_areas(areas: SignedAreas, words: str, *, inside: str = "") -> Sequence[Area]:
    """Return the areas whose names hold all words, however they are written.

    Small and capital letters, and letters with and without marks, are alike. An area whose code
    or whole name was given comes alone.

    Parameters
    ----------
    areas
        The list.
    words
        Beginnings of words of the name; "" for every area.
    inside
        Code of the area that they must be in; "" for anywhere.
    """
    inner = [area for area in areas.areas if not inside or area.parent == inside]
    if exact := [area for area in inner if area.code == words]:
        return exact
    wanted = _folded(words).split()
    found = [area for area in inner if _has(_folded(area.name).split(), wanted)]
    whole = [area for area in found if _folded(area.name).split() == wanted]
    return whole if len(whole) == 1 else found


def _has(name: Sequence[str], wanted: Iterable[str]) -> bool:
    return all(any(each.startswith(word) for each in name) for word in wanted)


def _folded(text: str) -> str:
    """Return a text in small letters without marks, as many people type it."""
    apart = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
