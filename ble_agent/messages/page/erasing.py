"""Texts of the screens on which everything is deleted."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_erase": Text("Delete everything", "Xóa toàn bộ dữ liệu"),
    "page_link_erase_hint": Text(
        "Recordings, keys and settings", "Dữ liệu đã ghi nhận, các khóa và cài đặt"
    ),
    "page_erase_what": Text("This will be deleted for good", "Những gì sẽ bị xóa vĩnh viễn"),
    "page_erase_recordings": Text(
        "everything that this device recorded, and what it found out from it",
        "mọi dữ liệu thiết bị đã ghi nhận và kết quả tính được từ đó",
    ),
    "page_erase_keys": Text(
        "this device's own keys: without them you cannot warn those whom you met so far",
        "các khóa của thiết bị: không còn khóa thì bạn không thể cảnh báo những người đã gặp đến"
        " nay",
    ),
    "page_erase_settings": Text(
        "the settings and the connection to your health authority",
        "cài đặt và kết nối với cơ quan y tế",
    ),
    "page_erase_not": Text("This stays", "Những gì vẫn còn"),
    "page_erase_reported": Text(
        "Keys that you reported stay published. To take them back, you need a code of a negative"
        " test, and must do it before you delete.",
        "Các khóa bạn đã khai báo vẫn được công bố. Muốn thu hồi, bạn cần mã của kết quả âm tính và"
        " phải thu hồi trước khi xóa.",
    ),
    "page_erase_files": Text(
        "Files that you saved elsewhere stay where they are.",
        "Những tệp bạn đã lưu ở nơi khác vẫn nằm ở đó.",
    ),
    "page_erase_running": Text(
        "The device is recording now. It is stopped first, which may take half a minute.",
        "Thiết bị đang ghi nhận. Việc ghi nhận sẽ được dừng trước khi xóa và có thể mất nửa phút.",
    ),
    "page_erase_sure": Text(
        "Yes, delete everything. I know that it cannot be undone.",
        "Tôi muốn xóa toàn bộ và biết rằng không thể khôi phục lại.",
    ),
    "page_erase_not_sure": Text(
        "Nothing was deleted. Tick the box first if you are sure.",
        "Chưa xóa gì. Nếu đã chắc chắn, hãy đánh dấu vào ô trước.",
    ),
    "page_erase_yes": Text("Delete everything", "Xóa toàn bộ"),
    "page_erase_no": Text("Keep everything", "Không xóa"),
    "page_erase_partly": Text("Not everything could be deleted.", "Chưa xóa được toàn bộ."),
    "page_erased_left": Text(
        "These files in {folder} do not belong to truyvet and are still there:",
        "Những tệp sau trong {folder} không thuộc truyvet nên vẫn còn:",
    ),
    "page_erased_stopped": Text("The device stopped recording.", "Thiết bị đã dừng ghi nhận."),
    "page_erased_end": Text(
        "This page is closed now. You can close this tab.",
        "Trang này đã đóng. Bạn có thể đóng thẻ trình duyệt này.",
    ),
}
"""The texts by name."""
