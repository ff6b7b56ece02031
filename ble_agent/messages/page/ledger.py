"""Texts of the screen that lists what left the device."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_ledger": Text("What left this device", "Những gì đã rời thiết bị"),
    "page_link_ledger_hint": Text("Day by day, for 14 days", "Theo từng ngày, trong 14 ngày"),
    "page_ledger_why": Text(
        "Everything that this device sent, fetched or wrote for you in the last 14 days.",
        "Tất cả những gì thiết bị đã gửi đi, đã tải về hoặc đã ghi ra tệp cho bạn trong 14 ngày"
        " qua.",
    ),
    "page_ledger_empty": Text(
        "Nothing is noted for the last 14 days.", "Trong 14 ngày qua chưa ghi lại mục nào."
    ),
    "page_ledger_report": Text(
        "Your report: {count} random keys sent to {place}.",
        "Khai báo của bạn: đã gửi {count} khóa ngẫu nhiên tới {place}.",
        one="Your report: 1 random key sent to {place}.",
    ),
    "page_ledger_unconfirmed": Text(
        "Your report: {count} random keys sent to {place}, but it did not confirm that it took"
        " them.",
        "Khai báo của bạn: đã gửi {count} khóa ngẫu nhiên tới {place} nhưng chưa được xác nhận.",
        one="Your report: 1 random key sent to {place}, but it did not confirm that it took it.",
    ),
    "page_ledger_taken_back": Text(
        "Your report was taken back: {count} keys named to {place}.",
        "Đã thu hồi khai báo: đã báo cho {place} về {count} khóa.",
        one="Your report was taken back: 1 key named to {place}.",
    ),
    "page_ledger_code": Text(
        "A code sent to {place} to be checked, {count} times.",
        "Đã gửi mã tới {place} để kiểm tra, {count} lần.",
        one="A code sent to {place} to be checked.",
    ),
    "page_ledger_everything": Text(
        "All your data written to a file, {count} times.",
        "Đã lưu toàn bộ dữ liệu của bạn vào một tệp, {count} lần.",
        one="All your data written to a file.",
    ),
    "page_ledger_log": Text(
        "Your recordings written to a file: {count} sightings.",
        "Đã lưu dữ liệu ghi nhận của bạn vào tệp: {count} lượt ghi nhận.",
        one="Your recordings written to a file: 1 sighting.",
    ),
    "page_ledger_cover": Text(
        "Cover reports sent to {place}: {count}. They are random, and hide when you really report.",
        "Khai báo giả lập gửi tới {place}: {count} lần. Nội dung là ngẫu nhiên, để che thời điểm"
        " bạn khai báo thật.",
    ),
    "page_ledger_bluezone": Text(
        "Asked for the list of Bluezone keys, {count} times. Every device does; it says nothing"
        " about you.",
        "Đã hỏi máy chủ về danh sách khóa Bluezone, {count} lần. Thiết bị nào cũng hỏi như vậy,"
        " việc này không cho biết gì về bạn.",
        one="Asked for the list of Bluezone keys. Every device does; it says nothing about you.",
    ),
    "page_ledger_check": Text(
        "Asked for new key files, {count} times. This says nothing about you.",
        "Đã hỏi máy chủ về tệp khóa mới, {count} lần. Việc này không cho biết gì về bạn.",
        one="Asked for new key files, once. This says nothing about you.",
    ),
    "page_ledger_download": Text(
        "Key files fetched: {count}.", "Đã tải {count} tệp khóa đã công bố."
    ),
    "page_ledger_areas": Text(
        "Asked for the levels of all areas, {count} times. Every device asks for the same list, so"
        " this does not say where you live.",
        "Đã hỏi máy chủ về cấp độ dịch của mọi địa bàn, {count} lần. Thiết bị nào cũng hỏi cùng một"
        " danh sách nên việc này không cho biết bạn ở đâu.",
        one="Asked for the levels of all areas, once. Every device asks for the same list, so this"
        " does not say where you live.",
    ),
    "page_ledger_radio": Text(
        "Bluetooth sent random identifiers, a new one every 10 to 20 minutes.",
        "Bluetooth đã phát các mã định danh ngẫu nhiên, cứ 10 đến 20 phút lại đổi mã mới.",
    ),
    "page_requests": Text("Each request: {count}", "Từng yêu cầu: {count}"),
    "page_request_time": Text("Time", "Giờ"),
    "page_request_what": Text("What", "Nội dung"),
    "page_request_place": Text("Sent to", "Gửi tới"),
    "page_request_bytes": Text("Bytes", "Số byte"),
    "page_request_kind": Text("Kind", "Loại"),
    "page_request_outcome": Text("What became of it", "Kết quả"),
    "page_request_trust": Text("authority's keys", "khóa của cơ quan y tế"),
    "page_request_config": Text("authority's settings", "cấu hình của cơ quan y tế"),
    "page_request_areas": Text("levels of areas", "mức độ các địa bàn"),
    "page_request_index": Text("list of key files", "danh sách tệp khóa"),
    "page_request_signed_index": Text("signed list of key files", "danh sách tệp khóa có chữ ký"),
    "page_request_bluezone": Text("list for Bluezone", "danh sách dành cho Bluezone"),
    "page_request_key_file": Text("key file", "tệp khóa"),
    "page_request_mark": Text("whether a key file changed", "tệp khóa có thay đổi hay không"),
    "page_request_code": Text("code to be checked", "mã cần kiểm tra"),
    "page_request_certificate": Text("certificate for keys", "chứng nhận cho các khóa"),
    "page_request_keys": Text("keys", "khóa"),
    "page_request_other": Text("something else", "nội dung khác"),
    "page_request_cover": Text("cover", "giả lập"),
    "page_request_real": Text("real", "thật"),
    "page_request_answered": Text("answered ({status})", "đã trả lời ({status})"),
    "page_request_unanswered": Text("sent, no answer", "đã gửi, không có trả lời"),
    "page_request_never_left": Text("never left this device", "chưa rời thiết bị"),
    "page_request_stopped": Text(
        "not known: the program was stopped", "không rõ: chương trình đã dừng giữa chừng"
    ),
    "page_ledger_address": Text(
        "A server that is asked sees the internet address of your connection, as every website"
        " does.",
        "Máy chủ nhận yêu cầu sẽ thấy địa chỉ internet của bạn, giống như mọi trang web bạn mở.",
    ),
    "page_ledger_since": Text(
        "The list begins when this version of truyvet was installed.",
        "Danh sách bắt đầu từ khi cài phiên bản truyvet này.",
    ),
}
"""The texts by name."""
