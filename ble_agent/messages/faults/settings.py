"""Texts of faults in settings and units, and of missing extras."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_bell": Text(
        "the service manager passed something other than one listening Unix socket: install the"
        " unit truyvet-agent-page.socket again",
        "trình quản lý dịch vụ không trao đúng một socket Unix đang lắng nghe: hãy cài lại"
        " truyvet-agent-page.socket",
    ),
    "error_settings": Text(
        "this setting cannot be used: correct it", "cài đặt này không dùng được: hãy sửa lại"
    ),
    "missing_extra": Text(
        "{library} is not installed: run pip install '.[{extra}]' in the project's folder",
        "chưa cài {library}: hãy chạy pip install '.[{extra}]' trong thư mục của dự án",
    ),
    "setting_line": Text("{place}: {what}: correct it", "{place}: {what}: hãy sửa lại"),
    "setting_str": Text("must be text in quotes", "phải là chữ đặt trong dấu ngoặc kép"),
    "setting_int": Text("must be a whole number", "phải là số nguyên"),
    "setting_float": Text("must be a number", "phải là số"),
    "setting_bool": Text("must be true or false", "phải là true hoặc false"),
    "setting_texts": Text(
        "must be a list of texts in quotes", "phải là danh sách các chuỗi trong dấu ngoặc kép"
    ),
    "setting_lang": Text(
        "must be {languages}, not {value}", "phải là {languages}, không phải {value}"
    ),
    "setting_range": Text("must be {least} to {most}", "phải từ {least} đến {most}"),
    "setting_gaps": Text(
        "must be at least 60, and most_scan_gap_seconds no shorter and at most 540",
        "phải từ 60 trở lên; most_scan_gap_seconds không nhỏ hơn và tối đa là 540",
    ),
    "setting_quiet_hours": Text(
        'must be two different times of day such as "22:00-07:00", or "" for no quiet hours',
        'phải là hai giờ khác nhau trong ngày, ví dụ "22:00-07:00", hoặc "" nếu không cần giờ không'
        " thông báo",
    ),
    "setting_not_toml": Text(
        "this is not TOML ({fault})", "tệp không đúng định dạng TOML ({fault})"
    ),
    "toml_place": Text("at line {line}, column {column}", "ở dòng {line}, cột {column}"),
    "toml_end": Text("at the end of the document", "ở cuối tệp"),
    "toml_not_text": Text("it is not text in UTF-8", "tệp không phải văn bản UTF-8"),
    "setting_for_hand": Text(
        "this setting can only be changed by hand, in the file",
        "chỉ có thể sửa cài đặt này bằng tay, trong tệp",
    ),
    "error_settings_changed": Text(
        "the settings have been changed in the meantime: look at them again, then change them",
        "cài đặt đã bị thay đổi trong lúc bạn xem: hãy xem lại rồi sửa",
    ),
    "error_settings_elsewhere": Text(
        "agent.toml is a link to another folder: change the settings there by hand",
        "agent.toml là liên kết tới thư mục khác: hãy sửa cài đặt ở đó bằng tay",
    ),
    "error_settings_by_hand": Text(
        "agent.toml cannot be changed here without altering the rest of it: change it by hand",
        "không thể sửa agent.toml mà giữ nguyên phần còn lại: hãy sửa tệp này bằng tay",
    ),
    "setting_unknown": Text(
        "the agent has no such setting", "chương trình không có cài đặt nào có tên này"
    ),
}
"""The texts by name."""
