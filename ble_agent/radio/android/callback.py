"""Chaquopy's side of Android's AdvertiseCallback; imported on Android only.

An app names this module under ``staticProxy`` in its Gradle file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["AdvertisingAnswer"]

_java: Any = importlib.import_module("java")
_AdvertiseCallback: Any = _java.jclass("android.bluetooth.le.AdvertiseCallback")
_AdvertiseSettings: Any = _java.jclass("android.bluetooth.le.AdvertiseSettings")


class AdvertisingAnswer(_java.static_proxy(_AdvertiseCallback)):  # type: ignore[misc]
    """Callback that passes on 0 for success, else Android's error code; called in its thread."""

    def __init__(self, on_answer: Callable[[int], None]) -> None:
        super().__init__()
        self._on_answer = on_answer

    @_java.Override(_java.jvoid, [_AdvertiseSettings])  # type: ignore[untyped-decorator]
    def onStartSuccess(self, settings: Any) -> None:  # noqa: N802
        """Report success."""
        self._on_answer(0)

    @_java.Override(_java.jvoid, [_java.jint])  # type: ignore[untyped-decorator]
    def onStartFailure(self, code: int) -> None:  # noqa: N802
        """Report Android's error code."""
        self._on_answer(int(code))
