"""Texts of faults of the radio."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_no_adapter": Text(
        "no Bluetooth adapter was found: plug one in, or name another with --radio",
        "không tìm thấy bộ điều hợp Bluetooth: hãy cắm vào hoặc chọn bộ khác bằng --radio",
    ),
    "error_no_service": Text(
        "the system's Bluetooth service does not run: sudo apt install bluez; sudo systemctl start"
        " bluetooth",
        "dịch vụ Bluetooth của hệ thống không chạy: sudo apt install bluez; sudo systemctl start"
        " bluetooth",
    ),
    "error_powered_off": Text(
        "the Bluetooth adapter is off: switch it on (if it is blocked: rfkill unblock bluetooth)",
        "bộ điều hợp Bluetooth đang tắt: hãy bật lên (nếu bị khóa: rfkill unblock bluetooth)",
    ),
    "error_permission": Text(
        "this user may not use the Bluetooth adapter: ask the device's administrator",
        "người dùng này không có quyền sử dụng bộ điều hợp Bluetooth: hãy hỏi quản trị viên",
    ),
    "error_no_advertiser": Text(
        "the Bluetooth adapter cannot send: use another",
        "bộ điều hợp Bluetooth không phát được tín hiệu: hãy dùng bộ khác",
    ),
    "error_no_low_energy": Text(
        "the adapter has no Bluetooth Low Energy: use another",
        "bộ điều hợp không hỗ trợ Bluetooth năng lượng thấp: hãy dùng bộ khác",
    ),
    "error_connection_lost": Text(
        "the Bluetooth adapter went away: plug it in again",
        "mất kết nối với bộ điều hợp Bluetooth: hãy cắm lại",
    ),
    "error_refused": Text(
        "the Bluetooth adapter refused a command: restart it, or use another",
        "bộ điều hợp Bluetooth từ chối lệnh: hãy khởi động lại hoặc dùng bộ khác",
    ),
    "error_unreadable_capture": Text(
        "the capture file cannot be read: check its path and format",
        "không đọc được tệp ghi tín hiệu: hãy kiểm tra đường dẫn và định dạng",
    ),
    "error_unknown_radio": Text(
        "there is no such kind of radio: see truyvet agent run --help",
        "không có loại thiết bị thu phát này: hãy xem truyvet agent run --help",
    ),
}
"""The texts by name."""
