"""Texts of finding and taking over data of earlier apps."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "take_over_where": Text(
        "Look for data of earlier apps in {folders}? Nothing is added yet.",
        "Tìm dữ liệu của ứng dụng cũ trong {folders}? Chưa có gì được thêm vào.",
    ),
    "take_over_looked": Text(
        "Files looked at: {count}.",
        "Số tệp đã xem: {count}.",
    ),
    "take_over_log": Text(
        "✔ {path}: {format}. Rows read: {read}. Sightings to add: {kept}; already there: {known};"
        " older than 14 days: {too_old}.",
        "✔ {path}: {format}. Số dòng đã đọc: {read}. Lượt ghi nhận sẽ thêm: {kept}; đã có sẵn:"
        " {known}; cũ hơn 14 ngày: {too_old}.",
    ),
    "take_over_others": Text(
        "Files that hold no data of an earlier app: {count}.",
        "Số tệp không chứa dữ liệu của ứng dụng cũ: {count}.",
    ),
    "take_over_left": Text("Not looked at, {count}: {reason}.", "Chưa xem, {count}: {reason}."),
    "take_over_left_some": Text(
        "Not looked at, {count} or more: {reason}.", "Chưa xem, ít nhất {count}: {reason}."
    ),
    "left_link": Text("symbolic links, which are not followed", "liên kết tượng trưng"),
    "left_special": Text("pipes, sockets or devices", "ống dẫn (pipe), socket hoặc thiết bị"),
    "left_own": Text("this device's own data", "dữ liệu của chính thiết bị này"),
    "left_denied": Text("they cannot be read", "không đọc được"),
    "left_gone": Text("they vanished or changed meanwhile", "đã mất hoặc thay đổi giữa chừng"),
    "left_deep": Text(
        "folders more than two levels down", "thư mục nằm sâu hơn hai cấp thư mục con"
    ),
    "left_many": Text("more than 2,000 files", "vượt quá 2.000 tệp"),
    "left_late": Text("the five seconds were over", "đã hết 5 giây"),
    "left_large": Text(
        "together with the others they are larger than 512 MB",
        "cùng với các tệp khác vượt quá 512 MB",
    ),
    "take_over_go_on": Text(
        "To look there too, name the folder or the file: truyvet agent take-over FOLDER, truyvet"
        " agent import FILE",
        "Để xem cả những chỗ đó, hãy nêu tên thư mục hoặc tệp: truyvet agent take-over FOLDER,"
        " truyvet agent import FILE",
    ),
    "take_over_none": Text(
        "In what was looked at, there is no data of an earlier app.",
        "Trong những gì đã xem, không có dữ liệu của ứng dụng cũ.",
    ),
    "take_over_nothing": Text("There is nothing to add.", "Không có gì để thêm."),
    "take_over_question": Text(
        "Add all of this to what this device holds ({count} sightings)?",
        "Thêm tất cả những dữ liệu trên vào thiết bị này ({count} lượt ghi nhận)?",
        one="Add all of this to what this device holds (1 sighting)?",
    ),
    "taken_over": Text(
        "Added: {count} sightings. The next check compares them with the published keys: truyvet"
        " agent check",
        "Đã thêm {count} lượt ghi nhận. Lần kiểm tra tới sẽ đối chiếu những lượt này với các khóa"
        " đã công bố: truyvet agent check",
        one="Added: 1 sighting. The next check compares it with the published keys: truyvet agent"
        " check",
    ),
    "taken_over_other": Text(
        "Added: {count} sightings.",
        "Đã thêm {count} lượt ghi nhận.",
        one="Added: 1 sighting.",
    ),
    "error_take_over_nowhere": Text(
        "there is neither a folder for downloads nor a stick or card: name the folder, as in"
        " truyvet agent take-over FOLDER",
        "không thấy thư mục tải xuống, USB hay thẻ nhớ nào: hãy nêu tên thư mục, ví dụ truyvet"
        " agent take-over FOLDER",
    ),
    "error_take_over_unasked": Text(
        "a file with all data of a device was found, and nothing was added: leave --yes away to"
        " see what is in it, or name its folder",
        "tìm thấy một tệp chứa toàn bộ dữ liệu của một thiết bị nên chưa thêm gì: hãy bỏ --yes để"
        " xem nội dung trước, hoặc nêu rõ thư mục chứa tệp đó",
    ),
    "error_take_over_changed": Text(
        "what would be added has changed since it was shown, so nothing was added: look again",
        "những gì sẽ được thêm đã thay đổi so với lúc xem nên chưa thêm gì: hãy xem lại",
    ),
}
"""The texts by name."""
