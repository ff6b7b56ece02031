"""Key files as they come: verified, and compared with what the list says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ble_agent.authority.listing import Listing
from ble_agent.authority.membership import Membership
from ble_agent.messages.refusals import refused
from tracing_core.errors import ExportFileError, ServerRefused, TracingError, UnsupportedHeader
from tracing_core.export_file import ExportFile, parse_export, verify_export_bytes

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = ["KeyFile", "fault_word", "fetch_key_file"]

# START-END-NUMBER.zip, as Google's server and ours name the files of a window.
_TIMES = re.compile(r"(?:.*/)?([0-9]{9,11})-([0-9]{9,11})-([0-9]{1,6})\.zip")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A verified key file under one of the list's names."""

    name: str
    export: ExportFile = field(repr=False)
    content_sha256: str = ""
    """SHA-256 of ``export.bin``; a zip can be packed in many ways, this cannot."""
    file_sha256: str = ""
    """SHA-256 of the whole file."""


def fetch_key_file(
    client: ServerClient, membership: Membership, listing: Listing, name: str
) -> KeyFile:
    """Fetch and verify a key file.

    Raises
    ------
    ExportFileError
        When the file is damaged, or not signed with one of the authority's keys.
    ServerError
        When the server does not send it, or sends another file than the one listed.
    """
    data = client.key_file(membership.region, name, membership.mirrors)
    listed, digest = listing.files.get(name), sha256(data).hexdigest()
    if listed is not None and listed.sha256 != digest:
        raise refused("file_swapped")
    public_keys = [key.public_key for key in membership.export_keys]
    verified = verify_export_bytes(data, public_keys=public_keys, name=name)
    export = parse_export(verified)
    # Some servers leave the region out.
    is_ours = export.region.casefold() in ("", membership.region.casefold())
    if not is_ours or not _is_named(name, export):
        raise refused("file_swapped")
    return KeyFile(name, export, sha256(verified.export_bin).hexdigest(), digest)


def _is_named(name: str, export: ExportFile) -> bool:
    """Return whether a file's signed times are those of its name, if the name has any."""
    times = _TIMES.fullmatch(name)
    if times is None:
        return True
    start, end, number = map(int, times.groups())
    # Further files of a window end a second later each, since phones go by their times.
    later = export.end_timestamp - end
    return export.start_timestamp == start and 0 <= later < max(number, 1)


def fault_word(error: TracingError) -> str:
    """Return the word of a key file's fault, which `refused` turns into an error again."""
    if isinstance(error, ServerRefused):
        return "file_missing" if error.code == "not_found" else error.code
    if isinstance(error, UnsupportedHeader):
        return "file_version"
    return "batch" if isinstance(error, ExportFileError) else ""
