"""The signed index of a server: what it names, when it is signed again, and how it is served."""

import base64
import hashlib
import json
import logging
from pathlib import Path

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from server.app.app import create_app
from server.context import Server
from server.export.exporter import publish_index, run_due
from server.operation import retention
from server.operation.clock_watch import ClockWatch
from server.operation.worker import run_due_work
from server.trust.chain import begin_chain, rotate_config_key
from server.trust.config_document import current_config, set_contact
from tests.server.homes import NOW, open_server
from tracing_core.clock import ManualClock
from tracing_core.errors import TrustError
from tracing_core.export_file import read_index
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.signed_index import SignedIndex

SCHEMA = Path(__file__).parents[3] / "docs/api/signed-index.json"
HOUR = 3_600
DAY = 86_400


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def server(tmp_path, clock):
    server = open_server(tmp_path / "home", clock, export_padding_keys=20, export_padding_spread=2)
    begin_chain(server.keys, "VN", NOW)
    set_contact(server.settings.home, None)
    yield server
    server.close()


def index(server: Server) -> SignedIndex:
    document = (server.settings.home / "exports/VN/index.jws").read_text()
    return SignedIndex.verify(document, server.keys.config_key().public_key())


def claims(server: Server) -> dict[str, object]:
    publish_index(server, "VN")
    payload = (server.settings.home / "exports/VN/index.jws").read_text().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


def test_it_names_every_file_with_its_hash_and_the_newest_window(server, clock):
    run_due(server, "VN")
    empty = index(server)
    assert (empty.region, empty.files, empty.newest_end) == ("VN", (), None)
    assert (empty.issued_at, empty.expires_at) == (int(NOW), int(NOW) + DAY)
    clock.advance(10 * HOUR)
    names = run_due(server, "VN")
    found = index(server)
    folder = server.settings.home / "exports"
    assert [file.name for file in found.files] == names
    assert names == read_index((folder / "VN/index.txt").read_bytes())
    for file in found.files:
        data = (folder / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (found.newest_end, found.window_seconds) == (1_750_032_000, 4 * HOUR)
    assert found.sequence > empty.sequence


def test_it_is_signed_again_in_time_though_nothing_is_due(server, clock):
    run_due(server, "VN")
    first = index(server)
    retention.run(server, "VN")
    assert index(server) == first
    clock.advance(DAY // 2 + 1)
    # An exporter that fails at every window, as on a full disk.
    retention.run(server, "VN")
    again = index(server)
    assert again.files == first.files
    assert again.sequence > first.sequence
    assert again.expires_at == first.expires_at + DAY // 2 + 1


def test_the_worker_keeps_it_valid(server, clock):
    watch = ClockWatch()
    for _ in range(40):
        run_due_work(server, watch)
        assert index(server).expires_at > clock.now() + HOUR
        clock.advance(HOUR)


def test_the_number_rises_though_the_clock_went_back_or_the_index_was_lost(server, clock):
    run_due(server, "VN")
    first = index(server)
    clock.advance(-3 * HOUR)
    publish_index(server, "VN")
    second = index(server)
    assert second.sequence == first.sequence + 1
    assert second.issued_at == int(NOW) - 3 * HOUR
    clock.advance(4 * HOUR)
    (server.settings.home / "exports/VN/index.jws").unlink()
    publish_index(server, "VN")
    assert index(server).sequence > second.sequence


def test_a_damaged_or_foreign_index_is_replaced(server, clock):
    run_due(server, "VN")
    first = index(server)
    path = server.settings.home / "exports/VN/index.jws"
    path.write_bytes(b"\xff" * 50)
    clock.advance(1)
    publish_index(server, "VN")
    assert index(server).sequence > first.sequence


def test_a_new_configuration_key_signs_it_at_once(server):
    run_due(server, "VN")
    rotate_config_key(server.keys, "VN", NOW)
    with pytest.raises(TrustError):
        index(server)
    publish_index(server, "VN")
    assert index(server).region == "VN"


def test_a_file_that_is_gone_is_not_named_and_the_operator_reads_of_it(server, clock, caplog):
    clock.advance(10 * HOUR)
    run_due(server, "VN")
    clock.advance(8 * HOUR)
    names = run_due(server, "VN")
    (server.settings.home / "exports" / names[0]).unlink()
    with caplog.at_level(logging.ERROR):
        publish_index(server, "VN")
    assert names[0] not in {file.name for file in index(server).files}
    assert f"{names[0]} is missing" in caplog.text


def test_a_file_that_was_replaced_has_its_new_hash(server, clock):
    run_due(server, "VN")
    clock.advance(10 * HOUR)
    names = run_due(server, "VN")
    path = server.settings.home / "exports" / names[0]
    path.write_bytes(path.read_bytes() + b"\0")
    publish_index(server, "VN")
    named = {file.name: file.sha256 for file in index(server).files}
    assert named[names[0]] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_is_served_from_the_first_request_on(server):
    client = TestClient(create_app(server.settings, server.clock))
    for region in ("XX", "vn"):
        assert client.get(f"/exports/{region}/index.jws").status_code == 404
    answer = client.get("/exports/VN/index.jws")
    assert answer.headers["content-type"] == "application/jose"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert SignedIndex.verify(answer.text, server.keys.config_key().public_key()).region == "VN"
    tag = answer.headers["etag"]
    assert tag == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert client.get("/exports/VN/index.jws", headers={"If-None-Match": tag}).status_code == 304
    head = client.head("/exports/VN/index.jws")
    assert head.headers["content-length"] == str(len(answer.content))


def test_what_is_signed_has_the_documented_form(server, clock):
    schema = json.loads(SCHEMA.read_text())
    validate = jsonschema_rs.validator_for(schema).validate
    validate(claims(server))
    clock.advance(10 * HOUR)
    run_due(server, "VN")
    clock.advance(8 * HOUR)
    assert run_due(server, "VN")
    validate(claims(server))
    assert set(claims(server)) == set(schema["properties"])
    for broken in (claims(server) | {"sequence": 0}, claims(server) | {"files": [{}]}):
        with pytest.raises(jsonschema_rs.ValidationError):
            validate(broken)


def test_the_configuration_promises_it(server):
    document = current_config(server.keys, "VN", server.settings, NOW)
    config = SignedConfig.verify(document, server.keys.config_key().public_key())
    assert config.has_signed_index
