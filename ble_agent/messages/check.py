"""Texts of a check for exposures.

None of them says that there was no contact, only that none was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "nothing_recorded": Text(
        "This device has recorded no stay near a person who later reported a positive test or"
        " diagnosis. It records only devices that were switched on and sending nearby, so you may"
        " still have been exposed.",
        "Thiết bị này chưa ghi nhận lần nào bạn ở gần người mà sau đó báo cáo có kết quả dương tính"
        " hoặc được chẩn đoán mắc bệnh. Thiết bị chỉ ghi nhận được những thiết bị đang bật và phát"
        " tín hiệu ở gần, nên bạn vẫn có thể đã bị phơi nhiễm.",
    ),
    "recorded": Text(
        "This device has recorded that you were near a person who later reported a positive test"
        " or diagnosis:",
        "Thiết bị này đã ghi nhận bạn từng ở gần người mà sau đó báo cáo có kết quả dương tính hoặc"
        " được chẩn đoán mắc bệnh:",
    ),
    "recorded_faint": Text(
        "This device has recorded signals of a person who later reported a positive test or"
        " diagnosis, but too briefly or from too far away to count as an exposure by your health"
        " authority's rules:",
        "Thiết bị này đã ghi nhận tín hiệu của người mà sau đó báo cáo có kết quả dương tính hoặc"
        " được chẩn đoán mắc bệnh, nhưng thời gian quá ngắn hoặc khoảng cách quá xa nên theo quy"
        " định của cơ quan y tế chưa tính là phơi nhiễm:",
    ),
    "recorded_day": Text(
        "  {date}: about {minutes} minutes, risk: {level}",
        "  {date}: khoảng {minutes} phút, mức nguy cơ: {level}",
    ),
    "level_high": Text("high", "cao"),
    "level_medium": Text("medium", "trung bình"),
    "level_low": Text("low", "thấp"),
    "level_none": Text("below the warning threshold", "dưới ngưỡng cảnh báo"),
    "what_to_do": Text("What to do: {advice}", "Bạn nên làm gì: {advice}"),
    "default_advice": Text(
        "Keep your distance from others, watch for symptoms, get tested, and ask your health"
        " authority what applies to you.",
        "Hãy giữ khoảng cách với người khác, theo dõi triệu chứng, đi xét nghiệm và hỏi cơ quan y"
        " tế để được hướng dẫn cụ thể.",
    ),
    "contact": Text("Contact: {contact}", "Liên hệ: {contact}"),
    "risk_model_unusable": Text(
        "Your health authority weighs exposures by “{model}”, which this version cannot use. Its"
        " standard rules were used instead: update truyvet.",
        "Cơ quan y tế đánh giá nguy cơ theo “{model}” mà phiên bản này chưa dùng được nên thiết bị"
        " dùng quy tắc chuẩn của cơ quan y tế: hãy cập nhật truyvet.",
    ),
    "notify_body": Text(
        "There is something to read: truyvet agent check",
        "Có thông tin mới cần đọc: truyvet agent check",
    ),
}
"""The texts by name."""
