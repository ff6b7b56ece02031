"""Journey of a code over real sockets: issued, exchanged, used to publish a signed key file."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.homes import NOW, TODAY, days_of_keys, key
from tests.server.running import Device, RunningServer, answer, clock_at, command
from tracing_core.export_file import read_export_bytes, read_index
from tracing_core.http.publish_request import PublishedKey
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.trust_chain import verify_trust_chain


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("journey") / "home"
    with RunningServer(home, clock_at(NOW)) as server:
        server.init()
        server.start()
        yield server
        log = server.log()
    assert log == ""


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client() as client:
        yield client


def device(server: RunningServer, http: httpx2.Client, *keys: PublishedKey) -> Device:
    return Device(server.url, http, keys or days_of_keys(14))


def error_of(response: httpx2.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error"]
    assert len(body["padding"]) >= 1024
    code = body.get("code") or body["errorCode"]
    assert isinstance(code, str)
    return code


def test_the_whole_way(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http)
    code = server.issue(testType="confirmed", symptomDate="2025-06-12")
    assert re.fullmatch(r"\d{8}", code)
    verified = phone.verify(code)
    assert verified.status_code == 200
    assert verified.json()["testtype"] == "confirmed"
    assert verified.json()["symptomDate"] == "2025-06-12"
    certificate = phone.certificate(verified.json()["token"]).json()["certificate"]
    published = phone.publish(certificate)
    assert published.status_code == 200
    body = published.json()
    assert body["insertedExposures"] == 14
    assert "error" not in body
    assert body["revisionToken"]


def test_each_thing_is_used_once(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http)
    code = server.issue()
    token = phone.verify(code).json()["token"]
    assert error_of(phone.verify(code)) == "code_invalid"
    assert phone.certificate(token).status_code == 200
    assert error_of(phone.certificate(token)) == "token_invalid"


def test_a_code_may_be_typed_with_spaces(server: RunningServer, http: httpx2.Client) -> None:
    code = server.issue()
    assert device(server, http).verify(f" {code[:4]}-{code[4:]} ").status_code == 200


def test_a_wrong_code_is_unknown(server: RunningServer, http: httpx2.Client) -> None:
    assert error_of(device(server, http).verify("00000000")) == "code_not_found"
    assert error_of(device(server, http).verify("")) == "code_not_found"


def test_a_device_that_cannot_handle_a_test_keeps_its_code(
    server: RunningServer, http: httpx2.Client
) -> None:
    code = server.issue(testType="negative")
    phone = device(server, http)
    assert error_of(phone.verify(code, accept="likely"), 412) == "unsupported_test_type"
    everything = phone.post("/api/verify", {"code": code})
    assert everything.json()["testtype"] == "negative"
    assert error_of(phone.post("/api/verify", {"code": code, "accept": ["x"]})) == (
        "invalid_test_type"
    )


def test_a_certificate_is_for_its_keys_alone(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http)
    certificate = phone.certify(server.issue())
    phone.keys = days_of_keys(14)
    code = error_of(phone.publish(certificate), 401)
    assert code == "health_authority_verification_certificate_invalid"


def test_a_certificate_needs_a_mac_of_32_bytes(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http)
    token = phone.verify(server.issue()).json()["token"]
    for mac in ("", "AAAA", "*", "A" * 88):
        body = {"token": token, "ekeyhmac": mac}
        assert error_of(phone.post("/api/certificate", body)) == "hmac_invalid"
    assert phone.certificate(token).status_code == 200
    assert error_of(phone.certificate("nobody's")) == "token_invalid"


def test_another_authority_is_unknown(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http)
    body = {**phone.upload("").to_json(), "healthAuthorityID": "elsewhere"}
    assert error_of(phone.post("/v1/publish", body), 401) == "unknown_health_authority_id"


def test_a_likely_case_is_confirmed_later(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http)
    first = phone.publish(phone.certify(server.issue(testType="likely"))).json()
    again = phone.certify(server.issue(testType="confirmed"))
    assert error_of(phone.publish(again)) == "missing_revision_token"
    again = phone.certify(server.issue(testType="confirmed"))
    revised = phone.publish(again, revision_token=first["revisionToken"])
    assert revised.status_code == 200
    assert revised.json()["insertedExposures"] == 0
    once_more = phone.certify(server.issue(testType="negative"))
    token = revised.json()["revisionToken"]
    assert error_of(phone.publish(once_more, revision_token=token)) == "key_already_revised"


def test_one_bad_key_does_not_spoil_the_others(server: RunningServer, http: httpx2.Client) -> None:
    phone = device(server, http, key(), key(period=200))
    body = phone.publish(phone.certify(server.issue())).json()
    assert (body["insertedExposures"], body["code"]) == (1, "partial_failure")


def test_a_report_comes_out_signed_and_the_clock_goes_on(
    tmp_path: Path, http: httpx2.Client
) -> None:
    """Codes and tokens expire, keys are exported, restarts keep everything."""
    with RunningServer(tmp_path / "home", clock_at(NOW)) as server:
        server.init("--url", "http://127.0.0.1:1")
        server.start()
        phone = device(server, http, *days_of_keys(13), key(TODAY))
        stale_code = server.issue()
        stale_token = phone.verify(server.issue()).json()["token"]
        stale_certificate = phone.certify(server.issue())
        assert phone.publish(phone.certify(server.issue())).json()["insertedExposures"] == 14
        assert server.stop() == 0

        server.clock = clock_at(NOW + 86_400 + 36_000)
        assert answer("export", home=server.home, clock=server.clock)["files"]
        server.start()
        assert error_of(phone.verify(stale_code)) == "code_expired"
        assert error_of(phone.certificate(stale_token)) == "token_expired"
        code = error_of(phone.publish(stale_certificate), 401)
        assert code == "health_authority_verification_certificate_invalid"

        trust = http.get(f"{server.url}/v1/trust").json()["documents"]
        document = verify_trust_chain(trust, fingerprint=server.join.partition("#")[2], last=None)
        config = http.get(f"{server.url}/v1/config/VN").text
        assert SignedConfig.verify(config, document.config_key).health_authority_id == "truyvet"
        signers = [each.public_key for each in document.export_keys]
        names = read_index(http.get(f"{server.url}/exports/VN/index.txt").content)
        files = [
            read_export_bytes(http.get(f"{server.url}/exports/{name}").content, public_keys=signers)
            for name in names
        ]
        exported = {each.key_data: each for file in files for each in file.keys}
        assert all(exported[each.key_data] for each in phone.keys)
        assert {exported[each.key_data].report_type for each in phone.keys} == {
            ReportType.CONFIRMED_TEST
        }
        assert server.stop() == 0
        assert server.log() == ""


def lines_of(*arguments: str, home: Path, **kwargs: Any) -> str:
    done = command(*arguments, home=home, check=False, **kwargs)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("truyvet: ")
    return done.stderr


def test_errors_of_the_commands_are_one_line(server: RunningServer, tmp_path: Path) -> None:
    assert "already set up" in lines_of("init", home=server.home)
    assert "server init" in lines_of("run", home=tmp_path / "none")
    assert "choose another with --host or --port" in lines_of(
        "run", "--port", str(server.port), home=server.home
    )
    assert "within the last 28 days" in lines_of(
        "issue", "--test-date", "2020-01-01", home=server.home, clock=server.clock
    )
    assert "YYYY-MM-DD" in lines_of(
        "issue", "--test-date", "yesterday", home=server.home, clock=server.clock
    )
    assert "https" in lines_of("init", "--url", "http://example.org", home=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.odt").touch()
    assert "other files" in lines_of("init", home=tmp_path / "full")


def test_a_database_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "home", clock_at(NOW))
    server.init()
    with closing(sqlite3.connect(server.home / "server.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert "in use by another process" in lines_of("issue", home=server.home)
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.execute("COMMIT")
    assert "newer version of truyvet" in lines_of("run", "--port", "0", home=server.home)


def test_an_interrupted_init_can_be_repeated(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "home", clock_at(NOW))
    server.init()
    (server.home / "server.toml").unlink()
    first = server.operator_key
    server.init()
    assert server.operator_key != first


def test_an_operator_publishes_a_file_of_keys(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = [each.to_json() for each in days_of_keys(3)]
    file.write_text(json.dumps({"temporaryExposureKeys": keys, "reportType": "likely"}))
    published = answer("publish-keys", str(file), home=server.home, clock=server.clock)
    assert published["insertedExposures"] == 3
    file.write_text("[]")
    assert "JSON object" in lines_of("publish-keys", str(file), home=server.home)
    file.write_text('{"temporaryExposureKeys": [], "reportType": "rumour"}')
    assert "reportType must be" in lines_of("publish-keys", str(file), home=server.home)


def test_an_operator_who_lost_the_key_gets_another(server: RunningServer) -> None:
    lost, server.operator_key = (
        server.operator_key,
        answer("rotate-keys", "operator", home=server.home, clock=server.clock)["key"],
    )
    assert server.issue()
    refused = httpx2.post(
        f"{server.url}/api/issue", json={"testType": "confirmed"}, headers={"X-API-Key": lost}
    )
    assert error_of(refused, 401) == "unauthorized"


def test_the_line_to_join_by_is_printed_again(server: RunningServer) -> None:
    line = answer("join", home=server.home)["join"]
    assert line == (server.home / "join.txt").read_text().strip()
