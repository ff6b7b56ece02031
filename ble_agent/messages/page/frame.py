"""Texts around every screen of the owner's page, and of its door."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link": Text(
        "Open this link within 5 minutes, on this device: {link}",
        "Hãy mở liên kết này trong vòng 5 phút, trên chính thiết bị này: {link}",
    ),
    "page_skip": Text("Skip to the content", "Đến phần nội dung"),
    "page_nav": Text("Screens", "Các trang"),
    "page_tab_today": Text("Today", "Hôm nay"),
    "page_tab_send": Text("Send a code", "Gửi mã"),
    "page_tab_more": Text("More", "Thêm"),
    "page_next": Text("Next", "Tiếp tục"),
    "page_back": Text("Back", "Quay lại"),
    "page_door_title": Text("This page needs its link", "Cần có liên kết để mở trang này"),
    "page_door_refused": Text(
        "This link was used already, is too old or is not complete. Or the page was closed"
        " because it was not used.",
        "Liên kết này đã được dùng, đã hết hạn hoặc không đầy đủ. Cũng có thể trang đã tự đóng vì"
        " không có ai sử dụng.",
    ),
    "page_door_how": Text(
        "To get a new link, run this in a terminal:",
        "Để có liên kết mới, hãy chạy lệnh này trong cửa sổ dòng lệnh (terminal):",
    ),
    "page_door_token": Text("Or paste the end of the link", "Hoặc dán phần cuối của liên kết"),
    "page_door_hint": Text("Everything after the # sign.", "Toàn bộ phần đứng sau dấu #."),
    "page_door_open": Text("Open", "Mở"),
    "page_problem_title": Text("That did not work", "Chưa thực hiện được"),
    "page_failed": Text(
        "Something went wrong on this page. Try again. If it happens again, ask for help with"
        " truyvet.",
        "Trang này gặp lỗi. Hãy thử lại; nếu lỗi lặp lại, hãy báo cho người phụ trách truyvet.",
    ),
    "page_leave": Text("Close this page", "Đóng trang này"),
    "page_leave_hint": Text(
        "The device goes on recording. The page closes by itself after {minutes} minutes without"
        " use.",
        "Thiết bị vẫn tiếp tục ghi nhận. Trang tự đóng sau {minutes} phút không sử dụng.",
    ),
    "page_left_title": Text("The page is closed", "Đã đóng trang"),
    "page_left": Text(
        "You can close this tab. The device goes on recording.",
        "Bạn có thể đóng thẻ trình duyệt này. Thiết bị vẫn tiếp tục ghi nhận.",
    ),
    "page_link_join": Text("Health authority", "Cơ quan y tế"),
    "page_link_join_hint": Text(
        "Where this device gets published keys", "Nơi thiết bị lấy các khóa đã công bố"
    ),
}
"""The texts by name."""
