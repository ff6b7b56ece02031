"""Texts of a check for exposures.

None of them says that there was no contact, only that none was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "nothing_recorded": Text(
        "No exposure found: this device recorded no one nearby who later reported a positive test"
        " or diagnosis. It records only devices that were switched on and sending nearby, so you"
        " may still have been exposed.",
        "Chưa phát hiện tiếp xúc gần (phơi nhiễm): thiết bị này chưa ghi nhận lần nào bạn ở gần"
        " người mà sau đó khai báo có kết quả dương tính hoặc được chẩn đoán mắc bệnh. Thiết bị chỉ"
        " ghi nhận được những thiết bị đang bật và phát tín hiệu ở gần, nên bạn vẫn có thể đã tiếp"
        " xúc gần với người nhiễm bệnh.",
    ),
    "nothing_to_compare": Text(
        "This device has recorded no signal of another device in the last 14 days, so it cannot"
        " find an exposure. To see why: truyvet agent status",
        "Trong 14 ngày qua, thiết bị này chưa ghi nhận tín hiệu của thiết bị nào khác nên chưa thể"
        " phát hiện tiếp xúc gần (phơi nhiễm). Để biết lý do: truyvet agent status",
    ),
    "recorded": Text(
        "Exposure found: this device recorded that you were near a person who later reported a"
        " positive test or diagnosis:",
        "Phát hiện tiếp xúc gần (phơi nhiễm): thiết bị này đã ghi nhận bạn từng ở gần người mà sau"
        " đó khai báo có kết quả dương tính hoặc được chẩn đoán mắc bệnh:",
    ),
    "recorded_faint": Text(
        "This device recorded signals of a person who later reported a positive test or diagnosis."
        " They were too brief or too far away to count as an exposure by your health authority's"
        " rules:",
        "Thiết bị này đã ghi nhận tín hiệu của người mà sau đó khai báo có kết quả dương tính hoặc"
        " được chẩn đoán mắc bệnh. Do thời gian quá ngắn hoặc khoảng cách quá xa, theo quy định của"
        " cơ quan y tế lần này chưa tính là tiếp xúc gần (phơi nhiễm):",
    ),
    "recorded_day": Text(
        "  {date}: about {count} minutes, risk: {level}",
        "  {date}: khoảng {count} phút, mức nguy cơ: {level}",
        one="  {date}: about 1 minute, risk: {level}",
    ),
    "days_cut": Text(
        "The rules count each day from {time} to {time} (midnight UTC). What lies on either side of"
        " {time} was weighed separately.",
        "Quy tắc tính mỗi ngày từ {time} đến {time} hôm sau (nửa đêm giờ UTC), nên phần trước và"
        " phần sau {time} được đánh giá riêng.",
    ),
    "level_high": Text("high", "cao"),
    "level_medium": Text("medium", "trung bình"),
    "level_low": Text("low", "thấp"),
    "level_none": Text("below the warning threshold", "dưới ngưỡng cảnh báo"),
    "also_wrong": Text("Also wrong: {fault}.", "Ngoài ra còn có lỗi: {fault}."),
    "recordings_unreadable": Text(
        "{count} recordings on this device cannot be read (the first: row {row}) and were left"
        " out; the others were used. If there are more next time, check or replace the card",
        "{count} lượt ghi nhận trên thiết bị này không đọc được (đầu tiên: dòng {row}) nên đã được"
        " bỏ qua; những lượt còn lại vẫn được dùng. Nếu lần sau có nhiều hơn, hãy kiểm tra hoặc"
        " thay thẻ nhớ",
        one="1 recording on this device cannot be read (row {row}) and was left out; the others"
        " were used. If there are more next time, check or replace the card",
    ),
    "what_to_do": Text("What to do: {advice}", "Bạn nên làm gì: {advice}"),
    "default_advice": Text(
        "Keep your distance from others, watch for symptoms, get tested, and ask your health"
        " authority what applies to you.",
        "Hãy giữ khoảng cách với người khác, theo dõi triệu chứng, đi xét nghiệm và hỏi cơ quan y"
        " tế để được hướng dẫn cụ thể.",
    ),
    "contact": Text("Contact: {contact}", "Liên hệ: {contact}"),
    "keys_skipped": Text(
        "{count} of your health authority's new keys are damaged and were left out. The others were"
        " used.",
        "{count} khóa mới của cơ quan y tế bị hỏng nên đã được bỏ qua. Những khóa còn lại vẫn được"
        " dùng.",
        one="1 of your health authority's new keys is damaged and was left out. The others were"
        " used.",
    ),
    "risk_model_unusable": Text(
        "Your health authority weighs exposures by “{model}”, which this version cannot use. Its"
        " standard rules were used instead: update truyvet.",
        "Cơ quan y tế đánh giá nguy cơ theo “{model}” mà phiên bản này chưa dùng được nên thiết bị"
        " dùng quy tắc chuẩn của cơ quan y tế: hãy cập nhật truyvet.",
    ),
    # A notification shows neither day nor level to those who look over a shoulder.
    "notify_body": Text(
        "There is something to read: truyvet agent check",
        "Có thông tin mới cần đọc: truyvet agent check",
    ),
}
"""The texts by name."""
