from pathlib import Path

import pytest

from server.errors import Refused
from server.http.problems import status_of
from server.verification.limits import ClientLimits
from tests.server.homes import NOW, make_settings
from tracing_core.clock import ManualClock

HOME = Path("/nonexistent")


def limits_of(clock: ManualClock, **changes: int) -> ClientLimits:
    return ClientLimits(make_settings(HOME, **changes), clock)


def refused(limits: ClientLimits, address: str) -> Refused:
    with pytest.raises(Refused) as caught:
        limits.check(address)
    assert (caught.value.code, status_of(caught.value)) == ("quota_exceeded", 429)
    return caught.value


def test_so_many_requests_a_minute_and_no_more() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock, verify_requests_per_minute=3)
    for _ in range(3):
        limits.check("192.0.2.1")
    clock.advance(20)
    assert refused(limits, "192.0.2.1").retry_after == 41
    limits.check("192.0.2.2")
    clock.advance(40)
    for _ in range(3):
        limits.check("192.0.2.1")
    refused(limits, "192.0.2.1")


def test_the_wall_clock_does_not_lift_a_limit() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock, verify_requests_per_minute=1)
    limits.check("192.0.2.1")
    clock.jump(NOW + 86_400)
    refused(limits, "192.0.2.1")


def test_too_many_wrong_codes_in_a_row_ban_the_client_for_an_hour() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock)
    for _ in range(50):
        limits.check("192.0.2.1")
        limits.count_code("192.0.2.1", is_right=False)
        clock.advance(1)
    assert "wrong codes" in str(refused(limits, "192.0.2.1"))
    limits.check("192.0.2.2")
    clock.advance(3600)
    limits.check("192.0.2.1")
    for _ in range(49):
        limits.count_code("192.0.2.1", is_right=False)
    limits.check("192.0.2.1")
    limits.count_code("192.0.2.1", is_right=False)
    refused(limits, "192.0.2.1")


def test_uploads_are_counted_and_not_held_up_by_wrong_codes() -> None:
    limits = limits_of(
        ManualClock(NOW), verify_requests_per_minute=3, max_consecutive_code_failures=1
    )
    limits.count_code("192.0.2.1", is_right=False)
    refused(limits, "192.0.2.1")
    for _ in range(3):
        limits.count_request("192.0.2.1")
    with pytest.raises(Refused, match="too many requests"):
        limits.count_request("192.0.2.1")


def test_a_right_code_forgives_the_wrong_ones() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock)
    for turn in range(99):
        limits.count_code("192.0.2.1", is_right=turn == 49)
    limits.check("192.0.2.1")
    limits.count_code("192.0.2.1", is_right=False)
    refused(limits, "192.0.2.1")


def test_a_network_of_ipv6_is_one_client() -> None:
    limits = limits_of(ManualClock(NOW), verify_requests_per_minute=1)
    limits.check("2001:db8:1:2::1")
    refused(limits, "2001:db8:1:2:ffff::9")
    limits.check("2001:db8:1:3::1")
    limits.check("fe80::1%eth0")
    limits.check("")
    refused(limits, "")


def test_a_client_of_ipv4_is_itself_on_a_listener_for_both() -> None:
    limits = limits_of(ManualClock(NOW), verify_requests_per_minute=1)
    limits.check("::ffff:192.0.2.1")
    limits.check("::ffff:192.0.2.2")
    refused(limits, "192.0.2.1")


def test_who_goes_on_asking_is_not_forgotten_among_others() -> None:
    limits = limits_of(ManualClock(NOW), max_counted_clients=10, verify_requests_per_minute=2)
    limits.check("192.0.2.1")
    for number in range(9):
        limits.check(f"203.0.113.{number}")
    limits.check("192.0.2.1")
    limits.check("203.0.113.9")
    refused(limits, "192.0.2.1")


def test_a_ban_outlasts_a_flood_of_others() -> None:
    limits = limits_of(ManualClock(NOW), max_counted_clients=10, max_consecutive_code_failures=3)
    for _ in range(3):
        limits.count_code("192.0.2.1", is_right=False)
    for number in range(100):
        limits.check(f"203.0.113.{number}")
    assert "wrong codes" in str(refused(limits, "192.0.2.1"))
    for number in range(30):
        limits.count_code(f"198.51.100.{number // 3}", is_right=False)
    assert limits.banned == 10


def test_a_flood_of_addresses_is_bounded_and_none_is_kept() -> None:
    limits = limits_of(ManualClock(NOW), max_counted_clients=10)
    for number in range(100):
        limits.check(f"203.0.113.{number}")
    assert limits.size == len(limits.names) == 10
    assert not any(b"203.0.113" in each for each in limits.names)
