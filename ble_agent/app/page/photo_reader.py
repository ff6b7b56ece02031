"""Reader of photos, run by itself as a small process that may take little memory and time.

Standard input is the photo, standard output a JSON list of the texts of its QR codes. Whatever a
hostile photo does to the libraries that read it, only this process is hit.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["NOT_AN_IMAGE", "TOO_LARGE"]

NOT_AN_IMAGE, TOO_LARGE = 3, 4
"""Exit codes: what is read is not a whole photo, or too large a one."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_MOST_PIXELS = 50_000_000
_MEMORY_BYTES = 256 << 20
_CPU_SECONDS = 30
_NICENESS = 10
# A code is found at the first size in most photos, and a small one in a large photo at the next.
_FIRST_SIDE, _SMALL_SIDE = 1600, 800
_MOST_PIXELS_AT_ONCE = 13_000_000
_LARGEST_SCALE = 8
_MOST_TEXTS, _LONGEST_TEXT = 50, 3000


def _set_limits() -> None:
    resource.prlimit(0, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.prlimit(0, resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    # It writes no file; a core would hold the code.
    resource.prlimit(0, resource.RLIMIT_FSIZE, (0, 0))
    resource.prlimit(0, resource.RLIMIT_CORE, (0, 0))
    # A service may not be allowed to, and is limited by its unit.
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)


def _texts(photo: BinaryIO) -> list[str]:
    """Return the texts of a photo's QR codes, as soon as a view of it has any."""
    from zxingcpp import BarcodeFormat, BarcodeFormats, TextMode, read_barcodes

    formats = BarcodeFormats([BarcodeFormat.QRCode])
    for view in _views(photo):
        found = read_barcodes(view, formats=formats, text_mode=TextMode.Plain)
        if texts := list(dict.fromkeys(code.text for code in found if code.valid)):
            return [text[:_LONGEST_TEXT] for text in texts[:_MOST_TEXTS]]
    return []


def _views(photo: BinaryIO) -> Iterator[Image.Image]:
    """Yield a photo in grey, small, then larger, and last rotated and enlarged."""
    width, height = _opened(photo).size
    if width * height > _MOST_PIXELS:
        raise MemoryError
    scale = 1
    while scale < _LARGEST_SCALE and max(width, height) >= 2 * scale * _FIRST_SIDE:
        scale *= 2
    first = _grey(photo, scale)
    yield first
    while scale > 1 and width * height <= _MOST_PIXELS_AT_ONCE * (scale // 2) ** 2:
        scale //= 2
        yield _grey(photo, scale)
    for degrees in (30, 60):
        yield first.rotate(degrees, expand=True, fillcolor=255)
    if max(first.size) <= _SMALL_SIDE:
        yield first.resize((2 * first.width, 2 * first.height))


def _opened(photo: BinaryIO) -> Image.Image:
    from PIL import Image

    # The size in the header is checked with a better error.
    Image.MAX_IMAGE_PIXELS = None
    photo.seek(0)
    return Image.open(photo, formats=_FORMATS)


def _grey(photo: BinaryIO, scale: int) -> Image.Image:
    from PIL import Image

    with _opened(photo) as opened:
        image: Image.Image = opened
        if opened.format == "JPEG":
            # The decoder itself makes it smaller, so 48 megapixels never lie in memory.
            opened.draft("L", (opened.width // scale, opened.height // scale))
            return opened.convert("L")
        if image.has_transparency_data:
            ground = Image.new("RGBA", image.size, "white")
            ground.alpha_composite(image.convert("RGBA"))
            image = ground
        return image.convert("L").reduce(scale)


def _exit_code(photo: BinaryIO) -> int:
    _set_limits()
    try:
        texts = _texts(photo)
    except MemoryError:
        return TOO_LARGE
    except ImportError:
        raise
    except Exception:
        # The libraries raise a dozen kinds, from OSError to SyntaxError.
        return NOT_AN_IMAGE
    sys.stdout.write(json.dumps(texts))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_exit_code(sys.stdin.buffer))
