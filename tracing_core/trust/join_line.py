"""Join line of a server: its address and the fingerprint of its first key."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tracing_core.errors import InvalidJoinLine

__all__ = ["JoinLine", "checked_address"]

_LONGEST_ADDRESS = 2000


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_address(url: str) -> str:
    """Return the address of a server or mirror without a slash at its end.

    Raises
    ------
    InvalidJoinLine
        When the address is too long, is not https (plain http is for this machine alone), or has
        more than host, port and path.
    """
    if not re.fullmatch(rf"[!-~]{{1,{_LONGEST_ADDRESS}}}", url):
        raise InvalidJoinLine("the server's address must be like https://host/path")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidJoinLine("the server's address must be like https://host/path") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidJoinLine("the server's address must begin with https://")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidJoinLine("plain http is allowed only to this machine: use the https address")
    if parts.username is not None or parts.query or "?" in url or "#" in url:
        raise InvalidJoinLine("the server's address must have no user, query or fragment")
    return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class JoinLine:
    """The line by which a person joins a device to a server: ``URL#FINGERPRINT``.

    Raises
    ------
    InvalidJoinLine
        When `checked_address` refuses the URL, or the fingerprint is not 64 hex digits.
    """

    url: str
    """The server's address, without a slash at the end."""
    fingerprint: str
    """Fingerprint of the key that signs the first trust document, 64 lowercase hex digits."""

    def __post_init__(self) -> None:
        checked_address(self.url)
        if not re.fullmatch(r"[0-9a-f]{64}", self.fingerprint):
            raise InvalidJoinLine(
                "the fingerprint after # must be 64 hex digits: copy the whole line"
            )

    @classmethod
    def parse(cls, text: str) -> JoinLine:
        """Read the line; spaces around it do not matter.

        Raises
        ------
        InvalidJoinLine
            When the text is not a join line.
        """
        url, mark, digits = text.strip().partition("#")
        if not mark:
            raise InvalidJoinLine("the join line must be URL#FINGERPRINT: copy all of it")
        return cls(url.rstrip("/"), digits.lower())

    def __str__(self) -> str:
        return f"{self.url}#{self.fingerprint}"
