"""Texts of faults in settings."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_settings": Text(
        "this setting cannot be used: correct it", "cài đặt này không dùng được: hãy sửa lại"
    ),
}
"""The texts by name."""
