"""Texts of joining a health authority."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "joined": Text(
        "This device has joined {region} at {url}. Start it with: truyvet agent run",
        "Thiết bị này đã kết nối với cơ quan y tế của khu vực {region} tại {url}. Hãy khởi động"
        " bằng lệnh: truyvet agent run",
    ),
    "join_question": Text(
        "This device belongs to {region} at {url}. If it joins {new} instead, it forgets which"
        " of that authority's keys matched, and can no longer take back a report made there."
        " Everything that was heard, this device's own keys and its settings are kept. Join the new"
        " authority?",
        "Thiết bị này đang kết nối với khu vực {region} tại {url}. Nếu chuyển sang {new}, kết quả"
        " đối chiếu với khóa của nơi cũ và thông tin cần để thu hồi khai báo ở đó sẽ bị xóa. Mọi"
        " tín hiệu đã thu, khóa và cài đặt của thiết bị vẫn được giữ. Bạn có muốn chuyển không?",
    ),
    "error_join_line": Text(
        "this is not a server's address or a join line: copy the whole line (https://…#…) that"
        " your authority gave you",
        "địa chỉ máy chủ hoặc dòng kết nối không đúng: hãy sao chép lại toàn bộ dòng"
        " (https://…#…) mà cơ quan y tế cung cấp",
    ),
    "error_not_joined": Text(
        "this device has not joined a health authority: run truyvet agent join with the line your"
        " authority gave you",
        "thiết bị này chưa kết nối với cơ quan y tế nào: hãy chạy lệnh truyvet agent join kèm dòng"
        " kết nối mà cơ quan y tế cung cấp",
    ),
    "error_trust": Text(
        "the server has no key that this device trusts, so nothing from it was used: ask the"
        " authority",
        "máy chủ không đưa ra được khóa mà thiết bị tin cậy nên thiết bị không dùng gì của máy chủ"
        " này: hãy hỏi cơ quan y tế",
    ),
}
"""The texts by name."""
