"""Headers of answers that caches keep: age, origin, and the marks by which a file is recognised.

A caching proxy, as RFC 9111 describes it, hands out a copy with the ``Date`` of the first answer,
and adds its ``Age``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

__all__ = ["FileMark", "is_from_cache", "sent_at"]

_UNPRINTABLE = re.compile(r"[^ -~]+")
_HIT_HEADERS = ("X-Cache", "X-Cache-Status", "CF-Cache-Status", "X-Proxy-Cache", "Cache-Status")


def sent_at(headers: Mapping[str, str]) -> float | None:
    """Return when an answer left the last cache, or the server (UTC Unix seconds); None if unknown.

    Date and Age together, since a cache keeps the first (RFC 9111, 4.2.3).
    """
    try:
        moment = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None
    return moment + _age(headers)


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Return whether a cache says that it answered in place of the server."""
    hits = (headers.get(name, "").lower() for name in _HIT_HEADERS)
    # Varnish names the request that stored the copy after the present one.
    copies = headers.get("X-Varnish", "").split()
    return _age(headers) > 0 or any("hit" in text for text in hits) or len(copies) > 1


def _age(headers: Mapping[str, str]) -> int:
    text = headers.get("Age", "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else 0


@dataclass(frozen=True, slots=True)
class FileMark:
    """Marks by which a file that was not usable is recognised."""

    tag: str = ""
    """ETag, or else the time of the last change; "" if the server sent neither."""
    size: int | None = None
    """Bytes; None if unknown."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> FileMark:
        """Read the marks of an answer."""
        # An answer with the rest of a file has the whole size behind the range.
        size = headers.get("Content-Range", "").rpartition("/")[2]
        size = size or headers.get("Content-Length", "")
        return cls(
            _UNPRINTABLE.sub("", headers.get("ETag") or headers.get("Last-Modified") or "")[:200],
            int(size) if re.fullmatch(r"[0-9]{1,15}", size) else None,
        )

    def differs(self, later: FileMark) -> bool:
        """Return whether another file has taken this one's place, as far as the marks show."""
        if later.tag and later.tag != self.tag:
            return True
        return None not in (self.size, later.size) and self.size != later.size
