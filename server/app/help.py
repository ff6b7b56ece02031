"""Texts of the help of `truyvet server`, by what one types: its commands and their options."""

from __future__ import annotations

from collections.abc import Mapping

from tracing_core.texts import Text

__all__ = ["HELP"]

HELP: Mapping[str, Text] = {
    "server": Text("Run and operate a key server.", "Chạy và vận hành máy chủ khóa."),
    "init": Text(
        "Set up a server: database, keys, region, first operator.",
        "Dựng máy chủ: cơ sở dữ liệu, khóa, khu vực, người vận hành.",
    ),
    "run": Text(
        "Serve devices and operators until stopped.\n\n"
        "Requests and wrong codes are counted per client. Behind a proxy, a client is known by the"
        " header X-Forwarded-For, which the proxy must set itself. It is trusted only from"
        " 127.0.0.1, or from the addresses in the environment variable FORWARDED_ALLOW_IPS,"
        " separated by commas.",
        "Phục vụ thiết bị và người vận hành cho đến khi bị dừng.\n\n"
        "Yêu cầu và lần nhập sai mã được đếm riêng cho từng thiết bị. Nếu phía trước có proxy, máy"
        " chủ phân biệt các thiết bị bằng X-Forwarded-For, mà proxy phải tự đặt. Giá trị này chỉ"
        " được tin nếu đến từ 127.0.0.1, hoặc từ những địa chỉ trong biến môi trường"
        " FORWARDED_ALLOW_IPS, cách nhau bằng dấu phẩy.",
    ),
    "issue": Text(
        "Issue codes, one per line, each for one person's report.",
        "Cấp mã, mỗi dòng một mã, mỗi mã cho một người khai báo.",
    ),
    "publish-keys": Text(
        "Publish keys directly, without a code.\n\n"
        "FILE is JSON as for /v1/publish: temporaryExposureKeys and symptomOnsetInterval. A"
        " reportType may be added: confirmed, likely or negative.",
        "Công bố khóa trực tiếp, không cần mã.\n\n"
        "FILE là JSON như khi gửi đến /v1/publish: temporaryExposureKeys và symptomOnsetInterval."
        " Có thể thêm reportType: confirmed, likely hoặc negative.",
    ),
    "export": Text(
        "Write the key files that are due, as the running server does.",
        "Ghi các tệp khóa đã đến hạn, như máy chủ tự làm khi chạy.",
    ),
    "cleanup": Text(
        "Delete everything that is too old, as the running server does.",
        "Xóa mọi thứ quá thời hạn lưu, như máy chủ tự làm khi chạy.",
    ),
    "openapi": Text(
        "Print the OpenAPI description of the HTTP interface.",
        "In bản mô tả OpenAPI của giao diện HTTP.",
    ),
    "rotate-keys": Text(
        "Replace a signing key, or the operator's key.\n\n"
        "Devices that have joined follow to the new signing key. A stolen export key is trusted for"
        " 14 more days. A stolen configuration key, even one that was replaced, can deceive every"
        " device that joins later, because the join line stays the same: set up a new home,"
        " and let all devices join by its line.",
        "Thay một khóa ký, hoặc khóa của người vận hành.\n\n"
        "Thiết bị đã kết nối tự chuyển sang khóa ký mới. Khóa ký tệp khóa (export) bị đánh cắp vẫn"
        " còn được tin cậy thêm 14 ngày. Khóa ký cấu hình (config) bị đánh cắp, kể cả khi đã được"
        " thay, có thể đánh lừa mọi thiết bị kết nối về sau, vì dòng kết nối không đổi: hãy dựng"
        " máy chủ trong thư mục mới và cho mọi thiết bị kết nối lại bằng dòng kết nối mới.",
    ),
    "clock": Text(
        "Show what is certain about the time, and confirm the clock.\n\n"
        "A clock that is ahead would publish keys in use. So keys are held back until a time"
        " server, three uploads or the seconds since the start prove that they have expired. After"
        " a long stop without a time server, confirm the clock.",
        "Cho biết thời gian nào là chắc chắn, và xác nhận đồng hồ.\n\n"
        "Đồng hồ chạy trước sẽ làm lộ những khóa còn đang dùng. Vì vậy khóa được giữ lại cho đến"
        " khi máy chủ thời gian, ba lần gửi khóa hoặc thời gian đã chạy chứng tỏ khóa đã hết hạn."
        " Sau một lần dừng lâu mà không có máy chủ thời gian, hãy xác nhận đồng hồ.",
    ),
    "trust": Text(
        "Show what devices trust, and name the last day once.\n\n"
        "A server of this version has named its last day since `init`. For one that an older"
        " version set up, --last-day adds it, once and for good. Devices that have joined ask their"
        " owners whether they agree.",
        "Xem những gì thiết bị tin, và ấn định ngày cuối một lần.\n\n"
        "Máy chủ do phiên bản này dựng đã có ngày cuối từ lúc `init`. Với máy chủ do phiên bản cũ"
        " dựng, --last-day thêm ngày đó, một lần duy nhất. Thiết bị đã kết nối sẽ hỏi chủ của mình"
        " có đồng ý không.",
    ),
    "join": Text(
        "Print the line by which devices join this server.",
        "In dòng kết nối để thiết bị kết nối với máy chủ này.",
    ),
    "areas": Text(
        "Publish the level of the epidemic in each area.",
        "Công bố cấp độ dịch của từng địa bàn.",
    ),
    "areas set": Text(
        "Publish a list of areas and their levels, in place of the one before.\n\n"
        "FILE is a table (CSV) with the columns code, name, parent and level. An area at the top,"
        " such as a province, has no parent; a commune's parent is the province's code. Every row"
        " that cannot be used is named, and then nothing changes. Set the list again even if no"
        " level has changed, because devices show its date.",
        "Công bố danh sách địa bàn và cấp độ dịch, thay cho danh sách trước.\n\n"
        "FILE là bảng (CSV) có các cột code, name, parent và level, hoặc mã, tên, thuộc và cấp."
        " Địa bàn trên cùng, như tỉnh, để trống cột thuộc; xã ghi mã của tỉnh. Mọi dòng không dùng"
        " được đều được nêu rõ, và khi đó không có gì thay đổi. Hãy công bố lại cả khi không có cấp"
        " nào đổi, vì thiết bị cho xem ngày của danh sách.",
    ),
    "areas show": Text("Show the list that is published.", "Cho xem danh sách đang được công bố."),
    "areas clear": Text(
        "Withdraw the list; devices then show no levels.",
        "Rút lại danh sách; khi đó thiết bị không cho xem cấp độ nào.",
    ),
    "bluezone": Text(
        "Publish keys of Bluezone, the app of before.",
        "Công bố khóa của Bluezone, ứng dụng trước đây.",
    ),
    "bluezone publish": Text(
        "Publish a list of Bluezone keys, in place of the one before.\n\n"
        "FILE is the list as Bluezone published it. Devices compare it with what their owners took"
        " over from Bluezone. A list with one bad record is refused whole. It leaves by itself 14"
        " days after the end of its last record.",
        "Công bố danh sách khóa Bluezone, thay cho danh sách trước.\n\n"
        "FILE là danh sách theo dạng mà Bluezone từng công bố. Thiết bị đối chiếu danh sách với dữ"
        " liệu mà chủ thiết bị đã chuyển từ Bluezone. Chỉ một mục sai là cả danh sách bị từ chối."
        " Danh sách tự hết sau ngày cuối của mục mới nhất 14 ngày.",
    ),
    "bluezone withdraw": Text("Withdraw the list.", "Rút lại danh sách."),
    "schema": Text(
        "Show every table, what it is for and how many rows it has.\n\n"
        "Your authority can show this as proof of what it keeps: each column with its limit, how"
        " long it is kept, and who can read it.",
        "Cho xem mọi bảng, mục đích và số dòng của từng bảng.\n\n"
        "Cơ quan y tế có thể đưa ra làm bằng chứng về những gì được lưu: từng cột với giới hạn,"
        " thời gian lưu và ai đọc được.",
    ),
    "--levels": Text(
        "Names of the levels: a table (CSV) with the columns level, vi and en. They stay until"
        " others are given.",
        "Tên của các cấp độ: bảng (CSV) có các cột level, vi và en. Tên được giữ cho đến khi có tên"
        " khác.",
    ),
    "--home": Text(
        "Folder of the database, the keys and the published files.",
        "Thư mục chứa cơ sở dữ liệu, các khóa và những tệp đã công bố.",
    ),
    "--database": Text(
        "The database, as postgresql://HOST/NAME; `init` notes it in the home folder."
        "  [default: SQLite, in the home folder]",
        "Cơ sở dữ liệu, dạng postgresql://HOST/NAME; `init` ghi lại địa chỉ này trong thư mục của"
        " máy chủ.  [mặc định: SQLite, trong thư mục của máy chủ]",
    ),
    "--json": Text("Print JSON for programs.", "In JSON cho chương trình khác đọc."),
    "--region": Text("The region to publish keys for.", "Mã của khu vực mà máy chủ công bố khóa."),
    "--url": Text(
        "Where devices will reach this server; https unless it is on this machine.",
        "Địa chỉ để thiết bị kết nối với máy chủ này; phải là https, trừ khi ở ngay trên máy này.",
    ),
    "--contact": Text(
        "Contact for exposed persons: JSON, in vi and en.",
        "Nơi liên hệ cho người có tiếp xúc gần: JSON, gồm vi và en.",
    ),
    "--last-day of init": Text(
        "The last day (UTC), at most two years ahead; after it, everything stops and is deleted."
        "  [default: a year from now]",
        "Ngày cuối (UTC), xa nhất là hai năm; sau ngày đó mọi thứ dừng lại và bị xóa.  [mặc định:"
        " một năm kể từ hôm nay]",
    ),
    "--last-day of trust": Text(
        "Name the last day (UTC), at most two years ahead; it can never be moved.",
        "Ấn định ngày cuối (UTC), xa nhất là hai năm; sau đó không dời được nữa.",
    ),
    "--host": Text("Address to listen on.", "Địa chỉ để nhận kết nối."),
    "--port": Text(
        "Port to listen on; 0 picks a free one.",
        "Cổng để nhận kết nối; 0 là tự chọn một cổng còn trống.",
    ),
    "--test-type": Text("Result of the test.", "Kết quả xét nghiệm."),
    "--symptom-date": Text(
        "First day of symptoms; if unknown, the day of the test counts.",
        "Ngày bắt đầu có triệu chứng; nếu không rõ, tính theo ngày xét nghiệm.",
    ),
    "--test-date": Text("Day of the test.", "Ngày xét nghiệm."),
    "--long": Text(
        "A longer code to send, valid for a day.",
        "Mã dài hơn, để gửi bằng tin nhắn, có hiệu lực một ngày.",
    ),
    "--adopt-folder": Text(
        "This home's key files take the place of the database's former ones, after a move or a"
        " restore.",
        "Dùng tệp khóa của thư mục này thay cho thư mục trước, sau khi chuyển hoặc khôi phục.",
    ),
    "--is-right": Text(
        "Confirm that the clock is right; nothing is held back on its account any longer.",
        "Xác nhận đồng hồ đúng; không giữ lại gì vì đồng hồ nữa.",
    ),
    "--yes": Text("Do not ask.", "Không hỏi lại."),
    "--count": Text("Number of codes.", "Số mã cần cấp."),
}
"""The texts by what one types."""
