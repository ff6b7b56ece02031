"""Texts of the home folder: questions, exporting, erasing."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "yes_or_no": Text("[y/N]", "[c = có, K = không]"),
    "nothing_done": Text("Nothing was sent or changed.", "Chưa gửi hay thay đổi gì."),
    "exported": Text(
        "{count} sightings were written to {path}. Keep the file to yourself: it tells whom you"
        " were near to anyone who has their keys.",
        "Đã ghi {count} lượt ghi nhận vào {path}. Hãy giữ kín tệp này: ai có khóa của người khác"
        " đều có thể dùng nó để biết bạn đã ở gần ai.",
    ),
    "erase_question": Text(
        "This deletes for good everything this device has recorded, its keys and its settings."
        " Delete it?",
        "Thao tác này xóa vĩnh viễn mọi thứ thiết bị đã ghi, các khóa và cài đặt của thiết bị."
        " Bạn có chắc muốn xóa không?",
    ),
    "erased": Text("Everything was deleted.", "Đã xóa toàn bộ."),
    "erased_but": Text(
        "What this device recorded, its keys and its settings were deleted. Not the agent's, and"
        " still in {folder}: {names}",
        "Đã xóa dữ liệu thiết bị đã ghi, các khóa và cài đặt. Những tệp sau không thuộc chương"
        " trình nên vẫn còn trong {folder}: {names}",
    ),
    "error_no_home": Text(
        "there is no agent in this folder yet: run truyvet agent join first",
        "thư mục này chưa có dữ liệu của chương trình: hãy chạy truyvet agent join trước",
    ),
    "error_own_file": Text(
        "this is the agent's own file: choose another name, or another folder",
        "đây là tệp của chính chương trình: hãy chọn tên khác hoặc thư mục khác",
    ),
    "error_running": Text(
        "the agent is running in this folder: stop it first",
        "chương trình đang chạy trong thư mục này: hãy dừng nó trước",
    ),
}
"""The texts by name."""
