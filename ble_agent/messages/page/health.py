"""Texts of the screen *Health*."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_tab_health": Text("Health", "Sức khỏe"),
    "page_isolation": Text("Isolation", "Cách ly"),
    "page_isolation_left": Text("{count} days", "{count} ngày", one="1 day"),
    "page_isolation_private": Text(
        "This device counts the days by your health authority's rules. It sends this to no one.",
        "Thiết bị tự đếm ngày theo quy định của cơ quan y tế và không gửi thông tin này cho ai.",
    ),
    "page_health_today": Text("How are you today, {date}?", "Hôm nay bạn thế nào? ({date})"),
    "page_health_day": Text("How were you on {date}?", "Ngày {date} bạn thế nào?"),
    "page_health_noted": Text(
        "You have noted this day. Saving replaces what you noted.",
        "Ngày này đã được ghi. Khi bạn lưu, nội dung mới thay cho nội dung cũ.",
    ),
    "page_health_not_noted": Text("Not noted yet.", "Chưa ghi."),
    "page_health_signs": Text("Do you have any of these?", "Bạn có triệu chứng nào sau đây không?"),
    "page_health_signs_hint": Text(
        "If you have none, leave them empty and save.", "Nếu không có, hãy để trống rồi lưu."
    ),
    "page_health_met": Text("Were you near", "Bạn có ở gần"),
    "page_met_patient": Text(
        "A person who has the disease, or may have it", "Người bệnh hoặc nghi mắc bệnh"
    ),
    "page_met_traveller": Text(
        "A person from a place with an outbreak", "Người đến từ nơi đang có dịch"
    ),
    "page_met_ill": Text(
        "A person with fever, cough, shortness of breath or pneumonia",
        "Người có biểu hiện sốt, ho, khó thở hoặc viêm phổi",
    ),
    "page_health_test": Text("Your own test on this day", "Xét nghiệm của bạn trong ngày này"),
    "page_health_no_test": Text(
        "No test, or no result yet", "Không xét nghiệm hoặc chưa có kết quả"
    ),
    "page_health_negative": Text("Negative", "Âm tính"),
    "page_health_positive": Text("Positive", "Dương tính"),
    "page_health_save": Text("Save", "Lưu"),
    "page_health_saved": Text("Saved: the entry for {date}.", "Đã lưu mục của ngày {date}."),
    "page_health_private": Text(
        "The diary stays on this device for 21 days. It is sent to no one. When you send a code,"
        " you are asked whether to send the day on which your symptoms began.",
        "Nhật ký chỉ nằm trên thiết bị này, trong 21 ngày, và không gửi cho ai. Khi bạn gửi mã,"
        " trang sẽ hỏi bạn có muốn gửi kèm ngày bắt đầu có triệu chứng hay không.",
    ),
    "page_health_diary": Text("Diary of the last 21 days", "Nhật ký 21 ngày qua"),
    "page_health_change": Text("Change", "Sửa"),
    "page_health_remove": Text("Remove", "Xóa"),
    "page_health_other_day": Text("Another day", "Ngày khác"),
    "page_health_open_day": Text("Show this day", "Xem ngày này"),
    "page_onset": Text("The day on which your symptoms began", "Ngày bạn bắt đầu có triệu chứng"),
    "page_onset_hint": Text(
        "It is sent only if you choose it here and the code states no day. The authority then"
        " weighs your keys better.",
        "Chỉ gửi khi bạn chọn ở đây và mã không ghi ngày. Nhờ đó cơ quan y tế đánh giá các khóa"
        " đúng hơn.",
    ),
    "page_onset_none": Text("Do not send it", "Không gửi ngày này"),
    "page_onset_day": Text("Send {date}, from your diary", "Gửi ngày {date}, theo nhật ký"),
}
"""The texts by name."""
