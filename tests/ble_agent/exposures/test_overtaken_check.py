"""A check during which another process changes what it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join, load_membership
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import open_store
from ble_agent.store.importers import import_log
from tests.ble_agent.exposures.test_exposure_check import NOW, checked, met, stranger
from tests.ble_agent.fake_server import Answer, FakeServer, fake_server, new_key
from tracing_core.errors import ServerUnreachable, TrustError
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine


def test_what_is_imported_during_a_check_that_breaks_off_is_compared_later(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    log = tmp_path / "other"
    log.mkdir()
    with open_store(log) as other:
        server.add_file("1.zip", [met(other)])
    server.add_file("2.zip", [stranger()])

    def first() -> Answer:
        with open_store(tmp_path) as importing:
            import_log(importing, log / DATABASE_NAME, NOW)
        return 200, {}, server.files["1.zip"]

    server.special["/exports/VN/1.zip"] = first
    server.special["/exports/VN/2.zip"] = lambda: (200, {"Content-Length": "999"}, b"")
    with pytest.raises(ServerUnreachable):
        checked(db, server)
    server.special.clear()
    assert checked(db, server).level == "high"


@pytest.mark.parametrize("path", ["/v1/config/VN", "/exports/VN/1.zip"])
def test_who_joins_another_server_during_a_check_belongs_to_that_one(
    db: Database, server: FakeServer, tmp_path: Path, path: str
) -> None:
    key = met(db)
    server.add_file("1.zip", [key])
    with fake_server(clock=server.clock) as other:

        def leaving() -> Answer:
            del server.special[path]
            with open_store(tmp_path) as joining, ServerClient(other.url, other.clock) as client:
                join(joining, client, JoinLine.parse(other.line), NOW)
            return server.answer(path)

        server.special[path] = leaving
        # There is something newer to remember of the first.
        server.trust(server.config_key, new_key())
        server.configure(2)
        with pytest.raises(TrustError):
            checked(db, server)
        assert str(load_membership(db).origin) == other.line
        assert db.table("matched_key").count == 0
        other.add_file("1.zip", [key])
        assert checked(db, other).level == "high"
