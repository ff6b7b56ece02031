"""Homes in every state that the page must show, made by the program's own parts."""

from __future__ import annotations

import contextlib
import datetime
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ble_agent.air.key_ring import KeyRing
from ble_agent.air.persistence import note_radio
from ble_agent.authority.client import ServerClient
from ble_agent.authority.join_file import JoinFile
from ble_agent.authority.membership import join
from ble_agent.exposures.check import check
from ble_agent.owner.areas import choose_area
from ble_agent.owner.health.diary import DiaryEntry, MetPerson, Sign, TestResult, note_entry
from ble_agent.store.database import make_home, open_store
from ble_agent.store.home import end_home, exclusive_use
from ble_agent.store.state import DAMAGE, LAST_CHECK, LAST_DAY, MEMBERSHIP, REPORT, SCAN
from tests.areas import invented_areas
from tests.ble_agent.app.test_whom_it_concerns import HOUR, MIDNIGHT, NOW, meet
from tests.ble_agent.authority.test_join_file import example
from tests.ble_agent.exposures.test_bluezone_list import JSON_PATH, SIG_PATH, Listed, hear
from tests.ble_agent.fake_server import FakeServer
from tracing_core.clock import ManualClock, local_date
from tracing_core.configuration.isolation import IsolationRules
from tracing_core.errors import RadioFault
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.protocol.bluezone import BluezoneKey
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import utc_date
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine

__all__ = ["OWN_AREA", "STATES", "Device", "State", "in_state"]

DAY = 86_400
OWN_AREA = invented_areas()[-1]
_NOON = MIDNIGHT + 12 * HOUR


class Device:
    """A home that is to be brought into a state."""

    def __init__(self, home: Path, server: FakeServer) -> None:
        self.home = home
        self.server = server
        self.runs = True
        """Whether an agent holds the home's lock."""

    @contextlib.contextmanager
    def store(self) -> Iterator[Database]:
        with open_store(self.home) as db:
            yield db

    def join(self) -> None:
        with self.store() as db, ServerClient(self.server.url, self.server.clock) as client:
            join(db, client, JoinLine.parse(self.server.line), NOW)

    def send(self, days: int = 9) -> None:
        """Use a key a day, as sending does."""
        with self.store() as db:
            for day in range(days, -1, -1):
                KeyRing(db).next_advertisement(NOW - day * DAY, Metadata(-20))

    def listen(self) -> None:
        """Hear strangers every day, the last a minute ago."""
        with self.store() as db:
            for day in range(9):
                meet(db, MIDNIGHT + 2 * DAY - day * DAY + 2 * HOUR, minutes=30 + 37 * day % 130)
            note_radio(db, "hci:usb:0", None)
            with transaction(db):
                SCAN.set(db, {"at": int(NOW) - 60})

    def meet(self, began: int, *, minutes: int = 20, rssi_dbm: int = -50) -> None:
        """Meet somebody who reports later."""
        with self.store() as db:
            self.publish(meet(db, began, minutes=minutes, rssi_dbm=rssi_dbm))

    def publish(self, keys: list[DiagnosisKey]) -> None:
        self.server.add_file(f"{len(self.server.files):05}.zip", keys)

    def check(self) -> None:
        with self.store() as db, ServerClient(self.server.url, self.server.clock) as client:
            check(db, client, ManualClock(NOW))


State = Callable[[Device], None]


def _joined(device: Device) -> None:
    device.join()
    device.send()


def _well(device: Device) -> None:
    _joined(device)
    device.listen()
    device.check()


def _not_joined(device: Device) -> None:
    device.runs = False


def _never_checked(device: Device) -> None:
    _joined(device)
    device.listen()


def _not_running(device: Device) -> None:
    _well(device)
    device.runs = False
    with device.store() as db, transaction(db):
        SCAN.set(db, {"at": int(NOW) - 31 * HOUR})


