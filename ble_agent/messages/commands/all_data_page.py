"""Texts of the page that holds all data, and of its import."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "all_page_written": Text(
        "All data about you was written to {path}. Any browser shows it, and another device with"
        " truyvet can import it. Keep the file private: anyone who has other people's keys can see"
        " from it whom you were near.",
        "Đã ghi toàn bộ dữ liệu về bạn vào {path}. Trình duyệt nào cũng mở được tệp này, và thiết"
        " bị khác có truyvet nhập được nó. Hãy giữ kín tệp: ai có khóa của người khác đều có thể"
        " dùng nó để biết bạn đã ở gần ai.",
    ),
    "all_page_with_keys": Text(
        "Your own keys are in it too. Delete the file once the other device has read it.",
        "Trong tệp có cả khóa của chính bạn. Hãy xóa tệp ngay khi thiết bị kia đã nhập xong.",
    ),
    "export_all_only": Text(
        "Use --with-keys only together with --all.", "Chỉ dùng --with-keys cùng với --all."
    ),
    "export_all_protocol": Text(
        "Leave out --protocol: --all writes every protocol.",
        "Hãy bỏ --protocol: --all ghi mọi giao thức.",
    ),
    "file_title": Text(
        "All data about you that truyvet holds", "Toàn bộ dữ liệu về bạn mà truyvet lưu giữ"
    ),
    "file_made": Text(
        "Written by your device on {date}. This page needs no network and no scripts.",
        "Do thiết bị của bạn tạo ngày {date}. Trang này không cần mạng và không chạy mã lệnh nào.",
    ),
    "file_private": Text(
        "Keep this file private. Anyone who has it and other people's keys can see whom you were"
        " near.",
        "Hãy giữ kín tệp này. Ai có tệp cùng với khóa của người khác thì biết được bạn đã ở gần"
        " ai.",
    ),
    "file_with_keys": Text(
        "This file holds your own keys. Anyone who has them can recognise you in what other devices"
        " heard, and can report in your place. Delete the file once the other device has read it.",
        "Tệp này chứa khóa của chính bạn. Ai có khóa thì nhận ra được bạn trong dữ liệu của các"
        " thiết bị khác và có thể khai báo thay bạn. Hãy xóa tệp ngay khi thiết bị kia đã nhập"
        " xong.",
    ),
    "file_without_keys": Text(
        "Your own keys are not in it, nor what is needed to take a report back.",
        "Trong tệp không có khóa của chính bạn và không có thông tin dùng để thu hồi khai báo.",
    ),
    "file_times": Text(
        "What you read here names days, never times of day. The data at the end of the file has the"
        " exact times of what was heard, since they are needed to compare it with keys. What is"
        " older than 14 days is not in it: it was deleted.",
        "Phần bạn đọc ở đây chỉ nêu ngày, không nêu giờ. Phần dữ liệu ở cuối tệp có thời điểm chính"
        " xác của từng lượt thu được, vì cần chúng để đối chiếu với khóa. Dữ liệu cũ hơn 14 ngày đã"
        " bị xóa nên không có ở đây.",
    ),
    "file_found": Text("Exposures", "Tiếp xúc gần"),
    "file_found_day": Text(
        "{date}: {count} minutes near. Level: {level}.",
        "{date}: ở gần {count} phút. Mức nguy cơ: {level}.",
        one="{date}: 1 minute near. Level: {level}.",
    ),
    "file_found_none": Text(
        "No exposure was recorded up to the last check on {date}. You may still have been exposed.",
        "Đến lần kiểm tra gần nhất ngày {date}, chưa ghi nhận tiếp xúc gần. Bạn vẫn có thể đã tiếp"
        " xúc gần với người nhiễm bệnh.",
    ),
    "file_found_never": Text(
        "What was heard was not compared with published keys yet, so nothing is known.",
        "Dữ liệu thu được chưa từng được đối chiếu với khóa đã công bố nên chưa thể biết.",
    ),
    "file_found_fault": Text(
        "This cannot be worked out here: {fault}", "Không tính được ở đây: {fault}"
    ),
    "file_check_fault": Text(
        "The last check was not complete: {fault}", "Lần kiểm tra gần nhất chưa đầy đủ: {fault}"
    ),
    "file_unreadable": Text(
        "{count} lines of the log cannot be read; they are in the data as they are.",
        "Có {count} dòng ghi nhận không đọc được; chúng vẫn nằm nguyên trong phần dữ liệu.",
        one="1 line of the log cannot be read; it is in the data as it is.",
    ),
    "file_report": Text("Your report", "Khai báo của bạn"),
    "file_reported": Text(
        "You reported a test on {date}.", "Bạn đã khai báo kết quả xét nghiệm ngày {date}."
    ),
    "file_taken_back": Text("You took it back later.", "Sau đó bạn đã thu hồi khai báo."),
    "file_unfinished": Text(
        "A report was started and is not finished.", "Có một lần khai báo chưa hoàn tất."
    ),
    "file_no_report": Text("No report is noted.", "Không có khai báo nào được ghi lại."),
    "file_authority": Text("Health authority", "Cơ quan y tế"),
    "file_not_joined": Text(
        "This device has joined no health authority.",
        "Thiết bị này chưa kết nối với cơ quan y tế nào.",
    ),
    "file_heard": Text("What was heard per day", "Tín hiệu thu được mỗi ngày"),
    "file_heard_nothing": Text("Nothing is recorded.", "Chưa ghi nhận gì."),
    "file_identifiers": Text("Identifiers", "Mã định danh"),
    "file_sightings": Text("Sightings", "Lượt ghi nhận"),
    "file_others": Text(
        "Imported from {protocol} on {date}: {count} sightings.",
        "Đã nhập từ {protocol}, ngày {date}: {count} lượt ghi nhận.",
        one="Imported from {protocol} on {date}: 1 sighting.",
    ),
    "file_settings": Text("Your settings", "Cài đặt của bạn"),
    "file_no_settings": Text("You changed none.", "Bạn chưa thay đổi cài đặt nào."),
    "file_settings_why": Text(
        "An import does not take them over, since a setting can start programs. Copy them by hand.",
        "Khi nhập tệp, cài đặt không được chuyển sang vì có cài đặt cho phép chạy chương trình. Hãy"
        " tự chép lại nếu cần.",
    ),
    "file_tables": Text("All tables of the store", "Mọi bảng dữ liệu được lưu"),
    "file_rows": Text("Rows", "Số dòng"),
    "file_what": Text("What it holds", "Nội dung"),
    "file_of_batch": Text("Key files that were compared", "Các tệp khóa đã đối chiếu"),
    "file_of_diary": Text("Your health diary", "Nhật ký sức khỏe của bạn"),
    "file_of_heard_day": Text("Counts per day", "Số mã định danh thu được mỗi ngày"),
    "file_of_import": Text("What was imported, and when", "Đã nhập gì, vào lúc nào"),
    "file_of_kept_row": Text(
        "Rows that did not fit, kept aside", "Các dòng không hợp lệ, được để riêng"
    ),
    "file_of_matched_key": Text(
        "Published keys of which an identifier was heard",
        "Khóa đã công bố có mã định danh mà thiết bị từng thu được",
    ),
    "file_of_other_sighting": Text(
        "Sightings imported from other apps", "Lượt ghi nhận nhập từ ứng dụng khác"
    ),
    "file_of_own_key": Text("This device's own keys, by day", "Khóa riêng của thiết bị, theo ngày"),
    "file_of_request": Text("Each request that left this device", "Từng yêu cầu đã rời thiết bị"),
    "file_of_sighting": Text(
        "Identifiers heard, with time and strength",
        "Mã định danh đã thu được, kèm thời điểm và cường độ tín hiệu",
    ),
    "file_of_signed_header": Text(
        "What the compared key files say about themselves",
        "Thông tin có chữ ký của các tệp khóa đã đối chiếu",
    ),
    "file_of_state": Text(
        "Authority, reports, results, what left the device",
        "Cơ quan y tế, khai báo, kết quả, những gì đã rời thiết bị",
    ),
    "file_of_unusable_file": Text(
        "Key files that could not be used", "Các tệp khóa không dùng được"
    ),
    "file_of_other": Text("Other entries", "Mục khác"),
    "file_data": Text("The data itself", "Phần dữ liệu"),
    "file_data_how": Text(
        "Every row of these tables is at the end of this file. On another device, read it with"
        " truyvet agent import, or on its page under More.",
        "Mọi dòng của các bảng này nằm ở cuối tệp. Trên thiết bị khác, hãy nhập bằng lệnh truyvet"
        " agent import, hoặc trên trang của thiết bị ở mục Thêm.",
    ),
    "file_data_by_hand": Text(
        "Without truyvet: open the file in a text editor and copy the lines between the two that"
        " say template. They are gzipped text in base64, with one row per line as JSON.",
        "Nếu không có truyvet: hãy mở tệp bằng trình soạn thảo văn bản và sao chép các dòng nằm"
        " giữa hai dòng có chữ template. Đó là văn bản nén gzip, viết dưới dạng base64, mỗi dòng"
        " dữ liệu là một dòng JSON.",
    ),
    "restored": Text(
        "All data of a device read. Sightings added: {kept}; already there: {known}; older than 14"
        " days: {too_old}. Other entries added: {rows}.",
        "Đã đọc toàn bộ dữ liệu của một thiết bị. Lượt ghi nhận thêm mới: {kept}; đã có sẵn:"
        " {known}; cũ hơn 14 ngày: {too_old}. Mục khác được thêm: {rows}.",
    ),
    "restored_joined": Text(
        "This device joins the health authority that the file names: {region}.",
        "Thiết bị này kết nối với cơ quan y tế nêu trong tệp: {region}.",
    ),
    "restored_other_authority": Text(
        "The file is of another health authority than this device's. What was found there is left"
        " out; what was heard is added.",
        "Tệp này thuộc một cơ quan y tế khác với cơ quan của thiết bị. Những gì đã tính được ở đó"
        " bị bỏ qua; những gì đã thu được thì được thêm vào.",
    ),
    "restored_keys": Text(
        "Keys taken over: {count}. They serve for a report only; this device never sends an"
        " identifier made from them.",
        "Số khóa được chuyển sang: {count}. Chúng chỉ dùng để khai báo; thiết bị này không bao giờ"
        " phát mã định danh tạo từ các khóa đó.",
    ),
    "restored_keys_left": Text(
        "Keys left out: {count}, since this device has a key of its own for the same day. A report"
        " from here will not include them.",
        "Số khóa bị bỏ qua: {count}, vì thiết bị này đã có khóa riêng cho cùng ngày. Khai báo từ"
        " đây sẽ không gồm các khóa đó.",
    ),
    "restored_silent": Text(
        "This device listens at once, and begins to send identifiers at 00:00 UTC (07:00 in"
        " Vietnam): until then, today's key belongs to the other device.",
        "Thiết bị này thu tín hiệu ngay và bắt đầu phát mã định danh lúc 00:00 UTC (7:00 sáng giờ"
        " Việt Nam): trước lúc đó, khóa của hôm nay thuộc về thiết bị kia.",
    ),
}
"""The texts by name."""
