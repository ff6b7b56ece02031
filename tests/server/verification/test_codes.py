import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import server.verification.rules
from server.app.app import create_app
from server.context import Server
from server.errors import Refused
from server.verification.rules import exchange_code, exchange_token, issue_code
from server.verification.store import Subject
from tests.server.homes import NOW, open_server
from tracing_core.clock import ManualClock
from tracing_core.errors import StoreError
from tracing_core.http.verification import CertificateRequest, IssueRequest, VerifyRequest

CONFIRMED = IssueRequest(test_type="confirmed")
MAC = "A" * 43 + "="


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Server]:
    server = open_server(tmp_path / "home")
    yield server
    server.close()


def test_a_long_code_is_valid_for_a_day_and_may_be_typed_in_any_case(opened: Server) -> None:
    made = issue_code(opened, CONFIRMED, is_long=True)
    assert (len(made.code), made.expires_at) == (16, int(NOW) + 86_400)
    opened.clock.advance(86_399)  # type: ignore[attr-defined]
    typed = f"{made.code[:8]} - {made.code[8:]}".upper()
    assert exchange_code(opened, VerifyRequest(typed))[0] == Subject("confirmed")


def test_a_code_ends_on_the_second(opened: Server) -> None:
    codes = [issue_code(opened, CONFIRMED).code for _ in range(2)]
    opened.clock.advance(899)  # type: ignore[attr-defined]
    exchange_code(opened, VerifyRequest(codes[0]))
    opened.clock.advance(1)  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="expired") as caught:
        exchange_code(opened, VerifyRequest(codes[1]))
    assert caught.value.code == "code_expired"


def test_a_token_is_of_the_days_that_the_operator_stated(opened: Server) -> None:
    wish = IssueRequest("2025-06-12", "2025-06-14", "likely")
    made = issue_code(opened, wish)
    subject, *_ = exchange_code(opened, VerifyRequest(made.code))
    assert subject == Subject("likely", "2025-06-12", "2025-06-14")


@pytest.mark.parametrize("minutes", [840.0, -840.0])
def test_a_day_that_has_begun_in_the_operators_time_zone_is_taken(
    opened: Server, minutes: float
) -> None:
    tomorrow = "2025-06-16"
    assert issue_code(
        opened, IssueRequest(test_date=tomorrow, test_type="likely", tz_offset=minutes)
    )
    for offset, code in ((0.0, "invalid_date"), (minutes * 1.01, "unparsable_request")):
        with pytest.raises(Refused) as caught:
            issue_code(
                opened, IssueRequest(test_date=tomorrow, test_type="likely", tz_offset=offset)
            )
        assert caught.value.code == code


@pytest.mark.parametrize("mac", ["*", "A" * 42, "A" * 44, ""])
def test_a_mac_that_is_none_uses_up_no_token(opened: Server, mac: str) -> None:
    token = exchange_code(opened, VerifyRequest(issue_code(opened, CONFIRMED).code))[1]
    with pytest.raises(Refused) as caught:
        exchange_token(opened, CertificateRequest(token, mac))
    assert caught.value.code == "hmac_invalid"
    assert exchange_token(opened, CertificateRequest(token, MAC))


def test_no_code_is_given_twice(opened: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["11111111", "11111111", "22222222"] + ["11111111"] * 6)
    monkeypatch.setattr(
        server.verification.rules, "_new_code", lambda _settings, is_long: next(codes)
    )
    assert [issue_code(opened, CONFIRMED).code for _ in range(2)] == ["11111111", "22222222"]
    with pytest.raises(Refused, match="no code is free"):
        issue_code(opened, CONFIRMED)


def test_of_many_who_race_for_a_code_one_gets_it(opened: Server) -> None:
    code = issue_code(opened, CONFIRMED).code

    def race(step: Callable[[], object]) -> Counter[object]:
        def answer(_: int) -> object:
            try:
                return step()
            except Refused as error:
                return error.code

        with ThreadPoolExecutor(8) as pool:
            return Counter(pool.map(answer, range(8)))

    answers = race(lambda: exchange_code(opened, VerifyRequest(code))[1])
    assert answers.pop("code_invalid") == 7
    [token] = answers
    answers = race(lambda: exchange_token(opened, CertificateRequest(str(token), MAC)))
    assert answers.pop("token_invalid") == 7
    assert len(answers) == 1


def test_the_database_holds_neither_codes_nor_tokens_nor_who(opened: Server) -> None:
    wish = IssueRequest(test_type="confirmed", external_issuer_id="nurse-Lan")
    made = issue_code(opened, wish)
    token = exchange_code(opened, VerifyRequest(made.code))[1]
    opened.close()
    data = b"".join(path.read_bytes() for path in opened.settings.home.glob("server.db*"))
    for secret in (made.code, token, "nurse-Lan", "an operator's key"):
        assert secret.encode() not in data


@given(st.text(max_size=40))
def test_any_other_text_is_nobodys_code(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    server = open_server(tmp_path_factory.getbasetemp() / "codes")
    try:
        with pytest.raises(Refused) as caught:
            exchange_code(server, VerifyRequest(text))
        assert caught.value.code == "code_not_found"
    finally:
        server.close()


async def test_the_worker_goes_on_after_a_failure_and_stops_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_server(tmp_path / "home").close()
    clock = ManualClock(NOW)
    calls = []

    def fail(_: Server, region: str) -> None:
        assert region == "VN"
        calls.append(clock.now())
        raise StoreError("the disk is full") if len(calls) == 1 else ValueError("a mistake")

    monkeypatch.setattr("server.operation.worker.run_due", fail)
    settings = open_server(tmp_path / "home").settings
    app = create_app(settings, clock, shortest_pause_seconds=0)
    with caplog.at_level(logging.ERROR):
        async with app.routes.router.lifespan_context(app.routes):
            while len(calls) < 3:
                await asyncio.sleep(0.001)
                clock.advance(60)
    assert "export: the disk is full" in caplog.text
    assert "export failed" in caplog.text
