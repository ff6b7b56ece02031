"""The export worker: every window that is due becomes signed files, once.

A window passes three steps, and a process may die between any two. First, in one transaction, its
row is made together with its padding; from then on the window's contents are fixed. Then the files
are written whole beside the published ones. Last, in one transaction, they get their names and
their rows; only files with a row are listed or served. Whoever comes next finds how far it went,
and what was left lying is removed. Of one folder, one process exports at a time, kept apart by a
lock that dies with it; nodes with folders of their own are kept apart by the row of the schedule.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
from collections.abc import Iterator
from random import SystemRandom

from sqlalchemy import Connection

from server.context import Server
from server.export import schedule, store
from server.export.padding import PaddingKey, UploadModel, draw_count, draw_padding
from server.export.windows import Window, due_windows, window_of
from server.operation.metrics import EXPORTS_WRITTEN
from server.store import diagnosis_keys
from server.store.files import locked, write_durably
from tracing_core.export_file import ExportFile, Signer, write_export, write_index
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.store.sqlite import translated

__all__ = ["INDEX_NAME", "publish_index", "run_due"]

INDEX_NAME = "index.txt"
"""Name of the list of a region's files, in the region's folder."""

# Longer than the writing of a window takes; each step begins it anew.
_LEASE_SECONDS = 600
_REPORT_TYPES = {
    "confirmed": ReportType.CONFIRMED_TEST,
    "likely": ReportType.CONFIRMED_CLINICAL_DIAGNOSIS,
    "user-report": ReportType.SELF_REPORT,
}
_log = logging.getLogger(__name__)


def run_due(server: Server) -> list[str]:
    """Export every window that is due.

    Returns
    -------
    list of str
        Names of the files written, such as ``VN/1700006400-1700020800-00001.zip``, oldest first.
        Empty, too, while another node exports.

    Raises
    ------
    StoreError
        When something cannot be written; the next call goes on where this one stopped.
    """
    settings = server.settings
    written: list[str] = []
    with _folder_held(server) as holder:
        with server.database.begin() as conn:
            begin = _hold(server, conn, holder)
            if begin is None:
                return []
            # Within the transaction, because an index may be staged within another.
            server.storage.clear_staging()
        publish_index(server)
        now = server.clock.now()
        if begin > now:
            _log.warning(
                "the clock shows less than at the last export: nothing leaves until it has caught"
                " up; set it right"
            )
        for window in due_windows(
            begin=begin,
            now=now,
            period=settings.export_period_seconds,
            minimum_age=settings.export_min_window_age_seconds,
            # A window about to be forgotten is not begun, as its row could go meanwhile.
            oldest=now - settings.retention_seconds + settings.export_period_seconds,
        ):
            names = _export(server, holder, window)
            if names is None:
                break
            publish_index(server)
            EXPORTS_WRITTEN.inc(len(names))
            written += names
        with server.database.begin() as conn:
            schedule.release_schedule(conn, settings.region, holder)
    return written


def publish_index(server: Server) -> None:
    """Make the folder agree with the database: list what is published, delete what is not."""
    region = server.settings.region
    index_name = f"{region}/{INDEX_NAME}"
    with server.database.begin() as conn:
        # Held to the end, so that no other process publishes a file or an index in between.
        schedule.lock_schedule(conn, region)
        names = store.key_file_names(conn, region)
        index = write_index(names).encode("ascii")
        found = server.storage.read(index_name)
        if found is None or b"".join(found.chunks) != index:
            server.storage.publish(server.storage.stage(index), index_name)
        server.storage.delete(server.storage.names(region) - {index_name, *names})


@contextlib.contextmanager
def _folder_held(server: Server) -> Iterator[str]:
    """Keep other processes off this folder; the name of the node it stands for."""
    folder = server.storage.folder
    with translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):
        node = folder / ".node"
        with translated(node):
            if not node.exists():
                write_durably(node, secrets.token_hex(16).encode())
            name = node.read_text()
        yield name


def _hold(server: Server, conn: Connection, holder: str) -> int | None:
    settings, now = server.settings, server.clock.now()
    first = diagnosis_keys.first_created_at(conn, settings.region)
    start = now if first is None else min(first, now)
    return schedule.hold_schedule(
        conn,
        settings.region,
        holder,
        begin=window_of(start, settings.export_period_seconds).start,
        now=now,
        held_until=now + _LEASE_SECONDS,
    )


def _export(server: Server, holder: str, window: Window) -> list[str] | None:
    """Export a window; None when another node took over."""
    settings, region = server.settings, server.settings.region
    with server.database.begin() as conn:
        if _hold(server, conn, holder) is None:
            return None
        diagnosis_keys.postpone_keys_in_use(
            conn,
            region,
            *window,
            now=server.clock.now(),
            truncate_seconds=settings.truncate_window_seconds,
        )
        window_id, is_new = store.begin_window(conn, region, window)
        if is_new:
            random = SystemRandom()
            count = draw_count(settings.export_padding_keys, settings.export_padding_spread, random)
            padding = draw_padding(count, window, _model(server), random)
            diagnosis_keys.insert_keys(conn, region, map(_stored, padding))
    staged = dict(_stage(server, window))
    with server.database.begin() as conn:
        if _hold(server, conn, holder) is None:
            server.storage.delete(staged.values())
            return None
        for name, file in staged.items():
            server.storage.publish(file, name)
        store.add_key_files(conn, window_id, list(staged))
        schedule.set_exported_until(conn, region, window.end)
    return list(staged)


def _model(server: Server) -> UploadModel:
    settings = server.settings
    return UploadModel(
        report_types={
            _REPORT_TYPES[name]: weight
            for name, weight in settings.export_padding_report_types.items()
        },
        transmission_risk_levels=diagnosis_keys.BACKFILLED_RISK,
        default_onset_days=settings.default_symptom_onset_days,
        max_days_since_onset=settings.max_days_since_onset,
        truncate_seconds=settings.truncate_window_seconds,
    )


def _stored(padding: PaddingKey) -> diagnosis_keys.NewKey:
    return diagnosis_keys.NewKey(
        padding.key, padding.created_at, padding.revised, padding.revised_at, is_padding=True
    )


def _stage(server: Server, window: Window) -> Iterator[tuple[str, str]]:
    """Write a window's files, not yet published; give the name of each and its staged name."""
    settings, region = server.settings, server.settings.region
    limit = settings.export_max_keys_per_file
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
            # Android takes files of equal times for the same file, so their ends differ.
            export = ExportFile(
                start_timestamp=window.start,
                end_timestamp=window.end + number,
                region=region,
                keys=keys,
                revised_keys=revised_keys,
            )
            name = f"{region}/{window.start}-{window.end}-{number + 1:05}.zip"
            yield name, server.storage.stage(write_export(export, signers))
