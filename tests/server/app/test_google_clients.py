"""Google's Go clients at this server: their bodies, with every field that Go writes.

The field names are those of `pkg/api/api.go` in exposure-notifications-verification-server and of
`pkg/api/v1/exposure_types.go` in exposure-notifications-server. Their JSON package matches names
without regard to case, so devices were tested with names in any case.
"""

import base64
import json
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.app.app import Application, create_app
from server.verification.rules import issue_code
from tests.server.homes import (
    NOW,
    OPERATOR_KEY,
    TODAY,
    days_of_keys,
    make_home,
    make_settings,
    open_server,
)
from tracing_core.clock import ManualClock
from tracing_core.http.publish_request import PublishedKey, key_hmac
from tracing_core.http.verification import IssueRequest

OPERATOR = {"X-API-Key": OPERATOR_KEY}
SECRET = bytes(range(32))
UUID = "5ad1fc2a-4c59-4c2c-9ff3-3a86a6d3e8f4"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    open_server(tmp_path / "home").close()
    app = create_app(make_settings(make_home(tmp_path / "home")), ManualClock(NOW))
    yield app
    app.server.close()


@pytest.fixture
async def http(app: Application) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def padding() -> str:
    return base64.b64encode(secrets.token_bytes(1500)).decode()


def issue_body(test_type: str = "confirmed", **fields: object) -> dict[str, Any]:
    return {
        "padding": padding(),
        "symptomDate": "2025-06-13",
        "testDate": "",
        "testType": test_type,
        "tzOffset": 0,
        "phone": "",
        "smsTemplateLabel": "",
        "uuid": "",
        "externalIssuerID": "",
        "onlyGenerateSMS": False,
    } | fields


def publish_body(keys: list[PublishedKey], certificate: str, token: str) -> dict[str, Any]:
    return {
        "temporaryExposureKeys": [
            {
                "key": each.key_text,
                "rollingStartNumber": each.rolling_start_interval_number,
                "rollingPeriod": each.rolling_period,
            }
            for each in keys
        ],
        "healthAuthorityID": "truyvet",
        "verificationPayload": certificate,
        "hmacKey": base64.b64encode(SECRET).decode(),
        "symptomOnsetInterval": TODAY - 144 * 2,
        "traveler": True,
        "revisionToken": token,
        "padding": padding(),
    }


def renamed(body: Any, case: Callable[[str], str]) -> Any:
    """Return a body with other names of its fields, at every depth."""
    if isinstance(body, list):
        return [renamed(each, case) for each in body]
    if isinstance(body, dict):
        return {case(name): renamed(value, case) for name, value in body.items()}
    return body


class GoClient:
    def __init__(self, http: httpx2.AsyncClient, case: Callable[[str], str] = str) -> None:
        self.http = http
        self.case = case

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        sent = renamed(body, self.case)
        response = await self.http.post(path, json=sent, headers=headers)
        assert response.status_code == 200, response.text
        answer = response.json()
        # Google's client takes any `error` for a failure.
        assert not answer.get("error")
        assert isinstance(answer, dict)
        return answer

    async def report(self, code: str, keys: list[PublishedKey], token: str = "") -> dict[str, Any]:
        verified = await self.post(
            "/api/verify",
            {"padding": padding(), "code": code, "accept": ["confirmed", "likely", "negative"]},
        )
        mac = base64.b64encode(key_hmac(keys, SECRET)).decode()
        certified = await self.post(
            "/api/certificate",
            {"padding": padding(), "token": verified["token"], "ekeyhmac": mac},
        )
        return await self.post("/v1/publish", publish_body(keys, certified["certificate"], token))


