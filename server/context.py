"""The parts of a running server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from server.config import SETTINGS_FILE, Settings
from server.counters import Counters
from server.store.database import Database
from server.store.ended import refuse_ended
from server.store.key_folder import KeyFolder
from server.store.known_time import TimeKeeper
from server.store.local_storage import LocalStorage
from server.store.owner import claim
from server.store.private_keys import PrivateKeys
from server.store.storage import Storage
from tracing_core.clock import Clock
from tracing_core.errors import StoreError
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors

__all__ = ["CurrentServer", "Server"]


@dataclass(frozen=True, slots=True)
class Server:
    """The parts of one running server."""

    settings: Settings
    clock: Clock
    database: Database
    storage: Storage
    """The published files."""
    keys: PrivateKeys
    """The private keys."""
    counters: Counters = field(default_factory=Counters)
    """The counts since the server started."""
    time: TimeKeeper = field(default_factory=TimeKeeper)
    """What is certain about the time, whatever the clock shows."""

    @property
    def region(self) -> str:
        """The region of this server; routes, commands and the worker pass it to the domains."""
        return self.settings.region

    @classmethod
    def open(cls, settings: Settings, clock: Clock) -> Server:
        """Open an initialised home folder and bring its tables up to date.

        Raises
        ------
        StoreError
            When the folder was never set up, was set up for another region, or cannot be used, its
            database belongs to a server with other keys, or the deployment has ended.
        """
        home = settings.home
        with file_errors(home):
            was_set_up = is_there(home / SETTINGS_FILE)
        if not was_set_up:
            raise StoreError(f"{home} is not set up: run 'truyvet server init --home {home}' first")
        refuse_ended(home)
        keys = KeyFolder(home)
        keys.check_region(settings.region)
        database = Database(settings.database)
        database.migrate()
        opened = cls(settings, clock, database, LocalStorage(home), keys)
        with database.begin() as conn:
            if fingerprint := keys.manifest().fingerprint:
                claim(conn, database, fingerprint)
            opened.time.note(conn, clock)
        return opened

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def _of_request(request: Request) -> Server:
    server = request.app.state.server
    assert isinstance(server, Server)
    return server


CurrentServer = Annotated[Server, Depends(_of_request)]
"""Type of a route's parameter that receives the `Server`; routes exist before it is open."""
