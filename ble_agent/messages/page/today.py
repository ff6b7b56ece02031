"""Texts of the screen *Today*."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_state_recorded": Text(
        "You were near someone who tested positive", "Bạn đã ở gần người có kết quả dương tính"
    ),
    "page_about_recorded": Text(
        "This device found it out by itself. It has sent this to no one.",
        "Thiết bị tự tính ra điều này và không báo cho ai.",
    ),
    "page_state_other": Text(
        "You may have been near someone who tested positive",
        "Có thể bạn đã ở gần người có kết quả dương tính",
    ),
    "page_about_other": Text(
        "Bluezone, which you used before, recorded it. This device found it out by itself and has"
        " sent it to no one.\nHow near that person was is not known. {least} minutes or more in a"
        " day count as an exposure.",
        "Ứng dụng Bluezone mà bạn từng dùng đã ghi nhận điều này. Thiết bị tự tính ra và không báo"
        " cho ai.\nKhông rõ người đó ở gần đến mức nào. Từ {least} phút trở lên trong một ngày được"
        " tính là tiếp xúc gần.",
    ),
    "page_state_other_faint": Text(
        "Only brief signals recorded", "Chỉ ghi nhận tín hiệu trong thời gian ngắn"
    ),
    "page_about_other_faint": Text(
        "Bluezone, which you used before, recorded them of a person who tested positive. They do"
        " not count as an exposure, as on each day they lasted less than {least} minutes.",
        "Ứng dụng Bluezone mà bạn từng dùng đã ghi nhận tín hiệu của người có kết quả dương tính."
        " Vì mỗi ngày chưa tới {least} phút nên lần này chưa tính là tiếp xúc gần.",
    ),
    "page_state_faint": Text("Only faint signals recorded", "Chỉ ghi nhận tín hiệu yếu"),
    "page_about_faint": Text(
        "They came from a person who later reported a positive test, but were too brief or too far"
        " away to count as an exposure by your health authority's rules.",
        "Tín hiệu đến từ người mà sau đó khai báo có kết quả dương tính. Do thời gian quá ngắn hoặc"
        " khoảng cách quá xa, theo quy định của cơ quan y tế lần này chưa tính là tiếp xúc gần.",
    ),
    "page_state_none": Text("No exposure recorded", "Chưa ghi nhận tiếp xúc gần"),
    "page_about_none": Text(
        "In the last 14 days this device recorded no one nearby who later reported a positive"
        " test.\nIt records only devices that were switched on and sending nearby, so you may still"
        " have been exposed.",
        "Trong 14 ngày qua, thiết bị này chưa ghi nhận lần nào bạn ở gần người mà sau đó khai báo"
        " có kết quả dương tính.\nThiết bị chỉ ghi nhận được những thiết bị đang bật và phát tín"
        " hiệu ở gần, nên bạn vẫn có thể đã tiếp xúc gần với người nhiễm bệnh.",
    ),
    "page_doubtful": Text(
        "But something does not work at the moment, so what happens now may not be recorded. See"
        " the lines marked with a cross.",
        "Tuy nhiên, hiện có phần không hoạt động nên những gì xảy ra lúc này có thể không được ghi"
        " nhận. Hãy xem các dòng có dấu nhân.",
    ),
    "page_state_nothing_heard": Text(
        "No other device heard so far", "Chưa thu được tín hiệu của thiết bị nào"
    ),
    "page_about_nothing_heard": Text(
        "In the last 14 days this device recorded no signal of another device, so it cannot find an"
        " exposure. See below whether Bluetooth works.",
        "Trong 14 ngày qua, thiết bị này chưa ghi nhận tín hiệu của thiết bị nào khác nên chưa thể"
        " phát hiện tiếp xúc gần. Hãy xem Bluetooth có hoạt động không ở phần dưới.",
    ),
    "page_state_unknown": Text("Not known at the moment", "Hiện chưa thể biết"),
    "page_about_unknown": Text(
        "The published keys were not checked completely and recently, so this device cannot say"
        " whether you were exposed. The lines marked with a cross below say why.",
        "Thời gian gần đây thiết bị chưa kiểm tra được đầy đủ các khóa đã công bố nên chưa thể cho"
        " biết bạn có tiếp xúc gần hay không. Những dòng có dấu nhân ở phần dưới cho biết lý do.",
    ),
    "page_day": Text(
        "about {count} minutes, risk: {level}",
        "khoảng {count} phút, mức nguy cơ: {level}",
        one="about 1 minute, risk: {level}",
    ),
    "page_checked_ago": Text("Last check: {ago}.", "Lần kiểm tra gần nhất: {ago}."),
    "page_advice": Text("What to do", "Bạn nên làm gì"),
    "page_contact": Text("Call or visit", "Liên hệ"),
    "page_authority": Text("Your health authority", "Cơ quan y tế của bạn"),
    "page_have_code": Text("I have a code of a test", "Tôi có mã xác nhận"),
    "page_own_report": Text("Your report", "Khai báo của bạn"),
    "page_report_unfinished": Text(
        "Your report is not finished: send the same code again.",
        "Việc khai báo chưa hoàn tất: hãy gửi lại cùng mã đó.",
    ),
    "page_device": Text("This device", "Thiết bị này"),
    "page_works": Text("Works", "Bình thường"),
    "page_fails": Text("Does not work", "Có vấn đề"),
    "page_check_now": Text("Check now", "Kiểm tra ngay"),
    "page_checked": Text("The published keys were checked.", "Đã kiểm tra các khóa đã công bố."),
    "page_checked_partly": Text(
        "The check was not complete. The line about it says what was missing.",
        "Lần kiểm tra này chưa đầy đủ. Dòng về kiểm tra khóa cho biết còn thiếu gì.",
    ),
    "page_heard": Text("Signals heard per day", "Tín hiệu thu được mỗi ngày"),
    "page_heard_nothing": Text("None so far.", "Chưa có."),
    "page_date": Text("Day", "Ngày"),
    "page_bar": Text("In comparison", "So sánh"),
    "page_count": Text("Signals", "Số tín hiệu"),
    "page_heard_note": Text(
        "These are not people: each device nearby changes its identifier every 10 to 20 minutes.",
        "Đây không phải là số người: mỗi thiết bị ở gần đổi mã định danh sau mỗi 10 đến 20 phút.",
    ),
    "page_pinned": Text("Joined by a file", "Kết nối bằng tệp"),
}
"""The texts by name."""
