"""Everything the device's owner reads, in English and Vietnamese, side by side.

Texts never say that there was no contact, only that none was recorded.
"""

from __future__ import annotations

import datetime
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from tracing_core.errors import (
    ExportFileError,
    InvalidJoinLine,
    InvalidLog,
    InvalidSetting,
    LogFault,
    NotPossible,
    RadioError,
    RadioFault,
    SchemaMismatch,
    ServerRefused,
    ServerUnreachable,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreSealed,
    TracingError,
    TrustError,
)

__all__ = [
    "LANGUAGES",
    "MESSAGES",
    "Text",
    "date_text",
    "default_language",
    "explain",
    "is_yes",
    "path_text",
    "say",
]

LANGUAGES = ("vi", "en")
"""The languages there are texts in."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages, with the same placeholders."""

    en: str
    vi: str


MESSAGES: Mapping[str, Text] = {
    # join, export, import, erase
    "joined": Text(
        "This device has joined {region} at {url}. Start it with: truyvet agent run",
        "Thiết bị này đã tham gia khu vực {region} tại {url}. Hãy khởi động bằng lệnh:"
        " truyvet agent run",
    ),
    "join_question": Text(
        "This device belongs to {region} at {url}. Joining {new} instead drops what the keys of"
        " that authority matched, and what it takes to take a report back there. All that was"
        " heard, this device's own keys and its settings are kept. Join the other one?",
        "Thiết bị này đang thuộc khu vực {region} tại {url}. Nếu chuyển sang {new}, kết quả đối"
        " chiếu với khóa của nơi cũ và thông tin cần để thu hồi báo cáo ở đó sẽ bị xóa. Mọi tín"
        " hiệu đã thu, khóa và cài đặt của thiết bị vẫn được giữ. Bạn có muốn chuyển không?",
    ),
    "exported": Text(
        "{count} sightings were written to {path}. Keep the file to yourself: it tells whom you"
        " were near to anyone who has their keys.",
        "Đã ghi {count} lượt ghi nhận vào {path}. Hãy giữ kín tệp này: ai có khóa của người khác"
        " đều có thể dùng nó để biết bạn đã ở gần ai.",
    ),
    "imported": Text(
        "{format}: {read} rows read; {kept} sightings added, {known} already there, {too_old} older"
        " than 14 days.",
        "{format}: đã đọc {read} dòng; thêm mới {kept} lượt ghi nhận, đã có sẵn {known}, cũ hơn 14"
        " ngày {too_old}.",
    ),
    "import_refused": Text("Left out, {count}: {reason}.", "Bỏ qua, {count}: {reason}."),
    "refusal_identifier": Text(
        "the identifier has not 16 bytes", "mã định danh không có đúng 16 byte"
    ),
    "refusal_metadata": Text(
        "what came with the identifier has not 4 bytes",
        "dữ liệu kèm theo mã định danh không có đúng 4 byte",
    ),
    "refusal_signal_strength": Text(
        "no signal strength, or none that can be", "cường độ tín hiệu không có hoặc không hợp lệ"
    ),
    "refusal_time": Text("no time, or none that can be", "thời điểm không có hoặc không hợp lệ"),
    "refusal_duration": Text(
        "a duration that the app never writes", "thời lượng mà ứng dụng không bao giờ ghi"
    ),
    "refusal_encoding": Text(
        "not written as the app writes it", "không đúng cách ghi của ứng dụng"
    ),
    "refusal_reused_address": Text(
        "sent from the same address, but before this identifier",
        "phát từ cùng địa chỉ nhưng trước mã định danh này",
    ),
    "refusal_future": Text(
        "later than this device's clock shows", "muộn hơn giờ trên đồng hồ của thiết bị này"
    ),
    "dry_run": Text("Nothing was changed.", "Chưa có gì thay đổi."),
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
    "yes_or_no": Text("[y/N]", "[c = có, K = không]"),
    "nothing_done": Text("Nothing was sent or changed.", "Chưa gửi hay thay đổi gì."),
    # check
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
    # report
    "report_question": Text(
        "This sends this device's keys ({first} to {last}, days: {count}) to {url}. With them,"
        " other people's devices find out by themselves whether they were near yours. Your name and"
        " your whereabouts are not sent. Send the keys?",
        "Thao tác này gửi khóa của {count} ngày (từ {first} đến {last}) tới {url}. Nhờ đó, thiết bị"
        " của người khác có thể tự kiểm tra xem đã từng ở gần thiết bị của bạn hay chưa. Tên và nơi"
        " bạn đã đến không được gửi đi. Bạn có đồng ý gửi các khóa này không?",
    ),
    "reported": Text(
        "Thank you. The server has taken this device's keys (days: {count}). Today's key is"
        " published only after it has expired.",
        "Cảm ơn bạn. Máy chủ đã nhận khóa của {count} ngày. Khóa của hôm nay chỉ được công bố sau"
        " khi hết hạn.",
    ),
    "taken_back": Text(
        "This device's keys were taken back (days: {count}): the test was negative. The devices"
        " that were near take back what they told their owners once they have checked again.",
        "Đã thu hồi khóa của {count} ngày vì kết quả xét nghiệm là âm tính. Thiết bị của những"
        " người từng ở gần bạn sẽ bỏ cảnh báo sau lần kiểm tra tới.",
    ),
    # status
    "status_joined": Text(
        "Health authority: {region} at {url}", "Cơ quan y tế: khu vực {region} tại {url}"
    ),
    "status_not_joined": Text(
        "Health authority: none yet. Run: truyvet agent join, with the line your authority gave"
        " you",
        "Cơ quan y tế: chưa tham gia. Hãy chạy lệnh truyvet agent join kèm dòng mà cơ quan y tế"
        " cung cấp",
    ),
    "status_running": Text("The agent is running.", "Chương trình đang chạy."),
    "status_not_running": Text(
        "The agent is not running. Start it with: truyvet agent run",
        "Chương trình chưa chạy. Hãy khởi động bằng lệnh: truyvet agent run",
    ),
    "status_last_scan": Text("Last listened: {ago}", "Lần thu tín hiệu gần nhất: {ago}"),
    "ago_minutes": Text("{count} minutes ago", "{count} phút trước"),
    "ago_hours": Text("{count} hours ago", "{count} giờ trước"),
    "ago_days": Text("{count} days ago", "{count} ngày trước"),
    "status_never_scan": Text("Last listened: never", "Lần thu tín hiệu gần nhất: chưa có"),
    "status_last_check": Text(
        "Last check of published keys: {ago}", "Lần kiểm tra khóa đã công bố gần nhất: {ago}"
    ),
    "status_never_check": Text(
        "Last check of published keys: never", "Lần kiểm tra khóa đã công bố gần nhất: chưa có"
    ),
    "status_keys": Text(
        "Days of own keys kept: {count}", "Khóa của thiết bị đang lưu: {count} ngày"
    ),
    "status_heard": Text(
        "Identifiers heard on {date}: {count}", "Số mã định danh thu được ngày {date}: {count}"
    ),
    "status_clock": Text(
        "The clock shows an earlier time than it did before. What is heard now will not be"
        " compared: set the clock.",
        "Đồng hồ đang chỉ thời điểm sớm hơn trước đó. Những gì thu được lúc này sẽ không được đối"
        " chiếu: hãy chỉnh lại đồng hồ.",
    ),
    "status_clock_unset": Text(
        "The clock was never set. Nothing is sent until it is: set it, or connect to the network.",
        "Đồng hồ chưa được đặt. Thiết bị chưa phát tín hiệu: hãy đặt giờ hoặc kết nối mạng.",
    ),
    "status_clock_right": Text("The clock goes on as it should.", "Đồng hồ chạy bình thường."),
    "status_disk": Text("Free space: {free} MB", "Dung lượng còn trống: {free} MB"),
    "status_disk_full": Text(
        "Only {free} MB are free: make room. While the disk is full nothing is sent, and what is"
        " heard is kept in memory only. What is recorded stays.",
        "Chỉ còn trống {free} MB: hãy giải phóng dung lượng. Khi đĩa đầy, thiết bị không phát tín"
        " hiệu và chỉ giữ những gì thu được trong bộ nhớ. Những gì đã ghi vẫn còn.",
    ),
    "status_disk_failing": Text(
        "The disk cannot be written: check or replace the card. Until then nothing is sent, and"
        " what is heard is kept in memory only. What is recorded stays.",
        "Không ghi được vào đĩa: hãy kiểm tra hoặc thay thẻ nhớ. Trong lúc đó thiết bị không phát"
        " tín hiệu và chỉ giữ những gì thu được trong bộ nhớ. Những gì đã ghi vẫn còn.",
    ),
    "status_radio": Text("Bluetooth works: {radio}", "Bluetooth hoạt động: {radio}"),
    "status_radio_unknown": Text(
        "Bluetooth has not been used yet. Try it with: truyvet agent self-test",
        "Chưa dùng Bluetooth lần nào. Hãy thử bằng lệnh: truyvet agent self-test",
    ),
    "status_dropped": Text(
        "Too much was sent nearby at once: {count} signals were left out.",
        "Có quá nhiều tín hiệu ở gần cùng lúc: đã bỏ qua {count} tín hiệu.",
    ),
    # lines of the log
    "log_retrying": Text("{fault}; trying again", "{fault}; đang thử lại"),
    "log_silent": Text(
        "{fault}; nothing is sent until then", "{fault}; tạm ngừng phát tín hiệu cho đến lúc đó"
    ),
    "log_writing_again": Text(
        "the disk can be written again", "đã ghi lại được vào đĩa, tiếp tục hoạt động bình thường"
    ),
    "log_unwritten": Text(
        "{fault}; what was heard is kept in memory until then",
        "{fault}; những gì thu được tạm giữ trong bộ nhớ cho đến lúc đó",
    ),
    "log_notify_failed": Text(
        "the command of notify_command failed or took too long: try it in a terminal",
        "lệnh trong notify_command bị lỗi hoặc chạy quá lâu: hãy thử lệnh đó trong terminal",
    ),
    "log_desktop_failed": Text(
        "the desktop showed no notification: set notify_desktop = false if there is none",
        "không hiện được thông báo trên màn hình: đặt notify_desktop = false nếu máy không có",
    ),
    # what a notification says; whoever looks over the shoulder learns no day and no level
    "notify_body": Text(
        "There is something to read: truyvet agent check",
        "Có thông tin mới cần đọc: truyvet agent check",
    ),
    "log_not_joined": Text("nothing is checked yet: {fault}", "chưa kiểm tra được gì: {fault}"),
    # errors: one line that says what to do, without placeholders
    "error_server_unreachable": Text(
        "the server does not answer: check the network and try again later",
        "không kết nối được với máy chủ: hãy kiểm tra mạng rồi thử lại sau",
    ),
    "error_certificate": Text(
        "the server's certificate cannot be verified: check this device's clock, then the address",
        "không xác minh được chứng chỉ của máy chủ: hãy kiểm tra đồng hồ của thiết bị, rồi kiểm tra"
        " địa chỉ",
    ),
    "error_clock_wrong": Text(
        "this device's clock is hours away from the server's: set the clock and try again",
        "đồng hồ của thiết bị lệch nhiều giờ so với máy chủ: hãy chỉnh lại đồng hồ rồi thử lại",
    ),
    "error_code_expired": Text(
        "the code has expired: ask the authority for a new one",
        "mã đã hết hạn: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_code_used": Text(
        "the code was used already: ask the authority for a new one",
        "mã đã được sử dụng: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_code_unknown": Text(
        "the authority knows no such code: check each letter and digit",
        "cơ quan y tế không có mã này: hãy kiểm tra lại từng chữ và số",
    ),
    "error_invalid_test_type": Text(
        "the code belongs to a kind of test that cannot be reported: ask the authority",
        "mã thuộc loại xét nghiệm không thể báo cáo: hãy hỏi cơ quan y tế",
    ),
    "error_token_expired": Text(
        "too much time has passed since the code was entered: ask the authority for a new one",
        "đã quá lâu kể từ khi nhập mã: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_maintenance_mode": Text(
        "the server is being maintained: try again in an hour",
        "máy chủ đang được bảo trì: hãy thử lại sau một giờ",
    ),
    "error_too_many_requests": Text(
        "the server has too much to do: try again in a few minutes",
        "máy chủ đang quá tải: hãy thử lại sau vài phút",
    ),
    "error_keys_refused": Text(
        "the server did not accept the keys: ask the authority",
        "máy chủ không chấp nhận các khóa: hãy liên hệ cơ quan y tế",
    ),
    "error_answer": Text(
        "the server's answer makes no sense: try again later, or ask the authority",
        "câu trả lời của máy chủ không hợp lệ: hãy thử lại sau hoặc hỏi cơ quan y tế",
    ),
    "error_server": Text(
        "the server has a fault: try again later, or tell the authority",
        "máy chủ gặp lỗi: hãy thử lại sau hoặc báo cho cơ quan y tế",
    ),
    "error_not_found": Text(
        "there is no such service at this address: check the line you joined by",
        "địa chỉ này không có dịch vụ cần tìm: hãy kiểm tra lại dòng đã dùng để tham gia",
    ),
    "error_redirected": Text(
        "the server sends this device to another address: join by that one if the authority"
        " confirms it",
        "máy chủ chuyển thiết bị sang địa chỉ khác: chỉ tham gia địa chỉ đó nếu cơ quan y tế xác"
        " nhận",
    ),
    "error_too_large": Text(
        "the server's answer is too large and was not read: tell the authority",
        "câu trả lời của máy chủ quá lớn nên không được đọc: hãy báo cho cơ quan y tế",
    ),
    "error_batch": Text(
        "a key file of the server is damaged or wrongly signed and was not used: tell the"
        " authority",
        "một tệp khóa của máy chủ bị hỏng hoặc chữ ký không đúng nên không được sử dụng: hãy báo"
        " cho cơ quan y tế",
    ),
    "error_not_joined": Text(
        "this device has joined no health authority: run truyvet agent join with the line your"
        " authority gave you",
        "thiết bị này chưa tham gia cơ quan y tế nào: hãy chạy lệnh truyvet agent join kèm dòng mà"
        " cơ quan y tế cung cấp",
    ),
    "error_no_home": Text(
        "there is no agent in this folder yet: run truyvet agent join first",
        "thư mục này chưa có dữ liệu của chương trình: hãy chạy truyvet agent join trước",
    ),
    "error_own_file": Text(
        "this is the agent's own file: choose another name, or another folder",
        "đây là tệp của chính chương trình: hãy chọn tên khác hoặc thư mục khác",
    ),
    "error_no_keys": Text(
        "this device has sent nothing in the last 14 days, so there is nothing to report",
        "trong 14 ngày qua thiết bị chưa phát tín hiệu nào nên không có gì để báo cáo",
    ),
    "error_running": Text(
        "the agent is running in this folder: stop it first",
        "chương trình đang chạy trong thư mục này: hãy dừng nó trước",
    ),
    "error_trust": Text(
        "the server shows no key that this device trusts, and nothing of it was used: ask the"
        " authority",
        "máy chủ không chứng minh được khóa mà thiết bị tin cậy nên không có gì được sử dụng: hãy"
        " hỏi cơ quan y tế",
    ),
    "error_join_line": Text(
        "this is no address of a server, or no line to join by: copy all of the line (https://…#…)"
        " that your authority gave you",
        "địa chỉ máy chủ hoặc dòng tham gia không đúng: hãy sao chép lại toàn bộ dòng"
        " (https://…#…) mà cơ quan y tế cung cấp",
    ),
    "error_store_busy": Text(
        "another process uses this device's database: stop it, or try again",
        "cơ sở dữ liệu đang được chương trình khác sử dụng: hãy dừng nó hoặc thử lại",
    ),
    "error_store_full": Text(
        "the disk is full or cannot be written: free some space, nothing was lost",
        "đĩa đã đầy hoặc không ghi được: hãy giải phóng dung lượng, dữ liệu cũ không bị mất",
    ),
    "error_store_read_only": Text(
        "the disk can only be read: check or replace it, or mount it for writing",
        "đĩa chỉ cho phép đọc: hãy kiểm tra hoặc thay thẻ nhớ, hoặc gắn lại đĩa ở chế độ ghi",
    ),
    "error_store_damaged": Text(
        "this is no database, or a damaged one: restore it from a copy",
        "tệp này không phải là cơ sở dữ liệu hoặc đã bị hỏng: hãy khôi phục từ bản sao",
    ),
    "error_store_sealed": Text(
        "what opens this device's keys is missing or wrong: restore it from a copy, or give the"
        " credential agent-key that the service has",
        "thiếu hoặc sai khóa để mở dữ liệu của thiết bị: hãy khôi phục tệp này từ bản sao hoặc dùng"
        " credential agent-key của dịch vụ",
    ),
    "error_store": Text(
        "this file or folder cannot be used: check the path and who owns it",
        "không dùng được tệp hoặc thư mục này: hãy kiểm tra đường dẫn và chủ sở hữu",
    ),
    "error_settings": Text(
        "this setting cannot be used: correct it", "cài đặt này không dùng được: hãy sửa lại"
    ),
    "error_newer_version": Text(
        "the database was written by a newer version of truyvet: install that version",
        "cơ sở dữ liệu do phiên bản truyvet mới hơn tạo ra: hãy cài đặt phiên bản đó",
    ),
    # logs to import; what was wrong is named before, with its path
    "error_log_unknown": Text(
        "this is the log of no app that is known here: see truyvet agent import --help",
        "đây không phải dữ liệu của ứng dụng nào có thể nhập: hãy xem truyvet agent import --help",
    ),
    "error_log_packed": Text(
        "this is an archive: unpack it first, and import what was in it",
        "đây là tệp nén: hãy giải nén trước rồi nhập nội dung bên trong",
    ),
    "error_log_line": Text(
        "nothing was added: export the log again where it is from",
        "dòng này không đọc được nên chưa thêm gì: hãy xuất lại dữ liệu từ nơi tạo ra nó",
    ),
    "error_log_damaged": Text(
        "this is damaged, and nothing was added: copy it again, all of it",
        "tệp này bị hỏng nên chưa thêm gì: hãy sao chép lại toàn bộ",
    ),
    "error_log_missing": Text(
        "this is missing: copy the whole folder, while the phone is switched off",
        "thiếu tệp này: hãy sao chép toàn bộ thư mục khi điện thoại đã tắt",
    ),
    "error_log_own": Text(
        "this is this device's own log: there is nothing to add",
        "đây là dữ liệu của chính thiết bị này: không có gì để thêm",
    ),
    "place_line": Text("{path}, line {line}", "{path}, dòng {line}"),
    "error_no_adapter": Text(
        "no Bluetooth adapter was found: plug one in, or name another with --radio",
        "không tìm thấy bộ điều hợp Bluetooth: hãy cắm vào hoặc chọn bộ khác bằng --radio",
    ),
    "error_no_service": Text(
        "the system's Bluetooth service does not run: sudo apt install bluez; sudo systemctl start"
        " bluetooth",
        "dịch vụ Bluetooth của hệ thống không chạy: sudo apt install bluez; sudo systemctl start"
        " bluetooth",
    ),
    "error_powered_off": Text(
        "the Bluetooth adapter is off: switch it on (if it is blocked: rfkill unblock bluetooth)",
        "bộ điều hợp Bluetooth đang tắt: hãy bật lên (nếu bị khóa: rfkill unblock bluetooth)",
    ),
    "error_permission": Text(
        "this user may not use the Bluetooth adapter: ask the device's administrator",
        "người dùng này không có quyền sử dụng bộ điều hợp Bluetooth: hãy hỏi quản trị viên",
    ),
    "error_no_advertiser": Text(
        "the Bluetooth adapter cannot send: use another",
        "bộ điều hợp Bluetooth không phát được tín hiệu: hãy dùng bộ khác",
    ),
    "error_no_low_energy": Text(
        "the adapter has no Bluetooth Low Energy: use another",
        "bộ điều hợp không hỗ trợ Bluetooth năng lượng thấp: hãy dùng bộ khác",
    ),
    "error_connection_lost": Text(
        "the Bluetooth adapter went away: plug it in again",
        "mất kết nối với bộ điều hợp Bluetooth: hãy cắm lại",
    ),
    "error_refused": Text(
        "the Bluetooth adapter refused a command: restart it, or use another",
        "bộ điều hợp Bluetooth từ chối lệnh: hãy khởi động lại hoặc dùng bộ khác",
    ),
    "error_unreadable_capture": Text(
        "the capture file cannot be read: check its path and format",
        "không đọc được tệp ghi tín hiệu: hãy kiểm tra đường dẫn và định dạng",
    ),
    "error_unknown_radio": Text(
        "there is no such kind of radio: see truyvet agent run --help",
        "không có loại thiết bị thu phát này: hãy xem truyvet agent run --help",
    ),
}
"""The texts by name."""

# The first that fits counts.
_ERRORS: tuple[tuple[type[TracingError], str], ...] = (
    (ServerUnreachable, "error_server_unreachable"),
    (ExportFileError, "error_batch"),
    (InvalidJoinLine, "error_join_line"),
    (TrustError, "error_trust"),
    (StoreBusy, "error_store_busy"),
    (StoreReadOnly, "error_store_read_only"),
    (StoreFull, "error_store_full"),
    (StoreDamaged, "error_store_damaged"),
    (StoreSealed, "error_store_sealed"),
    (SchemaMismatch, "error_newer_version"),
    (InvalidSetting, "error_settings"),
    (StoreError, "error_store"),
)
# What means yes to a question, as `unicodedata` composes it; all else is no.
_YES = {"en": ("y", "yes"), "vi": ("c", "có", "co", "y", "yes")}
_SPECIFIC = (InvalidLog, InvalidSetting, StoreError, RadioError, TrustError)


def say(name: str, language: str, **values: object) -> str:
    """Return a text in a language, with its placeholders filled."""
    return str(getattr(MESSAGES[name], language)).format(**values)


def is_yes(answer: str, language: str) -> bool:
    """Tell whether an answer to a question means yes; whatever else it is means no."""
    return unicodedata.normalize("NFC", answer).strip().casefold() in _YES[language]


def explain(error: TracingError, language: str) -> str:
    """Return what an error says to the owner, in one line.

    English keeps an error's own text where it names a file or an adapter.
    """
    name = next((name for kind, name in _ERRORS if isinstance(error, kind)), "")
    if isinstance(error, ServerRefused | NotPossible):
        name = f"error_{error.code}"
    elif isinstance(error, RadioError):
        name = f"error_{RadioFault(error.reason).name.lower()}"
    elif isinstance(error, InvalidLog) and error.fault is not None:
        name = f"error_log_{error.fault.name.lower()}"
    if language == "en" and isinstance(error, InvalidLog) and error.fault is LogFault.LINE:
        return f"{error}; {say(name, language)}"
    if name not in MESSAGES or (language == "en" and isinstance(error, _SPECIFIC)):
        return str(error)
    place = ""
    if isinstance(error, InvalidSetting):
        place = error.place
    elif isinstance(error, InvalidLog | StoreError):
        place = _place(error, language)
    return f"{place}: {say(name, language)}" if place else say(name, language)


def _place(error: InvalidLog | StoreError, language: str) -> str:
    if isinstance(error, InvalidLog) and error.line:
        return say("place_line", language, path=error.path, line=error.line)
    return error.path


def default_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language of ``TRUYVET_LANG``, else of the locale; English unless Vietnamese."""
    for variable in ("TRUYVET_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(variable):
            return "vi" if environment[variable].lower().startswith("vi") else "en"
    return "en"


def date_text(day: datetime.date, language: str) -> str:
    """Write a day as readers of the language do."""
    return f"{day:%d/%m/%Y}" if language == "vi" else day.isoformat()


def path_text(path: str | os.PathLike[str]) -> str:
    """Write a path so that it can be printed anywhere and no terminal obeys it."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
