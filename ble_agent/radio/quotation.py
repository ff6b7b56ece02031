"""Quotation of other programs in errors and logs, without addresses."""

from __future__ import annotations

import logging
import re

__all__ = ["hush", "quote"]

# Six bytes or more in hexadecimal: an address, also as a part of a D-Bus path, or an identifier.
_SECRET = re.compile(r"(?:[0-9a-f]{2}[:_-]?){5,}[0-9a-f]{2}", re.IGNORECASE)
_LONGEST = 80


def quote(text: object) -> str:
    """Return the beginning of the first line, without anything that looks like an address."""
    lines = str(text).splitlines() or [""]
    return _SECRET.sub("…", lines[0])[:_LONGEST]


def hush(*libraries: str) -> None:
    """Turn off the logs of libraries: even their warnings hold addresses."""
    for library in libraries:
        logging.getLogger(library).setLevel(logging.CRITICAL)
