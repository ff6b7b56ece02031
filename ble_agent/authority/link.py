"""Link from a home folder to the server that its device joined."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ble_agent.authority.addresses import ServerAddresses
from ble_agent.authority.client import ServerClient
from ble_agent.authority.download import KnownAnswers, PartialFile
from ble_agent.authority.ledger_notes import RequestNotes
from ble_agent.authority.membership import Membership
from ble_agent.messages.refusals import not_possible
from ble_agent.store.home import PART_NAME
from tracing_core.clock import Clock
from tracing_core.store.database import Database

__all__ = ["ServerLink"]


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ServerLink:
    """Home, clock and address with which clients of the server are made."""

    home: Path
    """The agent's folder."""
    clock: Clock
    """The agent's clock."""
    server: str = ""
    """Where the server is now; "" if it is still where this device joined it."""

    def url(self, membership: Membership) -> str:
        """Return the server's present address, as the owner knows it."""
        return self.server or membership.url

    def addresses(self, membership: Membership) -> ServerAddresses:
        """Return the present addresses of all services.

        Raises
        ------
        NotPossible
            When another address is set though the device joined by a file (``server_by_file``).
        """
        file = membership.join_file
        if file is None:
            return ServerAddresses.of(self.url(membership))
        if self.server:
            raise not_possible("server_by_file")
        return file.addresses

    def download_client(
        self,
        db: Database,
        membership: Membership,
        *,
        cancelled: Callable[[], bool] = _never,
    ) -> ServerClient:
        """Return a client that does not fetch documents, or the beginning of a file, twice."""
        return ServerClient(
            self.addresses(membership),
            self.clock,
            cancelled=cancelled,
            known=KnownAnswers(db),
            partial=PartialFile(self.home / PART_NAME),
            notes=RequestNotes(db, self.clock),
        )

    def upload_client(
        self,
        db: Database,
        membership: Membership,
        *,
        is_cover: bool = False,
        until: float = math.inf,
        cancelled: Callable[[], bool] = _never,
    ) -> ServerClient:
        """Return a client for a report, or for a cover report, which begins nothing at `until`."""
        return ServerClient(
            self.addresses(membership),
            self.clock,
            cancelled=cancelled,
            is_cover=is_cover,
            until=until,
            notes=RequestNotes(db, self.clock, is_cover=is_cover),
        )
