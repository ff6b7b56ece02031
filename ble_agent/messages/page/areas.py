"""Texts of the screen where the owner chooses an area, and of its part of *Today*."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_area": Text("Where you live", "Nơi bạn ở"),
    "page_link_area_hint": Text(
        "The level of the epidemic in your area", "Cấp độ dịch của địa bàn bạn ở"
    ),
    "page_area_why": Text(
        "Your choice stays on this device. It fetches the levels of all areas, as every device"
        " does, so no one can see which is yours.",
        "Lựa chọn của bạn chỉ lưu trên thiết bị này. Thiết bị tải cấp độ của mọi địa bàn, giống như"
        " các thiết bị khác, nên không ai biết bạn ở đâu.",
    ),
    "page_area_find": Text("Find your area", "Tìm địa bàn của bạn"),
    "page_area_inside": Text("Province or city", "Tỉnh, thành phố"),
    "page_area_anywhere": Text("Anywhere", "Tất cả"),
    "page_area_name": Text("Name, or a part of it", "Tên, hoặc một phần của tên"),
    "page_area_name_hint": Text(
        "With or without marks. Leave it empty to list the whole province or city.",
        "Có dấu hoặc không dấu. Để trống nếu muốn liệt kê cả tỉnh, thành phố.",
    ),
    "page_area_search": Text("Find", "Tìm"),
    "page_area_found": Text("{count} areas found", "Tìm thấy {count} địa bàn", one="1 area found"),
    "page_area_cut": Text(
        "Only the first {count} are listed: give more of the name.",
        "Chỉ liệt kê {count} địa bàn đầu: hãy gõ thêm phần của tên.",
    ),
    "page_area_choose": Text("Choose", "Chọn"),
    "page_area_chosen": Text("Saved on this device only.", "Đã lưu, chỉ trên thiết bị này."),
    "page_area_not_found": Text(
        "No area has this name. Give only a part of it, such as one word.",
        "Không có địa bàn nào tên như vậy. Hãy chỉ gõ một phần của tên, chẳng hạn một từ.",
    ),
    "page_area_empty": Text(
        "Choose a province or city, or give a part of the name.",
        "Hãy chọn tỉnh, thành phố hoặc gõ một phần của tên.",
    ),
    "page_area_forget": Text("Delete my choice", "Xóa lựa chọn của tôi"),
    "page_area_pick": Text("Choose your area", "Chọn địa bàn"),
    "page_area_change": Text("Another area", "Đổi địa bàn"),
}
"""The texts by name."""
