"""Texts of a running agent's log."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "log_retrying": Text("{fault}; trying again", "{fault}; đang thử lại"),
    "log_silent": Text(
        "{fault}; nothing is sent until then", "{fault}; tạm ngừng phát tín hiệu cho đến lúc đó"
    ),
    "log_writing_again": Text(
        "the disk can be written to again",
        "đã ghi lại được vào đĩa, tiếp tục hoạt động bình thường",
    ),
    "log_unwritten": Text(
        "{fault}; what was heard is kept in memory until then",
        "{fault}; những gì đã thu được giữ trong bộ nhớ tạm cho đến lúc đó",
    ),
    "log_check_failed": Text("check: {fault}", "kiểm tra: {fault}"),
    "log_checked": Text(
        "checked {count} new key files",
        "đã kiểm tra {count} tệp khóa mới",
        one="checked 1 new key file",
    ),
    "log_keys_skipped": Text(
        "left out {count} damaged keys of the health authority",
        "đã bỏ qua {count} khóa bị hỏng của cơ quan y tế",
        one="left out 1 damaged key of the health authority",
    ),
    "log_something_to_read": Text(
        "there is something to read: truyvet agent check",
        "có thông tin mới cần đọc: truyvet agent check",
    ),
    "log_not_joined": Text("nothing is checked yet: {fault}", "chưa kiểm tra được gì: {fault}"),
    "log_notify_failed": Text(
        "the command in notify_command failed or took too long: try it in a terminal",
        "lệnh trong notify_command bị lỗi hoặc chạy quá lâu: hãy thử lệnh đó trong terminal",
    ),
    "log_desktop_failed": Text(
        "the desktop showed no notification: set notify_desktop = false if you have no desktop",
        "không hiện được thông báo trên màn hình: đặt notify_desktop = false nếu máy không có",
    ),
}
"""The texts by name."""