def _radio_off(device: Device) -> None:
    _well(device)
    with device.store() as db:
        note_radio(db, "bluez", RadioFault.POWERED_OFF)


def _clock_wrong(device: Device) -> None:
    _well(device)
    with device.store() as db, transaction(db):
        SCAN.set(db, {"at": int(NOW) - 60, "clock": {"latest": NOW + 3 * DAY}})


def _damaged(device: Device) -> None:
    _well(device)
    with device.store() as db, transaction(db):
        DAMAGE.set(db, {"at": int(NOW) - HOUR, "sightings": 40, "keys": 2, "joined": True})


def _nothing_heard(device: Device) -> None:
    _joined(device)
    with device.store() as db:
        note_radio(db, "hci:usb:0", None)
        with transaction(db):
            SCAN.set(db, {"at": int(NOW) - 60})
    device.check()


def _faint(device: Device) -> None:
    _joined(device)
    device.listen()
    device.meet(_NOON, rssi_dbm=-100)
    device.check()


def _exposed(device: Device) -> None:
    _joined(device)
    device.listen()
    device.meet(_NOON, minutes=40)
    device.meet(_NOON - 22 * HOUR, minutes=8)
    device.check()


def _missed(device: Device) -> None:
    """A check that could not read one of the key files."""
    _well(device)
    with device.store() as db, transaction(db):
        LAST_CHECK.set(db, {"at": int(NOW) - 40 * HOUR, "level": "none", "days": 0})


def _reported(device: Device) -> None:
    _well(device)
    with device.store() as db, transaction(db):
        REPORT.set(db, {"reported_at": int(NOW) - DAY, "revision_token": "t"})


