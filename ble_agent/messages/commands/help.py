"""Texts of the help of `truyvet agent`: its commands and their options."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "help_agent": Text(
        "Run this device's agent and see what it knows: it sends and records identifiers and"
        " checks for exposures.",
        "Chạy và xem tình trạng chương trình trên thiết bị này: chương trình phát và ghi nhận mã"
        " định danh, rồi kiểm tra xem bạn có tiếp xúc gần (phơi nhiễm) hay không.",
    ),
    "help_join": Text(
        "Join a health authority with its line or file.\n\n"
        "URL#FINGERPRINT is the line. FILE holds the line, or is a join file in TOML for an"
        " authority with other servers, such as Google's (docs/joining.md). A device has one"
        " authority: joining another deletes the matches with the first one's keys, and keeps"
        " everything that was heard.",
        "Kết nối với cơ quan y tế bằng dòng hoặc tệp được cấp.\n\n"
        "URL#FINGERPRINT là dòng kết nối. FILE là tệp chứa dòng đó, hoặc là tệp kết nối dạng TOML"
        " của một cơ quan dùng máy chủ khác, chẳng hạn của Google (docs/joining.md). Mỗi thiết bị"
        " chỉ kết nối với một cơ quan: khi chuyển sang nơi khác, kết quả đối chiếu với khóa của nơi"
        " cũ bị xóa, còn mọi tín hiệu đã thu vẫn được giữ.",
    ),
    "help_last_day": Text(
        "Show until when this device takes part, and agree to it.\n\n"
        "After the last day the device stops and deletes everything it holds. You agree to the day"
        " when you join, and nothing moves it later. A device that joined before there was such a"
        " day asks once, and goes on as before until you agree.",
        "Xem thiết bị tham gia đến ngày nào, và đồng ý với ngày đó.\n\n"
        "Sau ngày cuối, thiết bị ngừng hoạt động và xóa mọi thứ đang lưu. Bạn đồng ý với ngày này"
        " khi kết nối, về sau không gì dời được. Thiết bị đã kết nối từ trước khi có ngày cuối sẽ"
        " hỏi một lần, và vẫn hoạt động như cũ cho đến khi bạn đồng ý.",
    ),
    "help_last_day_yes": Text(
        "Answer the question: agree to the day, or not.",
        "Trả lời câu hỏi: đồng ý hay không đồng ý.",
    ),
    "help_run": Text(
        "Send and record identifiers, and check, until stopped.",
        "Phát, ghi nhận và kiểm tra cho đến khi bị dừng.",
    ),
    "help_page": Text(
        "Open your page: what was found, and what you can do.\n\n"
        "The page is served on this device alone, and the command prints a link that opens it once."
        " The page closes after 15 minutes without use; the agent runs on.",
        "Mở trang của bạn: đã phát hiện gì, bạn có thể làm gì.\n\n"
        "Trang chỉ mở được trên chính thiết bị này; lệnh in ra một liên kết dùng một lần. Trang tự"
        " đóng sau 15 phút không sử dụng; chương trình vẫn tiếp tục chạy.",
    ),
    "help_lan": Text(
        "Serve the page to your home network, too, at ADDRESS or the only private one. A phone"
        " opens it by TLS, with a link of its own. It closes after 30 minutes without use.",
        "Mở trang cho cả mạng trong nhà, ở ADDRESS hoặc ở địa chỉ nội bộ duy nhất. Điện thoại mở"
        " trang qua TLS bằng liên kết riêng. Trang tự đóng sau 30 phút không sử dụng.",
    ),
    "help_no_open": Text(
        "Print the link, and open no browser.", "Chỉ in liên kết, không mở trình duyệt."
    ),
    "help_status": Text(
        "Show what was found, what works, and how to fix the rest.\n\n"
        "Exit code 0: all is well. 1: something needs you: a probe failed, key files are missing or"
        " stale, or an exposure is new. It stays new until check or status shows it in a terminal,"
        " and is new again when its level changes or its minutes grow. 2: wrong usage.",
        "Cho biết đã phát hiện gì, phần nào chạy tốt, cách khắc phục.\n\n"
        "Mã thoát 0: mọi thứ đều ổn. 1: có việc cần bạn: một phần bị lỗi, thiếu tệp khóa hoặc tệp"
        " khóa đã cũ, hoặc có lần tiếp xúc gần mới. Lần đó được coi là mới cho đến khi check hoặc"
        " status hiện ra trong terminal, và lại được coi là mới khi mức nguy cơ thay đổi hoặc số"
        " phút tăng. 2: gõ sai lệnh.",
    ),
    "help_area": Text(
        "Show the level of your area, or choose your area.\n\n"
        "NAME is a part of the area's name, with or without marks, or its code. If several areas"
        " fit, they are listed, and none is chosen. The choice stays on this device: every device"
        " fetches the same whole list.",
        "Xem cấp độ dịch của địa bàn bạn ở, hoặc chọn địa bàn.\n\n"
        "NAME là một phần của tên, có dấu hay không dấu, hoặc là mã. Nếu nhiều địa bàn phù hợp,"
        " lệnh liệt kê ra và chưa chọn địa bàn nào. Lựa chọn chỉ lưu trên thiết bị: mọi thiết bị"
        " đều tải cùng một danh sách đầy đủ.",
    ),
    "help_area_in": Text(
        "Look only in this area, such as a province; without NAME, list what is in it.",
        "Chỉ tìm trong địa bàn này, như một tỉnh; không có NAME thì liệt kê những gì thuộc nó.",
    ),
    "help_area_forget": Text(
        "Delete the choice from this device.", "Xóa lựa chọn khỏi thiết bị này."
    ),
    "help_check": Text(
        "Fetch new keys and show if this device was near any.\n\n"
        "Exit code 0: all is well. 1: an exposure is new (see truyvet agent status --help), or the"
        " check failed or was not complete. 2: wrong usage.",
        "Tải khóa mới và cho biết bạn có tiếp xúc gần không.\n\n"
        "Mã thoát 0: mọi thứ đều ổn. 1: có lần tiếp xúc gần mới (xem truyvet agent status --help),"
        " hoặc chưa kiểm tra được đầy đủ. 2: gõ sai lệnh.",
    ),
    "help_report": Text(
        "Report a test by the CODE that the authority gave you.",
        "Khai báo kết quả xét nghiệm bằng mã CODE được cấp.",
    ),
    "help_erase": Text(
        "Delete everything recorded, the keys and settings.\n\n"
        "An agent that is running in the folder is stopped first. Files in the folder that are not"
        " the agent's are kept and listed.",
        "Xóa mọi dữ liệu đã ghi nhận, các khóa và cài đặt.\n\n"
        "Nếu có chương trình đang chạy trong thư mục đó, chương trình sẽ được dừng trước. Những tệp"
        " trong thư mục không thuộc chương trình vẫn còn và được liệt kê.",
    ),
    "help_export": Text(
        "Write what was heard to FILE; with --all, all data about you.\n\n"
        "What was heard is written as JSON Lines, gzipped if the name ends in .gz. A file of that"
        " name is replaced only with --force.",
        "Ghi những gì đã thu được vào FILE; với --all, toàn bộ dữ liệu.\n\n"
        "Nội dung đã thu được ghi ở dạng JSON Lines, nén gzip nếu tên kết thúc bằng .gz."
        " Tệp cùng tên chỉ bị ghi đè khi có --force.",
    ),
    "help_export_all": Text(
        "Write all data about you to FILE, a zip archive.\n\n"
        "A README in it says what each file is, and what is left out. A file of that name is"
        " replaced only with --force.",
        "Ghi toàn bộ dữ liệu về bạn vào FILE, một tệp zip.\n\n"
        "Tệp README trong đó cho biết từng tệp là gì và những gì không được đưa vào. Tệp cùng tên"
        " chỉ bị ghi đè khi có --force.",
    ),
    "help_export_page": Text(
        "Write all data about you, as a page that any browser shows and that truyvet agent import"
        " reads.",
        "Ghi toàn bộ dữ liệu về bạn thành một trang mà trình duyệt nào cũng mở được và lệnh truyvet"
        " agent import đọc được.",
    ),
    "help_with_keys": Text(
        "With --all: your own keys too, to move to another device. Keep the file secret.",
        "Cùng với --all: gồm cả khóa của bạn, để chuyển sang thiết bị khác. Hãy giữ bí mật tệp.",
    ),
    "help_export_protocol": Text(
        "Write the sightings of this protocol: gaen (Exposure Notification), bluezone or dp3t.",
        "Ghi các lượt ghi nhận của giao thức này: gaen (Exposure Notification), bluezone hoặc"
        " dp3t.",
    ),
    "help_import": Text(
        "Add what another app or device heard, from FILE.\n\n"
        "FILE is JSON Lines, gzipped or not; another agent's agent.db; microG's exposure.db; the"
        " LevelDB folder of Google Play Services; RaMBLE's database; or Bluezone's app_db_2.db or"
        " data_trace.txt. A page of truyvet agent export --all brings all data of a device.\n\n"
        "docs/importing.md says what is read from each.",
        "Thêm dữ liệu ứng dụng hoặc thiết bị khác đã thu, từ FILE.\n\n"
        "FILE là JSON Lines, nén gzip hoặc không; agent.db của thiết bị khác; exposure.db của"
        " microG; thư mục LevelDB của Google Play Services; cơ sở dữ liệu của RaMBLE; hoặc"
        " app_db_2.db hay data_trace.txt của Bluezone. Trang do truyvet agent export --all ghi ra"
        " mang theo toàn bộ dữ liệu của một thiết bị.\n\n"
        "docs/importing.md cho biết những gì được đọc từ mỗi loại.",
    ),
    "help_take_over": Text(
        "Find data of earlier apps in FOLDER, show it, and add it.\n\n"
        "Without FOLDER it asks first, then looks in Downloads and on USB sticks and cards. Files"
        " are known by their content: at most 2000 files, two levels of folders and 5 seconds."
        " Nothing is added before you agree; --yes agrees to all.",
        "Tìm dữ liệu của ứng dụng cũ trong FOLDER, xem rồi thêm.\n\n"
        "Nếu không nêu FOLDER, lệnh sẽ hỏi trước rồi tìm trong thư mục tải xuống, USB và thẻ nhớ."
        " Tệp được nhận biết qua nội dung: tối đa 2000 tệp, hai cấp thư mục con và 5 giây. Chưa có"
        " gì được thêm khi bạn chưa đồng ý; --yes là đồng ý tất cả.",
    ),
    "help_self_test": Text(
        "Test Bluetooth: send and listen for a few seconds.",
        "Thử Bluetooth: phát và thu tín hiệu trong vài giây.",
    ),
    "help_json": Text("Print one JSON object.", "In ra một đối tượng JSON."),
    "help_force": Text("Replace a file of that name.", "Ghi đè tệp cùng tên."),
    "help_yes": Text("Do not ask.", "Không hỏi lại."),
    "help_server": Text(
        "The server's present address, if it has moved since you joined.",
        "Địa chỉ hiện nay của máy chủ, nếu khác với địa chỉ lúc kết nối.",
    ),
    "help_radio": Text(
        "Radio to use: auto (the default), bluez[:hci0], mgmt[:hci0], hci:TRANSPORT, android"
        " or replay:FILE.",
        "Bộ thu phát cần dùng: auto (nếu không chọn), bluez[:hci0], mgmt[:hci0], hci:TRANSPORT,"
        " android hoặc replay:FILE.",
    ),
    "help_home": Text(
        "Folder of this device's data. [default: $TRUYVET_HOME or ~/.local/share/truyvet/agent]",
        "Thư mục dữ liệu của thiết bị. [mặc định: $TRUYVET_HOME hoặc ~/.local/share/truyvet/agent]",
    ),
    "help_lang": Text("Language. [default: the locale's]", "Ngôn ngữ. [mặc định: theo hệ thống]"),
    "help_verbose": Text("Log more.", "Ghi nhật ký chi tiết hơn."),
    "help_dry_run": Text("Only show what would be added.", "Chỉ cho biết những gì sẽ được thêm."),
}
"""The texts by name."""
