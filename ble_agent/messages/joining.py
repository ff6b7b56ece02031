"""Texts of joining a health authority."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "joined": Text(
        "This device has joined {region} at {url}. Start it with: truyvet agent run",
        "Thiết bị này đã tham gia khu vực {region} tại {url}. Hãy khởi động bằng lệnh:"
        " truyvet agent run",
    ),
    "join_question": Text(
        "This device belongs to {region} at {url}. Joining {new} instead drops what the keys of"
        " that authority matched, and what it takes to take a report back there. All that was"
        " heard, this device's own keys and its settings are kept. Join the other one?",
        "Thiết bị này đang thuộc khu vực {region} tại {url}. Nếu chuyển sang {new}, kết quả đối"
        " chiếu với khóa của nơi cũ và thông tin cần để thu hồi báo cáo ở đó sẽ bị xóa. Mọi tín"
        " hiệu đã thu, khóa và cài đặt của thiết bị vẫn được giữ. Bạn có muốn chuyển không?",
    ),
    "error_join_line": Text(
        "this is no address of a server, or no line to join by: copy all of the line (https://…#…)"
        " that your authority gave you",
        "địa chỉ máy chủ hoặc dòng tham gia không đúng: hãy sao chép lại toàn bộ dòng"
        " (https://…#…) mà cơ quan y tế cung cấp",
    ),
    "error_not_joined": Text(
        "this device has joined no health authority: run truyvet agent join with the line your"
        " authority gave you",
        "thiết bị này chưa tham gia cơ quan y tế nào: hãy chạy lệnh truyvet agent join kèm dòng mà"
        " cơ quan y tế cung cấp",
    ),
    "error_trust": Text(
        "the server shows no key that this device trusts, and nothing of it was used: ask the"
        " authority",
        "máy chủ không chứng minh được khóa mà thiết bị tin cậy nên không có gì được sử dụng: hãy"
        " hỏi cơ quan y tế",
    ),
}
"""The texts by name."""