def _taken_back(device: Device) -> None:
    _well(device)
    with device.store() as db, transaction(db):
        REPORT.set(db, {"reported_at": int(NOW) - DAY, "taken_back": int(NOW) // 600 - 288})


def _unfinished(device: Device) -> None:
    _well(device)
    with device.store() as db, transaction(db):
        REPORT.set(db, {"code": "1", "token": "t", "verified_at": int(NOW) - 600})


def _joined_by_file(device: Device) -> None:
    _well(device)
    file = JoinFile.from_fields(example(), device.home)
    with device.store() as db, transaction(db):
        MEMBERSHIP.set(db, {"file": file.to_fields()})


def _last_day_asked(device: Device) -> None:
    """A device that joined before there was a last day."""
    _well(device)
    with device.store() as db, transaction(db):
        LAST_DAY.clear(db)


def _last_day_declined(device: Device) -> None:
    _well(device)
    with device.store() as db, transaction(db):
        LAST_DAY.set(db, {"declined": True})


def _last_day_over(device: Device) -> None:
    """A device that waits until it is certain that its clock is right."""
    _well(device)
    with device.store() as db, transaction(db):
        LAST_DAY.set(db, {"last_day": utc_date(int(NOW) - DAY).isoformat()})


def _over(device: Device) -> None:
    _well(device)
    with exclusive_use(device.home):
        end_home(device.home)
    device.runs = False


def _newer(device: Device) -> None:
    """A database that a later version made."""
    _well(device)
    with device.store() as db, transaction(db):
        db.conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('agent', 'm999')"
        )


def _area_not_chosen(device: Device) -> None:
    device.server.publish_areas(2, areas=tuple(invented_areas()))
    _well(device)


def _area(device: Device) -> None:
    _area_not_chosen(device)
    with device.store() as db:
        choose_area(db, OWN_AREA.code)


def _area_gone(device: Device) -> None:
    """The newest list no longer has the area."""
    _area(device)
    device.server.publish_areas(3, areas=tuple(invented_areas(communes=3_000)))
    device.check()


def _area_old(device: Device) -> None:
    """A list of weeks ago, and a newer one that cannot be used."""
    areas = tuple(invented_areas())
    device.server.publish_areas(2, areas=areas, issued_at=int(NOW) - 20 * DAY)
    _well(device)
    with device.store() as db:
        choose_area(db, OWN_AREA.code)
    device.server.publish_areas(1, areas=areas)
    device.check()


def _bluezone(minutes: int, *, day: int = 1, is_listed: bool = True) -> State:
    """Return the state of a device that took over from Bluezone, and its authority's list."""

    def state(device: Device) -> None:
        _joined(device)
        device.listen()
        key = BluezoneKey(bytes(range(32)), MIDNIGHT - 2 * DAY, MIDNIGHT - 1)
        with device.store() as db:
            hear(db, key, minutes, day=day)
        if is_listed:
            Listed(device.server).publish(key)
        device.check()

    return state


def _bluezone_lost(device: Device) -> None:
    """A list that the authority promises and the server does not have."""
    device.server.configure(2, bluezone_list=1)
    _bluezone(20, is_listed=False)(device)


RULES = IsolationRules.from_json(
    {
        "exposure": {"days": 7, "negative_test_after": 5},
        "onset": {"days": 10},
        "positive_test": {"days": 10, "negative_test_after": 7},
    }
)


def _ruled(device: Device) -> None:
    """An authority with rules of isolation, and nothing to isolate for."""
    device.server.configure(2, isolation=RULES)
    _well(device)


def _isolating(device: Device) -> None:
    """Exposed, and ill since."""
    device.server.configure(2, isolation=RULES)
    _exposed(device)
    today = local_date(NOW)
    with device.store() as db:
        for days in (0, 1):
            day = today - datetime.timedelta(days)
            met = frozenset({MetPerson.ILL})
            note_entry(db, DiaryEntry(day, frozenset({Sign.FEVER, Sign.COUGH}), met), today)
        well = DiaryEntry(today - datetime.timedelta(6), test=TestResult.NEGATIVE)
        note_entry(db, well, today)


def _isolation_ended(device: Device) -> None:
    """A positive test a while ago, and a negative one since."""
    device.server.configure(2, isolation=RULES)
    _well(device)
    today = local_date(NOW)
    with device.store() as db:
        for days, result in ((12, TestResult.POSITIVE), (4, TestResult.NEGATIVE)):
            note_entry(db, DiaryEntry(today - datetime.timedelta(days), test=result), today)


STATES: Mapping[str, State] = {
    "not_joined": _not_joined,
    "never_checked": _never_checked,
    "well": _well,
    "not_running": _not_running,
    "radio_off": _radio_off,
    "clock_wrong": _clock_wrong,
    "damaged": _damaged,
    "nothing_heard": _nothing_heard,
    "faint": _faint,
    "exposed": _exposed,
    "check_late": _missed,
    "reported": _reported,
    "taken_back": _taken_back,
    "unfinished": _unfinished,
    "joined_by_file": _joined_by_file,
    "last_day_asked": _last_day_asked,
    "last_day_declined": _last_day_declined,
    "last_day_over": _last_day_over,
    "over": _over,
    "newer": _newer,
    "bluezone": _bluezone(40),
    "bluezone_brief": _bluezone(9),
    "bluezone_no_list": _bluezone(40, is_listed=False),
    "bluezone_lost": _bluezone_lost,
    "area_not_chosen": _area_not_chosen,
    "area": _area,
    "area_gone": _area_gone,
    "area_old": _area_old,
    "ruled": _ruled,
    "isolating": _isolating,
    "isolation_ended": _isolation_ended,
}


@contextlib.contextmanager
def in_state(state: State, home: Path, server: FakeServer) -> Iterator[Device]:
    """Make a home anew in a state, and hold its lock as a running agent does."""
    shutil.rmtree(home, ignore_errors=True)
    make_home(home)
    server.files.clear()
    server.areas = ""
    for path in (JSON_PATH, SIG_PATH):
        server.special.pop(path, None)
    server.configure(1)
    server.asked.clear()
    device = Device(home, server)
    state(device)
    with contextlib.ExitStack() as stack:
        if device.runs:
            stack.enter_context(exclusive_use(home))
        yield device
