"""Registry of the values that the agent keeps by name in the table ``state``, as JSON.

Every name in use is listed here, with what writes it and what its JSON holds. Names and fields
stay as they are: a home made by an older version must keep working.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NotRequired, TypedDict, TypeVar, final

from tracing_core.store.database import Database

__all__ = [
    "ADDITIONS",
    "AREA",
    "AREAS",
    "AREAS_DOCUMENT",
    "BLUEZONE_FAULT",
    "BLUEZONE_LIST",
    "CHECK_FAULT",
    "COMPACTED_AT",
    "DAMAGE",
    "EXPOSED",
    "FUTURE_SINCE",
    "HELD_BACK",
    "INDEX",
    "KEY_FILES",
    "LAST_CHECK",
    "LAST_DAY",
    "LEDGER",
    "MEMBERSHIP",
    "NOTIFIED",
    "NOTIFY_FAULT",
    "OVER",
    "RADIO",
    "REPORT",
    "ROOM",
    "SCAN",
    "SEEN",
    "TO_COMPACT",
    "AnswerState",
    "AreaState",
    "AreasState",
    "BluezoneDayState",
    "BluezoneListState",
    "CheckFaultState",
    "DamageState",
    "ExposedState",
    "FileMembershipState",
    "HeldDayState",
    "IndexState",
    "KeyFilesState",
    "LastCheckState",
    "LastDayState",
    "LedgerEntry",
    "MembershipState",
    "NotifyFaultState",
    "OverState",
    "RadioState",
    "ReportState",
    "ScanState",
    "SeenDay",
    "SignalsState",
    "StateValue",
    "answer_value",
]

_T = TypeVar("_T")


class StateValue(Generic[_T]):
    """One named value of the database."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get(self, db: Database) -> _T | None:
        """Return the value; None if it was never set, or was cleared."""
        row = db.conn.execute("SELECT value FROM state WHERE name = ?", [self.name]).fetchone()
        value: _T | None = None if row is None else json.loads(row[0])
        return value

    def set(self, db: Database, value: _T) -> None:
        """Store the value, inside the caller's transaction."""
        db.conn.execute(
            "INSERT INTO state (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [self.name, json.dumps(value)],
        )

    def clear(self, db: Database) -> None:
        """Remove the value, inside the caller's transaction."""
        db.conn.execute("DELETE FROM state WHERE name = ?", [self.name])


class AnswerState(TypedDict):
    """A document of the server that need not be sent again."""

    url: str
    tag: str
    """The ETag, in quotes."""
    body: str
    """Its bytes, as Latin-1."""


class BluezoneDayState(TypedDict):
    """What Bluezone recorded on one UTC day of people on the authority's list."""

    minutes: int
    """At least 1."""
    local_dates: list[str]
    """The owner's days (YYYY-MM-DD), one or two."""


class BluezoneListState(TypedDict):
    """The last list of Bluezone keys that was compared with what Bluezone recorded."""

    sequence: int
    sha256: str
    """SHA-256 of the list, 64 hex digits."""
    additions: int
    """`ADDITIONS` when the recordings were read."""
    left_out: int
    """Number of its records that could not be used, or not whole."""
    unreadable: int
    """Number of recordings that could not be read."""
    row: int
    """The row of the first of them; 0 without one."""
    days: dict[str, BluezoneDayState]
    """What was found, by UTC date (YYYY-MM-DD)."""


class AreaState(TypedDict):
    """The area that the owner chose, as the last good list has it."""

    code: str
    name: str
    parent: str
    """Name of the area that it is in; "" for none."""
    level: int
    """Number of its level; 0 if the authority states none."""
    vi: str
    """Name of its level; "" for none."""
    en: str
    is_gone: bool
    """Whether the list no longer has it; the other fields are then as it last was."""


class AreasState(TypedDict):
    """What is known of the list of areas without reading it."""

    tag: str
    """SHA-256 of `AREAS_DOCUMENT`, 64 hex digits; "" before the first list."""
    sequence: int
    """0 before the first list."""
    issued_at: int
    """When the authority set the levels, in UTC Unix seconds."""
    count: int
    """Number of areas."""
    confirmed_at: int
    """When the server last confirmed the list, in UTC Unix seconds."""
    fault: CheckFaultState | None
    """Why the newest list could not be used; None if it could."""


class DamageState(TypedDict):
    """The last recovery from a damaged or missing database, kept for 14 days."""

    at: int
    """Time of the recovery, in UTC Unix seconds."""
    sightings: int
    """Sightings that could be read."""
    keys: int
    """Days whose own key could be read."""
    joined: bool
    """Whether the joined authority could be read."""


