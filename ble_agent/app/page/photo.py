"""Photos of codes: the join line or the verification code in a photo that the owner took."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from ble_agent.app.page import photo_reader
from ble_agent.messages.refusals import not_possible
from tracing_core.errors import InvalidJoinLine
from tracing_core.http.verification_code import plain_code
from tracing_core.store.files import file_errors
from tracing_core.trust.join_line import JoinLine

__all__ = ["can_read_photos", "code_in", "read_code_photo", "read_join_photo", "read_photo"]

_T = TypeVar("_T")
_LIBRARIES = ("zxingcpp", "PIL")
_LONGEST_ANSWER = 1 << 20
_WAIT_SECONDS = 60.0
# What the servers issue: digits to read out, in groups perhaps, or letters and digits in one word.
_READ_OUT = re.compile(r"[0-9]{6,10}")
_WORD = re.compile(r"(?=.*[0-9])[0-9A-Za-z]{12,64}")
_IN_LINK = re.compile(r"[0-9A-Za-z]{6,64}")
_SEPARATORS = re.compile(r"[\s-]+")


def can_read_photos() -> bool:
    """Check whether the libraries of the extra ``[qr]`` are installed; 32-bit ARM has none."""
    return all(importlib.util.find_spec(library) for library in _LIBRARIES)


def read_photo(photo: Path) -> list[str]:
    """Return the different texts of the QR codes in a photo (JPEG, PNG or WebP).

    The photo is read in a process of its own, so this takes seconds: call it in a thread.

    Raises
    ------
    NotPossible
        When there is no code in it (``photo_empty``), it is not such a photo or not whole
        (``photo_not_image``), it is too large (``photo_too_large``), reading it failed or took too
        long (``photo_failed``), or a library is missing (``photo_unsupported``).
    StoreError
        When the file cannot be read.
    """
    if not can_read_photos():
        raise not_possible("photo_unsupported")
    with file_errors(photo), photo.open("rb") as file:
        code, answer = _asked(file)
    if code == photo_reader.NOT_AN_IMAGE:
        raise not_possible("photo_not_image")
    if code == photo_reader.TOO_LARGE:
        raise not_possible("photo_too_large")
    texts = _decoded(answer) if code == 0 else None
    if texts is None:
        raise not_possible("photo_failed")
    if not texts:
        raise not_possible("photo_empty")
    return texts


def read_join_photo(photo: Path) -> JoinLine:
    """Return the join line in a photo of its QR code.

    Raises
    ------
    NotPossible
        As `read_photo`; also when no code of the photo is a join line (``photo_no_line``), or
        several are different ones (``photo_several``).
    """
    lines = set()
    for text in read_photo(photo):
        with contextlib.suppress(InvalidJoinLine):
            lines.add(JoinLine.parse(text))
    return _only(lines, otherwise="photo_no_line")


def read_code_photo(photo: Path) -> str:
    """Return the verification code in a photo of its QR code.

    Raises
    ------
    NotPossible
        As `read_photo`; also when no QR code of the photo holds a verification code
        (``photo_no_code``), or several hold different ones (``photo_several``).
    """
    codes = {code for code in map(code_in, read_photo(photo)) if code}
    return _only(codes, otherwise="photo_no_code")


def code_in(text: str) -> str:
    """Return the verification code in a QR code's text, "" if it holds none.

    It is the code itself, or the link of a message of Google's verification server:
    ``https://REGION.en.express/v?c=CODE`` or ``ens://v?r=REGION&c=CODE``.
    """
    with contextlib.suppress(ValueError):
        parts = urlsplit(text.strip())
        is_link = parts.scheme == "ens" and (parts.netloc or parts.path.strip("/")) == "v"
        if is_link or (parts.scheme == "https" and parts.path.rstrip("/").endswith("/v")):
            codes = parse_qs(parts.query, max_num_fields=10).get("c", [])
            is_code = len(codes) == 1 and _IN_LINK.fullmatch(codes[0])
            return plain_code(codes[0]) if is_code else ""
    if _WORD.fullmatch(text.strip()) or _READ_OUT.fullmatch(_SEPARATORS.sub("", text)):
        return plain_code(text)
    return ""


def _only(found: Iterable[_T], *, otherwise: str) -> _T:
    several = list(found)
    if len(several) != 1:
        raise not_possible("photo_several" if several else otherwise)
    return several[0]


def _asked(file: Any) -> tuple[int, bytes]:
    """Return the reader's exit code and answer; a bounded part of it if it says too much."""
    with subprocess.Popen(
        # Its own folder holds no library.
        [sys.executable, "-P", photo_reader.__file__],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        late = threading.Timer(_WAIT_SECONDS, process.kill)
        late.start()
        try:
            assert process.stdout is not None
            answer = process.stdout.read(_LONGEST_ANSWER)
            if len(answer) == _LONGEST_ANSWER:
                process.kill()
            return process.wait(), answer
        finally:
            late.cancel()
            process.kill()


def _decoded(answer: bytes) -> list[str] | None:
    with contextlib.suppress(ValueError, RecursionError):
        texts = json.loads(answer)
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            return texts
    return None
