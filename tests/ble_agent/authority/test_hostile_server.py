"""Whatever a server answers: one clear line, bounded work, nothing lost, nothing sent."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import socket
import sqlite3
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority import client as server_client
from ble_agent.authority.client import ServerClient
from ble_agent.authority.report import report
from ble_agent.authority.requests import VERIFY
from ble_agent.authority.transport import HTTPTransport, Timeouts
from ble_agent.exposures.check import check
from ble_agent.store.damage import DATABASE_NAME
from tests.ble_agent.fake_server import Answer, FakeServer, fake_server
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerError, ServerRefused, TracingError, TrustError
from tracing_core.http.verification import VerifyRequest
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

NOW = 1_800_000_000.0


@pytest.fixture
def db(db: Database) -> Database:
    KeyRing(db).next_advertisement(NOW, Metadata(0))
    with transaction(db):
        insert_sightings(db, [Sighting(bytes(16), bytes(4), (-60,), int(NOW))])
    return db


def contents(home: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(home / DATABASE_NAME)) as connection:
        tables = ["own_key", "sighting", "state", "batch", "matched_key"]
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def checked(db: Database, server: FakeServer) -> TracingError | None:
    with ServerClient(server.url, server.clock) as client:
        return check(db, client, server.clock).failure


def gives(status: int, body: bytes, **headers: str) -> Answer:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


HUGE = b"x" * (2 << 20)
REFUSED = {
    "trust is not JSON": ("/v1/trust", gives(200, b"<html>"), "makes no sense"),
    "trust is nested too deep": ("/v1/trust", gives(200, b"[" * 100_000), "makes no sense"),
    "trust is a list": ("/v1/trust", gives(200, b"[]"), "makes no sense"),
    "trust holds numbers": ("/v1/trust", gives(200, b'{"documents":[1]}'), "makes no sense"),
    "trust is empty": ("/v1/trust", gives(200, b'{"documents":[]}'), "trust documents"),
    "trust is huge": ("/v1/trust", gives(200, HUGE), "too large"),
    "trust is redirected away": (
        "/v1/trust",
        gives(302, b"", Location="http://127.0.0.2:1/"),
        "another address",
    ),
    "trust is redirected to a file": (
        "/v1/trust",
        gives(302, b"", Location="file:///etc/passwd"),
        "another address",
    ),
    "trust is redirected in circles": (
        "/v1/trust",
        gives(307, b"", Location="/v1/trust"),
        "another address",
    ),
    "trust is compressed": ("/v1/trust", gives(200, b"", Content_Encoding="gzip"), "no sense"),
    "configuration is no JWS": ("/v1/config/VN", gives(200, b"a.b.c"), "damaged"),
    "configuration is not text": ("/v1/config/VN", gives(200, b"\xff"), "makes no sense"),
    "index goes up": ("/exports/VN/index.txt", gives(200, b"../../etc/passwd"), "no sense"),
    "index is absolute": ("/exports/VN/index.txt", gives(200, b"/etc/passwd"), "no sense"),
    "index is an address": ("/exports/VN/index.txt", gives(200, b"http://x/y.zip"), "no sense"),
    "index is a page": ("/exports/VN/index.txt", gives(200, b"<html>\n"), "no sense"),
    "index is huge": ("/exports/VN/index.txt", gives(200, HUGE), "too large"),
    "index is missing": ("/exports/VN/index.txt", gives(404, b""), "no such service"),
    "maintenance": ("/exports/VN/index.txt", gives(503, b""), "being maintained"),
    "too many": ("/exports/VN/index.txt", gives(429, b""), "is overloaded"),
    "broken": ("/exports/VN/index.txt", gives(500, HUGE), "too large"),
    "broken, short": ("/exports/VN/index.txt", gives(500, b"{"), "has a fault"),
    "a commanding error": (
        "/v1/trust",
        gives(400, b'{"errorCode":"erase","command":"upload"}'),
        "did not accept",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_answer_is_one_line_and_changes_nothing(
    db: Database, server: FakeServer, tmp_path: Path, name: str
) -> None:
    path, answer, words = REFUSED[name]
    before = contents(tmp_path)
    server.special[path] = lambda: answer
    server.asked.clear()
    with pytest.raises((ServerError, TrustError), match=words) as caught:
        checked(db, server)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before
    assert {method for method, _, _ in server.asked} == {"GET"}
    assert len(server.asked) <= 8


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\3\4", b"EK Export v1    ", b"x" * 5000, b"PK" + bytes(3000)],
    ids=["empty", "cut zip", "header only", "noise", "zeros"],
)
def test_a_bad_key_file_is_named_at_every_check_and_fetched_once(
    db: Database, server: FakeServer, data: bytes
) -> None:
    # cwa-app-android#4753: a file that cannot be used was fetched for ever.
    server.files["1.zip"] = data
    for _ in range(3):
        failure = checked(db, server)
        assert failure is not None
        assert "\n" not in str(failure)
    assert server.asked.count(("GET", "/exports/VN/1.zip", 0)) == 1
    assert db.table("batch").count == 0
    assert db.table("sighting").count == 1


def test_a_key_file_larger_than_any_is_not_read(
    db: Database, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_client, "MAX_EXPORT_BYTES", 10_000)
    server.files["1.zip"] = bytes(20_000)
    assert "too large" in str(checked(db, server))


def test_a_redirect_within_the_server_is_followed(db: Database, server: FakeServer) -> None:
    server.special["/v1/trust"] = lambda: gives(302, b"", Location="/elsewhere")
    server.special["/elsewhere"] = lambda: gives(
        200, json.dumps({"documents": server.documents}).encode()
    )
    assert checked(db, server) is None


def test_a_code_is_never_sent_to_where_a_redirect_leads(server: FakeServer) -> None:
    server.special["/api/verify"] = lambda: gives(307, b"", Location="/elsewhere")
    with (
        ServerClient(server.url, server.clock) as client,
        pytest.raises(ServerRefused, match="another address"),
    ):
        client.post(VERIFY, VerifyRequest("12345678"))
    assert [path for _, path, _ in server.asked] == ["/api/verify"]


def test_an_answer_that_trickles_in_is_given_up(server: FakeServer) -> None:
    with (
        ServerClient(server.url, server.clock, timeouts=Timeouts(answer_seconds=0.0)) as client,
        pytest.raises(ServerError, match="does not answer"),
    ):
        client.trust_documents()


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX: ", b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb"]
)
def test_a_head_that_trickles_in_is_given_up(beginning: bytes) -> None:
    is_over = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(beginning)
            while not is_over.wait(0.01):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=[listener])
        thread.start()
        scheme = "http" if beginning.startswith(b"HTTP") else "https"
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with (
                ServerClient(
                    url, ManualClock(NOW), timeouts=Timeouts(answer_seconds=0.2)
                ) as client,
                pytest.raises(ServerError, match="does not answer"),
            ):
                client.trust_documents()
        finally:
            is_over.set()
            thread.join()


def test_a_kept_connection_that_trickles_is_given_up_though_another_was_opened_later() -> None:
    """The timer shut down the newest connection, whichever server was being waited for."""
    is_over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
            if connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not is_over.wait(0.01):
                connection.sendall(b"x")

    with contextlib.ExitStack() as stack:
        stack.callback(is_over.set)
        urls = []
        for _ in range(2):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=serve, args=[listener], daemon=True).start()
            urls.append(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        transport = HTTPTransport(urls, Timeouts(answer_seconds=0.5))
        stack.callback(transport.close)
        for url in urls:
            with transport.exchange("GET", url, headers={}) as response:
                assert response.read() == b"x"
        with (
            pytest.raises(ServerError, match="does not answer"),
            transport.exchange("GET", urls[0], headers={}) as response,
        ):
            response.read()


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return path


def test_https_with_a_certificate_nobody_vouches_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with fake_server(clock=ManualClock(NOW), tls=context) as server:
        with (
            ServerClient(server.url, server.clock) as client,
            pytest.raises(ServerRefused, match="certificate cannot be verified"),
        ):
            client.trust_documents()
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with ServerClient(server.url, server.clock) as client:
            assert client.trust_documents() == server.documents


@given(
    body=st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
    status=st.sampled_from([200, 201, 204, 301, 400, 401, 404, 418, 429, 500, 503]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_answer_is_an_error_of_ours(server: FakeServer, body: bytes, status: int) -> None:
    for path in ("/v1/trust", "/v1/config/VN", "/exports/VN/index.txt", "/api/verify"):
        server.special[path] = lambda: gives(status, body if status != 204 else b"")
    with ServerClient(server.url, server.clock) as client:
        for ask in (
            client.trust_documents,
            lambda: client.configuration("VN"),
            lambda: client.index("VN"),
            lambda: client.post(VERIFY, VerifyRequest("12345678")),
        ):
            with contextlib.suppress(ServerError):
                ask()


@pytest.mark.parametrize("kind", ["negative", "", "user-report", "anything"])
def test_a_kind_of_test_that_was_not_asked_for_uploads_nothing(
    db: Database, server: FakeServer, kind: str
) -> None:
    granted = {"token": "T" * 20, "testtype": kind, "padding": "", "certificate": "C" * 20}
    for path in ("/api/verify", "/api/certificate", "/v1/publish"):
        server.special[path] = lambda: gives(200, json.dumps(granted).encode())
    with (
        ServerClient(server.url, server.clock) as client,
        pytest.raises(ServerError, match="makes no sense"),
    ):
        report(db, client, server.clock, "12345678")
    assert "/v1/publish" not in {path for _, path, _ in server.asked}