@pytest.mark.parametrize("case", [str, str.lower, str.upper, str.title])
async def test_from_issue_to_revision_as_googles_client_does(
    http: httpx2.AsyncClient, case: Callable[[str], str]
) -> None:
    """peers-live.md, B2, B3 and B9: `clients.IssueCode` and `RunEndToEnd` of Google's server."""
    client = GoClient(http, case)
    issued = await client.post("/api/issue", issue_body("likely", uuid=UUID), **OPERATOR)
    assert issued["uuid"] == UUID
    assert issued["longExpiresAtTimestamp"] == issued["expiresAtTimestamp"] == int(NOW) + 900
    assert issued["longExpiresAt"] == issued["expiresAt"]
    handle = {"padding": padding(), "uuid": UUID}
    status = await client.post("/api/checkcodestatus", handle, **OPERATOR)
    assert status["claimed"] is False
    assert status["expiresAtTimestamp"] == issued["expiresAtTimestamp"]

    keys = days_of_keys(3)
    published = await client.report(issued["code"], keys)
    assert published["insertedExposures"] == 3
    assert (await client.post("/api/checkcodestatus", handle, **OPERATOR))["claimed"] is True

    batch = {"codes": [issue_body(), issue_body()], "padding": padding()}
    codes = (await client.post("/api/batch-issue", batch, **OPERATOR))["codes"]
    revised = await client.report(codes[0]["code"], keys, published["revisionToken"])
    assert "revisionToken" in revised


@pytest.mark.parametrize(
    "fields", [{"onlyGenerateSMS": True}, {"smsTemplateLabel": "Default"}, {"phone": "+84 1"}]
)
async def test_a_request_for_a_message_is_refused_and_the_others_of_its_batch_are_not(
    http: httpx2.AsyncClient, fields: dict[str, object]
) -> None:
    response = await http.post("/api/issue", json=issue_body(**fields), headers=OPERATOR)
    assert (response.status_code, response.json()["errorCode"]) == (400, "unparsable_request")
    assert next(iter(fields)) in response.json()["error"]
    batch = {"codes": [issue_body(), issue_body(**fields)]}
    response = await http.post("/api/batch-issue", json=batch, headers=OPERATOR)
    assert response.status_code == 400
    assert [bool(each.get("code")) for each in response.json()["codes"]] == [True, False]


async def test_a_code_sent_to_the_wrong_person_is_withdrawn(
    http: httpx2.AsyncClient, app: Application
) -> None:
    """peers-live.md, B3."""
    client = GoClient(http)
    issued = issue_code(app.server, IssueRequest(test_type="confirmed"))
    handle = {"padding": padding(), "uuid": issued.uuid}
    gone = await client.post("/api/expirecode", handle, **OPERATOR)
    assert gone["expiresAtTimestamp"] == gone["longExpiresAtTimestamp"] == int(NOW)
    response = await http.post("/api/verify", json={"code": issued.code})
    assert response.json()["errorCode"] == "code_expired"
    app.server.clock.advance(60)  # type: ignore[attr-defined]
    again = await client.post("/api/expirecode", handle, **OPERATOR)
    assert again["expiresAtTimestamp"] == int(NOW)


async def test_a_code_that_was_used_cannot_be_withdrawn(
    http: httpx2.AsyncClient, app: Application
) -> None:
    issued = issue_code(app.server, IssueRequest(test_type="confirmed"))
    await GoClient(http).report(issued.code, days_of_keys(1))
    response = await http.post("/api/expirecode", json={"uuid": issued.uuid}, headers=OPERATOR)
    assert (response.status_code, response.json()["errorCode"]) == (400, "code_invalid")


@pytest.mark.parametrize("path", ["/api/checkcodestatus", "/api/expirecode"])
async def test_codes_are_known_to_operators_alone(http: httpx2.AsyncClient, path: str) -> None:
    for uuid, status, code in ((UUID, 404, "code_not_found"), ("mine", 400, "unparsable_request")):
        response = await http.post(path, json={"uuid": uuid}, headers=OPERATOR)
        assert (response.status_code, response.json()["errorCode"]) == (status, code)
    response = await http.post(path, json={"uuid": UUID})
    assert (response.status_code, response.json()["errorCode"]) == (401, "unauthorized")


@pytest.mark.parametrize("value", ["", " "])
async def test_an_empty_mark_of_cover_traffic_is_absent(
    http: httpx2.AsyncClient, app: Application, value: str
) -> None:
    """peers-live.md, B6: go-chaff looks for a value, and the keys were silently not stored."""
    http.headers["X-Chaff"] = value
    code = issue_code(app.server, IssueRequest(test_type="confirmed")).code
    assert (await GoClient(http).report(code, days_of_keys(2)))["insertedExposures"] == 2


