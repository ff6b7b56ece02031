"""The end of use: 410 for all, nothing published, and no byte left of what there was."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from sqlalchemy import MetaData, func, select

from server.app.app import create_app, create_ended_app
from server.app.cli import server as command
from server.app.home import set_up_home
from server.config import load_settings
from server.context import Server
from server.export.exporter import run_due
from server.operation.clock_watch import ClockWatch
from server.operation.end_of_use import EndOfUse, empty, is_emptied
from server.operation.worker import run_due_work
from server.publish.upload import take_upload
from server.store.database import Database
from server.store.ended import read_ended
from server.store.known_time import TimeKeeper
from server.trust.chain import chain_last_day, rotate_config_key, rotate_export_key
from server.verification.certificate import Claims
from server.verification.rules import issue_code
from tests.json_schemas import printed
from tests.server.homes import NOW, TODAY, key, upload_of
from tests.server.postgresql import running_postgresql
from tests.server.running import RunningServer, answer, clock_at
from tests.server.running import command as run_command
from tracing_core.clock import Clock, ManualClock
from tracing_core.errors import StoreError, TrustError
from tracing_core.http.verification import IssueRequest
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.last_day import end_of_day
from tracing_core.trust.trust_chain import verify_trust_chain

HOUR = 3_600
DAY = 86_400
LAST = datetime.date(2025, 9, 1)
END = end_of_day(LAST)
FEW = {"export_padding_keys": 60, "export_padding_spread": 5}
CONFIRMED = Claims(ReportType.CONFIRMED_TEST)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_postgresql() as url:
        yield url


def opened(
    home: Path, clock: Clock, url: str | None = None, *, vouches: bool = True, **changes: Any
) -> Server:
    server = Server.open(load_settings(home, **FEW, **changes), clock)
    return replace(server, time=TimeKeeper(lambda _: vouches))


def used_server(home: Path, clock: ManualClock, url: str | None = None) -> Server:
    """A server with keys, codes and key files."""
    set_up_home(
        home, clock, region="VN", url="https://keys.example", database_url=url, last_day=LAST
    )
    server = opened(home, clock)
    for day in range(3):
        keys = [key(TODAY + 144 * (day - ago)) for ago in range(1, 8)]
        take_upload(server, "VN", upload_of(*keys), CONFIRMED)
        issue_code(server, IssueRequest(test_type="confirmed"))
        clock.advance(DAY)
        run_due(server, "VN")
    return server


def secrets_of(server: Server) -> list[bytes]:
    """What a search must find before, and must not find after."""
    found = [path.read_bytes() for path in (server.settings.home / "keys").glob("*.*")]
    pieces = [line for data in found for line in data.split(b"\n") if len(line) > 30]
    with server.database.read() as conn:
        known = MetaData()
        known.reflect(conn)
        keys = conn.execute(select(known.tables["diagnosis_key"].c.key_data)).scalars()
        pieces += [bytes(data) for data in keys]
    return pieces


def bytes_in(*folders: Path) -> bytes:
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return b"\0".join(path.read_bytes() for path in paths)


def rows_in(settings: Any) -> dict[str, int]:
    database = Database(settings.database)
    with database.read() as conn:
        known = MetaData()
        known.reflect(conn)
        counts = {
            name: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in known.tables.items()
            if name != "alembic_version"
        }
    database.close()
    return counts


def test_after_the_last_day_the_server_says_so_and_publishes_nothing(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    server = used_server(tmp_path / "home", clock)
    server.close()
    clock.jump(END - 1)
    with TestClient(create_app(load_settings(tmp_path / "home", **FEW), clock)) as client:
        assert client.get("/v1/trust").status_code == 200
        assert client.get("/healthz").json()["status"] == "ok"
        files = set((tmp_path / "home/exports").rglob("*.zip"))
        clock.jump(END)
        for method, path, field in (
            ("GET", "/v1/trust", "code"),
            ("GET", "/v1/config/VN", "code"),
            ("GET", "/exports/VN/index.txt", "code"),
            ("POST", "/v1/publish", "code"),
            ("POST", "/api/verify", "errorCode"),
            ("POST", "/api/issue", "errorCode"),
            ("GET", "/nowhere", "code"),
        ):
            gone = client.request(method, path, content=b"{}" if method == "POST" else None)
            assert (gone.status_code, gone.json()[field]) == (410, "ended"), path
            assert gone.headers["Date"].endswith("00:00:00 GMT")
        assert client.get("/healthz").json() == {
            "status": "ended",
            "last_day": "2025-09-01",
            "emptied": False,
        }
        assert "2025-09-01" in client.get("/").text
        assert set((tmp_path / "home/exports").rglob("*.zip")) <= files
        # A clock that was ahead is set back, and all goes on.
        clock.jump(END - HOUR)
        assert client.get("/v1/trust").status_code == 200


def test_cover_and_reports_get_answers_of_one_length(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    used_server(tmp_path / "home", clock).close()
    clock.jump(END)
    with TestClient(create_app(load_settings(tmp_path / "home", **FEW), clock)) as client:
        answers = [
            client.post(path, content=b"{}", headers=headers)
            for path in ("/api/verify", "/api/certificate", "/v1/publish")
            for headers in ({"X-Chaff": "1"}, {"X-Plain": "1"})
        ]
    assert {each.status_code for each in answers} == {410}
    steps = load_settings(tmp_path / "home").response_step_bytes
    assert {(len(each.content) + len("Gone") - len("OK")) % steps for each in answers} == {0}


@pytest.mark.parametrize("is_postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_no_byte_of_a_key_is_left(tmp_path: Path, url: str, is_postgresql: bool) -> None:
    clock = ManualClock(NOW)
    home = tmp_path / "home"
    server = used_server(home, clock, url if is_postgresql else None)
    looked_for = secrets_of(server)
    assert len(looked_for) > 30
    _checkpoint(server)
    files = _relation_files(server)
    there = bytes_in(home) + _bytes_of(files)
    assert all(piece in there for piece in looked_for)
    end, watch = EndOfUse(), ClockWatch()
    clock.jump(END)
    run_due_work(server, watch, end)
    # A day passes first, in which a wrong time server can be noticed.
    assert read_ended(home) is None
    clock.advance(DAY)
    run_due_work(server, watch, end)
    assert read_ended(home) == (LAST, True)
    clock.advance(HOUR)
    run_due_work(server, watch, end)
    _checkpoint(server)
    files |= _relation_files(server)
    server.close()
    found = bytes_in(home) + _bytes_of(files)
    assert [piece for piece in looked_for if piece in found] == []
    counts = rows_in(load_settings(home))
    assert len(counts) > 8
    assert set(counts.values()) == {0}
    assert {path.name for path in home.iterdir()} <= {
        *("contact.json", "ended.json", "server.toml"),
        *("server.db", "server.db-shm", "server.db-wal"),
    }


def _relation_files(server: Server) -> set[Path]:
    """The files of PostgreSQL's tables and indexes; its statistics hold samples of them."""
    if server.database.engine.dialect.name != "postgresql":
        return set()
    with server.database.read() as conn:
        found = conn.exec_driver_sql(
            "SELECT current_setting('data_directory') || '/' || pg_relation_filepath(oid)"
            " FROM pg_class WHERE relkind IN ('r', 'i', 't')"
            " AND relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace)"
        )
        return {Path(path) for path in found.scalars() if path}


