"""Texts of faults of files, disks and databases."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_store_busy": Text(
        "another process is using this device's database: stop it, or try again",
        "cơ sở dữ liệu đang được chương trình khác sử dụng: hãy dừng chương trình đó hoặc thử lại",
    ),
    "error_store_full": Text(
        "the disk is full or cannot be written to: free some space (nothing was lost)",
        "đĩa đã đầy hoặc không ghi được: hãy giải phóng dung lượng, dữ liệu cũ không bị mất",
    ),
    "error_store_read_only": Text(
        "the disk is read-only: check or replace it, or mount it for writing",
        "đĩa chỉ cho phép đọc: hãy kiểm tra hoặc thay thẻ nhớ, hoặc gắn lại đĩa ở chế độ ghi",
    ),
    "error_store_damaged": Text(
        "this is not a database, or it is damaged: restore it from a backup",
        "tệp này không phải là cơ sở dữ liệu hoặc đã bị hỏng: hãy khôi phục từ bản sao lưu",
    ),
    "error_database_damaged": Text(
        "this device's database is damaged or missing: run the command again to recover what can be"
        " read (a running agent does so within 20 minutes)",
        "cơ sở dữ liệu của thiết bị bị hỏng hoặc bị mất: hãy chạy lại lệnh để khôi phục những gì"
        " còn đọc được (nếu đang chạy, chương trình sẽ tự làm việc này trong vòng 20 phút)",
    ),
    "error_store_sealed": Text(
        "the key to this device's secrets is missing or wrong: restore it from a backup, or provide"
        " the service's credential agent-key",
        "thiếu hoặc sai khóa để mở dữ liệu của thiết bị: hãy khôi phục khóa từ bản sao lưu hoặc"
        " dùng credential agent-key của dịch vụ",
    ),
    "error_store": Text(
        "this file or folder cannot be used: check the path and who owns it",
        "không dùng được tệp hoặc thư mục này: hãy kiểm tra đường dẫn và chủ sở hữu",
    ),
    "store_reason": Text(
        "this file or folder cannot be used ({reason}): check the path and who owns it",
        "không dùng được tệp hoặc thư mục này ({reason}): hãy kiểm tra đường dẫn và chủ sở hữu",
    ),
    "error_file_is_there": Text(
        "there is a file of that name: choose another name, or replace it with --force",
        "đã có tệp tên này: hãy chọn tên khác hoặc ghi đè bằng --force",
    ),
    "error_newer_version": Text(
        "the database was written by a newer version of truyvet: install that version",
        "cơ sở dữ liệu do phiên bản truyvet mới hơn tạo ra: hãy cài phiên bản đó",
    ),
    # The system's own words for its errors, by the name of their number.
    "reason_eacces": Text("Permission denied", "không có quyền truy cập"),
    "reason_eexist": Text("File exists", "tệp đã tồn tại"),
    "reason_eio": Text("Input/output error", "lỗi đọc ghi"),
    "reason_eisdir": Text("Is a directory", "đây là thư mục"),
    "reason_eloop": Text("Too many levels of symbolic links", "liên kết tượng trưng lồng nhau"),
    "reason_emfile": Text("Too many open files", "mở quá nhiều tệp"),
    "reason_enametoolong": Text("File name too long", "tên tệp quá dài"),
    "reason_enodev": Text("No such device", "không có thiết bị này"),
    "reason_enoent": Text("No such file or directory", "tệp hoặc thư mục không tồn tại"),
    "reason_enotdir": Text("Not a directory", "đây không phải là thư mục"),
    "reason_eperm": Text("Operation not permitted", "thao tác không được phép"),
}
"""The texts by name."""
