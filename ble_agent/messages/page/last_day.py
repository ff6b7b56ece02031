"""Texts of the page about the last day."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_last_day": Text("The last day", "Ngày cuối"),
    "page_last_day_asked": Text(
        "The authority has named {date} as the last day. If you agree, this device stops after it"
        " and deletes everything it holds. Nothing can move that day later.",
        "Cơ quan y tế đã ấn định {date} là ngày cuối. Nếu bạn đồng ý, sau ngày đó thiết bị ngừng"
        " hoạt động và xóa mọi thứ đang lưu. Về sau không gì dời được ngày này.",
    ),
    "page_last_day_asked_usual": Text(
        "This device joined without a last day. If you agree, it takes part until {date}, then"
        " stops and deletes everything it holds. Nothing can move that day later.",
        "Thiết bị này đã kết nối mà chưa có ngày cuối. Nếu bạn đồng ý, thiết bị tham gia đến hết"
        " {date}, sau đó ngừng hoạt động và xóa mọi thứ đang lưu. Về sau không gì dời được ngày"
        " này.",
    ),
    "page_last_day_until": Text(
        "Until you agree, it goes on as before. You are asked only once.",
        "Chừng nào bạn chưa đồng ý, thiết bị vẫn hoạt động như cũ. Bạn chỉ được hỏi một lần.",
    ),
    "page_last_day_agree": Text("I agree", "Tôi đồng ý"),
    "page_last_day_decline": Text("No, go on without it", "Không, cứ tiếp tục"),
    "page_last_day_noted": Text("Your answer is noted.", "Đã ghi nhận câu trả lời của bạn."),
    "page_last_day_declined": Text(
        "You have agreed to no last day, so this device goes on.",
        "Bạn chưa đồng ý với ngày cuối nào nên thiết bị vẫn hoạt động.",
    ),
    "page_last_day_change": Text("Agree to {date}", "Đồng ý với {date}"),
    "page_over": Text("It is over", "Đã kết thúc"),
    "page_over_join": Text("Join something new", "Kết nối với đợt mới"),
}
"""The texts by name."""
