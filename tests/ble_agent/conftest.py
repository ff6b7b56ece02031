"""A key server in this process, and a device that has joined it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join
from ble_agent.store.database import open_store
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def db(tmp_path: Path, server: FakeServer) -> Iterator[Database]:
    with open_store(tmp_path) as opened, ServerClient(server.url, server.clock) as client:
        join(opened, client, JoinLine.parse(server.line), server.clock.now())
        yield opened
