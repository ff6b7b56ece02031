"""Texts of the screens on which a test is reported."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_send_title": Text("Send a code", "Gửi mã xác nhận"),
    "page_send_why": Text(
        "After a positive test, your health authority gives you a code. With it you can warn those"
        " who were near you. They do not learn who you are.",
        "Khi bạn có kết quả dương tính, cơ quan y tế sẽ cấp cho bạn một mã xác nhận. Với mã đó, bạn"
        " có thể cảnh báo những người từng ở gần bạn. Họ không được biết bạn là ai.",
    ),
    "page_send_not_now": Text("Not possible at the moment", "Hiện chưa gửi được"),
    "page_code": Text("The code", "Mã"),
    "page_code_hint": Text(
        "From the authority's message or letter. No code? Ask the authority; its number is on the"
        " screen Today.",
        "Mã nằm trong tin nhắn hoặc giấy báo của cơ quan y tế. Nếu chưa có mã, hãy hỏi cơ quan y"
        " tế; số điện thoại có ở trang Hôm nay.",
    ),
    "page_code_photo": Text("Or a photo of the code", "Hoặc ảnh chụp mã"),
    "page_code_missing": Text("Type the code first.", "Hãy nhập mã trước."),
    "page_send_see": Text("See what will be sent", "Xem những gì sẽ gửi"),
    "page_send_nothing_yet": Text("Nothing is sent yet.", "Chưa có gì được gửi đi."),
    "page_take_back": Text("Take your report back", "Thu hồi khai báo"),
    "page_take_back_how": Text(
        "You have already reported. If a later test was negative, the authority gives you another"
        " code: enter it above, and your report is taken back.",
        "Bạn đã khai báo trước đó. Nếu lần xét nghiệm sau âm tính, cơ quan y tế sẽ cấp một mã khác:"
        " hãy nhập mã đó vào ô ở trên để thu hồi khai báo.",
    ),
    "page_send_check": Text("This will be sent", "Những gì sẽ được gửi"),
    "page_send_changed": Text(
        "What would be sent has changed since you looked. Nothing was sent. Please look again.",
        "Những gì sẽ gửi đã thay đổi kể từ lúc bạn xem. Chưa có gì được gửi đi. Hãy xem lại.",
    ),
    "page_sent": Text("Sent", "Sẽ gửi"),
    "page_sent_code": Text("The code", "Mã"),
    "page_sent_keys": Text("Random keys of this device", "Khóa ngẫu nhiên của thiết bị"),
    "page_sent_count": Text("{count} keys", "{count} khóa", one="1 key"),
    "page_sent_days": Text("They were in use on", "Những ngày đã dùng các khóa này"),
    "page_sent_to": Text("To", "Gửi tới"),
    "page_not_sent": Text("Not sent", "Không gửi đi"),
    "page_not_sent_list": Text(
        "Your name, your telephone number, where you were, whom you met, and your health diary.",
        "Tên, số điện thoại, những nơi bạn đã đến, những người bạn đã gặp và nhật ký sức khỏe.",
    ),
    "page_sent_means": Text(
        "The authority publishes the keys. Other people's devices use them to find out for"
        " themselves whether they were near yours.",
        "Cơ quan y tế công bố các khóa này. Nhờ đó, thiết bị của người khác tự kiểm tra được đã"
        " từng ở gần thiết bị của bạn hay chưa.",
    ),
    "page_sent_or_back": Text(
        "If the code is for a negative test, your earlier report is taken back instead.",
        "Nếu đây là mã của kết quả âm tính, khai báo trước đó của bạn sẽ được thu hồi.",
    ),
    "page_send_yes": Text("I agree: send", "Tôi đồng ý gửi"),
    "page_send_no": Text("Do not send", "Không gửi"),
    "page_after_report": Text("What now", "Tiếp theo"),
    "page_after_report_how": Text(
        "Follow the advice of your health authority. The device goes on recording, and you can"
        " close this page.",
        "Hãy làm theo hướng dẫn của cơ quan y tế. Thiết bị vẫn tiếp tục ghi nhận và bạn có thể đóng"
        " trang này.",
    ),
    "page_to_today": Text("To Today", "Về trang Hôm nay"),
}
"""The texts by name."""
