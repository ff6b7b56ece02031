"""Several servers over one PostgreSQL: each step happens once."""

import base64
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, func, select

from server.app.app import create_app
from server.areas.rules import areas_document, set_areas
from server.context import Server
from server.errors import Refused
from server.export.exporter import run_due
from server.operation import retention as cleanup
from server.publish.upload import take_upload
from server.store.database import Database
from server.store.diagnosis_keys import diagnosis_key
from server.trust.chain import begin_chain, rotate_config_key
from server.verification.certificate import Claims
from server.verification.rules import exchange_code, exchange_token, issue_code
from server.verification.store import verification_code, verification_token
from tests.areas import LEVELS, invented_areas
from tests.server.homes import NOW, days_of_keys, open_server, upload_of
from tests.server.postgresql import running_postgresql
from tests.server.running import free_port
from tracing_core.clock import ManualClock
from tracing_core.errors import MissingExtra, StoreBusy, StoreError, TracingError
from tracing_core.http.publish_request import PublishResponse
from tracing_core.http.verification import CertificateRequest, IssueRequest, VerifyRequest
from tracing_core.protocol.diagnosis_key import ReportType

CONFIRMED = Claims(ReportType.CONFIRMED_TEST)
MAC = base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_postgresql() as url:
        yield url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def servers(url: str, tmp_path: Path, clock: ManualClock) -> Iterator[list[Server]]:
    few = {"export_padding_keys": 60, "export_padding_spread": 5}
    opened = [open_server(tmp_path / "home", clock, database_url=url, **few) for _ in range(2)]
    yield opened
    for server in opened:
        server.close()


def at_once(servers: list[Server], work: Callable[[Server], object]) -> list[object]:
    """Run it four times at the same moment; return each result or error."""
    outcomes: list[object] = []
    together = threading.Barrier(4)

    def run(server: Server) -> None:
        together.wait()
        try:
            outcomes.append(work(server))
        except TracingError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(server,)) for server in servers * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_code_and_a_token_are_exchanged_once(servers: list[Server]) -> None:
    for _ in range(10):
        code = issue_code(servers[0], IssueRequest(test_type="confirmed")).code
        verified = at_once(servers, lambda server: exchange_code(server, VerifyRequest(code)))  # noqa: B023
        granted = [each for each in verified if isinstance(each, tuple)]
        assert len(granted) == 1, verified
        assert sum(isinstance(each, Refused) for each in verified) == 3
        request = CertificateRequest(granted[0][1], MAC)
        certified = at_once(servers, lambda server: exchange_token(server, request))  # noqa: B023
        assert sum(isinstance(each, str) for each in certified) == 1, certified


def test_the_same_upload_at_once_is_taken_once_and_told_to_all(servers: list[Server]) -> None:
    for _ in range(5):
        upload = upload_of(*days_of_keys(14))
        answers = at_once(servers, lambda server: take_upload(server, "VN", upload, CONFIRMED))  # noqa: B023
        taken = [each.inserted_exposures for each in answers if isinstance(each, PublishResponse)]
        assert sorted(taken) == [0, 0, 0, 14]


def rows(server: Server) -> list[list[object]]:
    with server.database.read() as conn:
        tables = (diagnosis_key, verification_code, verification_token)
        return [list(conn.execute(table.select().order_by(table.c.id))) for table in tables]


def test_pretences_leave_nothing_and_grant_nothing(servers: list[Server]) -> None:
    server = servers[0]
    before = rows(server)
    exchange_code(server, VerifyRequest("00000000"), is_cover=True)
    exchange_token(server, CertificateRequest("x", MAC), is_cover=True)
    take_upload(server, "VN", upload_of(*days_of_keys(14)), CONFIRMED, is_cover=True)
    with pytest.raises(Refused):
        exchange_code(server, VerifyRequest("00000000"))
    assert rows(server) == before


def test_windows_are_exported_and_forgotten(servers: list[Server], clock: ManualClock) -> None:
    run_due(servers[0], "VN")
    take_upload(servers[0], "VN", upload_of(*days_of_keys(14)), CONFIRMED)
    clock.advance(86_400)
    assert sum(len(run_due(server, "VN")) for server in servers) >= 5
    clock.advance(15 * 86_400)
    removed = cleanup.run(servers[1], "VN")
    assert removed.keys >= 14
    assert removed.batches >= 5


def test_what_was_read_first_still_holds_at_the_end(servers: list[Server]) -> None:
    def codes(conn: Connection) -> int | None:
        return conn.scalar(select(func.count()).select_from(verification_code))

    with servers[0].database.read() as conn:
        before = codes(conn)
        issue_code(servers[1], IssueRequest(test_type="confirmed"))
        assert codes(conn) == before
    with servers[0].database.read() as conn:
        assert codes(conn) == (before or 0) + 1


def test_connections_that_ended_meanwhile_cost_no_request(servers: list[Server]) -> None:
    one, other = servers
    issue_code(one, IssueRequest(test_type="confirmed"))
    with other.database.begin() as conn:
        conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    issue_code(one, IssueRequest(test_type="confirmed"))


def test_every_node_serves_the_same_list_of_areas(servers: list[Server]) -> None:
    for server in servers:
        begin_chain(server.keys, "VN", NOW)
    at_once(servers, lambda server: set_areas(server, "VN", LEVELS, invented_areas(3, 10)))
    first, second = (areas_document(server, "VN") for server in servers)
    assert first == second
    rotate_config_key(servers[0].keys, "VN", NOW)
    signed = at_once(servers, lambda server: areas_document(server, "VN"))
    assert len(set(signed)) == 1
    assert signed[0] != first


def test_a_name_that_no_text_can_hold_is_a_file_that_is_not_there(servers: list[Server]) -> None:
    app = create_app(servers[0].settings, ManualClock(NOW))
    response = TestClient(app).get("/exports/VN/a%00.zip")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    app.server.close()


@pytest.mark.parametrize(
    ("statement", "kind", "text"),
    [
        ("SELECT pg_advisory_lock(hashtext('truyvet'))", StoreBusy, "too busy: try again"),
        ("SELECT nothing", StoreError, "(UndefinedColumn): see PostgreSQL's log"),
        (
            "SELECT pg_terminate_backend(pg_backend_pid())",
            StoreError,
            "check that PostgreSQL is running",
        ),
    ],
)
def test_what_fails_is_one_line_that_says_what_to_do(
    servers: list[Server], statement: str, kind: type[StoreError], text: str
) -> None:
    one, other = servers

    def fail() -> None:
        with one.database.begin(), other.database.read() as conn:
            conn.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            conn.exec_driver_sql(statement)

    with pytest.raises(kind) as caught:
        fail()
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    url = f"postgresql://somebody:secret@127.0.0.1:{free_port()}/truyvet"
    with pytest.raises(
        StoreError, match=r"127\.0\.0\.1.*check that PostgreSQL is running"
    ) as caught:
        Database(url).migrate()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_its_library_the_line_to_type_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[postgres\]'"):
        Database("postgresql://127.0.0.1/truyvet")
