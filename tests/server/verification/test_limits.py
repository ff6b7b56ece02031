import contextlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from server.counters import Counters
from server.errors import Refused
from server.http.problems import status_of
from server.verification.limits import ClientLimits
from server.verification.network_counts import NetworkCounts
from tests.server.homes import NOW, make_settings
from tracing_core.clock import ManualClock

HOME = Path("/nonexistent")


def check(limits: ClientLimits, address: str) -> None:
    """Count and check a request as the route of codes does."""
    limits.count_request(address)
    limits.check_code(address, "")


def limits_of(clock: ManualClock, counters: Counters | None = None, **changes: int) -> ClientLimits:
    return ClientLimits(make_settings(HOME, **changes), clock, counters)


def refused(limits: ClientLimits, address: str) -> Refused:
    with pytest.raises(Refused) as caught:
        check(limits, address)
    assert (caught.value.code, status_of(caught.value)) == ("quota_exceeded", 429)
    return caught.value


def test_so_many_requests_a_minute_and_no_more() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock, verify_requests_per_minute=3)
    for _ in range(3):
        check(limits, "192.0.2.1")
    clock.advance(20)
    assert refused(limits, "192.0.2.1").retry_after == 41
    check(limits, "192.0.2.2")
    clock.advance(40)
    for _ in range(3):
        check(limits, "192.0.2.1")
    refused(limits, "192.0.2.1")


def test_the_wall_clock_does_not_lift_a_limit() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock, verify_requests_per_minute=1)
    check(limits, "192.0.2.1")
    clock.jump(NOW + 86_400)
    refused(limits, "192.0.2.1")


def test_too_many_wrong_codes_in_a_row_ban_the_client_for_an_hour() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock)
    for _ in range(50):
        check(limits, "192.0.2.1")
        limits.count_code("192.0.2.1", is_right=False)
        clock.advance(1)
    assert "wrong codes" in str(refused(limits, "192.0.2.1"))
    check(limits, "192.0.2.2")
    clock.advance(3600)
    check(limits, "192.0.2.1")
    for _ in range(49):
        limits.count_code("192.0.2.1", is_right=False)
    check(limits, "192.0.2.1")
    limits.count_code("192.0.2.1", is_right=False)
    refused(limits, "192.0.2.1")


def test_uploads_are_counted_and_not_held_up_by_wrong_codes() -> None:
    limits = limits_of(
        ManualClock(NOW), verify_requests_per_minute=3, max_consecutive_code_failures=1
    )
    limits.count_code("192.0.2.1", is_right=False)
    refused(limits, "192.0.2.1")  # the first of three
    for _ in range(2):
        limits.count_request("192.0.2.1")
    with pytest.raises(Refused, match="too many requests"):
        limits.count_request("192.0.2.1")


def test_a_right_code_forgives_the_wrong_ones() -> None:
    clock = ManualClock(NOW)
    limits = limits_of(clock)
    for turn in range(99):
        limits.count_code("192.0.2.1", is_right=turn == 49)
    check(limits, "192.0.2.1")
    limits.count_code("192.0.2.1", is_right=False)
    refused(limits, "192.0.2.1")


def test_a_network_of_ipv6_is_one_client() -> None:
    limits = limits_of(ManualClock(NOW), verify_requests_per_minute=1)
    check(limits, "2001:db8:1:2::1")
    refused(limits, "2001:db8:1:2:ffff::9")
    check(limits, "2001:db8:1:3::1")
    check(limits, "fe80::1%eth0")
    check(limits, "")
    refused(limits, "")


def test_a_client_of_ipv4_is_itself_on_a_listener_for_both() -> None:
    limits = limits_of(ManualClock(NOW), verify_requests_per_minute=1)
    check(limits, "::ffff:192.0.2.1")
    check(limits, "::ffff:192.0.2.2")
    refused(limits, "192.0.2.1")


def test_who_goes_on_asking_is_not_forgotten_among_others() -> None:
    limits = limits_of(ManualClock(NOW), max_counted_clients=10, verify_requests_per_minute=2)
    check(limits, "192.0.2.1")
    for number in range(9):
        check(limits, f"203.0.113.{number}")
    check(limits, "192.0.2.1")
    check(limits, "203.0.113.9")
    refused(limits, "192.0.2.1")


