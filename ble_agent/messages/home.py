"""Texts of the home folder: questions, exporting, erasing."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "yes_or_no": Text("[y/N]", "[c = có, K = không]"),
    "nothing_done": Text("Nothing was sent or changed.", "Chưa gửi hay thay đổi gì."),
    "nothing_erased": Text("Nothing was deleted.", "Chưa xóa gì."),
    "export_others": Text(
        "Not in this file: sightings of another protocol, {count}. To write them to a file of their"
        " own, use --protocol {protocol}.",
        "Tệp này không gồm các lượt ghi nhận của giao thức khác ({count}). Để ghi chúng vào tệp"
        " riêng, hãy dùng --protocol {protocol}.",
    ),
    "exported": Text(
        "{count} sightings were written to {path}. Keep the file private: anyone who has other"
        " people's keys can see from it whom you were near.",
        "Đã ghi {count} lượt ghi nhận vào {path}. Hãy giữ kín tệp này: ai có khóa của người khác"
        " đều có thể dùng nó để biết bạn đã ở gần ai.",
        one="1 sighting was written to {path}. Keep the file private: anyone who has other"
        " people's keys can see from it whom you were near.",
    ),
    "erase_question": Text(
        "This permanently deletes everything this device has recorded, its keys and its settings."
        " Delete it?",
        "Thao tác này xóa vĩnh viễn mọi dữ liệu thiết bị đã ghi nhận, các khóa và cài đặt của thiết"
        " bị. Bạn có chắc muốn xóa không?",
    ),
    "erase_running": Text(
        "The agent is running; it is stopped first.",
        "Chương trình đang chạy và sẽ được dừng trước khi xóa.",
    ),
    "erase_stopped": Text(
        "The agent was stopped. It starts again, empty, when you start it or when its service is"
        " started with this device.",
        "Chương trình đã được dừng. Chương trình sẽ bắt đầu lại từ đầu, không còn dữ liệu cũ, khi"
        " bạn khởi động hoặc khi dịch vụ khởi động cùng thiết bị.",
    ),
    "erased": Text("Everything was deleted.", "Đã xóa toàn bộ."),
    "erased_but": Text(
        "What this device recorded, its keys and its settings were deleted. These files do not"
        " belong to the agent and are still in {folder}: {names}",
        "Đã xóa dữ liệu thiết bị ghi nhận, các khóa và cài đặt. Những tệp sau không thuộc chương"
        " trình nên vẫn còn trong {folder}: {names}",
    ),
    "damaged": Text(
        "On {date} this device's recordings were found damaged or missing. {count} sightings could"
        " be recovered, and encounters before then may be missing.",
        "Ngày {date}, dữ liệu ghi nhận của thiết bị bị hỏng hoặc bị mất. Đã khôi phục {count} lượt"
        " ghi nhận; những lần tiếp xúc trước đó có thể bị thiếu.",
        one="On {date} this device's recordings were found damaged or missing. 1 sighting could be"
        " recovered, and encounters before then may be missing.",
    ),
    "damaged_keys": Text(
        "This device's own keys were lost too: a report warns only people met since {date}.",
        "Khóa của thiết bị cũng bị mất: nếu bạn khai báo, chỉ những người gặp từ {date} trở đi được"
        " cảnh báo.",
    ),
    "damaged_membership": Text(
        "The health authority was lost too: run truyvet agent join again.",
        "Thông tin cơ quan y tế cũng bị mất: hãy chạy lại truyvet agent join.",
    ),
    "error_no_home": Text(
        "there is no agent in this folder yet: run truyvet agent join first",
        "thư mục này chưa có dữ liệu của chương trình: hãy chạy truyvet agent join trước",
    ),
    "error_home_open": Text(
        "other users can write to this folder, so they could replace the key in it: choose another"
        " folder, or run chmod 700 on this one",
        "người dùng khác ghi được vào thư mục này nên có thể thay khóa trong đó: hãy chọn thư mục"
        " khác, hoặc chạy chmod 700 cho thư mục này",
    ),
    "error_home_foreign": Text(
        "this file belongs to another user: remove it, or take it over with chown",
        "tệp này thuộc về người dùng khác: hãy xóa tệp, hoặc đổi chủ sở hữu bằng chown",
    ),
    "error_own_file": Text(
        "this is the agent's own file: choose another name, or another folder",
        "đây là tệp của chính chương trình: hãy chọn tên khác hoặc thư mục khác",
    ),
    "error_importing": Text(
        "another command is at work in this folder: wait until it is done, then try again",
        "một lệnh khác đang chạy trong thư mục này: hãy chờ xong rồi thử lại",
    ),
    "error_running": Text(
        "the agent is running in this folder: stop it first",
        "chương trình đang chạy trong thư mục này: hãy dừng chương trình trước",
    ),
    "error_running_foreign": Text(
        "the agent in this folder is run by another user: try again as that user, or with sudo",
        "chương trình trong thư mục này do người dùng khác chạy: hãy thử lại dưới tên người dùng"
        " đó hoặc bằng sudo",
    ),
    "running_hung": Text(
        "the agent (process {pid}) was asked to stop and still runs after {seconds} seconds;"
        " nothing was deleted: stop its service with sudo systemctl stop truyvet-agent, or end it"
        " with kill -9 {pid}, then try again",
        "đã yêu cầu chương trình (tiến trình {pid}) dừng nhưng sau {seconds} giây vẫn còn chạy;"
        " chưa xóa gì: hãy dừng dịch vụ bằng sudo systemctl stop truyvet-agent, hoặc kết thúc tiến"
        " trình bằng kill -9 {pid}, rồi thử lại",
    ),
}
"""The texts by name."""
