"""Exporter: it turns every window that is due into signed key files, once."""

# A window of keys must leave exactly once. If it never leaves, its keys warn no one. If it
# leaves twice with different contents, two readers disagree, and the difference between the two
# files shows which keys are padding.
#
# The naive way is to read the keys, draw padding, write the file and note in the database that the
# window was exported. It fails at each point where a process may die. A file without a note is
# written again, with other padding. A note without a file loses the window. The folder and the
# database cannot share a transaction, so one of the two is always first. And two exporters (the
# running server and the command, or two nodes) do all of it at the same time.
#
# So a window takes three steps, each of which may be repeated:
#
# 1. In one transaction the window gets its row and its padding. From then on its contents are
#    fixed: uploads get a later window (`closed_until`), and a second attempt finds the row and
#    draws nothing.
# 2. Its files are staged: written whole and durably, but under names that no client is served.
#    They are a function of the rows, so an exporter that repeats this step writes the same keys.
# 3. In one transaction the staged files get their names and their rows, and the schedule moves on.
#    Dying between a name and the commit leaves a file without a row. That is harmless, because
#    only files with a row are listed or served; the next export replaces it.
#
# Both indexes are derived from the rows at any time (`publish_index`), which then deletes files
# without a row. So an index never names a file that is not there, wherever the process dies.
# Meanwhile the schedule's row is locked, so that half of step 3 is never seen.
#
# Two exporters are kept apart twice. Processes that share a place for files wait for one another
# by the storage's lock, which ends with its process. Nodes with places of their own cannot see
# that lock. They take a lease in the schedule's row, which names the holder and its end, because
# a node that died cannot release it. A lease can end while its holder is only slow, so each step
# renews it in the same transaction that depends on it, and the holder stops if another has it.

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from random import Random, SystemRandom

from sqlalchemy import Connection

from server.config import Settings
from server.context import Server
from server.export import schedule, store
from server.export.bluezone_list import refresh_list
from server.export.padding import PaddingKey, UploadModel, draw_count, draw_padding
from server.export.signed_index import refresh_signed_index
from server.export.windows import Window, due_windows, window_of
from server.store import diagnosis_keys
from server.store.owner import check_folder
from tracing_core.export_file import (
    INDEX_NAME,
    SIGNED_INDEX_NAME,
    ExportFile,
    Signer,
    write_export,
    write_index,
)
from tracing_core.protocol.diagnosis_key import ReportType

__all__ = ["publish_index", "run_due"]

# Longer than the writing of a window takes; each step starts it again.
_LEASE_SECONDS = 600
_REPORT_TYPES = {
    "confirmed": ReportType.CONFIRMED_TEST,
    "likely": ReportType.CONFIRMED_CLINICAL_DIAGNOSIS,
    "user-report": ReportType.SELF_REPORT,
}
_log = logging.getLogger(__name__)


def run_due(server: Server, region: str, *, random: Random | None = None) -> list[str]:
    """Export every window of a region that is due.

    Parameters
    ----------
    server
        The server whose keys are exported.
    region
        The region.
    random
        The source of chance for the padding; None for the operating system's.

    Returns
    -------
    list of str
        Names of the key files written, such as ``VN/1700006400-1700020800-00001.zip``, oldest
        first. Empty, too, while another node exports.

    Raises
    ------
    StoreError
        When something cannot be written, or the key files are in another folder; the next call
        continues where this one stopped.
    """
    settings, random = server.settings, random or SystemRandom()
    written: list[str] = []
    with server.storage.exclusive_use() as holder:
        with server.database.begin() as conn:
            begin = _hold(server, conn, region, holder)
            if begin is None:
                return []
            _check_folder(server, conn)
            # Inside the transaction, because an index may be staged in another one.
            server.storage.clear_staging()
        publish_index(server, region)
        now = server.clock.now()
        if begin > now:
            _log.warning(
                "the clock shows less than at the last export, so no key file is published until"
                " it has caught up: set the clock right"
            )
        for window in due_windows(
            begin=begin,
            now=now,
            period=settings.export_period_seconds,
            minimum_age=settings.export_min_window_age_seconds,
            # A window that is about to be deleted is not started: its row could go meanwhile.
            oldest=now - settings.retention_seconds + settings.export_period_seconds,
        ):
            names = _export(server, region, holder, window, random)
            if names is None:
                break
            publish_index(server, region)
            server.counters.exports_written.inc(len(names))
            written += names
        with server.database.begin() as conn:
            schedule.release_schedule(conn, region, holder)
    return written


