"""Features of all routes, and answers to requests that our devices never send."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from server.app.app import Application, create_app, openapi_document
from server.config import Settings
from server.context import Server
from server.publish.upload import take_upload
from server.verification.certificate import Claims
from tests.server.homes import (
    NOW,
    OPERATOR_KEY,
    days_of_keys,
    make_home,
    make_settings,
    open_server,
    upload_of,
)
from tracing_core.clock import ManualClock
from tracing_core.protocol.diagnosis_key import ReportType

DOCUMENT = Path(__file__).parents[3] / "docs/api/openapi.json"
DEVICE_PATHS = ("/api/verify", "/api/certificate", "/v1/publish")
OPERATOR_PATHS = ("/api/issue", "/api/batch-issue")
OPERATOR = {"X-API-Key": OPERATOR_KEY}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    open_server(tmp_path / "home").close()
    app = create_app(_settings(tmp_path), ManualClock(NOW))
    yield app
    app.server.close()


def _settings(tmp_path: Path, **changes: object) -> Settings:
    return make_settings(make_home(tmp_path / "home"), **changes)


@pytest.fixture
async def http(app: Application) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def unreadable(path: str) -> str:
    return "bad_request" if path.startswith("/v1") else "unparsable_request"


def code_of(response: httpx2.Response) -> str:
    body = response.json()
    assert set(body) <= {"error", "code", "errorCode", "padding"}
    assert "\n" not in body["error"]
    return str(body.get("code") or body["errorCode"])


@pytest.mark.parametrize("path", [*DEVICE_PATHS, *OPERATOR_PATHS])
async def test_bodies_that_are_none(http: httpx2.AsyncClient, path: str) -> None:
    for body in (b"", b"{", b"[]", b"1", b"{}{}", b"{} x", b"\xff", b"null", b"[" * 30_000):
        response = await http.post(
            path, content=body, headers={"Content-Type": "application/json", **OPERATOR}
        )
        assert (response.status_code, code_of(response)) == (400, unreadable(path)), body[:10]


@pytest.mark.parametrize("path", [*DEVICE_PATHS, *OPERATOR_PATHS])
async def test_a_field_nobody_knows_is_refused(http: httpx2.AsyncClient, path: str) -> None:
    response = await http.post(path, json={"surprise": 1}, headers=OPERATOR)
    assert (response.status_code, code_of(response)) == (400, unreadable(path))
    assert "surprise" in response.json()["error"]


@pytest.mark.parametrize("path", [*DEVICE_PATHS, *OPERATOR_PATHS])
async def test_only_json_is_read_and_only_so_much(http: httpx2.AsyncClient, path: str) -> None:
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        response = await http.post(path, content=b"{}", headers={"Content-Type": kind, **OPERATOR})
        assert response.status_code == 415
    headers = {"Content-Type": "Application/JSON; charset=utf-8", **OPERATOR}
    padded = json.dumps({"padding": "x" * 63_000}).encode()
    assert (await http.post(path, content=padded, headers=headers)).status_code in (400, 401)
    large = json.dumps({"padding": "x" * 64_000}).encode()
    assert (await http.post(path, content=large, headers=headers)).status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)

    assert (await http.post(path, content=endless(), headers=headers)).status_code == 413


@pytest.mark.parametrize("path", DEVICE_PATHS)
async def test_nobody_may_ask_without_end_not_even_pretending(
    http: httpx2.AsyncClient, app: Application, path: str
) -> None:
    limit = app.server.settings.verify_requests_per_minute
    answers = [await http.post(path, json={}, headers={"X-Chaff": "1"}) for _ in range(limit + 1)]
    assert 429 not in {answer.status_code for answer in answers[:-1]}
    assert (answers[-1].status_code, code_of(answers[-1])) == (429, "quota_exceeded")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61


async def test_every_answer_carries_the_headers(http: httpx2.AsyncClient) -> None:
    for path in ("/healthz", "/none", "/v1/publish", "/openapi.json"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


async def test_health(http: httpx2.AsyncClient) -> None:
    response = await http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_person_who_opens_the_address_reads_what_it_is(http: httpx2.AsyncClient) -> None:
    response = await http.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "a key server for the region VN" in response.text
    assert "/exports/VN/index.txt" in response.text
    assert len(response.content) < 1_000


async def test_what_is_not_there(http: httpx2.AsyncClient) -> None:
    response = await http.get("/none")
    assert (response.status_code, code_of(response)) == (404, "not_found")
    response = await http.get("/v1/publish")
    assert (response.status_code, code_of(response)) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", OPERATOR_PATHS)
@pytest.mark.parametrize("key", [None, "", "wrong", OPERATOR_KEY + " "])
async def test_only_operators_issue_codes(
    http: httpx2.AsyncClient, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"X-API-Key": key.rstrip() + "x"}
    response = await http.post(path, json={"testType": "confirmed"}, headers=headers)
    assert (response.status_code, code_of(response)) == (401, "unauthorized")


async def issue(http: httpx2.AsyncClient, **fields: object) -> httpx2.Response:
    return await http.post("/api/issue", json={"testType": "confirmed", **fields}, headers=OPERATOR)


async def test_an_issued_code(http: httpx2.AsyncClient) -> None:
    body = (await issue(http, uuid="0123456789abcdef0123456789abcdef")).json()
    assert body["uuid"] == "01234567-89ab-cdef-0123-456789abcdef"
    assert body["expiresAtTimestamp"] == int(NOW) + 900
    assert body["expiresAt"] == "Sun, 15 Jun 2025 16:20:00 UTC"
    again = await issue(http, uuid="01234567-89ab-cdef-0123-456789abcdef")
    assert (again.status_code, code_of(again)) == (409, "uuid_already_exists")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"testType": ""}, 400, "invalid_test_type"),
        ({"testType": "rumour"}, 400, "invalid_test_type"),
        ({"testType": "user-report"}, 412, "unsupported_test_type"),
        ({"testDate": "2025-6-1"}, 400, "unparsable_request"),
        ({"testDate": "20250601"}, 400, "unparsable_request"),
        ({"symptomDate": "yesterday"}, 400, "unparsable_request"),
        ({"symptomDate": "2025-05-17"}, 400, "invalid_date"),
        ({"symptomDate": "2025-06-16"}, 400, "invalid_date"),
        ({"testDate": "2025-06-15", "tzOffset": 1e300}, 400, "unparsable_request"),
        ({"uuid": "mine"}, 400, "unparsable_request"),
        ({"phone": "+84 1"}, 400, "unparsable_request"),
    ],
)
async def test_wishes_that_cannot_be_granted(
    http: httpx2.AsyncClient, fields: dict[str, object], status: int, code: str
) -> None:
    response = await issue(http, **fields)
    assert (response.status_code, code_of(response)) == (status, code)


async def test_dates_at_the_edge(http: httpx2.AsyncClient) -> None:
    assert (await issue(http, symptomDate="2025-05-18")).status_code == 200
    assert (await issue(http, testDate="2025-06-15")).status_code == 200
    assert (await issue(http, testDate="2025-06-16", tzOffset=480)).status_code == 200
    assert (await issue(http, testDate="2025-06-16", tzOffset=60)).status_code == 400


async def test_codes_by_the_batch(http: httpx2.AsyncClient) -> None:
    wishes = [{"testType": "confirmed"}, {"testType": "x"}, {"testType": "likely"}]
    response = await http.post("/api/batch-issue", json={"codes": wishes}, headers=OPERATOR)
    body = response.json()
    assert (response.status_code, body["errorCode"]) == (400, "invalid_test_type")
    assert [bool(each.get("code")) for each in body["codes"]] == [True, False, True]
    response = await http.post("/api/batch-issue", json={"codes": wishes[:1]}, headers=OPERATOR)
    assert response.status_code == 200
    for codes in ([], wishes[:1] * 11):
        response = await http.post("/api/batch-issue", json={"codes": codes}, headers=OPERATOR)
        assert response.status_code == 400


async def test_guessing_is_stopped(tmp_path: Path) -> None:
    open_server(tmp_path / "home").close()
    settings = _settings(tmp_path, max_consecutive_code_failures=3)
    app = create_app(settings, ManualClock(NOW))
    transport = httpx2.ASGITransport(app=app, client=("192.0.2.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        # One code counts once, however it is typed.
        for code in ("1", "1", "-1", "2", "3"):
            assert (await http.post("/api/verify", json={"code": code})).status_code == 400
        response = await http.post("/api/verify", json={"code": "1"})
        assert (response.status_code, code_of(response)) == (429, "quota_exceeded")
        assert 3590 < int(response.headers["retry-after"]) <= 3601
    app.server.close()


async def test_refusals_are_as_long_as_answers(http: httpx2.AsyncClient) -> None:
    for path, body in (
        ("/api/verify", {"code": "1"}),
        ("/api/certificate", {"token": "x", "ekeyhmac": ""}),
        ("/v1/publish", {"temporaryExposureKeys": [], "healthAuthorityID": "x"}),
        ("/v1/publish", {"nonsense": 1}),
    ):
        response = await http.post(path, json=body)
        assert response.status_code >= 400
        # With its status line it is as long as a successful answer.
        assert len(response.content) + len(response.reason_phrase) == 4096 + len("OK")


async def test_nobody_is_sent_elsewhere_with_what_they_bring(http: httpx2.AsyncClient) -> None:
    for path in (*DEVICE_PATHS, *OPERATOR_PATHS):
        response = await http.post(f"{path}/", json={}, follow_redirects=False)
        assert (response.status_code, code_of(response)) == (404, "not_found")


async def test_a_device_that_lost_its_network_is_no_error(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/publish",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> dict[str, object]:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: object) -> None:
        pass

    await app(scope, receive, send)  # type: ignore[arg-type]
    assert caplog.text == ""


async def test_a_failing_database_is_a_500(
    http: httpx2.AsyncClient, app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    server: Server = app.server
    with server.database.begin() as conn:
        conn.exec_driver_sql("DROP TABLE verification_code")
    response = await http.post("/api/verify", json={"code": "12345678"})
    assert (response.status_code, code_of(response)) == (500, "internal_server_error")
    assert str(server.settings.home) not in response.text
    assert "verification_code" in caplog.text
    assert "12345678" not in caplog.text


async def test_an_error_nobody_foresaw_is_answered_like_all_others(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"code": "12345678"}
    foreseen = await http.post("/api/verify", json=body)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("with a secret in it")

    monkeypatch.setattr("server.verification.api.exchange_code", fail)
    response = await http.post("/api/verify", json=body)
    assert (response.status_code, code_of(response)) == (500, "internal_server_error")
    assert "secret" not in response.text
    assert {**response.headers, "content-length": ""} == {**foreseen.headers, "content-length": ""}


def test_the_description_of_the_interface_is_current(tmp_path: Path) -> None:
    committed = json.loads(DOCUMENT.read_text())
    assert committed == openapi_document(_settings(tmp_path)), (
        "run: truyvet server openapi > docs/api/openapi.json"
    )


async def test_two_servers_in_one_process_count_apart(tmp_path: Path) -> None:
    answers = []
    for name, keys in (("one", 3), ("other", 0)):
        opened = open_server(tmp_path / name)
        opened.close()
        app = create_app(opened.settings, ManualClock(NOW))
        if keys:
            claims = Claims(ReportType.CONFIRMED_TEST)
            take_upload(app.server, "VN", upload_of(*days_of_keys(keys)), claims)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            answers.append((await http.get("/metrics", headers=OPERATOR)).text)
        app.server.close()
    assert "truyvet_keys_published_total 3.0" in answers[0]
    assert "truyvet_keys_published_total 0.0" in answers[1]
