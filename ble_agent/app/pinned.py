"""What the owner must know of a device that joined by a file: nothing changes by itself."""

from __future__ import annotations

from collections.abc import Iterator

from ble_agent.authority.join_file import key_name
from ble_agent.authority.membership import Membership
from ble_agent.messages.catalogue import say

__all__ = ["pinned_lines"]


def pinned_lines(membership: Membership | None, language: str) -> Iterator[str]:
    """Yield what such servers cannot prove and do not offer; nothing if the device has a line."""
    file = None if membership is None else membership.join_file
    if file is None:
        return
    keys = ", ".join(map(key_name, file.export_keys))
    yield say("status_pinned", language, keys=keys)
    yield say(
        "status_pinned_servers",
        language,
        index=file.index_url,
        verification=file.verification_url,
        keys=file.key_server_url,
    )
    yield say("status_pinned_limits", language)
