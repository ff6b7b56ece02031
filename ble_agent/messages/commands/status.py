"""Texts of the status command."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "status_reported": Text(
        "You reported a test on {date}. If you do not yet know what to do now, ask your health"
        " authority.",
        "Ngày {date}, bạn đã khai báo kết quả xét nghiệm. Nếu chưa rõ cần làm gì tiếp theo, hãy hỏi"
        " cơ quan y tế.",
    ),
    "status_taken_back": Text(
        "You reported a test on {date}, and took it back later.",
        "Ngày {date}, bạn đã khai báo kết quả xét nghiệm và sau đó đã thu hồi.",
    ),
    "status_report_unfinished": Text(
        "Your report is not finished: run truyvet agent report again with the same code.",
        "Việc khai báo chưa hoàn tất: hãy chạy lại truyvet agent report với cùng mã đó.",
    ),
    "status_nothing_heard": Text(
        "No signal of another device was recorded in the last 14 days, so no exposure can be found"
        " (last check: {ago}).",
        "Trong 14 ngày qua chưa ghi nhận tín hiệu của thiết bị nào khác nên chưa thể phát hiện tiếp"
        " xúc gần (lần kiểm tra gần nhất: {ago}).",
    ),
    "status_list_fault": Text(
        "The list of Bluezone keys: {fault}", "Danh sách khóa Bluezone: {fault}"
    ),
    "status_nothing_found": Text(
        "No exposure recorded so far (last check: {ago}).",
        "Đến nay chưa ghi nhận tiếp xúc gần (lần kiểm tra gần nhất: {ago}).",
    ),
    "status_joined": Text(
        "Health authority: {region} at {url}", "Cơ quan y tế: khu vực {region} tại {url}"
    ),
    "status_pinned": Text(
        "Joined by a file. Nothing in it changes by itself, and these keys are never replaced:"
        " {keys}. When the authority replaces them, get its new file and join with it again.",
        "Đã kết nối bằng tệp. Không có gì trong tệp tự thay đổi và các khóa này không bao giờ tự"
        " được thay: {keys}. Khi cơ quan y tế thay khóa, hãy lấy tệp mới và kết nối lại.",
    ),
    "status_pinned_servers": Text(
        "Key files: {index}; codes: {verification}; reports: {keys}",
        "Tệp khóa: {index}; mã: {verification}; khai báo: {keys}",
    ),
    "status_pinned_limits": Text(
        "These servers cannot prove that their list of key files is complete and new, nor that the"
        " risk settings and the advice are the authority's. Their answers differ in length, so"
        " somebody who watches the network may notice a report. If an answer is lost, a new code"
        " may be needed.",
        "Các máy chủ này không chứng minh được danh sách tệp khóa của chúng là đầy đủ và mới, cũng"
        " không chứng minh được cách tính nguy cơ và hướng dẫn là của cơ quan y tế. Độ dài câu trả"
        " lời của chúng khác nhau nên người theo dõi mạng có thể nhận ra việc khai báo. Nếu một câu"
        " trả lời bị mất, có thể phải xin mã mới.",
    ),
    "status_not_joined": Text(
        "Health authority: none yet. Run truyvet agent join with the line your authority gave you",
        "Cơ quan y tế: chưa kết nối. Hãy chạy lệnh truyvet agent join kèm dòng kết nối mà cơ quan y"
        " tế cung cấp",
    ),
    "status_running": Text("The agent is running.", "Chương trình đang chạy."),
    "status_not_running": Text(
        "The agent is not running. Start it with: truyvet agent run",
        "Chương trình chưa chạy. Hãy khởi động bằng lệnh: truyvet agent run",
    ),
    "status_last_scan": Text("Last scan: {ago}", "Lần thu tín hiệu gần nhất: {ago}"),
    "ago_now": Text("just now", "vừa xong"),
    "ago_minutes": Text("{count} minutes ago", "{count} phút trước", one="1 minute ago"),
    "ago_hours": Text("{count} hours ago", "{count} giờ trước"),
    "ago_days": Text("{count} days ago", "{count} ngày trước"),
    "status_never_scan": Text("Last scan: never", "Lần thu tín hiệu gần nhất: chưa có"),
    "status_last_check": Text(
        "Last check of published keys: {ago}", "Lần kiểm tra khóa đã công bố gần nhất: {ago}"
    ),
    "status_check_fault": Text(
        "{check}, and something was missing: {fault}", "{check}, nhưng chưa đầy đủ: {fault}"
    ),
    "status_notify_missing": Text(
        "No notification will reach you: {program}, the program in notify_command, is not there or"
        " cannot be started.",
        "Bạn sẽ không nhận được thông báo: không có hoặc không chạy được {program}, chương trình"
        " ghi trong notify_command.",
    ),
    "status_notify_failed": Text(
        "A notification did not reach you ({ago}): try the command in notify_command in a"
        " terminal. It is started again after the next check.",
        "Có thông báo không đến được với bạn ({ago}): hãy chạy thử trong terminal lệnh ghi ở"
        " notify_command. Lệnh sẽ được chạy lại sau lần kiểm tra tới.",
    ),
    "status_never_check": Text(
        "Last check of published keys: never", "Lần kiểm tra khóa đã công bố gần nhất: chưa có"
    ),
    "status_keys": Text(
        "Own keys stored on this device: {count} days",
        "Khóa của thiết bị đang lưu: {count} ngày",
        one="Own keys stored on this device: 1 day",
    ),
    "status_heard": Text(
        "Identifiers heard (not people: each device nearby changes its own every 10 to 20"
        " minutes):",
        "Số mã định danh thu được (không phải số người: mỗi thiết bị ở gần đổi mã định danh sau mỗi"
        " 10 đến 20 phút):",
    ),
    "status_clock": Text(
        "The clock shows an earlier time than before, so what is heard now will not be compared"
        " with published keys: set the clock.",
        "Đồng hồ đang chỉ thời điểm sớm hơn trước đó nên những gì thu được lúc này sẽ không được"
        " đối chiếu với các khóa đã công bố: hãy chỉnh lại đồng hồ.",
    ),
    "status_clock_unset": Text(
        "The clock was never set, so nothing is sent: set it, or connect to the network.",
        "Đồng hồ chưa được đặt nên thiết bị chưa phát tín hiệu: hãy đặt giờ hoặc kết nối mạng.",
    ),
    "status_clock_right": Text(
        "The clock shows {time} on {date}, and was not set back.",
        "Đồng hồ chỉ {time} ngày {date} và không bị chỉnh lùi.",
    ),
    "status_disk": Text("Free space: {free}", "Dung lượng còn trống: {free}"),
    "status_disk_full": Text(
        "Only {free} is free: make room. While the disk is full, nothing is sent, and what is heard"
        " stays in memory. What was already recorded is kept.",
        "Chỉ còn trống {free}: hãy giải phóng dung lượng. Khi đĩa đầy, thiết bị không phát tín hiệu"
        " và chỉ giữ những gì thu được trong bộ nhớ tạm. Những gì đã ghi vẫn còn.",
    ),
    "status_disk_failing": Text(
        "The disk cannot be written to: check or replace the card. Until then nothing is sent, and"
        " what is heard stays in memory. What was already recorded is kept.",
        "Không ghi được vào đĩa: hãy kiểm tra hoặc thay thẻ nhớ. Trong lúc đó, thiết bị không phát"
        " tín hiệu và chỉ giữ những gì thu được trong bộ nhớ tạm. Những gì đã ghi vẫn còn.",
    ),
    "status_radio": Text("Bluetooth works: {radio}", "Bluetooth hoạt động: {radio}"),
    "status_radio_unused": Text(
        "Bluetooth ({radio}) is not in use now. It worked when the agent last ran.",
        "Bluetooth ({radio}) hiện không được dùng. Lần chạy trước vẫn hoạt động.",
    ),
    "status_radio_unknown": Text(
        "Bluetooth has not been used yet. Try it with: truyvet agent self-test",
        "Chưa dùng Bluetooth lần nào. Hãy thử bằng lệnh: truyvet agent self-test",
    ),
    "status_no_strength": Text(
        "The Bluetooth adapter reported no signal strength for {count} of {total} signals on"
        " {date} (UTC), so they cannot count as exposures: update its driver, or use another.",
        "Bộ điều hợp Bluetooth không báo cường độ cho {count} trong số {total} tín hiệu ngày {date}"
        " (giờ UTC) nên không thể tính là tiếp xúc gần: hãy cập nhật trình điều khiển hoặc dùng bộ"
        " khác.",
    ),
    "status_some_strength": Text(
        "Without a signal strength: {count} of {total} signals on {date} (UTC). They cannot count"
        " as exposures.",
        "Không có cường độ tín hiệu: {count} trong số {total} tín hiệu ngày {date} (giờ UTC). Những"
        " tín hiệu này không thể tính là tiếp xúc gần.",
    ),
    "status_dropped": Text(
        "Too many signals nearby at once: {count} were left out.",
        "Có quá nhiều tín hiệu ở gần cùng lúc: đã bỏ qua {count} tín hiệu.",
        one="Too many signals nearby at once: 1 was left out.",
    ),
    "status_kept_rows": Text(
        "An update could not take over {count} rows of the recordings, and keeps them aside for"
        " 14 days: `truyvet agent export-all` writes them to a file.",
        "Bản cập nhật không nhận được {count} dòng dữ liệu và giữ riêng chúng trong 14 ngày:"
        " lệnh `truyvet agent export-all` ghi chúng ra tệp.",
        one="An update could not take over 1 row of the recordings, and keeps it aside for 14 days:"
        " `truyvet agent export-all` writes it to a file.",
    ),
}
"""The texts by name."""