class ExposedState(TypedDict):
    """The last exposure that counts, kept for 21 days."""

    date: str
    """Day of the owner's calendar (YYYY-MM-DD)."""


class IndexState(TypedDict):
    """The last signed index that was accepted."""

    sequence: int


class KeyFilesState(TypedDict):
    """How far the key files of the joined server reach."""

    since: int
    """Time of the first check at this server, in UTC Unix seconds."""
    newest_end: int | None
    """The newest end of a window that a signature vouches for; None before the first key file."""
    window_seconds: int
    """Length of that window."""
    every_window: NotRequired[bool]
    """Whether the server publishes windows without keys too; missing for yes."""


class CheckFaultState(TypedDict):
    """Why the last check failed, or was not complete."""

    en: str
    vi: str
    """The line for the owner in each language."""


class LastCheckState(TypedDict):
    """The last check that ended well."""

    at: int
    """Time of its end, in UTC Unix seconds."""
    level: str
    """The highest level of any day, or ``none``."""
    days: int
    """Number of days with an exposure."""


class LastDayState(TypedDict):
    """What the owner answered about the last day."""

    last_day: NotRequired[str]
    """The day that the owner agreed to (YYYY-MM-DD, UTC); missing without a yes."""
    declined: NotRequired[bool]
    """True if the owner was asked and did not agree."""


class OverState(TypedDict):
    """The time after the last day, until everything may be deleted."""

    seconds: float
    """For how long the agent has run since."""
    leapt: bool
    """Whether the clock came there by a leap, or by time that nothing has counted."""


class LedgerEntry(TypedDict):
    """What left the device on one day, of one kind and to one place."""

    date: str
    """Local day (YYYY-MM-DD)."""
    kind: str
    """One of the kinds of `ble_agent.authority.ledger_notes`."""
    place: str
    """Host; "" for none."""
    times: int
    items: int
    """Number of keys, key files or sightings in all."""


@final
class MembershipState(TypedDict):
    """The server that this device joined by a line, and its verified documents."""

    line: str
    documents: Sequence[str]
    config: str


@final
class FileMembershipState(TypedDict):
    """The authority that this device joined by a file."""

    file: Mapping[str, Any]
    """The fields of the file, as `ble_agent.authority.join_file.JoinFile.to_fields`."""


class NotifyFaultState(TypedDict):
    """The owner's command failed, so these days are handed to it again."""

    at: int
    """Time of the failure, in UTC Unix seconds."""
    days: dict[str, str]
    """Levels by date (YYYY-MM-DD)."""


class HeldDayState(TypedDict):
    """A notification that waits for the end of the quiet hours."""

    level: str
    local_date: str
    """The day in the device's time zone (YYYY-MM-DD)."""


class SeenDay(TypedDict):
    """An exposure as the owner saw it."""

    level: str
    minutes: int


class RadioState(TypedDict):
    """The radio last used."""

    name: str
    fault: str | None
    """Name of the `RadioFault` in lower case; None if the radio works."""


class ReportState(TypedDict, total=False):
    """A report under way, and the right to change an earlier one."""

    code: str
    token: str
    test_type: str
    onset: int
    """First interval of the day of the symptoms' onset, as the code states it; 0 if not."""
    tested: int
    """First interval of the day of the positive test, as the newest code states it."""
    own_onset: int
    """First interval of the day of the onset that the owner agreed to send."""
    verified_at: int
    certificate: str
    secret: str
    """Key of the MAC over the keys, in base64."""
    starts: list[int]
    """First intervals of the keys that the certificate is for."""
    certified_at: int
    attempt_secret: str
    """Secret by which the server repeats answers that were lost, in URL base64."""
    attempted_at: int
    revision_token: str
    reported_at: int
    taken_back: int
    """First interval of the newest key that was taken back, or cannot be sent again."""
    taken_back_at: int
    """When a report was taken back, in UTC Unix seconds."""
    sent: list[int]
    """First intervals of the keys of an upload that was not answered."""


class SignalsState(TypedDict):
    """The signals of the last UTC day on which any was heard."""

    day: int
    """The day, since the Unix epoch."""
    heard: int
    """Number of signals with an identifier."""
    unmeasured: int
    """Number of those without a measured strength."""


class ScanState(TypedDict):
    """The encounter log's account of its scans."""

    at: NotRequired[int]
    """Time of the last scan, in UTC Unix seconds; missing if there were only recordings."""
    clock: NotRequired[dict[str, float]]
    """`ble_agent.air.clock_watch.ClockWatch.state`; missing like ``at``."""
    dropped_samples: NotRequired[int]
    """Samples left out because there were too many at once."""
    signals: NotRequired[SignalsState]
    """Missing if an older version wrote the account."""


