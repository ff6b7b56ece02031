"""The list of Bluezone keys beside the key files: published and withdrawn by the operator."""

# A device must never see a promise without a list, or a list without its signatures, wherever this
# process dies. The files and the record of keys cannot change in one step, so the order decides.
#
# A new list takes four steps. First its signatures are published together with those of the list
# that is there, so that either list is signed. Then the list takes its name. Then the record of
# keys names it, and the configuration promises it. At last `refresh_list` drops the signatures of
# the former list. A process that dies after the second step leaves a list that the record does not
# know, but that a present key signed: `refresh_list` takes it up. Before the first list there is
# no promise, and `publish_index` deletes files that the record does not name.
#
# A list is withdrawn the other way round: the promise goes first, then the files.
#
# `refresh_list` also signs the list again when an export key is new, as often as the indexes are
# looked at. All of it happens while the schedule's row is locked, as in `publish_index`.

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from server.context import Server
from server.export import schedule
from server.store.owner import check_folder
from server.store.private_keys import BluezoneRecord, Manifest
from tracing_core.errors import ExportFileError, InvalidValue
from tracing_core.export_file import (
    BLUEZONE_LIST_NAME,
    BLUEZONE_SIGNATURES_NAME,
    MAX_SIGNATURES,
    Signer,
)
from tracing_core.export_file.bluezone_file import (
    check_records,
    count_signatures,
    is_signed_by,
    last_second,
    parse_signed_list,
    sign_list,
    verify_list,
    write_list,
)
from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES, BluezoneList

__all__ = ["PublishedList", "publish_list", "refresh_list", "retire_list", "withdraw_list"]

_log = logging.getLogger(__name__)


class PublishedList(NamedTuple):
    """What was published."""

    records: int
    sequence: int
    last_second: int
    """The last second that a record covers (UTC Unix seconds)."""


def publish_list(server: Server, region: str, data: bytes) -> PublishedList:
    """Publish a list in place of any other.

    Parameters
    ----------
    server
        The server.
    region
        The region.
    data
        The list in Bluezone's own form.

    Raises
    ------
    InvalidValue
        When it is not such a list, or a record of it is wrong; nothing is published.
    StoreError
        When something cannot be written; what was published before stays.
    """
    records = check_records(data)
    now = int(server.clock.now())
    _check_times(records, now, now - server.settings.retention_seconds)
    list_name, signatures_name = _names(region)
    with _locked(server, region):
        refresh_list(server, region)
        last = server.keys.manifest().bluezone
        # Seconds rise even in a home restored from a backup.
        sequence = max(now, 1 if last is None else last.sequence + 1)
        written = write_list(region, sequence, records)
        if len(written) > MAX_LIST_BYTES:
            raise InvalidValue(f"a list must have at most {MAX_LIST_BYTES} bytes")
        signatures = sign_list(written, _signers(server))
        before = _read(server, signatures_name) or b""
        if count_signatures(signatures) + count_signatures(before) > MAX_SIGNATURES:
            before = b""
        staged = server.storage.stage(written)
        # Protocol Buffers joins lists that follow each other.
        server.storage.publish(server.storage.stage(signatures + before), signatures_name)
        server.storage.publish(staged, list_name)
        digest = sha256(written).hexdigest()
        _note(server, BluezoneRecord(sequence, digest, last_second(records)))
        refresh_list(server, region)
    return PublishedList(records.records, sequence, last_second(records))


def withdraw_list(server: Server, region: str) -> bool:
    """Withdraw the list; return False if none is published.

    Raises
    ------
    StoreError
        When something cannot be written or deleted.
    """
    with _locked(server, region):
        published = server.keys.manifest().bluezone
        is_published = published is not None and published.sha256 != ""
        if published is not None and is_published:
            _note(server, replace(published, sha256=""))
        server.storage.delete(_names(region))
    return is_published


def retire_list(server: Server, region: str, oldest: int) -> bool:
    """Withdraw the list if its last record ends before a time (UTC Unix seconds).

    Raises
    ------
    StoreError
        When something cannot be written or deleted.
    """
    published = server.keys.manifest().bluezone
    if published is None or not published.sha256 or published.last_second >= oldest:
        return False
    return withdraw_list(server, region)


def refresh_list(server: Server, region: str) -> set[str]:
    """Keep the list signed by every present export key; return the names of its files.

    The caller keeps other processes from publishing meanwhile. Files with other names than those
    returned are not published.

    Raises
    ------
    StoreError
        When a file cannot be read or written.
    """
    record = server.keys.manifest().bluezone
    if record is None or not record.sha256:
        return set()
    list_name, signatures_name = _names(region)
    data, signatures = _read(server, list_name), _read(server, signatures_name) or b""
    signers = _signers(server)
    if data is None or not _is_ours(server, region, record, data, signatures, signers):
        _log.error("%s is missing or damaged: publish it again, or withdraw it", list_name)
        return {list_name, signatures_name}
    if count_signatures(signatures) != len(signers) or not all(
        is_signed_by(data, signatures, each.private_key.public_key()) for each in signers
    ):
        staged = server.storage.stage(sign_list(data, signers))
        server.storage.publish(staged, signatures_name)
    return {list_name, signatures_name}


def _is_ours(
    server: Server,
    region: str,
    record: BluezoneRecord,
    data: bytes,
    signatures: bytes,
    signers: Sequence[Signer],
) -> bool:
    """Return whether a stored list is the recorded one, or a newer one that is now recorded."""
    digest = sha256(data).hexdigest()
    if digest == record.sha256:
        return True
    try:
        verify_list(data, signatures, [each.private_key.public_key() for each in signers])
        newer = parse_signed_list(data)
    except (ExportFileError, InvalidValue):
        return False
    if newer.region != region or newer.sequence <= record.sequence:
        return False
    _note(server, BluezoneRecord(newer.sequence, digest, last_second(newer.records)))
    return True


@contextlib.contextmanager
def _locked(server: Server, region: str) -> Iterator[None]:
    with server.database.begin() as conn:
        schedule.lock_schedule(conn, region)
        if server.settings.database_url:
            check_folder(conn, server.storage.place(), server.settings.home)
        yield


def _names(region: str) -> tuple[str, str]:
    return f"{region}/{BLUEZONE_LIST_NAME}", f"{region}/{BLUEZONE_SIGNATURES_NAME}"


def _read(server: Server, name: str) -> bytes | None:
    found = server.storage.read(name)
    return None if found is None else b"".join(found.chunks)


def _signers(server: Server) -> list[Signer]:
    keys = server.keys.export_keys(server.clock.now())
    return [Signer(key.private_key, key.key_id, key.version) for key in keys]


def _note(server: Server, record: BluezoneRecord) -> None:
    def change(manifest: Manifest) -> Manifest:
        return replace(manifest, bluezone=record)

    server.keys.update(change)


def _check_times(records: BluezoneList, now: int, oldest: int) -> None:
    for place, key in records.keys:
        if key.time_end > now:
            raise InvalidValue(f"data[{place}].time_end must not lie in the future")
    if last_second(records) < oldest:
        raise InvalidValue("every record is too old to be compared")
