"""Links open once and in time; sessions are found by path and cookie together, until idle."""

from __future__ import annotations

import pytest

from ble_agent.app.page.door import Door, LinkRefused, Session
from tracing_core.clock import ManualClock
from tracing_core.errors import StoreError


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_630_144_800.0)


@pytest.fixture
def door(clock: ManualClock) -> Door:
    return Door(clock, language="vi", idle_seconds=900)


def found(door: Door, session: Session) -> bool:
    return door.find(session.path, {session.cookie_name: session.cookie}) is session


def test_a_link_opens_one_session(door: Door) -> None:
    token = door.new_link()
    assert found(door, door.enter(token))
    with pytest.raises(LinkRefused):
        door.enter(token)


def test_a_link_is_good_for_five_minutes(door: Door, clock: ManualClock) -> None:
    first, second = door.new_link(), door.new_link()
    clock.advance(300)
    door.enter(first)
    clock.advance(1)
    with pytest.raises(LinkRefused):
        door.enter(second)


def test_wrong_tries_wait_longer_and_burn_nothing(door: Door) -> None:
    token = door.new_link()
    waits = []
    for number in range(1000):
        with pytest.raises(LinkRefused):
            door.enter(f"{token[:-1]}~{number}")
        waits.append(door.wait_seconds)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.05, 4.0)
    door.enter(token)


def test_the_newest_links_stay_open(door: Door) -> None:
    tokens = [door.new_link() for _ in range(12)]
    for token in tokens[:4]:
        with pytest.raises(LinkRefused):
            door.enter(token)
    for token in tokens[4:]:
        door.enter(token)


def test_neither_path_nor_cookie_alone_is_enough(door: Door) -> None:
    one, other = door.enter(door.new_link()), door.enter(door.new_link())
    for path, cookie in (
        (one.path, ""),
        (one.path, "ế"),
        (one.path, other.cookie),
        (other.path, one.cookie),
        ("", one.cookie),
        ("today", one.cookie),
    ):
        for name in (one.cookie_name, other.cookie_name):
            assert door.find(path, {name: cookie}) is None
    assert found(door, one)
    assert found(door, other)


def test_a_session_ends_when_idle(door: Door, clock: ManualClock) -> None:
    session = door.enter(door.new_link())
    for _ in range(3):
        clock.advance(900)
        assert found(door, session)
    assert not door.is_idle
    clock.advance(901)
    assert door.is_idle
    assert not list(door.sessions())
    assert not found(door, session)
    # Time that went back must not revive it.
    assert not found(door, session)


def test_a_wrong_request_keeps_nothing_open(door: Door, clock: ManualClock) -> None:
    session = door.enter(door.new_link())
    for _ in range(10):
        clock.advance(100)
        door.find(session.path, {session.cookie_name: "wrong"})
        with pytest.raises(LinkRefused):
            door.enter("wrong")
    assert door.is_idle


def test_a_session_is_ended_by_its_name(door: Door) -> None:
    one, other = door.enter(door.new_link()), door.enter(door.new_link())
    door.end(one.name)
    door.end("unknown")
    assert list(door.sessions()) == [other]
    assert not found(door, one)


def test_the_longest_unused_session_makes_room(door: Door, clock: ManualClock) -> None:
    sessions = []
    for _ in range(9):
        clock.advance(1)
        sessions.append(door.enter(door.new_link()))
    assert [found(door, session) for session in sessions] == [False] + [True] * 8


def test_no_secret_is_shown(door: Door) -> None:
    session = door.enter(door.new_link())
    for secret in (session.path, session.cookie, session.form_key):
        assert len(secret) >= 32
        assert secret not in repr(session)


class Held:
    """Something that a session keeps until it ends."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_what_a_session_holds_is_closed_with_it(door: Door, clock: ManualClock) -> None:
    first, second = (door.enter(door.new_link()) for _ in range(2))
    held = [Held() for _ in range(6)]
    first.hold("file", held[0])
    first.hold("file", held[1])
    assert (held[0].closed, held[1].closed) == (1, 0)
    assert first.held("file") is held[1]
    first.release("file")
    assert first.held("file") is None
    first.hold("file", held[2])
    door.end(first.name)
    assert [each.closed for each in held[:3]] == [1, 1, 1]
    second.hold("file", held[3])
    door.release_all()
    assert held[3].closed == 1
    second.hold("file", held[4])
    clock.advance(901)
    door.end_idle()
    assert held[4].closed == 1
    third = door.enter(door.new_link())
    third.hold("file", held[5])
    door.close()
    assert held[5].closed == 1
    assert not list(door.sessions())


def test_what_cannot_be_closed_keeps_no_session_open(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    class Lost(Held):
        def close(self) -> None:
            raise StoreError("the folder is gone")

    held = Held()
    session = door.enter(door.new_link())
    session.hold("a", Lost())
    session.hold("b", held)
    door.close()
    assert held.closed == 1
    assert not list(door.sessions())
    assert "the folder is gone" in caplog.text
