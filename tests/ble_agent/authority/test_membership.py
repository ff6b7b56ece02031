from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import (
    Membership,
    find_membership,
    join,
    load_membership,
    refresh,
)
from ble_agent.store.database import open_store
from ble_agent.store.state import MEMBERSHIP
from tests.ble_agent.fake_server import FakeServer, fake_server, new_key
from tracing_core.errors import NotPossible, ServerUnreachable, TrustError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with open_store(tmp_path) as opened:
        yield opened


def joined(db: Database, server: FakeServer, line: str | None = None) -> Membership:
    with ServerClient(server.url, server.clock) as client:
        return join(db, client, JoinLine.parse(line or server.line), server.clock.now())


def refreshed(db: Database, server: FakeServer) -> Membership:
    with ServerClient(server.url, server.clock) as client:
        return refresh(db, client, load_membership(db), server.clock.now())


def test_joining_pins_the_fingerprint_and_survives_a_restart(
    db: Database, server: FakeServer
) -> None:
    assert find_membership(db) is None
    with pytest.raises(NotPossible, match="not joined a health authority"):
        load_membership(db)
    membership = joined(db, server)
    assert load_membership(db) == membership
    assert membership.config.health_authority_id == "vn.health"


def test_another_server_than_the_line_names_is_refused(db: Database, server: FakeServer) -> None:
    with pytest.raises(TrustError, match="check the fingerprint"):
        joined(db, server, f"{server.url}#{'0' * 64}")
    assert find_membership(db) is None


def test_a_rotation_signed_by_the_old_key_is_followed(db: Database, server: FakeServer) -> None:
    joined(db, server)
    old, server.export_key = server.config_key, new_key()
    server.trust(old, new_key())
    server.configure(2)
    membership = refreshed(db, server)
    assert membership.trust.sequence == 2
    assert load_membership(db) == membership
    server.trust(server.config_key, new_key())
    server.configure(3)
    assert refreshed(db, server).trust.sequence == 3
    assert load_membership(db).trust.sequence == 3
    assert len(load_membership(db).documents) == 3


def test_a_rotation_signed_by_anything_else_is_refused(db: Database, server: FakeServer) -> None:
    before = joined(db, server)
    stranger = new_key()
    server.trust(stranger, stranger)
    server.configure(2)
    with pytest.raises(TrustError, match="not signed by the key this device trusts"):
        refreshed(db, server)
    assert load_membership(db) == before


def test_going_back_to_the_old_key_is_refused_even_by_joining_again(
    db: Database, server: FakeServer
) -> None:
    first_key = server.config_key
    joined(db, server)
    server.trust(first_key, new_key())
    server.configure(2)
    refreshed(db, server)
    del server.documents[1:]
    server.config_key = first_key
    server.configure(3)
    with pytest.raises(TrustError, match="fewer trust documents"):
        refreshed(db, server)
    with pytest.raises(TrustError, match="fewer trust documents"):
        joined(db, server)
    assert load_membership(db).trust.sequence == 2


def test_an_older_configuration_is_refused_and_the_newer_kept(
    db: Database, server: FakeServer
) -> None:
    joined(db, server)
    server.configure(5, check_interval_seconds=7200)
    assert refreshed(db, server).config.sequence == 5
    server.configure(4)
    with pytest.raises(TrustError, match="older than the one"):
        refreshed(db, server)
    assert load_membership(db).config.check_interval_seconds == 7200


def test_a_configuration_not_signed_or_expired_is_refused(db: Database, server: FakeServer) -> None:
    joined(db, server)
    server.configure(2, expires_at=int(server.clock.now()) - 1)
    with pytest.raises(TrustError, match="expired"):
        refreshed(db, server)
    header, payload, _ = server.config.split(".")
    server.config = f"{header}.{payload}.{'A' * 86}"
    with pytest.raises(TrustError, match="not signed"):
        refreshed(db, server)
    assert load_membership(db).config.sequence == 1


def test_a_tampered_database_is_not_believed(db: Database, server: FakeServer) -> None:
    joined(db, server)
    state = MEMBERSHIP.get(db)
    other = FakeServer()
    state["documents"] = other.documents
    with transaction(db):
        MEMBERSHIP.set(db, json.loads(json.dumps(state)))
    with pytest.raises(TrustError):
        load_membership(db)


def test_joining_another_server_forgets_what_the_first_one_published(
    db: Database, server: FakeServer
) -> None:
    joined(db, server)
    db.execute("INSERT INTO batch VALUES ('a.zip', 1)")
    joined(db, server)
    assert db.table("batch").count == 1
    with fake_server() as other:
        joined(db, other)
        assert db.table("batch").count == 0
        assert load_membership(db).origin == JoinLine.parse(other.line)


@pytest.mark.parametrize(
    "url",
    ["http://example.org", "http://192.168.1.1:8080", "ftp://example.org", "http://", "nonsense"],
)
def test_plain_http_reaches_only_this_machine(url: str) -> None:
    with pytest.raises(TrustError):
        ServerClient(url, FakeServer().clock)


def test_a_server_that_is_down_is_one_line(db: Database, server: FakeServer) -> None:
    joined(db, server)
    line = JoinLine("http://127.0.0.1:9", server.fingerprint)
    with ServerClient(line.url, server.clock) as client, pytest.raises(ServerUnreachable):
        join(db, client, line, server.clock.now())
    assert load_membership(db).url == server.url


@pytest.mark.parametrize("name", ["documents", "config", "line"])
def test_joining_mends_what_is_remembered_and_cannot_be_read(
    db: Database, server: FakeServer, name: str
) -> None:
    membership = joined(db, server)
    broken = MEMBERSHIP.get(db) | {name: ["x"] if name == "documents" else "x"}
    with transaction(db):
        MEMBERSHIP.set(db, broken)
    with pytest.raises(TrustError):
        load_membership(db)
    assert joined(db, server) == membership
    assert load_membership(db) == membership
