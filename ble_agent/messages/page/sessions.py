"""Texts of the screen of open browsers."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_sessions": Text("Open browsers", "Trình duyệt đang mở"),
    "page_link_sessions_hint": Text("Who sees this page now", "Những nơi đang xem trang này"),
    "page_session_here": Text("This browser", "Trình duyệt này"),
    "page_session_other": Text("Another browser", "Trình duyệt khác"),
    "page_session_since": Text("open since {time}", "mở từ {time}"),
    "page_session_end": Text("Close it there", "Đóng trang ở đó"),
    "page_session_end_here": Text("Close this page", "Đóng trang này"),
    "page_session_ended": Text(
        "The page is closed in that browser.", "Đã đóng trang ở trình duyệt kia."
    ),
    "page_session_link": Text("For another browser", "Mở bằng trình duyệt khác"),
    "page_session_link_how": Text(
        "A link opens this page in one more browser, once, within 5 minutes. Anyone who has it"
        " sees what you see.",
        "Liên kết dùng được một lần, trong vòng 5 phút, để mở trang này trên một trình duyệt khác."
        " Ai có liên kết đều xem được mọi thứ như bạn.",
    ),
    "page_session_make": Text("Make a link", "Tạo liên kết"),
    "page_session_new": Text("The link, for one use", "Liên kết dùng một lần"),
}
"""The texts by name."""
