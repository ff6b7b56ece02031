"""Texts of the areas: the owner's own, its level, and the choice of one."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "area_own": Text("Your area, {area}: {level}", "Địa bàn của bạn, {area}: {level}"),
    "area_no_level": Text("no level is stated", "chưa công bố cấp độ"),
    "area_dated": Text(
        "The authority set the levels on {date}.", "Cơ quan y tế công bố các cấp độ ngày {date}."
    ),
    "area_old": Text(
        "That was more than 14 days ago, so they may no longer hold: ask the authority.",
        "Đã quá 14 ngày nên có thể không còn đúng: hãy hỏi cơ quan y tế.",
    ),
    "area_late": Text(
        "The server last confirmed this list on {date}, so a newer one may be missing.",
        "Máy chủ xác nhận danh sách này lần cuối ngày {date} nên có thể thiếu danh sách mới hơn.",
    ),
    "area_gone": Text(
        "Your area, {area}, is no longer in the authority's list of {date}: choose again.",
        "Địa bàn của bạn, {area}, không còn trong danh sách ngày {date} của cơ quan y tế: hãy chọn"
        " lại.",
    ),
    "area_not_chosen": Text(
        "Your area is not chosen. The authority publishes levels of {count} areas.",
        "Bạn chưa chọn địa bàn. Cơ quan y tế công bố cấp độ dịch của {count} địa bàn.",
    ),
    "area_withdrawn": Text(
        "The authority withdrew its levels of areas on {date}, and publishes none now.",
        "Cơ quan y tế đã rút lại các cấp độ dịch ngày {date} và hiện không công bố cấp độ nào.",
    ),
    "area_unpublished": Text(
        "The authority publishes no levels of areas.",
        "Cơ quan y tế không công bố cấp độ dịch của địa bàn nào.",
    ),
    "area_unread": Text(
        "This device has no levels of areas yet.",
        "Thiết bị chưa có cấp độ dịch của địa bàn nào.",
    ),
    "area_how": Text(
        "Choose your area by its name: truyvet agent area NAME",
        "Hãy chọn địa bàn theo tên: truyvet agent area TÊN",
    ),
    "area_chosen": Text(
        "Noted on this device only; it is never sent.", "Chỉ lưu trên thiết bị này, không gửi đi."
    ),
    "area_forgotten": Text(
        "Your area is no longer noted on this device.",
        "Đã xóa địa bàn của bạn khỏi thiết bị này.",
    ),
    "area_several": Text(
        "{count} areas fit. Give more of the name, or the code at the start of the line.",
        "Có {count} địa bàn phù hợp. Hãy gõ thêm phần của tên, hoặc mã ở đầu dòng.",
    ),
    "area_inside": Text(
        "{count} areas. Choose one by the code at the start of its line.",
        "Có {count} địa bàn. Hãy chọn bằng mã ở đầu dòng.",
        one="1 area. Choose it by the code at the start of its line.",
    ),
    "area_cut": Text("… and {count} more", "… và {count} địa bàn khác"),
    "areas_fault": Text(
        "The server's newest levels of areas cannot be used: {fault}",
        "Không dùng được các cấp độ dịch mới nhất của máy chủ: {fault}",
    ),
    "error_areas_missing": Text(
        "the server no longer gives the list that it gave before, so the last one stays: if it"
        " remains so, inform the authority",
        "máy chủ không còn gửi danh sách đã từng gửi nên danh sách trước được giữ lại: nếu vẫn vậy,"
        " hãy báo cho cơ quan y tế",
    ),
    "error_areas_older": Text(
        "the list is older than the one this device has, which stays: try again in an hour; if it"
        " remains so, inform the authority",
        "danh sách cũ hơn danh sách mà thiết bị đang giữ: hãy thử lại sau một giờ; nếu vẫn vậy, hãy"
        " báo cho cơ quan y tế",
    ),
    "error_areas_region": Text(
        "the list is for another region: inform the authority",
        "danh sách thuộc khu vực khác: hãy báo cho cơ quan y tế",
    ),
    "error_areas_unusable": Text(
        "the list is damaged, or not signed by the authority: inform the authority",
        "danh sách bị hỏng hoặc không có chữ ký của cơ quan y tế: hãy báo cho cơ quan y tế",
    ),
    "error_areas_none": Text(
        "this device has no levels of areas: the authority publishes none, or no check has fetched"
        " them yet",
        "thiết bị chưa có cấp độ dịch của địa bàn nào: cơ quan y tế không công bố, hoặc chưa có lần"
        " kiểm tra nào tải về",
    ),
    "error_area_unknown": Text(
        "the authority's list has no such area: give only a part of its name, such as one word",
        "danh sách của cơ quan y tế không có địa bàn này: hãy chỉ gõ một phần của tên, chẳng hạn"
        " một từ",
    ),
    "error_area_inside": Text(
        "--in must name one area at the top of the list, such as a province: give its whole name or"
        " its code",
        "--in phải nêu đúng một địa bàn trên cùng của danh sách, như một tỉnh: hãy ghi cả tên hoặc"
        " mã",
    ),
}
"""The texts by name."""
