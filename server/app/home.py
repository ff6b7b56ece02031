"""The set-up of a home folder: database, keys, first operator."""

from __future__ import annotations

import contextlib
import datetime
import json
from pathlib import Path
from typing import NamedTuple

from server.config import SETTINGS_FILE, Settings, load_settings
from server.context import Server
from server.store import owner
from server.store.database import Database
from server.store.files import make_private_folder, unfinished, write_durably
from server.store.key_folder import KeyFolder
from server.store.local_storage import LocalStorage
from server.trust.chain import add_last_day, begin_chain, chain_last_day, join_line
from server.trust.config_document import current_config, set_contact
from server.verification.rules import replace_operator_key
from tracing_core.clock import Clock
from tracing_core.errors import StoreError
from tracing_core.paths import is_there
from tracing_core.trust.join_line import checked_address
from tracing_core.trust.last_day import usual_last_day

__all__ = ["JOIN_FILE", "NewHome", "claim_folder", "set_up_home"]

JOIN_FILE = "join.txt"
"""Name of the file in the home folder that contains the join line."""

_WRITTEN_BY_SET_UP = {"contact.json", "exports", JOIN_FILE, "keys", SETTINGS_FILE}


class NewHome(NamedTuple):
    """What the operator of a new home folder receives."""

    operator_key: str
    """The key for ``/api/issue``; it is stored only as a hash."""
    join: str
    """The join line for devices."""
    last_day: datetime.date
    """The last day of the deployment (UTC)."""


def set_up_home(
    home: Path,
    clock: Clock,
    *,
    region: str,
    url: str,
    contact: Path | None = None,
    database_url: str | None = None,
    last_day: datetime.date | None = None,
) -> NewHome:
    """Set up a home folder; one that an interrupted set-up left is completed.

    Parameters
    ----------
    home
        A folder that is empty or does not exist.
    clock
        The server's clock.
    region
        The region to publish keys for.
    url
        Where devices will reach the server.
    contact
        The contact for exposed persons, a file for `config_document.set_contact`.
    database_url
        The database's URL, which is noted in the home folder; None for SQLite in that folder.
    last_day
        The last day of the deployment (UTC); None for a year from now.

    Raises
    ------
    StoreError
        When the folder is set up already, has other files, or cannot be written to, another server
        uses the database, or an interrupted set-up named another last day.
    TrustError
        When agents would refuse the URL or the last day.
    """
    left = _left_by_interrupted_set_up(home)
    noted = {"region": region, "url": url.rstrip("/")}
    if database_url:
        # The environment's is not noted, because a password may be kept there.
        noted["database_url"] = database_url
    settings = load_settings(home, **noted)
    checked_address(settings.url)
    if settings.database_url:
        _check_database(settings.database_url, home)
    make_private_folder(home)
    for name in left:
        (home / name).unlink(missing_ok=True)
    set_contact(home, contact)
    keys = KeyFolder(home)
    named = _begin_chain(keys, region, clock.now(), last_day)
    current_config(keys, region, settings, clock.now())
    operator_key = _set_up_database(settings, clock, keys)
    join = str(join_line(keys, settings.url))
    write_durably(home / JOIN_FILE, f"{join}\n".encode())
    # Written last, because it shows that all the rest is there. TOML's strings are JSON's.
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in noted.items())
    write_durably(home / SETTINGS_FILE, text.encode())
    return NewHome(operator_key, join, named)


def _begin_chain(
    keys: KeyFolder, region: str, now: float, last_day: datetime.date | None
) -> datetime.date:
    """Make the keys and the first trust document, and return the last day."""
    begin_chain(keys, region, now, last_day=last_day)
    named = chain_last_day(keys.manifest())
    if named is None:
        # An older version began the chain.
        named = last_day or usual_last_day(now)
        add_last_day(keys, region, named, now)
    if last_day not in (None, named):
        raise StoreError(
            f"an interrupted set-up named {named} as the last day: delete {keys.folder.parent}"
            " first, or name the same day"
        )
    return named


def _set_up_database(settings: Settings, clock: Clock, keys: KeyFolder) -> str:
    """Make the tables and the first operator; return the operator's key."""
    storage = LocalStorage(settings.home)
    server = Server(settings, clock, Database(settings.database), storage, keys)
    server.database.migrate()
    with server.database.begin() as conn:
        owner.claim(conn, server.database, server.keys.manifest().fingerprint)
        server.time.note(conn, server.clock)
    operator_key = replace_operator_key(server)
    server.close()
    return operator_key


def claim_folder(server: Server, *, is_adopted: bool = False) -> None:
    """Check that the database's key files are in this home, before any is written.

    A database inside the home folder goes where the folder goes.

    Parameters
    ----------
    server
        The server.
    is_adopted
        True for a folder that was moved or restored, and takes the place of the former one.

    Raises
    ------
    StoreError
        When the key files are in another folder.
    """
    if server.settings.database_url:
        with server.database.begin() as conn:
            owner.claim_folder(
                conn, server.storage.place(), server.settings.home, is_adopted=is_adopted
            )


def _check_database(url: str, home: Path) -> None:
    """Check that a database outside the home folder is not another server's."""
    fingerprint = ""
    with contextlib.suppress(StoreError):
        fingerprint = KeyFolder(home).manifest().fingerprint
    database = Database(url)
    try:
        owner.check_is_free(database, fingerprint)
    finally:
        database.close()


def _left_by_interrupted_set_up(home: Path) -> set[str]:
    """Return the names of half-written files; refuse a folder that is set up or has others."""
    if is_there(home / SETTINGS_FILE):
        raise StoreError(f"{home} is already set up: run 'truyvet server run --home {home}'")
    found = {path.name for path in home.iterdir()} if is_there(home) else set()
    left = {name for name in found if unfinished(name) in _WRITTEN_BY_SET_UP}
    others = found - left - _WRITTEN_BY_SET_UP
    if not all(name.startswith("server.db") for name in others):
        raise StoreError(
            f"{home} holds other files: choose a folder that is empty or does not exist"
        )
    return left
