"""Purposes of the named values of the table ``state``, and of the files of a home folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracing_core.store.purpose import FilePurpose, KeptDays
from tracing_core.texts import Text

__all__ = ["FILES", "VALUES", "ValuePurpose"]

_TWO_WEEKS = KeptDays.of(14)
_JOINED = Text("Until you leave the authority", "Đến khi bạn rời cơ quan y tế")
_NEXT = Text("Until it is written again", "Đến khi được ghi lại")
_DATABASE = Text("As long as the database", "Chừng nào còn cơ sở dữ liệu")
_ERASE = Text("Until you erase everything", "Đến khi bạn xóa hết")
_MOMENT = Text("While a command is at work", "Trong lúc một lệnh đang chạy")
_ONLY_YOU = Text("Only you, on this device", "Chỉ bạn, trên thiết bị này")


@dataclass(frozen=True, slots=True)
class ValuePurpose:
    """What one named value is for. Only the device's owner can read any."""

    holds: Text
    kept: Text


VALUES: Mapping[str, ValuePurpose] = {
    "membership": ValuePurpose(
        Text(
            "The authority you joined, and its signed documents.",
            "Cơ quan y tế bạn đã tham gia và các văn bản có chữ ký của cơ quan đó.",
        ),
        _JOINED,
    ),
    "report": ValuePurpose(
        Text(
            "Your report: its code, where it stands, and the right to take it back.",
            "Khai báo của bạn: mã, đang đến bước nào và quyền thu hồi.",
        ),
        _TWO_WEEKS,
    ),
    "seen": ValuePurpose(
        Text(
            "Exposures that you were shown, by day.", "Các lần tiếp xúc đã báo cho bạn, theo ngày."
        ),
        _TWO_WEEKS,
    ),
    "notified": ValuePurpose(
        Text(
            "Days of exposure that you were notified of.",
            "Các ngày có tiếp xúc đã gửi thông báo cho bạn.",
        ),
        _TWO_WEEKS,
    ),
    "held_back": ValuePurpose(
        Text(
            "Notifications that wait for the end of your quiet hours.",
            "Các thông báo đang chờ hết giờ yên lặng của bạn.",
        ),
        _TWO_WEEKS,
    ),
    "notify_fault": ValuePurpose(
        Text(
            "Days whose notification failed, to try again.",
            "Các ngày gửi thông báo không được, để thử lại.",
        ),
        _TWO_WEEKS,
    ),
    "ledger": ValuePurpose(
        Text(
            "What left this device, by day and host.",
            "Những gì đã rời thiết bị, theo ngày và máy chủ.",
        ),
        _TWO_WEEKS,
    ),
    "last_check": ValuePurpose(
        Text(
            "The last check that went well: its time, and what it found.",
            "Lần kiểm tra gần nhất đã xong: thời điểm và kết quả.",
        ),
        _NEXT,
    ),
    "check_fault": ValuePurpose(
        Text("Why the last check failed.", "Vì sao lần kiểm tra gần nhất không được."), _NEXT
    ),
    "bluezone_list": ValuePurpose(
        Text(
            "What Bluezone recorded of people on the authority's list, by day.",
            "Bluezone từng ghi nhận những ai trong danh sách của cơ quan y tế, theo ngày.",
        ),
        _TWO_WEEKS,
    ),
    "bluezone_fault": ValuePurpose(
        Text(
            "Why the list for Bluezone could not be compared.",
            "Vì sao chưa so được với danh sách dành cho Bluezone.",
        ),
        _NEXT,
    ),
    "area": ValuePurpose(
        Text(
            "The area you chose, from the authority's list. It is never sent.",
            "Khu vực bạn chọn trong danh sách của cơ quan y tế. Không bao giờ được gửi đi.",
        ),
        Text("Until you choose again or leave", "Đến khi bạn chọn lại hoặc rời đi"),
    ),
    "areas": ValuePurpose(
        Text(
            "Number and date of the last list of areas, the same for everyone.",
            "Số thứ tự và ngày của danh sách khu vực gần nhất, ai cũng như ai.",
        ),
        _JOINED,
    ),
    "areas_document": ValuePurpose(
        Text(
            "The last good list of areas and their levels, the same for everyone.",
            "Danh sách khu vực và cấp độ gần nhất dùng được, ai cũng như ai.",
        ),
        _JOINED,
    ),
    "last_day": ValuePurpose(
        Text(
            "The last day of use that you agreed to.",
            "Ngày dùng cuối cùng mà bạn đã đồng ý.",
        ),
        _JOINED,
    ),
    "over": ValuePurpose(
        Text(
            "Since when the last day seems to be over, until that is certain.",
            "Từ khi nào ngày cuối có vẻ đã qua, cho đến khi chắc chắn.",
        ),
        Text("Until everything is removed", "Đến khi mọi thứ được xóa"),
    ),
    "exposed": ValuePurpose(
        Text(
            "Days of exposure that your isolation is counted from.",
            "Các ngày tiếp xúc làm mốc tính thời gian cách ly của bạn.",
        ),
        KeptDays.of(21),
    ),
    "index": ValuePurpose(
        Text(
            "Number of the last signed index of key files.",
            "Số thứ tự của danh mục tệp khóa có chữ ký gần nhất.",
        ),
        _JOINED,
    ),
    "key_files": ValuePurpose(
        Text(
            "How far the server's key files reach.",
            "Các tệp khóa của máy chủ đã đến thời điểm nào.",
        ),
        _JOINED,
    ),
    "radio": ValuePurpose(
        Text("The radio last used, and its fault.", "Bộ Bluetooth dùng gần nhất và lỗi của nó."),
        _NEXT,
    ),
    "scan": ValuePurpose(
        Text(
            "When the last scan was, and numbers of signals on that day.",
            "Lần quét gần nhất và số tín hiệu trong ngày đó.",
        ),
        _NEXT,
    ),
    "damage": ValuePurpose(
        Text(
            "When the database was found damaged, and how much could be read.",
            "Khi nào cơ sở dữ liệu bị hỏng và đọc lại được bao nhiêu.",
        ),
        _TWO_WEEKS,
    ),
    "future_since": ValuePurpose(
        Text(
            "Since when there are rows dated days ahead.",
            "Từ khi nào có dòng mang ngày ở tương lai.",
        ),
        _NEXT,
    ),
    "additions": ValuePurpose(
        Text("How often old sightings were added.", "Số lần đã thêm lượt ghi nhận cũ."), _DATABASE
    ),
    "to_compact": ValuePurpose(
        Text(
            "Whether the file may hold deleted bytes still.",
            "Trong tệp có thể còn byte đã xóa hay không.",
        ),
        _NEXT,
    ),
    "compacted_at": ValuePurpose(
        Text("When the file was last compacted.", "Lần dồn tệp gần nhất."), _NEXT
    ),
    "room": ValuePurpose(
        Text(
            "Dots that reserve room on the disk before a report.",
            "Các dấu chấm giữ chỗ trên đĩa trước khi khai báo.",
        ),
        _MOMENT,
    ),
    "answer NAME": ValuePurpose(
        Text(
            "A document of the server, which then need not be sent again.",
            "Một văn bản của máy chủ, để khỏi phải gửi lại.",
        ),
        _JOINED,
    ),
}
"""The named values, by name; NAME is the last part of a document's URL."""

