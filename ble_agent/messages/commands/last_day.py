"""Texts of the last day: agreeing to it, and what is said when it is over."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "join_last_day": Text(
        "The last day is {date}; the authority named it. After it this device stops and deletes"
        " everything it holds. Nothing can move that day later.",
        "Ngày cuối là {date}, do cơ quan y tế ấn định. Sau ngày đó, thiết bị ngừng hoạt động và xóa"
        " mọi thứ đang lưu. Về sau không gì dời được ngày này.",
    ),
    "join_last_day_usual": Text(
        "The last day is {date}; the authority named none, so this device takes part for a year."
        " After it this device stops and deletes everything it holds. Nothing can move that day"
        " later.",
        "Ngày cuối là {date}: cơ quan y tế không ấn định nên thiết bị tham gia một năm. Sau ngày"
        " đó, thiết bị ngừng hoạt động và xóa mọi thứ đang lưu. Về sau không gì dời được ngày này.",
    ),
    "join_yes": Text("Join and agree to it?", "Bạn có đồng ý và kết nối không?"),
    "last_day_yes": Text("Do you agree?", "Bạn có đồng ý không?"),
    "last_day_agreed": Text(
        "This device takes part until {date}. Then it stops and deletes everything it holds.",
        "Thiết bị này tham gia đến hết {date}. Sau đó thiết bị ngừng hoạt động và xóa mọi thứ đang"
        " lưu.",
    ),
    "last_day_asked": Text(
        "Your answer is needed: the authority has named {date} as the last day. If you agree, this"
        " device stops after it and deletes everything it holds. Until you agree, it goes on as"
        " before. To answer: truyvet agent last-day",
        "Cần bạn trả lời: cơ quan y tế đã ấn định {date} là ngày cuối. Nếu bạn đồng ý, sau ngày đó"
        " thiết bị ngừng hoạt động và xóa mọi thứ đang lưu. Chừng nào bạn chưa đồng ý, thiết bị vẫn"
        " hoạt động như cũ. Để trả lời: truyvet agent last-day",
    ),
    "last_day_asked_usual": Text(
        "Your answer is needed: this device joined without a last day. If you agree, it takes part"
        " until {date}, then stops and deletes everything it holds. Until you agree, it goes on as"
        " before. To answer: truyvet agent last-day",
        "Cần bạn trả lời: thiết bị này đã kết nối mà chưa có ngày cuối. Nếu bạn đồng ý, thiết bị"
        " tham gia đến hết {date}, sau đó ngừng hoạt động và xóa mọi thứ đang lưu. Chừng nào bạn"
        " chưa đồng ý, thiết bị vẫn hoạt động như cũ. Để trả lời: truyvet agent last-day",
    ),
    "last_day_declined": Text(
        "You have agreed to no last day, so this device goes on. The authority ends its service"
        " after {date}. To agree to that day: truyvet agent last-day --yes",
        "Bạn chưa đồng ý với ngày cuối nào nên thiết bị vẫn hoạt động. Cơ quan y tế ngừng phục vụ"
        " sau {date}. Để đồng ý với ngày đó: truyvet agent last-day --yes",
    ),
    "last_day_declined_usual": Text(
        "You have agreed to no last day, so this device goes on. To end it after {date}: truyvet"
        " agent last-day --yes",
        "Bạn chưa đồng ý với ngày cuối nào nên thiết bị vẫn hoạt động. Để thiết bị ngừng sau"
        " {date}: truyvet agent last-day --yes",
    ),
    "last_day_is_over": Text(
        "The last day was {date}. This device sends, records, checks and reports no more. It"
        " deletes everything it holds as soon as it is certain that its clock is right.",
        "Ngày cuối là {date} và đã qua. Thiết bị không phát, ghi nhận, kiểm tra hay gửi khai báo"
        " nữa. Khi chắc chắn đồng hồ đúng, thiết bị xóa mọi thứ đang lưu.",
    ),
    "over_deleting": Text(
        "The last day is over. Everything that truyvet holds here is being deleted.",
        "Ngày cuối đã qua. Mọi thứ truyvet lưu ở đây đang được xóa.",
    ),
    "over_note": Text(
        "The last day is over. Everything that truyvet held here is deleted.",
        "Ngày cuối đã qua. Mọi thứ truyvet lưu ở đây đã được xóa.",
    ),
    "over_again": Text(
        "To take part in something new, join with the new line of your authority: truyvet agent"
        " join LINE",
        "Muốn tham gia đợt mới, hãy kết nối bằng dòng kết nối mới của cơ quan y tế: truyvet agent"
        " join DÒNG",
    ),
    "error_over": Text(
        "the last day is over, and everything was deleted: to take part in something new, run"
        " truyvet agent join with a new line",
        "ngày cuối đã qua và mọi thứ đã được xóa: muốn tham gia đợt mới, hãy chạy lệnh truyvet"
        " agent join kèm dòng kết nối mới",
    ),
    "error_after_last_day": Text(
        "the last day is over, so this device sends, checks and adds nothing more: if its clock is"
        " wrong, set it right",
        "ngày cuối đã qua nên thiết bị không gửi, kiểm tra hay thêm gì nữa: nếu đồng hồ sai, hãy"
        " chỉnh lại",
    ),
    "error_ended": Text(
        "the authority has ended its service: ask it whether there is a new join line",
        "cơ quan y tế đã ngừng phục vụ: hãy hỏi cơ quan đó có dòng kết nối mới không",
    ),
    "error_last_day_unseen": Text(
        "the form came without a last day: go back and look at it again",
        "biểu mẫu thiếu ngày cuối: hãy quay lại và xem lại",
    ),
    "last_day_over": Text(
        "the last day of this service was {day}: ask the authority for a new join line or file",
        "ngày cuối của dịch vụ này là {day}: hãy xin cơ quan y tế dòng hoặc tệp kết nối mới",
    ),
    "last_day_far": Text(
        "the last day {day} is more than two years ahead: ask the authority for another line or"
        " file",
        "ngày cuối {day} còn hơn hai năm nữa: hãy xin cơ quan y tế dòng hoặc tệp kết nối khác",
    ),
    "last_day_changed": Text(
        "the last day is {day}, which is not the day you were shown: look at it again, then agree",
        "ngày cuối là {day}, khác ngày bạn đã xem: hãy xem lại rồi đồng ý",
    ),
    "last_day_fixed": Text(
        "the last day is {day}, as agreed, and stays so: to go on after it, join with a new line",
        "ngày cuối là {day} như đã đồng ý và không đổi: muốn tiếp tục sau ngày đó, hãy kết nối bằng"
        " dòng kết nối mới",
    ),
    "log_last_day_over": Text(
        "the last day is over: nothing is sent or recorded, and everything is deleted as soon as"
        " it is certain that the clock is right",
        "ngày cuối đã qua: không phát hay ghi nhận nữa, và mọi thứ sẽ được xóa khi chắc chắn đồng"
        " hồ đúng",
    ),
    "log_clock_is_back": Text(
        "the clock was set back before the end of the last day: going on",
        "đồng hồ đã được chỉnh về trước khi hết ngày cuối: tiếp tục hoạt động",
    ),
    "log_not_removed": Text(
        "not everything could be deleted, and it is tried again: {fault}",
        "chưa xóa được hết, sẽ thử lại: {fault}",
    ),
}
"""The texts by name."""
