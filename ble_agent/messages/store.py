"""Texts of faults of files, disks and databases."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_store_busy": Text(
        "another process uses this device's database: stop it, or try again",
        "cơ sở dữ liệu đang được chương trình khác sử dụng: hãy dừng nó hoặc thử lại",
    ),
    "error_store_full": Text(
        "the disk is full or cannot be written: free some space, nothing was lost",
        "đĩa đã đầy hoặc không ghi được: hãy giải phóng dung lượng, dữ liệu cũ không bị mất",
    ),
    "error_store_read_only": Text(
        "the disk can only be read: check or replace it, or mount it for writing",
        "đĩa chỉ cho phép đọc: hãy kiểm tra hoặc thay thẻ nhớ, hoặc gắn lại đĩa ở chế độ ghi",
    ),
    "error_store_damaged": Text(
        "this is no database, or a damaged one: restore it from a copy",
        "tệp này không phải là cơ sở dữ liệu hoặc đã bị hỏng: hãy khôi phục từ bản sao",
    ),
    "error_store_sealed": Text(
        "what opens this device's keys is missing or wrong: restore it from a copy, or give the"
        " credential agent-key that the service has",
        "thiếu hoặc sai khóa để mở dữ liệu của thiết bị: hãy khôi phục tệp này từ bản sao hoặc dùng"
        " credential agent-key của dịch vụ",
    ),
    "error_store": Text(
        "this file or folder cannot be used: check the path and who owns it",
        "không dùng được tệp hoặc thư mục này: hãy kiểm tra đường dẫn và chủ sở hữu",
    ),
    "error_newer_version": Text(
        "the database was written by a newer version of truyvet: install that version",
        "cơ sở dữ liệu do phiên bản truyvet mới hơn tạo ra: hãy cài đặt phiên bản đó",
    ),
}
"""The texts by name."""
