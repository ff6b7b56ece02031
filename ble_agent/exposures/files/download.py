"""Download of the key files that are new, within bounds that no list can exceed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ble_agent.authority.listing import Listing
from ble_agent.authority.membership import Membership
from ble_agent.exposures.files.key_files import KeyFile, fault_word, fetch_key_file
from ble_agent.exposures.files.unusable_files import (
    UnusableFile,
    is_due,
    note_unusable,
    unusable_files,
)
from ble_agent.exposures.files.used_files import forget_file, twin_of, unused_names
from ble_agent.messages.refusals import refused
from tracing_core.clock import Clock
from tracing_core.errors import ExportFileError, InvalidSignature, ServerRefused, TracingError
from tracing_core.store.database import Database

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = ["Download"]

_MOST_FILES = 1_000
# Two weeks of windows of an hour are 336 files, fewer than this.
_MOST_FAILURES = 400
_MOST_QUESTIONS = 100
# Faults of the server or the way to it that pass, whatever the file.
_PASSING = ("server", "maintenance_mode", "too_many_requests", "certificate", "clock_wrong")


class Download:
    """One check's download of new key files.

    Parameters
    ----------
    db
        The agent's database.
    client
        The way to the server.
    membership
        The authority.
    listing
        What the server offers.
    clock
        The agent's clock.
    """

    def __init__(
        self,
        db: Database,
        client: ServerClient,
        membership: Membership,
        listing: Listing,
        clock: Clock,
    ) -> None:
        self._db = db
        self._client = client
        self._membership = membership
        self._listing = listing
        self._clock = clock
        self._listed = frozenset(listing.names)
        self.errors: list[TracingError] = []
        """One for every listed key file that cannot be used now."""

    def new_files(self) -> Iterator[KeyFile]:
        """Yield the key files that are new and can be used; the caller notes each as used."""
        failures = 0
        names = self._due()
        for at, name in enumerate(names):
            if at >= _MOST_FILES or failures >= _MOST_FAILURES:
                self.errors += [refused("list_too_long")] * (len(names) - at)
                return
            try:
                yield self._fetched(name)
            except (ExportFileError, ServerRefused) as error:
                # One bad file must not keep the others from the owner.
                failures += 1
                self._note(name, error)

    def _due(self) -> Sequence[str]:
        """Return the names to fetch: untried ones first, then those that may have changed."""
        unused = unused_names(self._db, self._listing)
        failed = unusable_files(self._db)
        untried = [name for name in unused if name not in failed]
        again = self._again([failed[name] for name in unused if name in failed])
        if len(untried) <= _MOST_FAILURES:
            return untried + again
        # A long list may be made of names that lead nowhere, at either end.
        return list(_from_both_ends(untried)) + again

    def _again(self, files: Sequence[UnusableFile]) -> list[str]:
        due = []
        # Those that have waited longest come first.
        for at, file in enumerate(sorted(files, key=lambda file: file.tried_at)):
            if at < _MOST_QUESTIONS and is_due(
                file, self._listing, self._client, self._membership, self._clock
            ):
                due.append(file.name)
            else:
                self.errors.append(refused(file.fault))
        return due

    def _fetched(self, name: str) -> KeyFile:
        file = fetch_key_file(self._client, self._membership, self._listing, name)
        twin = twin_of(self._db, file, self._listed)
        if twin is not None:
            # One of the two names is of another file, and which one is not known.
            forget_file(self._db, twin)
            raise refused("file_twice")
        return file

    def _note(self, name: str, error: ExportFileError | ServerRefused) -> None:
        fault = fault_word(error)
        if isinstance(error, InvalidSignature) and self._membership.join_file is not None:
            fault = "pinned_keys"
        is_reworded = fault in ("file_missing", "pinned_keys")
        self.errors.append(refused(fault) if is_reworded else error)
        # A part that was kept from an earlier check may be what is damaged.
        if fault not in _PASSING and not self._client.was_resumed:
            note_unusable(self._db, name, fault, self._client.last_mark, self._listing, self._clock)


def _from_both_ends(names: Sequence[str]) -> Iterator[str]:
    """Yield the newest, the oldest, the second newest and so on."""
    first, last = 0, len(names) - 1
    while first < last:
        yield names[last]
        yield names[first]
        first, last = first + 1, last - 1
    if first == last:
        yield names[first]