def _bytes_of(files: set[Path]) -> bytes:
    return b"\0".join(path.read_bytes() for path in files if path.is_file())


def _checkpoint(server: Server) -> None:
    # PostgreSQL writes pages, and frees emptied files, at a checkpoint.
    if server.database.engine.dialect.name == "postgresql":
        engine = server.database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.exec_driver_sql("CHECKPOINT")


def test_no_clock_that_leapt_deletes_anything(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    home = tmp_path / "home"
    server = used_server(home, clock)
    server.close()
    server = opened(home, clock, vouches=False)
    end, watch = EndOfUse(), ClockWatch()
    before = rows_in(server.settings)
    clock.jump(NOW + 365 * DAY)
    for _ in range(20):
        run_due_work(server, watch, end)
        clock.advance(DAY)
    assert read_ended(home) is None
    assert rows_in(server.settings) == before
    clock.jump(NOW + 23 * DAY)
    run_due_work(server, watch, end)
    assert not end.reached(server)
    assert server.keys.manifest().documents
    server.close()


def test_a_time_server_that_is_wrong_for_some_hours_deletes_nothing(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    home = tmp_path / "home"
    server = used_server(home, clock)
    end, watch = EndOfUse(), ClockWatch()
    for _ in range(3):
        clock.jump(END + HOUR)
        for _ in range(23):
            run_due_work(server, watch, end)
            clock.advance(HOUR)
        clock.jump(NOW + 10 * DAY)
        run_due_work(server, watch, end)
    assert read_ended(home) is None
    server.close()


@pytest.mark.parametrize("is_postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_a_server_that_is_killed_while_it_empties_goes_on(
    tmp_path: Path, url: str, is_postgresql: bool
) -> None:
    clock = ManualClock(NOW)
    home = tmp_path / "home"
    server = used_server(home, clock, url if is_postgresql else None)
    looked_for = secrets_of(server)
    settings = server.settings
    server.close()
    clock.jump(END + DAY)
    kills = 0
    for step in (1, 5, 20, 60, 150, 300, 600, 1_200, 2_500, 5_000, 10_000):
        kills += _killed(step, lambda: empty(settings, LAST))
        if is_emptied(home):
            break
        assert read_ended(home) is None or not is_emptied(home)
    assert kills > 3
    ended = read_ended(home)
    assert ended is not None
    client = TestClient(create_ended_app(settings, ended, clock))
    assert client.get("/healthz").json()["emptied"] is True
    found = bytes_in(home)
    assert [piece for piece in looked_for if piece in found] == []
    assert set(rows_in(settings).values()) == {0}


def _killed(step: int, work: Callable[[], None]) -> bool:
    """Do work in another process that dies at its n-th call; return whether it died."""
    child = os.fork()
    if not child:
        left = step

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal left
            left -= event in ("call", "c_call")
            if left <= 0:
                os._exit(9)

        sys.setprofile(count)
        try:
            work()
        finally:
            sys.setprofile(None)
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_the_operators_commands_end_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before, after = clock_at(NOW), clock_at(END + HOUR)
    made = answer("init", "--last-day", str(LAST), home=home, clock=before)
    assert made["last_day"] == str(LAST)
    assert answer("trust", home=home, clock=before)["last_day"] == str(LAST)
    for arguments in (("issue",), ("export",), ("rotate-keys", "config", "--yes"), ("trust",)):
        done = run_command(*arguments, home=home, clock=after, check=False)
        assert done.returncode == 1
        assert "the last day was 2025-09-01" in done.stderr
    assert set(answer("cleanup", home=home, clock=before)) == {"keys", "batches", "codes"}
    # A clock of the environment counts as right.
    assert answer("cleanup", home=home, clock=after) == {"ended": str(LAST)}
    for name in ("issue", "cleanup", "join", "trust", "clock"):
        done = run_command(name, home=home, clock=after, check=False)
        assert done.returncode == 1
        assert "set up another home" in done.stderr


def test_a_real_server_starts_and_says_that_it_is_over(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    home = tmp_path / "home"
    server = used_server(home, clock)
    empty(server.settings, LAST, server.database)
    server.close()
    with RunningServer(home, clock_at(END + 9 * DAY)) as running:
        running.start()
        said = httpx2.get(f"{running.url}/healthz")
        assert said.json() == {"status": "ended", "last_day": "2025-09-01", "emptied": True}
        assert httpx2.get(f"{running.url}/v1/trust").status_code == 410
        assert httpx2.post(f"{running.url}/v1/publish", json={}).json()["code"] == "ended"
        assert httpx2.get(f"{running.url}/").status_code == 200
        assert running.stop() == 0
        assert "everything is deleted" in running.log()


def test_a_chain_of_an_older_version_gains_a_day_once(tmp_path: Path) -> None:
    from server.store.key_folder import KeyFolder
    from server.trust import chain

    home, clock = tmp_path / "home", ManualClock(NOW)
    set_up_home(home, clock, region="VN", url="https://keys.example")
    keys = KeyFolder(home)
    config = keys.config_key()
    document = replace(
        verify_trust_chain(
            keys.manifest().documents, fingerprint=keys.manifest().fingerprint, last=None
        ),
        last_day=None,
    )
    keys.update(lambda manifest: replace(manifest, documents=(document.sign(config),)))
    assert chain_last_day(keys.manifest()) is None
    server = opened(home, clock)
    rotate_config_key(server.keys, "VN", NOW)
    joined = JoinLine("https://keys.example", keys.manifest().fingerprint)

    def invoke(*arguments: str) -> Any:
        return CliRunner(env={"TRUYVET_CLOCK": str(clock_at(NOW))}).invoke(
            command, ["trust", "--home", str(home), *arguments]
        )

    assert "--last-day YYYY-MM-DD" in invoke().output
    for day, words in (("2025-01-01", "over already"), ("2028-01-01", "two years")):
        refused = invoke("--last-day", day, "--yes")
        assert refused.exit_code == 1
        assert words in str(refused.exception)
    assert printed("server trust", invoke("--last-day", str(LAST), "--json").output) == {
        "fingerprint": joined.fingerprint,
        "documents": 3,
        "last_day": str(LAST),
    }
    again = invoke("--last-day", "2025-10-01", "--yes")
    assert "cannot be moved" in str(again.exception)
    with pytest.raises(StoreError, match="cannot be moved"):
        chain.add_last_day(keys, "VN", LAST, NOW)
    rotate_export_key(keys, "VN", load_settings(home), NOW)
    accepted = verify_trust_chain(
        keys.manifest().documents, fingerprint=joined.fingerprint, last=None
    )
    assert (accepted.sequence, accepted.last_day) == (4, LAST)
    server.close()


def test_a_home_is_set_up_for_a_year_unless_another_day_is_named(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    usual = set_up_home(tmp_path / "a", clock, region="VN", url="https://keys.example")
    assert usual.last_day == datetime.date(2026, 6, 15)
    with pytest.raises(TrustError, match="two years"):
        set_up_home(
            tmp_path / "b",
            clock,
            region="VN",
            url="https://keys.example",
            last_day=datetime.date(2027, 7, 1),
        )
    assert json.loads((tmp_path / "a/keys/keys.json").read_text())["documents"]