@pytest.mark.parametrize("path", ["/api/verify", "/api/certificate", "/v1/publish"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"not JSON", "application/json"),
        (b"", "text/plain"),
        (b"x" * 70_000, "application/json"),
        (json.dumps({"surprise": 1}).encode(), "application/json"),
        (json.dumps({"accept": ["rumour"]}).encode(), "application/json"),
        (json.dumps({"temporaryExposureKeys": [{}] * 40}).encode(), "application/json"),
    ],
)
async def test_cover_traffic_is_answered_whatever_its_body(
    http: httpx2.AsyncClient, path: str, body: bytes, kind: str
) -> None:
    """peers-live.md, B7: Google's servers look at the header alone."""
    headers = {"X-Chaff": "1", "Content-Type": kind, "Idempotency-Key": "short"}
    response = await http.post(path, content=body, headers=headers)
    assert (response.status_code, set(response.json())) == (200, {"padding"})
    assert len(response.content) == 4096


@pytest.mark.parametrize("name", ["TRUYVET", "Truyvet"])
async def test_the_authoritys_name_in_capitals_is_known(
    http: httpx2.AsyncClient, app: Application, name: str
) -> None:
    """peers-live.md, B8: Google's server compares names in lower case."""
    keys = days_of_keys(1)
    code = issue_code(app.server, IssueRequest(test_type="confirmed")).code
    token = (await http.post("/api/verify", json={"code": code})).json()["token"]
    mac = base64.b64encode(key_hmac(keys, SECRET)).decode()
    body = {"token": token, "ekeyhmac": mac}
    certificate = (await http.post("/api/certificate", json=body)).json()["certificate"]
    upload = publish_body(keys, certificate, "") | {"healthAuthorityID": name}
    assert (await http.post("/v1/publish", json=upload)).json()["insertedExposures"] == 1


async def test_a_field_given_twice_is_refused_not_passed_over(http: httpx2.AsyncClient) -> None:
    response = await http.post("/api/verify", json={"code": "1", "Code": "2"})
    assert response.json()["errorCode"] == "unparsable_request"
    assert "code is given twice" in response.json()["error"]


async def test_googles_key_server_reads_the_certificate_keys(http: httpx2.AsyncClient) -> None:
    """peers-live.md, B10: it wants an array, and RFC 7517 an object."""
    keys = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["alg"] for key in keys] == ["ES256"]
    assert (await http.get("/jwks")).json() == keys


@pytest.mark.parametrize("path", ["/v1/publish", "/api/verify", "/api/batch-issue"])
@pytest.mark.parametrize("headers", [{}, {"X-Chaff": "1"}])
async def test_little_of_a_hostile_body_is_read(
    http: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    """attacks.md, T8: 21,000 empty keys cost 63 times as much as an honest upload."""
    calls = 0

    def count(_frame: object, kind: str, _argument: object) -> None:
        nonlocal calls
        calls += kind in ("call", "c_call")

    async def cost(body: bytes) -> int:
        nonlocal calls
        kind = {"Content-Type": "application/json"}
        await http.post(path, content=body, headers=kind | headers | OPERATOR)
        calls = 0
        threading.setprofile(count)
        sys.setprofile(count)
        try:
            await http.post(path, content=body, headers=kind | headers | OPERATOR)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        return calls

    honest = {
        "/v1/publish": publish_body(days_of_keys(14), "", ""),
        "/api/verify": {"code": "12345678", "accept": ["confirmed"], "padding": padding()},
        "/api/batch-issue": {"codes": [issue_body()]},
    }[path]
    name = {"/v1/publish": "temporaryExposureKeys", "/api/verify": "accept"}.get(path, "codes")
    item = b'""' if path == "/api/verify" else b"{}"
    hostile = b'{"%s":[%s]}' % (name.encode(), b",".join([item] * 20_000))
    assert await cost(hostile) <= 2 * await cost(json.dumps(honest).encode())
