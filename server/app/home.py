"""The set-up of a home folder: database, keys, first operator."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import NamedTuple

from server.config import SETTINGS_FILE, load_settings
from server.context import Server
from server.store import owner
from server.store.database import Database
from server.store.files import make_private_folder, unfinished, write_durably
from server.store.key_folder import KeyFolder
from server.store.local_storage import LocalStorage
from server.trust.chain import begin_chain, join_line
from server.trust.config_document import current_config, set_contact
from server.verification.rules import replace_operator_key
from tracing_core.clock import Clock
from tracing_core.errors import StoreError
from tracing_core.paths import is_there
from tracing_core.trust.join_line import checked_address

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


def set_up_home(
    home: Path,
    clock: Clock,
    *,
    region: str,
    url: str,
    contact: Path | None = None,
    database_url: str | None = None,
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
        The file with the contact for exposed persons, for
        `server.trust.config_document.set_contact`.
    database_url
        The database's URL, which is noted in the home folder; None for SQLite in that folder.

    Raises
    ------
    StoreError
        When the folder is set up already, has other files, or cannot be written to, or another
        server uses the database.
    TrustError
        When agents would refuse the URL.
    """
    left = _left_by_interrupted_set_up(home)
    noted = {"region": region, "url": url.rstrip("/")}
    # The environment is not noted, because a password may be kept there.
    if database_url:
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
    begin_chain(keys, region, clock.now())
    current_config(keys, region, settings, clock.now())
    made = Server(settings, clock, Database(settings.database), LocalStorage(home), keys)
    operator_key = _set_up_database(made)
    made.close()
    join = str(join_line(keys, settings.url))
    write_durably(home / JOIN_FILE, f"{join}\n".encode())
    # Written last, because it shows that all the rest is there. TOML's strings are JSON's.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in noted.items()]
    write_durably(home / SETTINGS_FILE, "".join(lines).encode())
    return NewHome(operator_key, join)


def _set_up_database(server: Server) -> str:
    """Make the tables and the first operator; return the operator's key."""
    server.database.migrate()
    with server.database.begin() as conn:
        owner.claim(conn, server.database, server.keys.manifest().fingerprint)
        server.time.note(conn, server.clock)
    return replace_operator_key(server)


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