def publish_index(server: Server, region: str) -> None:
    """Make the published files agree with the database: list its key files, delete any others.

    Raises
    ------
    StoreError
        When an index cannot be written, a file cannot be deleted, or the key files are in another
        folder.
    """
    index_name = f"{region}/{INDEX_NAME}"
    with server.database.read() as conn:
        listed = store.key_file_names(conn, region)
    # Hashed before the transaction, which keeps uploads waiting.
    for name in listed:
        server.storage.digest(name)
    with server.database.begin() as conn:
        # Kept locked to the end, so that no other process publishes a file or an index in between.
        schedule.lock_schedule(conn, region)
        _check_folder(server, conn)
        names = store.key_file_names(conn, region)
        index = write_index(names).encode("ascii")
        found = server.storage.read(index_name)
        if found is None or b"".join(found.chunks) != index:
            server.storage.publish(server.storage.stage(index), index_name)
        refresh_signed_index(server, region, names, store.newest_window(conn, region))
        others = {index_name, f"{region}/{SIGNED_INDEX_NAME}", *refresh_list(server, region)}
        server.storage.delete(server.storage.names(region) - {*others, *names})


def _check_folder(server: Server, conn: Connection) -> None:
    # A database inside the home folder goes where the folder goes.
    if server.settings.database_url:
        check_folder(conn, server.storage.place(), server.settings.home)


def _hold(server: Server, conn: Connection, region: str, holder: str) -> int | None:
    """Take or renew the lease; return how far the region is exported, None if not obtained."""
    now = server.clock.now()
    first = diagnosis_keys.first_created_at(conn, region)
    start = now if first is None else min(first, now)
    return schedule.hold_schedule(
        conn,
        region,
        holder,
        begin=window_of(start, server.settings.export_period_seconds).start,
        now=now,
        held_until=now + _LEASE_SECONDS,
    )


def _export(
    server: Server, region: str, holder: str, window: Window, random: Random
) -> list[str] | None:
    """Export a window; None when another node took over."""
    with server.database.begin() as conn:
        if _hold(server, conn, region, holder) is None:
            return None
        diagnosis_keys.postpone_keys_in_use(
            conn,
            region,
            *window,
            time=server.time.note(conn, server.clock),
            truncate_seconds=server.settings.truncate_window_seconds,
        )
        window_id, is_new = store.begin_window(conn, region, window)
        if is_new:
            diagnosis_keys.insert_keys(conn, region, _padding(server.settings, window, random))
    staged = dict(_stage(server, region, window))
    with server.database.begin() as conn:
        if _hold(server, conn, region, holder) is None:
            server.storage.delete(staged.values())
            return None
        for name, file in staged.items():
            server.storage.publish(file, name)
        store.add_key_files(conn, window_id, list(staged))
        schedule.set_exported_until(conn, region, window.end)
    return list(staged)


def _padding(settings: Settings, window: Window, random: Random) -> Iterator[diagnosis_keys.NewKey]:
    count = draw_count(settings.export_padding_keys, settings.export_padding_spread, random)
    covering = settings.export_padding_keys // 2
    padding = draw_padding(count, window, _model(settings), random, covering=covering)
    return map(_stored, padding)


def _stored(padding: PaddingKey) -> diagnosis_keys.NewKey:
    return diagnosis_keys.NewKey(
        padding.key, padding.created_at, padding.revised, padding.revised_at, is_padding=True
    )


def _model(settings: Settings) -> UploadModel:
    return UploadModel(
        report_types={
            _REPORT_TYPES[name]: weight
            for name, weight in settings.export_padding_report_types.items()
        },
        transmission_risk_levels=diagnosis_keys.BACKFILLED_RISK,
        default_onset_days=settings.default_symptom_onset_days,
        max_days_since_onset=settings.max_days_since_onset,
        truncate_seconds=settings.truncate_window_seconds,
        risk_by_onset=settings.risk_by_onset,
    )


def _stage(server: Server, region: str, window: Window) -> Iterator[tuple[str, str]]:
    """Write a window's key files without publishing them; yield each name and its staged name."""
    limit = server.settings.export_max_keys_per_file
    signers = [
        Signer(key.private_key, key.key_id, key.version)
        for key in server.keys.export_keys(server.clock.now())
    ]
    with server.database.read() as conn:
        created = diagnosis_keys.created_keys(conn, region, *window)
        revised = diagnosis_keys.revised_keys(conn, region, *window)
        for number in itertools.count():
            keys = list(itertools.islice(created, limit))
            revised_keys = list(itertools.islice(revised, limit - len(keys)))
            if number and not keys and not revised_keys:
                return
            # Android treats files with equal times as the same file, so their ends differ.
            export = ExportFile(
                start_timestamp=window.start,
                end_timestamp=window.end + number,
                region=region,
                keys=keys,
                revised_keys=revised_keys,
            )
            name = f"{region}/{window.start}-{window.end}-{number + 1:05}.zip"
            yield name, server.storage.stage(write_export(export, signers))
