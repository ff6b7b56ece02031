"""Texts of the screens on which a device joins a health authority."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_join_title": Text("Join your health authority", "Kết nối với cơ quan y tế"),
    "page_join_why": Text(
        "This device does not belong to a health authority yet. It can record, but it cannot find"
        " out whether you were exposed.",
        "Thiết bị này chưa kết nối với cơ quan y tế nào. Thiết bị có thể ghi nhận tín hiệu nhưng"
        " chưa thể biết bạn có tiếp xúc gần hay không.",
    ),
    "page_join_now": Text(
        "This device belongs to the health authority of {region}.",
        "Thiết bị này đang kết nối với cơ quan y tế của khu vực {region}.",
    ),
    "page_join_line": Text("The authority's join line", "Dòng kết nối của cơ quan y tế"),
    "page_join_hint": Text(
        "It looks like https://keys.example.org#0f5c… Copy the whole line from the authority's own"
        " website or leaflet.",
        "Dòng này có dạng https://keys.example.org#0f5c… Hãy sao chép cả dòng từ trang web hoặc tờ"
        " hướng dẫn của chính cơ quan y tế.",
    ),
    "page_join_check": Text("Is this your authority?", "Đây có đúng là cơ quan y tế của bạn?"),
    "page_join_server": Text("Address", "Địa chỉ"),
    "page_join_fingerprint": Text(
        "Fingerprint of its key, for comparison", "Dấu vân tay của khóa, để bạn đối chiếu"
    ),
    "page_join_means": Text(
        "From now on this device takes published keys, rules and advice from this address. Joining"
        " sends nothing about you.",
        "Từ nay thiết bị lấy các khóa đã công bố, quy tắc và lời khuyên từ địa chỉ này. Việc kết"
        " nối không gửi đi thông tin nào về bạn.",
    ),
    "page_join_yes": Text("Join", "Kết nối"),
    "page_joined": Text(
        "This device has joined the health authority of {region}.",
        "Thiết bị đã kết nối với cơ quan y tế của khu vực {region}.",
    ),
}
"""The texts by name."""
