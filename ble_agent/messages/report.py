"""Texts of reporting a test."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "report_question": Text(
        "This sends this device's keys ({first} to {last}, days: {count}) to {url}. With them,"
        " other people's devices find out by themselves whether they were near yours. Your name and"
        " your whereabouts are not sent. Send the keys?",
        "Thao tác này gửi khóa của {count} ngày (từ {first} đến {last}) tới {url}. Nhờ đó, thiết bị"
        " của người khác có thể tự kiểm tra xem đã từng ở gần thiết bị của bạn hay chưa. Tên và nơi"
        " bạn đã đến không được gửi đi. Bạn có đồng ý gửi các khóa này không?",
    ),
    "reported": Text(
        "Thank you. The server has taken this device's keys (days: {count}). Today's key is"
        " published only after it has expired.",
        "Cảm ơn bạn. Máy chủ đã nhận khóa của {count} ngày. Khóa của hôm nay chỉ được công bố sau"
        " khi hết hạn.",
    ),
    "taken_back": Text(
        "This device's keys were taken back (days: {count}): the test was negative. The devices"
        " that were near take back what they told their owners once they have checked again.",
        "Đã thu hồi khóa của {count} ngày vì kết quả xét nghiệm là âm tính. Thiết bị của những"
        " người từng ở gần bạn sẽ bỏ cảnh báo sau lần kiểm tra tới.",
    ),
    "error_no_keys": Text(
        "this device has sent nothing in the last 14 days, so there is nothing to report",
        "trong 14 ngày qua thiết bị chưa phát tín hiệu nào nên không có gì để báo cáo",
    ),
    "error_code_expired": Text(
        "the code has expired: ask the authority for a new one",
        "mã đã hết hạn: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_code_used": Text(
        "the code was used already: ask the authority for a new one",
        "mã đã được sử dụng: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_code_unknown": Text(
        "the authority knows no such code: check each letter and digit",
        "cơ quan y tế không có mã này: hãy kiểm tra lại từng chữ và số",
    ),
    "error_invalid_test_type": Text(
        "the code belongs to a kind of test that cannot be reported: ask the authority",
        "mã thuộc loại xét nghiệm không thể báo cáo: hãy hỏi cơ quan y tế",
    ),
    "error_token_expired": Text(
        "too much time has passed since the code was entered: ask the authority for a new one",
        "đã quá lâu kể từ khi nhập mã: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_keys_refused": Text(
        "the server did not accept the keys: ask the authority",
        "máy chủ không chấp nhận các khóa: hãy liên hệ cơ quan y tế",
    ),
}
"""The texts by name."""