FILES: Mapping[str, FilePurpose] = {
    "agent.db": FilePurpose(
        Text("The database: the tables above.", "Cơ sở dữ liệu: các bảng ở trên."),
        Text("All that is kept from day to day.", "Mọi thứ được giữ từ ngày này sang ngày khác."),
        _ERASE,
        _ONLY_YOU,
    ),
    "agent.db-*": FilePurpose(
        Text(
            "The last changes of the database, and who is at work on it.",
            "Các thay đổi mới nhất của cơ sở dữ liệu và tiến trình đang dùng nó.",
        ),
        Text("So that a power cut loses nothing.", "Để mất điện cũng không mất gì."),
        Text(
            "Until they are in the database: at the latest with the next deletion",
            "Đến khi vào cơ sở dữ liệu: chậm nhất là lần xóa kế tiếp",
        ),
        _ONLY_YOU,
    ),
    "agent.db.damaged-*": FilePurpose(
        Text(
            "A database that was found damaged, as it was.",
            "Cơ sở dữ liệu bị hỏng, giữ nguyên như cũ.",
        ),
        Text(
            "For you, or for an expert who may read more of it.",
            "Dành cho bạn, hoặc cho chuyên gia có thể đọc được nhiều hơn.",
        ),
        _TWO_WEEKS,
        _ONLY_YOU,
    ),
    "agent.db.new*": FilePurpose(
        Text("The database that takes its place.", "Cơ sở dữ liệu thay thế."),
        Text("To go on after damage.", "Để tiếp tục sau khi bị hỏng."),
        _MOMENT,
        _ONLY_YOU,
    ),
    "agent.key": FilePurpose(
        Text("This device's secret.", "Bí mật của thiết bị này."),
        Text(
            "To seal the own keys in the database. Without it they cannot be read.",
            "Để niêm phong các khóa của bạn trong cơ sở dữ liệu. Thiếu nó thì không đọc được.",
        ),
        _ERASE,
        Text(
            "Only you, on this device, or the service that was given it",
            "Chỉ bạn, trên thiết bị này, hoặc dịch vụ được giao bí mật này",
        ),
    ),
    "agent.toml": FilePurpose(
        Text("Your settings.", "Các cài đặt của bạn."),
        Text("To work as you wish.", "Để chạy theo ý bạn."),
        _ERASE,
        _ONLY_YOU,
    ),
    "agent.lock": FilePurpose(
        Text("The number of the process that runs here.", "Số của tiến trình đang chạy ở đây."),
        Text("So that two agents never send the same.", "Để hai tiến trình không phát trùng nhau."),
        _ERASE,
        _ONLY_YOU,
    ),
    "agent.use": FilePurpose(
        Text("Nothing.", "Không có gì."),
        Text(
            "Held while the database is open, so that it stays where it is.",
            "Được giữ khi cơ sở dữ liệu đang mở, để nó không bị dời đi.",
        ),
        _ERASE,
        _ONLY_YOU,
    ),
    "agent.damaged": FilePurpose(
        Text("Nothing.", "Không có gì."),
        Text("Asks for a recovery.", "Yêu cầu khôi phục cơ sở dữ liệu."),
        Text("Until the recovery", "Đến khi khôi phục xong"),
        _ONLY_YOU,
    ),
    "agent.over": FilePurpose(
        Text("Only that the last day is over.", "Chỉ ghi rằng ngày cuối đã qua."),
        Text(
            "To say so when you ask, after everything else was removed.",
            "Để cho bạn biết khi hỏi, sau khi mọi thứ khác đã được xóa.",
        ),
        Text("Until you join again or erase", "Đến khi bạn tham gia lại hoặc xóa"),
        _ONLY_YOU,
    ),
    "download.part": FilePurpose(
        Text("The beginning of a published key file.", "Phần đầu của một tệp khóa đã công bố."),
        Text("To go on with a download that broke off.", "Để tải tiếp khi việc tải bị ngắt."),
        Text("Until the next check", "Đến lần kiểm tra kế tiếp"),
        _ONLY_YOU,
    ),
    ".page-*": FilePurpose(
        Text("The link that opens your page.", "Liên kết mở trang của bạn."),
        Text(
            "To open it in a browser of your own account only.",
            "Để chỉ mở được trong trình duyệt của chính tài khoản bạn.",
        ),
        _MOMENT,
        _ONLY_YOU,
    ),
    ".working-*": FilePurpose(
        Text(
            "A copy that a command works on, such as a file you import.",
            "Bản sao mà một lệnh đang xử lý, ví dụ tệp bạn nhập vào.",
        ),
        Text("Not to change your file.", "Để không thay đổi tệp của bạn."),
        _MOMENT,
        _ONLY_YOU,
    ),
    ".agent.*": FilePurpose(
        Text(
            "Settings or a secret that are being written.",
            "Cài đặt hoặc bí mật đang được ghi dở.",
        ),
        Text("So that a power cut leaves the old ones.", "Để mất điện thì vẫn còn bản cũ."),
        _MOMENT,
        _ONLY_YOU,
    ),
    "agent.key.*": FilePurpose(
        Text("A secret that is being made.", "Bí mật đang được tạo."),
        Text("So that a power cut leaves no half of it.", "Để mất điện không để lại một nửa."),
        _MOMENT,
        _ONLY_YOU,
    ),
    ".probe-*": FilePurpose(
        Text("Nothing.", "Không có gì."),
        Text("To test whether the disk can be written to.", "Để thử xem đĩa có ghi được không."),
        _MOMENT,
        _ONLY_YOU,
    ),
}
"""The files of a home folder, by the pattern of their names; all are readable by you alone."""
