"""Answers that were lost on the way: the same secret of the device gets them again.

Sources: cwa-hotline#14 and #20, where a code counted as used though nothing was reported.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import jwt
import pytest
from fastapi.testclient import TestClient

from server.app.app import create_app
from server.context import Server
from server.errors import Refused
from server.verification.rules import exchange_code, exchange_token, issue_code
from tests.server.homes import NOW, make_settings, open_server
from tracing_core.clock import ManualClock
from tracing_core.http.verification import CertificateRequest, IssueRequest, VerifyRequest

LIKELY = IssueRequest("2025-06-12", "2025-06-14", "likely")
MINE, OTHERS = "m" * 43, "o" * 43
MAC, OTHER_MAC = (base64.b64encode(bytes([number] * 32)).decode() for number in (1, 2))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Server]:
    server = open_server(tmp_path / "home")
    yield server
    server.close()


def refusal_of(step: Callable[..., object], *arguments: object, attempt: str) -> str:
    with pytest.raises(Refused) as caught:
        step(*arguments, attempt=attempt)
    return caught.value.code


def test_a_code_is_exchanged_again_for_the_same_token(opened: Server) -> None:
    code = VerifyRequest(issue_code(opened, LIKELY).code)
    first = exchange_code(opened, code, attempt=MINE)
    assert exchange_code(opened, code, attempt=MINE) == first._replace(is_again=True)
    # The code has expired meanwhile, the token has not.
    opened.clock.advance(86_399)  # type: ignore[attr-defined]
    assert exchange_code(opened, code, attempt=MINE) == first._replace(is_again=True)
    opened.clock.advance(1)  # type: ignore[attr-defined]
    assert refusal_of(exchange_code, opened, code, attempt=MINE) == "code_invalid"


@pytest.mark.parametrize("attempt", ["", OTHERS])
def test_another_device_gets_nothing_for_a_used_code(opened: Server, attempt: str) -> None:
    code = VerifyRequest(issue_code(opened, LIKELY).code)
    exchange_code(opened, code, attempt=MINE)
    assert refusal_of(exchange_code, opened, code, attempt=attempt) == "code_invalid"


def test_without_a_secret_a_code_is_exchanged_once(opened: Server) -> None:
    code = VerifyRequest(issue_code(opened, LIKELY).code)
    exchange_code(opened, code)
    for attempt in ("", MINE):
        assert refusal_of(exchange_code, opened, code, attempt=attempt) == "code_invalid"


def test_an_answer_again_is_only_for_who_can_handle_the_test(opened: Server) -> None:
    code = issue_code(opened, LIKELY).code
    exchange_code(opened, VerifyRequest(code), attempt=MINE)
    picky = VerifyRequest(code, accept=("confirmed",))
    assert refusal_of(exchange_code, opened, picky, attempt=MINE) == ("unsupported_test_type")


def test_a_token_is_exchanged_again_for_the_same_keys_alone(opened: Server) -> None:
    code = VerifyRequest(issue_code(opened, LIKELY).code)
    _, token, _ = exchange_code(opened, code, attempt=MINE)
    request = CertificateRequest(token, MAC)
    first = exchange_token(opened, request, attempt=MINE)
    opened.clock.advance(3_600)  # type: ignore[attr-defined]
    again = exchange_token(opened, request, attempt=MINE)
    claims = [jwt.decode(each, options={"verify_signature": False}) for each in (first, again)]
    for name in ("tekmac", "reportType", "symptomOnsetInterval"):
        assert claims[0][name] == claims[1][name]
    # The first has expired by now.
    assert claims[1]["iat"] == claims[0]["iat"] + 3_600
    for other, attempt in ((MAC, OTHERS), (MAC, ""), (OTHER_MAC, MINE)):
        wrong = CertificateRequest(token, other)
        assert refusal_of(exchange_token, opened, wrong, attempt=attempt) == ("token_invalid")
    # A used token is returned again too, since the answer about the certificate may be lost.
    assert exchange_code(opened, code, attempt=MINE)[1] == token
    opened.clock.advance(86_400)  # type: ignore[attr-defined]
    assert refusal_of(exchange_token, opened, request, attempt=MINE) == "token_expired"


def test_a_secret_does_not_open_what_was_used_without_one(opened: Server) -> None:
    _, token, _ = exchange_code(opened, VerifyRequest(issue_code(opened, LIKELY).code))
    request = CertificateRequest(token, MAC)
    exchange_token(opened, request)
    for attempt in ("", MINE):
        assert refusal_of(exchange_token, opened, request, attempt=attempt) == ("token_invalid")


def test_cover_traffic_with_a_secret_learns_and_changes_nothing(opened: Server) -> None:
    code = VerifyRequest(issue_code(opened, LIKELY).code)
    _, token, _ = exchange_code(opened, code, attempt=MINE)
    assert exchange_code(opened, code, attempt=MINE, is_cover=True)[0].test_type == "confirmed"
    exchange_token(opened, CertificateRequest(token, MAC), attempt=MINE, is_cover=True)
    assert exchange_token(opened, CertificateRequest(token, OTHER_MAC), attempt=OTHERS)


def test_the_secret_is_stored_nowhere(opened: Server) -> None:
    _, token, _ = exchange_code(
        opened, VerifyRequest(issue_code(opened, LIKELY).code), attempt=MINE
    )
    exchange_token(opened, CertificateRequest(token, MAC), attempt=MINE)
    opened.close()
    data = b"".join(path.read_bytes() for path in opened.settings.home.glob("server.db*"))
    assert MINE.encode() not in data
    assert token.encode() not in data


async def test_the_secret_is_sent_as_the_draft_of_the_standard_writes_it(tmp_path: Path) -> None:
    open_server(tmp_path / "home").close()
    app = create_app(make_settings(tmp_path / "home"), ManualClock(NOW))
    code = {"code": issue_code(app.server, LIKELY).code}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        tokens = set()
        for value in (f'"{MINE}"', MINE, f'"{MINE}"'):
            response = await http.post("/api/verify", json=code, headers={"Idempotency-Key": value})
            tokens.add(response.json()["token"])
        assert len(tokens) == 1
        # A secret that could be guessed would give the token to others.
        for value in ('"1"', "x" * 21, "x" * 129):
            response = await http.post("/api/verify", json=code, headers={"Idempotency-Key": value})
            assert (response.status_code, response.json()["errorCode"]) == (
                400,
                "unparsable_request",
            )
    app.server.close()


def test_an_answer_given_again_forgives_no_wrong_codes(tmp_path: Path) -> None:
    """Else one code of one's own, sent again and again, would lift the ban on guessing."""
    settings = {"max_consecutive_code_failures": 5, "verify_requests_per_minute": 1_000}
    home = tmp_path / "home"
    open_server(home).close()
    app = create_app(make_settings(home, **settings), ManualClock(NOW))
    code = issue_code(app.server, LIKELY).code
    with TestClient(app) as client:

        def status(code: str, secret: str = MINE) -> int:
            return client.post(
                "/api/verify",
                json={"code": code, "accept": ["confirmed", "likely"]},
                headers={"Idempotency-Key": secret},
            ).status_code

        assert status(code) == 200
        answers = []
        for number in range(8):
            answers += [status(f"{number:08}"), status(code)]
        assert answers[:9] == [*[400, 200] * 4, 400]
        assert set(answers[9:]) == {429}
