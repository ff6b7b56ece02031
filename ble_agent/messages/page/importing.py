"""Texts of the screens on which data of earlier apps is taken over."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_import": Text("Data of an earlier app", "Dữ liệu của ứng dụng cũ"),
    "page_link_import_hint": Text(
        "Take over what another app or device recorded",
        "Lấy lại những gì ứng dụng hoặc thiết bị khác đã ghi nhận",
    ),
    "page_import_why": Text(
        "What another app or device recorded in the last 14 days can be compared with the"
        " published keys too. Nothing has to be declared again.",
        "Những gì ứng dụng hoặc thiết bị khác ghi nhận trong 14 ngày qua cũng có thể được đối chiếu"
        " với các khóa đã công bố. Bạn không phải khai báo lại gì.",
    ),
    "page_import_file": Text("The files", "Tệp dữ liệu"),
    "page_import_hint": Text(
        "Databases of Bluezone, microG or RaMBLE, Bluezone's data_trace.txt, or exports of truyvet."
        " You can choose several files at once, up to 64 MB together. If a file of the same name"
        " with -wal lies beside a database, choose it too. For Play Services, choose all files of"
        " its folder.",
        "Cơ sở dữ liệu của Bluezone, microG hoặc RaMBLE, tệp data_trace.txt của Bluezone, hoặc tệp"
        " do truyvet xuất ra. Bạn có thể chọn nhiều tệp một lúc, tổng cộng tối đa 64 MB. Nếu bên"
        " cạnh cơ sở dữ liệu có tệp cùng tên với đuôi -wal, hãy chọn cả tệp đó. Với Play Services,"
        " hãy chọn mọi tệp trong thư mục của ứng dụng.",
    ),
    "page_import_terminal": Text(
        "This page sees only what you choose here. To search a whole folder, a stick or a card, use"
        " a terminal: truyvet agent take-over",
        "Trang này chỉ thấy những tệp bạn chọn ở đây. Để tìm trong cả thư mục, USB hay thẻ nhớ, hãy"
        " dùng terminal: truyvet agent take-over",
    ),
    "page_import_folder": Text("Files of one folder", "Các tệp của một thư mục"),
    "page_import_refused": Text("Cannot be taken over", "Không lấy lại được"),
    "page_import_total": Text(
        "{count} sightings will be added.",
        "Sẽ thêm {count} lượt ghi nhận.",
        one="1 sighting will be added.",
    ),
    "page_import_see": Text("See what is in them", "Xem trong tệp có gì"),
    "page_import_nothing_yet": Text("Nothing is added yet.", "Chưa có gì được thêm vào."),
    "page_import_check": Text("What is in the files", "Nội dung của tệp"),
    "page_import_format": Text("Written by", "Nguồn"),
    "page_import_read": Text("Rows read", "Số dòng đã đọc"),
    "page_import_kept": Text("Sightings that will be added", "Lượt ghi nhận sẽ được thêm"),
    "page_import_known": Text("Already there", "Đã có sẵn"),
    "page_import_too_old": Text("Older than 14 days, not added", "Cũ hơn 14 ngày, không thêm"),
    "page_import_other": Text(
        "These sightings are of another protocol ({protocol}). This device keeps them, but does not"
        " compare them with your authority's keys.",
        "Những lượt ghi nhận này thuộc giao thức khác ({protocol}). Thiết bị lưu lại nhưng không"
        " đối chiếu với khóa của cơ quan y tế của bạn.",
    ),
    "page_import_none": Text("There is nothing to add.", "Không có gì để thêm."),
    "page_import_after": Text(
        "In both cases the copies of the files on this device are overwritten and deleted.",
        "Dù chọn cách nào, bản sao của các tệp trên thiết bị này cũng sẽ bị ghi đè rồi xóa.",
    ),
    "page_import_yes": Text("Add to my recordings", "Thêm vào dữ liệu của tôi"),
    "page_import_no": Text("Add nothing", "Không thêm"),
    "page_import_gone": Text(
        "The files are no longer here. Choose them again.",
        "Các tệp không còn ở đây. Hãy chọn lại tệp.",
    ),
    "page_imported_other": Text(
        "{count} sightings were added.",
        "Đã thêm {count} lượt ghi nhận.",
        one="1 sighting was added.",
    ),
    "page_imported": Text(
        "{count} sightings were added. The next check compares them with the published keys; you"
        " can start one on the screen Today.",
        "Đã thêm {count} lượt ghi nhận. Lần kiểm tra tới sẽ đối chiếu những lượt này với các khóa"
        " đã công bố; bạn có thể kiểm tra ngay ở trang Hôm nay.",
        one="1 sighting was added. The next check compares it with the published keys; you can"
        " start one on the screen Today.",
    ),
    "page_import_discarded": Text(
        "Nothing was added, and the copies of the files were deleted.",
        "Không có gì được thêm và bản sao của các tệp đã được xóa.",
    ),
}
"""The texts by name."""
