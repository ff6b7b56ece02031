"""Texts of the screen of settings."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_settings": Text("Settings", "Cài đặt"),
    "page_link_settings_hint": Text(
        "Language, notifications, Bluetooth", "Ngôn ngữ, thông báo, Bluetooth"
    ),
    "page_setting_lang": Text("Language", "Ngôn ngữ"),
    "page_setting_lang_hint": Text(
        "Of notifications and commands too.", "Dùng cho cả thông báo và các lệnh."
    ),
    "page_setting_notify_desktop": Text(
        "Show a notification on the desktop", "Hiện thông báo trên màn hình"
    ),
    "page_setting_quiet_hours": Text("Quiet hours", "Giờ không thông báo"),
    "page_setting_quiet_hint": Text(
        "No notification in these hours; it comes when they end. Leave both empty for none.",
        "Trong khoảng giờ này không có thông báo; thông báo sẽ đến khi hết khoảng giờ đó. Để trống"
        " cả hai ô nếu không cần.",
    ),
    "page_setting_quiet_from": Text("From", "Từ"),
    "page_setting_quiet_to": Text("To", "Đến"),
    "page_setting_quiet_fault": Text(
        "Quiet hours: give two different times such as 22:00 and 07:00, or leave both empty.",
        "Giờ không thông báo: hãy điền hai giờ khác nhau, ví dụ 22:00 và 07:00, hoặc để trống cả"
        " hai.",
    ),
    "page_setting_cover_traffic": Text(
        "Send cover reports at random moments", "Gửi khai báo giả lập vào những lúc ngẫu nhiên"
    ),
    "page_setting_cover_hint": Text(
        "They are random, so that a watcher of the network does not notice when you really report.",
        "Nội dung của chúng là ngẫu nhiên, để người theo dõi mạng không nhận ra lúc bạn khai báo"
        " thật.",
    ),
    "page_setting_radio": Text("Bluetooth access", "Cách dùng Bluetooth"),
    "page_setting_radio_hint": Text(
        "Change it only if Bluetooth does not work.",
        "Chỉ nên đổi nếu Bluetooth không hoạt động.",
    ),
    "page_setting_radio_auto": Text("Automatic", "Tự động"),
    "page_setting_radio_bluez": Text(
        "bluez: through the system's Bluetooth service",
        "bluez: qua dịch vụ Bluetooth của hệ thống",
    ),
    "page_setting_radio_mgmt": Text(
        "mgmt: directly through the kernel", "mgmt: trực tiếp qua nhân hệ điều hành"
    ),
    "page_setting_radio_other": Text("{radio}, as in agent.toml", "{radio}, như trong agent.toml"),
    "page_setting_radio_fault": Text(
        "Bluetooth access: choose one from the list.",
        "Cách dùng Bluetooth: hãy chọn một mục trong danh sách.",
    ),
    "page_setting_overridden": Text(
        "The environment variable {variable} is set on this device and counts instead, until it is"
        " removed.",
        "Biến môi trường {variable} đang được đặt trên thiết bị này nên được dùng thay cho mục này,"
        " cho đến khi biến đó được gỡ bỏ.",
    ),
    "page_settings_save": Text("Save", "Lưu"),
    "page_settings_restart_hint": Text(
        "The running device reads its settings when it starts.",
        "Chương trình đang chạy chỉ đọc cài đặt khi khởi động.",
    ),
    "page_settings_by_hand": Text(
        "The other settings are in agent.toml. What you wrote there stays.",
        "Các cài đặt khác nằm trong tệp agent.toml. Những gì bạn tự viết ở đó được giữ nguyên.",
    ),
    "page_settings_saved": Text("Saved: {names}.", "Đã lưu: {names}."),
    "page_settings_same": Text("Nothing has changed.", "Không có gì thay đổi."),
    "page_settings_restart": Text(
        "The running device uses this only after a restart: {names}. Restart its service (sudo"
        " systemctl restart truyvet-agent), or stop it and run truyvet agent run again.",
        "Chương trình đang chạy chỉ áp dụng sau khi khởi động lại: {names}. Hãy khởi động lại dịch"
        " vụ (sudo systemctl restart truyvet-agent), hoặc dừng rồi chạy lại truyvet agent run.",
    ),
}
"""The texts by name."""
