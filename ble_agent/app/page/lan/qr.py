"""A link as a QR code, for a phone's camera."""

from __future__ import annotations

import io

import segno

__all__ = ["qr_svg", "qr_text"]

_PIXELS = 6


def qr_text(link: str) -> str:
    """Return lines of block characters, for a terminal with a dark background."""
    lines = io.StringIO()
    segno.make_qr(link, error="m").terminal(lines, compact=True)
    return lines.getvalue().rstrip("\n")


def qr_svg(link: str) -> bytes:
    """Return an SVG file, black on white, without style."""
    file = io.BytesIO()
    segno.make_qr(link, error="m").save(
        file, kind="svg", scale=_PIXELS, light="white", svgclass=None, lineclass=None
    )
    return file.getvalue()
