"""The slots of each protocol: published vectors, real rows, and the app's own loop."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.definition import counting
from tests.tracing_core.vectors import load
from tracing_core.errors import InvalidKey
from tracing_core.protocol.bluezone import BLUEZONE, BluezoneKey
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.dp3t import DP3T, Dp3tKey
from tracing_core.protocol.gaen import GAEN
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.slots import slots
from tracing_core.protocol.temporary_exposure_key import derive_rpik

DAY = 86_400
START = 18_482 * DAY
KEY = bytes(range(32))


def the_app_s_loop(log: list[tuple[bytes, int]], key: BluezoneKey) -> set[int]:
    """Return the places in a log that Bluezone finds, as its ``checkContactF`` goes about it.

    Milliseconds, one SHA-256 after the other, one search of the log per slot; it would stop at the
    first row that it finds.
    """
    time_next, time_end = key.time_start * 1000, key.time_end * 1000
    delta = 86_400_000 // key.slots_per_day
    daily = key.key_data
    sub_key = daily + b"bluzonesubkey"
    number = 0
    found = set()
    while time_next <= time_end:
        sub_key = hashlib.sha256(sub_key).digest()
        identifier = bytes(sub_key[at * 4 if at < 4 else 16 + (at - 4) * 2] for at in range(12))
        begins, time_next = time_next, time_next + delta
        found |= {
            place
            for place, (heard, seen_at) in enumerate(log)
            if heard == identifier and begins <= seen_at * 1000 <= time_next
        }
        number += 1
        if number == key.slots_per_day:
            daily = hashlib.sha256(daily).digest()
            sub_key = daily + b"bluzonesubkey"
            number = 0
    return found


@st.composite
def bluezone_logs(draw: st.DrawFn) -> tuple[BluezoneKey, list[tuple[bytes, int]]]:
    per_day = draw(st.sampled_from([1, 7, 24, 48, 95, 96, 97, 144, 288]))
    start = START + draw(st.sampled_from([0, 0, 1, 43_200]))
    end = start + draw(
        st.sampled_from([0, 1, 899, 900, DAY - 1, DAY, DAY + 1]) | st.integers(0, 3 * DAY)
    )
    key = BluezoneKey(draw(st.binary(min_size=32, max_size=32)), start, end, per_day)
    every = list(slots(BLUEZONE, key))
    # Slots beside midnight, the first and the last, and one anywhere.
    numbers = {0, len(every) - 1, per_day - 1, per_day, draw(st.integers(0, len(every) - 1))}
    log = [(bytes(12), start)]
    for slot in (every[number] for number in sorted(numbers) if number < len(every)):
        log += [
            (slot.identifier, moment + off)
            for moment in (slot.first, slot.last)
            for off in draw(st.lists(st.sampled_from([-900, -1, 0, 1, 900]), max_size=3))
        ]
    return key, log


@given(given=bluezone_logs())
def test_bluezone_finds_what_the_app_found(
    given: tuple[BluezoneKey, list[tuple[bytes, int]]],
) -> None:
    key, log = given
    found = counting(slots(BLUEZONE, key), log, BLUEZONE.max_seconds_heard)
    assert {place for place, _ in found} == the_app_s_loop(log, key)


@given(given=bluezone_logs())
def test_a_day_left_out_changes_no_other(
    given: tuple[BluezoneKey, list[tuple[bytes, int]]],
) -> None:
    key, log = given
    moments = sorted(seen_at for _, seen_at in log)

    def heard_between(first: int, last: int) -> bool:
        return any(first <= moment <= last for moment in moments)

    left = [
        run.slot(number)
        for run in BLUEZONE.runs(key, heard_between)
        for number in range(len(run.identifiers))
    ]
    every = list(slots(BLUEZONE, key))
    assert set(left) <= set(every)
    places = {place for place, _ in counting(every, log, None)}
    assert {place for place, _ in counting(left, log, None)} == places


def test_a_quiet_day_costs_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    key = BluezoneKey(KEY, START, START + 14 * DAY - 1)
    hashes = []
    real = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda data: hashes.append(1) or real(data))
    (run,) = BLUEZONE.runs(key, lambda first, _: first == START + 5 * DAY)
    assert len(hashes) == 14 + 96
    assert run.slot(0).first == START + 5 * DAY


def test_a_real_phone_sent_its_identifiers_in_their_slots() -> None:
    vector = load("bluezone_rows.json")
    day = vector["day_start"]
    key = BluezoneKey(bytes.fromhex(vector["base_key"]), day, day + DAY - 1)
    every = list(slots(BLUEZONE, key))
    assert len(every) == vector["slots_per_day"] == 96
    identifiers = [bytes.fromhex(each) for each in vector["identifiers"]]
    assert len(vector["rows"]) == 118
    for number, _, moment_ms in vector["rows"]:
        slot = every[(moment_ms // 1000 - day) // 900]
        assert slot.identifier == identifiers[number]
        assert slot.counts(moment_ms // 1000)


def test_dp3t_s_vectors() -> None:
    days = load("dp3t_low_cost.json")["days"]
    runs = list(DP3T.runs(Dp3tKey(bytes.fromhex(days[0]["key"]), 18_000, 3)))
    assert len(runs) == len(days) == 3
    for number, (run, day) in enumerate(zip(runs, days, strict=True)):
        assert len(run.identifiers) == 96
        assert len(day["identifiers"]) == 4
        for place, identifier in day["identifiers"].items():
            slot = run.slot(int(place))
            assert slot.identifier.hex() == identifier
            # The order within the day is secret, so all last the day and two hours more each way.
            assert slot.first == (18_000 + number) * DAY - 7_200
            assert slot.last == (18_001 + number) * DAY + 7_200 - 1
        alone = Dp3tKey(bytes.fromhex(day["key"]), 18_000 + number, 1)
        assert list(DP3T.runs(alone)) == [run]
    assert list(DP3T.runs(Dp3tKey(KEY, 18_000, 3), lambda *_: False)) == []


def test_gaen_has_a_slot_per_interval() -> None:
    key = DiagnosisKey(KEY[:16], 2_650_032, 144)
    found = list(slots(GAEN, key))
    rpis = derive_rpis(derive_rpik(key.key_data), 2_650_032, 144)
    assert [slot.identifier for slot in found] == rpis
    assert (found[5].first, found[5].last) == ((2_650_037 - 12) * 600, (2_650_037 + 13) * 600 - 1)
    assert list(GAEN.runs(key, lambda first, last: last < found[0].first)) == []
    assert (GAEN.max_seconds_heard, GAEN.states_power) == (1200, True)
    assert (BLUEZONE.states_power, DP3T.states_power) == (False, False)


@pytest.mark.parametrize(
    ("key_data", "start", "end", "per_day"),
    [
        (KEY[:31], 0, 0, 96),
        (KEY, 1, 0, 96),
        (KEY, -1, 0, 96),
        (KEY, 0, 30 * DAY + 1, 96),
        (KEY, 0, 0, 0),
        (KEY, 0, 0, 289),
        (KEY, START * 1000, START * 1000, 96),
    ],
)
def test_what_no_bluezone_key_states_is_refused(
    key_data: bytes, start: int, end: int, per_day: int
) -> None:
    with pytest.raises(InvalidKey):
        BluezoneKey(key_data, start, end, per_day)


@pytest.mark.parametrize(
    ("key_data", "day", "days"),
    [(KEY[:31], 1, 1), (KEY, -1, 1), (KEY, 1, 0), (KEY, 1, 31), (KEY, 10**6, 1)],
)
def test_what_no_dp3t_key_states_is_refused(key_data: bytes, day: int, days: int) -> None:
    with pytest.raises(InvalidKey):
        Dp3tKey(key_data, day, days)


def test_no_repr_shows_a_key_or_an_identifier() -> None:
    key = BluezoneKey(KEY, START, START)
    (run,) = BLUEZONE.runs(key)
    shown = f"{key} {run} {run.slot(0)} {Dp3tKey(KEY, 1, 1)}"
    assert repr(KEY) not in shown
    assert repr(run.identifiers[0]) not in shown
