"""Downloads: the index, the files, trust, configuration and counters over HTTP."""

import hashlib
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from server.app.app import create_app
from server.export.exporter import run_due
from server.trust.chain import begin_chain, rotate_config_key
from server.trust.config_document import set_contact
from tests.server.homes import NOW, OPERATOR_KEY, open_server
from tracing_core.clock import ManualClock
from tracing_core.export_file import read_export_bytes, read_index
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.trust_chain import verify_trust_chain


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Yield a client of a server with two key files, and the server."""
    clock = ManualClock(NOW)
    home = tmp_path_factory.mktemp("api") / "home"
    server = open_server(home, clock, export_padding_keys=20, export_padding_spread=2)
    begin_chain(server.keys, "VN", NOW)
    set_contact(home, None)
    run_due(server, "VN")
    clock.advance(10 * 3_600)
    assert len(run_due(server, "VN")) == 2
    app = create_app(server.settings, clock)
    yield TestClient(app), server
    app.server.close()
    server.close()


def test_every_file_of_the_index_can_be_downloaded_and_verified(exported):
    client, server = exported
    answer = client.get("/exports/VN/index.txt")
    assert answer.headers["content-type"] == "text/plain; charset=us-ascii"
    names = read_index(answer.content)
    assert len(names) == 2
    public_key = server.keys.export_keys(NOW)[0].private_key.public_key()
    for name in names:
        answer = client.get(f"/exports/{name}")
        assert answer.headers["content-type"] == "application/zip"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert read_export_bytes(answer.content, public_keys=[public_key]).region == "VN"


def test_a_client_that_has_a_file_is_not_sent_it_again(exported):
    client, _ = exported
    for path in ("/exports/VN/index.txt", "/exports/VN/1750003200-1750017600-00001.zip"):
        first = client.get(path)
        tag = first.headers["etag"]
        for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = client.get(path, headers={"If-None-Match": header})
            assert again.status_code == 304
            assert again.content == b""
            assert again.headers["etag"] == tag
        assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content


def test_head_tells_what_get_would(exported):
    client, _ = exported
    for path in ("/exports/VN/index.txt", "/exports/VN/1750003200-1750017600-00001.zip"):
        full, head = client.get(path), client.head(path)
        assert head.status_code == 200
        assert head.content == b""
        for name in ("content-length", "etag", "last-modified", "content-type", "cache-control"):
            assert head.headers[name] == full.headers[name]
    assert client.head("/exports/VN/1-2-00001.zip").status_code == 404


def test_before_the_first_export_the_index_is_empty(tmp_path):
    server = open_server(tmp_path / "home", ManualClock(NOW))
    app = create_app(server.settings, server.clock)
    answer = TestClient(app).get("/exports/VN/index.txt")
    assert (answer.status_code, answer.content) == (200, b"")
    app.server.close()
    server.close()


@pytest.mark.parametrize(
    "path",
    [
        "/exports/VN/../../server.toml",
        "/exports/VN/..%2f..%2fserver.toml",
        "/exports/%2e%2e/server.toml",
        "/exports/..%2fkeys/keys.json",
        "/exports/../keys/keys.json",
        "/exports/.staging/index.txt",
        "/exports/VN/.lock",
        "/exports/VN/1750003200-1750017600-00001.zip%00",
        "/exports/VN/1750003200-1750017600-00001.zip/",
        "/exports/VN//1750003200-1750017600-00001.zip",
        "/exports/vn/index.txt",
        "/exports/XX/index.txt",
        "/exports/%2fetc/index.txt",
        "/exports/VN/",
        "/exports/",
    ],
)
def test_no_path_leads_elsewhere(exported, path):
    client, _ = exported
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"PRIVATE" not in answer.content
    assert b"region" not in answer.content


@given(st.text(max_size=40), st.text(max_size=40))
def test_strange_names_are_not_found(exported, region, name):
    client, _ = exported
    try:
        path = f"/exports/{region}/{name}".encode()
    except UnicodeEncodeError:
        return
    quoted = "".join(f"%{byte:02x}" for byte in path[len("/exports/") :])
    assert client.get(f"/exports/{quoted}").status_code == 404


def test_an_unlisted_file_of_the_folder_is_not_served(exported):
    client, server = exported
    name = "VN/1750003200-1750017600-00002.zip"
    (server.settings.home / "exports" / name).write_bytes(b"half")
    assert client.get(f"/exports/{name}").status_code == 404
    run_due(server, "VN")
    assert not (server.settings.home / "exports" / name).exists()


def test_a_device_can_follow_trust_and_configuration(exported):
    client, server = exported
    rotate_config_key(server.keys, "VN", NOW)
    documents = client.get("/v1/trust").json()["documents"]
    pinned = server.keys.manifest().fingerprint
    trusted = verify_trust_chain(documents, fingerprint=pinned, last=None)
    answer = client.get("/v1/config/VN")
    assert answer.headers["content-type"] == "application/jose"
    config = SignedConfig.verify(answer.text, trusted.config_key, now=server.clock.now())
    assert config.region == "VN"
    assert client.get("/v1/config/XX").status_code == 404


def test_the_certificate_key_is_a_web_key(exported):
    client, server = exported
    answer = client.get("/.well-known/jwks.json").json()
    key = server.keys.certificate_key()
    token = jwt.encode({"a": 1}, key.private_key, "ES256", headers={"kid": key.key_id})
    found = jwt.PyJWKSet.from_dict(answer)[key.key_id]
    assert jwt.decode(token, found.key, algorithms=["ES256"]) == {"a": 1}
    assert "d" not in answer["keys"][0]
    assert answer["keys"][0]["use"] == "sig"


def test_counters_are_for_the_operator_and_know_no_client(exported):
    client, _ = exported
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"X-API-Key": "guess"}).status_code == 401
    text = client.get("/metrics", headers={"X-API-Key": OPERATOR_KEY}).text
    bearer = client.get("/metrics", headers={"Authorization": f"Bearer {OPERATOR_KEY}"})
    assert bearer.status_code == 200
    age = next(line for line in text.splitlines() if line.startswith("truyvet_export_age_seconds"))
    # 02:05 UTC, and the last window ended at midnight.
    assert float(age.split()[1]) == NOW + 36_000 - 1_750_032_000
    for name in ("keys_published", "exports_written"):
        assert f"\ntruyvet_{name}_total " in text
    labels = {line.split("{")[1].split("=")[0] for line in text.splitlines() if "{" in line}
    assert labels <= {"rule"}


def test_errors_are_json_like_those_of_other_routes(exported):
    client, _ = exported
    body = json.loads(client.get("/exports/VN/1-2-00001.zip").content)
    assert body["code"] == "not_found"
    assert "read the index" in body["error"]


def test_a_download_is_resumed_where_it_broke_off(exported):
    client, _ = exported
    path = "/exports/VN/1750003200-1750017600-00001.zip"
    whole = client.get(path).content
    for start in (0, 1, 100, len(whole) - 1):
        part = client.get(path, headers={"Range": f"bytes={start}-"})
        assert part.status_code == 206
        assert part.content == whole[start:]
        assert part.headers["content-range"] == f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        assert int(part.headers["content-length"]) == len(whole) - start
    for start in (len(whole), 10**11):
        past = client.get(path, headers={"Range": f"bytes={start}-"})
        assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    for header in ("bytes=1-2", "bytes=-5", "bytes=0-,5-", "pages=1-", "bytes=" + "9" * 30 + "-"):
        assert client.get(path, headers={"Range": header}).content == whole


def test_documents_are_not_sent_again_and_their_tags_name_nobody(exported):
    client, _ = exported
    for path in ("/v1/trust", "/v1/config/VN", "/exports/VN/index.txt"):
        first = client.get(path)
        tag = first.headers["etag"]
        assert tag == f'"{hashlib.sha256(first.content).hexdigest()}"'
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
