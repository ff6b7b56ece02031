"""Texts about what Bluezone and other earlier apps recorded."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "bluezone_recorded": Text(
        "Bluezone, which you used before, recorded signals of a person who tested positive. How"
        " near that person was is not known. {least} minutes or more in a day count as an"
        " exposure:",
        "Ứng dụng Bluezone mà bạn từng dùng đã ghi nhận tín hiệu của người có kết quả dương tính."
        " Không rõ người đó ở gần đến mức nào. Từ {least} phút trở lên trong một ngày được tính là"
        " tiếp xúc gần:",
    ),
    "bluezone_faint": Text(
        "Bluezone, which you used before, recorded signals of a person who tested positive. They do"
        " not count as an exposure, as on each day they lasted less than {least} minutes:",
        "Ứng dụng Bluezone mà bạn từng dùng đã ghi nhận tín hiệu của người có kết quả dương tính."
        " Vì mỗi ngày chưa tới {least} phút nên lần này chưa tính là tiếp xúc gần:",
    ),
    "bluezone_day": Text(
        "{date}: about {count} minutes by Bluezone, strength unknown",
        "{date}: khoảng {count} phút theo Bluezone, không rõ cường độ tín hiệu",
        one="{date}: about 1 minute by Bluezone, strength unknown",
    ),
    "bluezone_nothing": Text(
        "What you took over from Bluezone was compared with your health authority's list, too: no"
        " one on it was recorded.",
        "Dữ liệu chuyển từ Bluezone cũng đã được đối chiếu với danh sách của cơ quan y tế: chưa ghi"
        " nhận ai trong danh sách.",
    ),
    "bluezone_uncompared": Text(
        "This does not cover all that you took over from Bluezone: {fault}.",
        "Kết quả này chưa bao gồm toàn bộ dữ liệu chuyển từ Bluezone: {fault}.",
    ),
    "bluezone_not_yet": Text(
        "What you took over from Bluezone has not been compared yet. To do it: truyvet agent check",
        "Dữ liệu chuyển từ Bluezone chưa được đối chiếu. Để đối chiếu: truyvet agent check",
    ),
    "other_no_list": Text(
        "What you took over from {app} could not be compared: your health authority publishes no"
        " list for it.",
        "Dữ liệu chuyển từ {app} chưa đối chiếu được: cơ quan y tế không công bố danh sách cho ứng"
        " dụng này.",
    ),
    "level_unknown": Text("strength unknown", "không rõ cường độ tín hiệu"),
}
"""The texts by name."""