def test_a_ban_outlasts_a_flood_of_others() -> None:
    limits = limits_of(ManualClock(NOW), max_counted_clients=10, max_consecutive_code_failures=3)
    for _ in range(3):
        limits.count_code("192.0.2.1", is_right=False)
    for number in range(100):
        check(limits, f"203.0.113.{number}")
    assert "wrong codes" in str(refused(limits, "192.0.2.1"))
    for number in range(30):
        limits.count_code(f"198.51.100.{number // 3}", is_right=False)
    assert limits.banned == 10


def test_a_flood_of_addresses_is_bounded_and_none_is_kept() -> None:
    limits = limits_of(ManualClock(NOW), max_counted_clients=10)
    for number in range(100):
        check(limits, f"203.0.113.{number}")
    assert limits.size == len(limits.names) == 10
    assert not any(b"203.0.113" in each for each in limits.names)


def guess(limits: ClientLimits, addresses: Iterable[str]) -> int:
    """Try a wrong code from each address; return how many were looked at."""
    tried = 0
    for address in addresses:
        with contextlib.suppress(Refused):
            limits.check_code(address, "12345678")
            limits.count_code(address, is_right=False)
            tried += 1
    return tried


def test_ten_thousand_networks_of_one_customer_are_refused() -> None:
    """attacks.md, T5: one /48 has 65,536 networks, and 10,001 pushed each other out."""
    clock = ManualClock(NOW)
    limits = limits_of(clock)
    addresses = [f"2001:db8:1:{number:x}::1" for number in range(10_001)]
    assert guess(limits, addresses) == 300
    assert guess(limits, addresses) == 0
    # Others are served, and so is one of the same network with a code that cannot be guessed.
    limits.check_code("2001:db8:2::1", "12345678")
    limits.check_code(addresses[0], "23456789abcdefgh")
    clock.advance(7_200)
    limits.check_code(addresses[0], "12345678")


def test_the_networks_of_one_site_share_a_smaller_limit() -> None:
    limits = limits_of(ManualClock(NOW))
    assert guess(limits, (f"2001:db8:1:{number:x}::1" for number in range(256))) == 100
    limits.check_code("2001:db8:1:100::1", "12345678")
    assert guess(limits, (f"192.0.2.{number % 256}" for number in range(2_000))) == 300


def test_ten_thousand_customers_are_braked_and_newcomers_are_not_shut_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, counters = ManualClock(NOW), Counters()
    limits = limits_of(clock, counters)
    addresses = [f"2001:{number >> 16:x}:{number & 0xFFFF:x}::1" for number in range(10_001)]
    tried = [guess(limits, addresses) for _ in range(4)]
    # Three each, and hardly more, of the three hundred that a network has in quiet times.
    assert tried[-1] == 0
    assert sum(tried) <= 3 * 10_001
    limits.check_code("2001:db8::1", "12345678")
    assert limits.banned <= 10_000
    assert caplog.text.count("somebody may be guessing") == 1
    assert "2001" not in caplog.text
    value = counters.registry.get_sample_value
    assert value("truyvet_wrong_codes_total") == sum(tried)
    assert value("truyvet_requests_refused_total", {"reason": "codes"}) == 40_004 - sum(tried)
    clock.advance(7_200)
    assert guess(limits, addresses[:50]) == 50


def test_one_wrong_code_counts_once_however_it_was_typed() -> None:
    limits = limits_of(ManualClock(NOW), max_consecutive_code_failures=3)
    for code in ("1", "1", "2", "1", "2"):
        limits.count_code("192.0.2.1", is_right=False, code=code)
    check(limits, "192.0.2.1")
    limits.count_code("192.0.2.1", is_right=False, code="3")
    refused(limits, "192.0.2.1")


def test_counts_slide_over_an_hour() -> None:
    counts = NetworkCounts()
    for _ in range(100):
        counts.add("a", 0)
        counts.add_to_total(0)
    assert (counts.of("a", 3_599), counts.of("b", 0)) == (100, 0)
    assert counts.of("a", 3_600) == counts.total(3_600) == 100
    assert counts.of("a", 5_400) == counts.total(5_400) == 50
    assert counts.of("a", 7_200) == counts.total(7_200) == 0
    assert counts.of("a", 100_000) == 0