MEMBERSHIP: StateValue[MembershipState | FileMembershipState] = StateValue("membership")
"""Written by `ble_agent.authority.membership`."""

REPORT: StateValue[ReportState] = StateValue("report")
"""Written by `ble_agent.authority.report` at each step of a report."""

INDEX: StateValue[IndexState] = StateValue("index")
"""Written by `ble_agent.authority.listing`; once set, an unsigned index is a fault."""

KEY_FILES: StateValue[KeyFilesState] = StateValue("key_files")
"""Written by `ble_agent.exposures.freshness` with each check; read by the status."""

DAMAGE: StateValue[DamageState] = StateValue("damage")
"""Written by `ble_agent.store.recovery`; read by the check and the status."""

EXPOSED: StateValue[ExposedState] = StateValue("exposed")
"""Written by `ble_agent.owner.health.isolation` with each check; its signals go after 14 days."""

LAST_CHECK: StateValue[LastCheckState] = StateValue("last_check")
"""Written by `ble_agent.exposures.check`; read by the status."""

AREAS: StateValue[AreasState] = StateValue("areas")
"""Written by `ble_agent.owner.areas` with each check; read by the status."""

AREAS_DOCUMENT: StateValue[str] = StateValue("areas_document")
"""The last good list of areas, a JWS; `ble_agent.owner.areas`."""

AREA: StateValue[AreaState] = StateValue("area")
"""The owner's own area, missing if none was chosen; `ble_agent.owner.areas`. It is never sent."""

LEDGER: StateValue[Sequence[LedgerEntry]] = StateValue("ledger")
"""What left the device in the last 14 days; `ble_agent.authority.ledger_notes`."""

NOTIFIED: StateValue[dict[str, str]] = StateValue("notified")
"""Levels by date (YYYY-MM-DD) that the owner was notified of; `ble_agent.exposures.notifier`."""

NOTIFY_FAULT: StateValue[NotifyFaultState] = StateValue("notify_fault")
"""Set while ``notify_command`` fails; `ble_agent.exposures.notifier`, read by the status."""

HELD_BACK: StateValue[dict[str, HeldDayState]] = StateValue("held_back")
"""Notifications by UTC date (YYYY-MM-DD) that wait for the end of the quiet hours, if any do;
`ble_agent.exposures.notifier`."""

SEEN: StateValue[dict[str, SeenDay]] = StateValue("seen")
"""Exposures by UTC date (YYYY-MM-DD) that a terminal showed; `ble_agent.exposures.seen`."""

LAST_DAY: StateValue[LastDayState] = StateValue("last_day")
"""Written by `ble_agent.authority.membership` and `ble_agent.owner.last_day`."""

OVER: StateValue[OverState] = StateValue("over")
"""Written by `ble_agent.owner.end`; missing before the end of the last day."""

CHECK_FAULT: StateValue[CheckFaultState] = StateValue("check_fault")
"""Cleared by a check without a fault; `ble_agent.exposures.check_fault`, read by the status."""

BLUEZONE_LIST: StateValue[BluezoneListState] = StateValue("bluezone_list")
"""Written by `ble_agent.exposures.files.bluezone_list` for each new list."""

BLUEZONE_FAULT: StateValue[CheckFaultState] = StateValue("bluezone_fault")
"""Why the list could not be used, or not whole; `ble_agent.exposures.check_fault`."""

RADIO: StateValue[RadioState] = StateValue("radio")
"""Written by `ble_agent.air.persistence`; read by the status."""

SCAN: StateValue[ScanState] = StateValue("scan")
"""Written by `ble_agent.air.encounter_log` with each scan; read by the status."""

FUTURE_SINCE: StateValue[int] = StateValue("future_since")
"""First confirmed time (UTC Unix seconds) at which rows were dated days ahead; missing without
such rows. Written by `ble_agent.air.future_rows`."""

COMPACTED_AT: StateValue[int] = StateValue("compacted_at")
"""Time (UTC Unix seconds) of the last compaction by `ble_agent.store.database.forget`."""

TO_COMPACT: StateValue[bool] = StateValue("to_compact")
"""True while the file may hold deleted bytes; set by `ble_agent.store.database.note_deletion`."""

ADDITIONS: StateValue[int] = StateValue("additions")
"""How often old sightings were added; counted by `ble_agent.store.database.forget_key_files`."""

ROOM: StateValue[str] = StateValue("room")
"""Filler that reserves pages; never left behind by `ble_agent.store.database.reserve_room`."""


def answer_value(document: str) -> StateValue[AnswerState]:
    """Return the state value that caches a server document, by the last part of its URL.

    The host is ignored, so there is one value per kind of document. Used by
    `ble_agent.authority.download`.
    """
    return StateValue(f"answer {document}")
