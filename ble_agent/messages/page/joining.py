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
        "This device has joined the health authority of {region}.",
        "Thiết bị này đang kết nối với cơ quan y tế của khu vực {region}.",
    ),
    "page_join_line": Text("The authority's join line", "Dòng kết nối của cơ quan y tế"),
    "page_join_hint": Text(
        "It looks like https://keys.example.org#0f5c… Copy the whole line from the authority's own"
        " website or leaflet.",
        "Dòng này có dạng https://keys.example.org#0f5c… Hãy sao chép cả dòng từ trang web hoặc tờ"
        " hướng dẫn của chính cơ quan y tế.",
    ),
    "page_join_check": Text(
        "Is this your authority?", "Đây có đúng là cơ quan y tế của bạn không?"
    ),
    "page_join_server": Text("Address", "Địa chỉ"),
    "page_join_fingerprint": Text(
        "Fingerprint of its key, for comparison",
        "Dấu vân tay của khóa (dãy ký tự để bạn đối chiếu)",
    ),
    "page_join_means": Text(
        "From now on this device takes published keys, rules and advice from this address. Joining"
        " sends nothing about you.",
        "Từ nay thiết bị lấy các khóa đã công bố, quy tắc và hướng dẫn từ địa chỉ này. Việc kết nối"
        " không gửi đi thông tin nào về bạn.",
    ),
    "page_join_photo": Text(
        "Or a photo of the authority's QR code", "Hoặc ảnh chụp mã QR của cơ quan y tế"
    ),
    "page_photo_hint": Text(
        "JPEG, PNG or WebP. The photo is read on this device and deleted at once.",
        "JPEG, PNG hoặc WebP. Ảnh được đọc ngay trên thiết bị này rồi xóa.",
    ),
    "page_photo_read": Text("Read the photo", "Đọc ảnh"),
    "page_photo_none": Text(
        "Photos of codes cannot be read here: the library for it (zxing-cpp) is not installed on"
        " this device. Type or paste instead.",
        "Thiết bị này chưa cài thư viện đọc ảnh mã QR (zxing-cpp). Hãy nhập hoặc dán vào ô ở trên.",
    ),
    "page_join_file": Text("Or a join file", "Hoặc tệp kết nối"),
    "page_join_file_hint": Text(
        "A file in TOML that the authority publishes if its servers are not truyvet servers.",
        "Tệp TOML do cơ quan y tế công bố nếu nơi đó không dùng máy chủ truyvet.",
    ),
    "page_join_region": Text("Region", "Khu vực"),
    "page_join_index": Text("Published keys", "Nơi lấy các khóa đã công bố"),
    "page_join_codes": Text("Codes are checked at", "Nơi kiểm tra mã"),
    "page_join_reports": Text("Reports go to", "Nơi nhận khai báo"),
    "page_join_keys": Text("Signed with", "Được ký bằng"),
    "page_join_file_means": Text(
        "Joining fetches the newest keys and sends one trial report of random bytes. It sends"
        " nothing about you.",
        "Khi kết nối, thiết bị tải các khóa mới nhất và gửi thử một khai báo chỉ gồm các byte ngẫu"
        " nhiên. Việc này không gửi đi thông tin nào về bạn.",
    ),
    "page_join_yes": Text("Join", "Kết nối"),
    "page_joined": Text(
        "This device has joined the health authority of {region}.",
        "Thiết bị đã kết nối với cơ quan y tế của khu vực {region}.",
    ),
}
"""The texts by name."""
