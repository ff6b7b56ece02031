"""Homes of servers without a process, and uploads for them."""

import base64
import secrets
from pathlib import Path

from server.config import SETTINGS_FILE, Settings, load_settings
from server.context import Server
from server.store.key_folder import KeyFolder
from server.verification.rules import keyed_hash
from server.verification.store import replace_operator_keys
from tracing_core.clock import Clock, ManualClock
from tracing_core.http.publish_request import PublishedKey, PublishRequest
from tracing_core.protocol.interval import interval_number

NOW = 1_750_003_500.0
"""A Sunday in June 2025, 16:05 UTC."""

TODAY = interval_number(NOW) // 144 * 144
OPERATOR_KEY = "an operator's key, for tests"


def make_home(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    (home / SETTINGS_FILE).write_text('region = "VN"\n')
    KeyFolder(home).create("VN")
    return home


def make_settings(home: Path, **changes: object) -> Settings:
    return load_settings(home, **changes)


def open_server(home: Path, clock: Clock | None = None, **changes: object) -> Server:
    clock = clock or ManualClock(NOW)
    server = Server.open(make_settings(make_home(home), **changes), clock)
    with server.database.begin() as conn:
        replace_operator_keys(conn, keyed_hash(server, "operator", OPERATOR_KEY), int(NOW))
    return server


def key(
    start: int = TODAY - 144, period: int = 144, risk: int = 0, data: bytes | None = None
) -> PublishedKey:
    data = secrets.token_bytes(16) if data is None else data
    return PublishedKey(base64.b64encode(data).decode(), start, period, risk)


def days_of_keys(days: int, *, today: int = TODAY) -> list[PublishedKey]:
    """Return one key per day; the last is yesterday's."""
    return [key(today - 144 * ago) for ago in range(days, 0, -1)]


def upload_of(*keys: PublishedKey, **fields: object) -> PublishRequest:
    return PublishRequest(tuple(keys), "truyvet", **fields)
