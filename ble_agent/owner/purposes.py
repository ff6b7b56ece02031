"""Purposes: all that this device keeps, what for, how long, and who can read it."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.store.vault import SEALED_KEY_BYTES
from tracing_core.store.purpose import (
    AnyNumber,
    Bytes,
    Choice,
    ColumnPurpose,
    Document,
    KeptDays,
    Limit,
    TablePurpose,
    Whole,
    Word,
)
from tracing_core.texts import Text

__all__ = ["TABLES"]

_TWO_WEEKS = KeptDays.of(14)
_AS_LISTED = Text(
    "As long as the server lists the file, and until you leave the authority",
    "Chừng nào máy chủ còn liệt kê tệp đó và bạn chưa rời cơ quan y tế",
)
_HERE = Text(
    "Only you, on this device. It is never sent.",
    "Chỉ bạn, trên thiết bị này. Không bao giờ được gửi đi.",
)
_MOMENTS = Whole(0, 2**32 * 600 - 1)
_INTERVALS = Whole(0, 2**32 - 1)
_PERIODS = Whole(1, 144)
_FILE_NAME = Word(1024, "1606780800-1606867200-00001.zip")
_SHA256 = Word(64, "0123456789abcdef" * 4, 64)


def _column(en: str, vi: str, limit: Limit, *, or_null: bool = False) -> ColumnPurpose:
    return ColumnPurpose(Text(en, vi), limit, or_null)


_FIRST_INTERVAL = _column(
    "First interval (ENIntervalNumber, ten minutes each) of the key's use.",
    "Khoảng 10 phút đầu tiên mà khóa được dùng (ENIntervalNumber).",
    _INTERVALS,
)
_PERIOD = _column("Number of intervals.", "Số khoảng 10 phút mà khóa được dùng.", _PERIODS)
_SEEN_AT = _column(
    "When it was heard (UTC Unix seconds).", "Thời điểm nghe thấy (giây Unix, UTC).", _MOMENTS
)
_PREVIOUS = _column(
    "When this device had listened before (UTC Unix seconds); null if unknown.",
    "Lần nghe trước đó (giây Unix, UTC); để trống nếu không rõ.",
    _MOMENTS,
    or_null=True,
)
_NAME = _column(
    "Name of the key file, as in the server's index.",
    "Tên tệp khóa, như trong danh mục của máy chủ.",
    _FILE_NAME,
)
_NUMBER = _column("Number of the row.", "Số thứ tự của dòng.", AnyNumber())

TABLES: Mapping[str, TablePurpose] = {
    "sighting": TablePurpose(
        Text(
            "The encounter log: one row per identifier heard in a scan.",
            "Nhật ký tiếp xúc: mỗi mã ngẫu nhiên nghe được trong một lần quét là một dòng.",
        ),
        Text(
            "To find out on this device whether one of the published keys was near you.",
            "Để tự kiểm tra trên thiết bị này xem có khóa đã công bố nào từng ở gần bạn không.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "id": _column(
                "Number of the row, in the order of writing.",
                "Số thứ tự của dòng, theo thứ tự ghi.",
                AnyNumber(),
            ),
            "rpi": _column(
                "Rolling Proximity Identifier that was heard.",
                "Mã định danh ngẫu nhiên nghe được.",
                Bytes((16,)),
            ),
            "aem": _column(
                "Associated Encrypted Metadata that came with it.",
                "Dữ liệu mã hóa đi kèm mã đó.",
                Bytes((4,)),
            ),
            "rssi_dbm": _column(
                "Samples of the signal's strength in dBm, one signed byte each.",
                "Các mẫu cường độ tín hiệu (dBm), mỗi mẫu một byte.",
                Bytes(range(1, 65_537)),
            ),
            "seen_at": _column(
                "When the first sample was heard (UTC Unix seconds).",
                "Thời điểm nghe thấy mẫu đầu tiên (giây Unix, UTC).",
                _MOMENTS,
            ),
            "previous_scan_at": _PREVIOUS,
            "clock_suspect": _column(
                "1 if the device's clock had jumped back; such a sighting never matches.",
                "1 nếu đồng hồ thiết bị từng nhảy lùi; lượt ghi nhận đó không được so khớp.",
                Whole(0, 1),
            ),
            "import": _column(
                "Number of the import it comes from, `import.id`; null for what this device itself"
                " heard, and where the import is forgotten.",
                "Số của lần nhập (`import.id`); để trống với những gì thiết bị này tự nghe được"
                " hoặc khi lần nhập đã bị quên.",
                AnyNumber(),
                or_null=True,
            ),
        },
    ),
    "own_key": TablePurpose(
        Text(
            "The key ring: this device's Temporary Exposure Keys, one per UTC day.",
            "Chùm khóa: các khóa tạm thời của thiết bị này, mỗi ngày (UTC) một khóa.",
        ),
        Text(
            "To make the identifiers that Bluetooth sends, and to report if you test positive.",
            "Để tạo các mã phát qua Bluetooth và để khai báo nếu bạn có kết quả dương tính.",
        ),
        _TWO_WEEKS,
        Text(
            "Only you, on this device, sealed with its key. You alone send them, with a code from"
            " the health authority; then everyone can read the keys of those days.",
            "Chỉ bạn, trên thiết bị này, được niêm phong bằng khóa của thiết bị. Chỉ bạn gửi chúng"
            " đi, bằng mã của cơ quan y tế; khi đó ai cũng đọc được khóa của những ngày ấy.",
        ),
        {
            "rolling_start": _FIRST_INTERVAL,
            "rolling_period": _PERIOD,
            "key_data": _column(
                "The key, sealed; older versions stored its 16 bytes as they are.",
                "Khóa đã niêm phong; các phiên bản cũ lưu nguyên 16 byte.",
                Bytes((16, SEALED_KEY_BYTES)),
            ),
            "last_interval": _column(
                "Last interval whose identifier was sent; one past the key's last if the key came"
                " from another device, which alone sends it.",
                "Khoảng 10 phút cuối cùng mà mã đã được phát; lớn hơn khoảng cuối của khóa nếu khóa"
                " đến từ thiết bị khác, chỉ thiết bị đó phát nó.",
                _INTERVALS,
            ),
        },
    ),
    "matched_key": TablePurpose(
        Text(
            "The published keys of which this device heard an identifier.",
            "Các khóa đã công bố mà thiết bị này từng nghe thấy mã.",
        ),
        Text(
            "To work out how strong an exposure was, also after a key was revised.",
            "Để tính mức độ tiếp xúc, kể cả khi khóa được sửa đổi về sau.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "key_data": _column("The published key.", "Khóa đã công bố.", Bytes((16,))),
            "rolling_start": _FIRST_INTERVAL,
            "rolling_period": _PERIOD,
            "report_type": _column(
                "Number of the `ReportType`, as revised.",
                "Loại khai báo (số của `ReportType`), sau khi sửa đổi.",
                Whole(0, 5),
            ),
            "days_since_onset": _column(
                "Days from the onset of symptoms to the key, as published; null if unknown.",
                "Số ngày từ khi có triệu chứng đến ngày của khóa; để trống nếu không rõ.",
                Whole(-(2**31), 2**31 - 1),
                or_null=True,
            ),
            "transmission_risk": _column(
                "Transmission risk level, as published.",
                "Mức nguy cơ lây, như đã công bố.",
                Whole(0, 8),
            ),
            "variant_of_concern": _column(
                "Number of the `VariantOfConcern`.",
                "Biến thể (số của `VariantOfConcern`).",
                Whole(0, 4),
            ),
            "revised": _column(
                "1 if a later key file revised the key.",
                "1 nếu một tệp khóa sau đó đã sửa đổi khóa này.",
                Whole(0, 1),
            ),
        },
    ),
    "other_sighting": TablePurpose(
        Text(
            "What you imported from earlier apps: one row per packet.",
            "Những gì bạn nhập từ ứng dụng trước đây: mỗi gói tin một dòng.",
        ),
        Text(
            "To compare it with lists that a health authority publishes for those apps.",
            "Để so với danh sách mà cơ quan y tế công bố cho các ứng dụng đó.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "protocol": _column(
                "Name of the protocol.", "Tên giao thức.", Choice(("bluezone", "dp3t"))
            ),
            "identifier": _column(
                "The identifier: 12 bytes for Bluezone, 16 for DP-3T.",
                "Mã định danh: 12 byte với Bluezone, 16 byte với DP-3T.",
                Bytes((12, 16)),
            ),
            "rssi_dbm": _column(
                "Signal strength in dBm; null if unknown.",
                "Cường độ tín hiệu (dBm); để trống nếu không rõ.",
                Whole(-127, -1),
                or_null=True,
            ),
            "tx_power": _column(
                "Transmit power that the sender stated, in dBm; null if unknown.",
                "Công suất phát mà máy gửi ghi (dBm); để trống nếu không rõ.",
                Whole(-127, 126),
                or_null=True,
            ),
            "seen_at": _SEEN_AT,
            "previous_scan_at": _PREVIOUS,
            "import": _column(
                "Number of the import it comes from, `import.id`; null if that is forgotten.",
                "Số của lần nhập (`import.id`); để trống nếu lần nhập đã bị quên.",
                AnyNumber(),
                or_null=True,
            ),
        },
    ),
    "import": TablePurpose(
        Text(
            "The imports of the last 14 days that added something.",
            "Các lần nhập trong 14 ngày qua có thêm dữ liệu.",
        ),
        Text(
            "To say what came of an import, and to notice a log that was imported before.",
            "Để cho biết kết quả từng lần nhập và nhận ra nhật ký đã nhập rồi.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "id": _column(
                "Number of the import, which `sighting.import` and `other_sighting.import` name.",
                "Số của lần nhập, được `sighting.import` và `other_sighting.import` nhắc tới.",
                AnyNumber(),
            ),
            "format": _column(
                "Format of the log, as `truyvet agent import --json` prints it.",
                "Định dạng nhật ký, như `truyvet agent import --json` in ra.",
                Word(32, "bluezone-trace"),
            ),
            "digest": _column(
                "SHA-256 of all sightings of the log in their order, whatever its form.",
                "SHA-256 của mọi lượt ghi nhận trong nhật ký theo thứ tự, bất kể định dạng.",
                Bytes((32,)),
            ),
            "imported_at": _column(
                "When it was imported (UTC Unix seconds).",
                "Thời điểm nhập (giây Unix, UTC).",
                _MOMENTS,
            ),
            "counts": _column(
                "The numbers that `truyvet agent import --json` printed, as JSON.",
                "Các con số mà `truyvet agent import --json` đã in, dạng JSON.",
                Document(65_536),
            ),
        },
    ),
    "diary": TablePurpose(
        Text("Your health diary: one row per day.", "Nhật ký sức khỏe của bạn: mỗi ngày một dòng."),
        Text(
            "To propose when your symptoms began, and to count the days of isolation.",
            "Để gợi ý ngày bạn bắt đầu có triệu chứng và đếm số ngày cách ly.",
        ),
        KeptDays.of(21),
        _HERE,
        {
            "day": _column(
                "Day of your calendar, in days since 1970.",
                "Ngày theo lịch của bạn, tính từ năm 1970.",
                Whole(0, 99_999),
            ),
            "signs": _column(
                "Sum of 1 fever, 2 cough, 4 shortness of breath, 8 pneumonia, 16 sore throat, 32"
                " tiredness.",
                "Tổng của 1 sốt, 2 ho, 4 khó thở, 8 viêm phổi, 16 đau họng, 32 mệt mỏi.",
                Whole(0, 63),
            ),
            "met": _column(
                "Sum of 1 met a patient, 2 met a person from a place with an outbreak, 4 met a"
                " person who was ill.",
                "Tổng của 1 gặp người mắc bệnh, 2 gặp người từ nơi có dịch, 4 gặp người có biểu"
                " hiện bệnh.",
                Whole(0, 7),
            ),
            "test": _column(
                "Your test: 0 none, 1 negative, 2 positive.",
                "Xét nghiệm của bạn: 0 không có, 1 âm tính, 2 dương tính.",
                Whole(0, 2),
            ),
        },
    ),
    "request": TablePurpose(
        Text(
            "The requests that left this device for the health authority's servers.",
            "Các yêu cầu đã rời thiết bị này tới máy chủ của cơ quan y tế.",
        ),
        Text(
            "To show you all that left this device.",
            "Để cho bạn thấy mọi thứ đã rời thiết bị này.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "id": _column(
                "Number of the request, in the order of sending.",
                "Số của yêu cầu, theo thứ tự gửi.",
                AnyNumber(),
            ),
            "at": _column(
                "When it was sent (UTC Unix seconds).",
                "Thời điểm gửi (giây Unix, UTC).",
                Whole(0, 99_999_999_999),
            ),
            "host": _column(
                "Host that it was sent to, with its port if it has one.",
                "Máy chủ nhận, kèm cổng nếu có.",
                Word(261, "keys.example", 0),
            ),
            "what": _column(
                "What it asked or sent, as `ble_agent.authority.ledger_notes.KINDS` lists it.",
                "Hỏi hoặc gửi gì, như `ble_agent.authority.ledger_notes.KINDS` liệt kê.",
                Choice(
                    (
                        *("trust", "config", "areas", "index", "signed_index", "bluezone"),
                        *("key_file", "mark", "code", "certificate", "keys", "other"),
                    )
                ),
            ),
            "bytes": _column(
                "Bytes of the request, its head and body; 0 if none left.",
                "Số byte của yêu cầu, gồm phần đầu và nội dung; 0 nếu chưa gửi byte nào.",
                Whole(0, 4_194_304),
            ),
            "cover": _column(
                "1 for a request of a cover report.",
                "1 nếu là yêu cầu của một khai báo giả lập.",
                Whole(0, 1),
            ),
            "answer": _column(
                "Status of the answer; 1 if none came, 0 if the request never left, null if that"
                " is not known since the program was stopped.",
                "Mã trả lời; 1 nếu không có trả lời, 0 nếu yêu cầu chưa rời đi, để trống nếu không"
                " rõ vì chương trình đã dừng.",
                Whole(0, 999),
                or_null=True,
            ),
        },
    ),
    "heard_day": TablePurpose(
        Text(
            "Counts of past days, in which nothing was heard or deleted since they were made.",
            "Số đếm của những ngày đã qua, không còn thay đổi từ khi đếm.",
        ),
        Text(
            "To show how much was heard each day without counting again.",
            "Để hiện số mã nghe được mỗi ngày mà không phải đếm lại.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "starts_at": _column(
                "First second of the day, by UTC or by a local calendar (UTC Unix seconds).",
                "Giây đầu tiên của ngày, theo UTC hoặc giờ địa phương (giây Unix, UTC).",
                Whole(-10_000_000, 2**32 * 600 - 1),
            ),
            "ends_at": _column(
                "First second after the day.",
                "Giây đầu tiên sau ngày đó.",
                Whole(-10_000_000, 2**32 * 600 - 1 + 10_000_000),
            ),
            "identifiers": _column(
                "Number of different identifiers heard in it.",
                "Số mã khác nhau nghe được trong ngày.",
                Whole(0, 2**32 - 1),
            ),
        },
    ),
    "state": TablePurpose(
        Text(
            "Values that the agent keeps by name; each is listed below.",
            "Các giá trị được lưu theo tên; từng giá trị được liệt kê bên dưới.",
        ),
        Text(
            "To go on after a restart: the authority you joined, what you were shown, what left"
            " this device.",
            "Để tiếp tục sau khi khởi động lại: cơ quan y tế bạn tham gia, những gì đã báo cho bạn,"
            " những gì đã rời thiết bị.",
        ),
        Text(
            "What has a date 14 days, the rest until you leave or erase",
            "Mục có ngày: 14 ngày; phần còn lại đến khi bạn rời đi hoặc xóa hết",
        ),
        _HERE,
        {
            "name": _column("Name of the value.", "Tên của giá trị.", Word(1_100, "last_check")),
            "value": _column("The value, as JSON.", "Giá trị, dạng JSON.", Document(1 << 24)),
        },
    ),
    "batch": TablePurpose(
        Text("The key files already matched.", "Các tệp khóa đã so khớp."),
        Text("Not to fetch and match a file twice.", "Để không tải và so khớp một tệp hai lần."),
        _AS_LISTED,
        _HERE,
        {
            "name": _NAME,
            "done_on": _column(
                "UTC day on which it was matched, in days since 1970.",
                "Ngày (UTC) đã so khớp, tính từ năm 1970.",
                Whole(0, 29_826_161),
            ),
        },
    ),
    "signed_header": TablePurpose(
        Text(
            "What the signed headers of matched key files say; none for those of older versions.",
            "Phần đầu có chữ ký của các tệp khóa đã so khớp; tệp của phiên bản cũ thì không có.",
        ),
        Text(
            "To know a file under another name, and to see whether a window is missing.",
            "Để nhận ra một tệp dưới tên khác và biết có thiếu khoảng thời gian nào không.",
        ),
        _AS_LISTED,
        _HERE,
        {
            "name": _NAME,
            "region": _column(
                "Region; empty if it is longer than a region's code.",
                "Mã vùng; để trống nếu dài hơn một mã vùng.",
                Word(32, "VN", 0),
            ),
            "start_timestamp": _column(
                "Start of its window (UTC Unix seconds).",
                "Đầu khoảng thời gian của tệp (giây Unix, UTC).",
                _MOMENTS,
            ),
            "end_timestamp": _column(
                "End of its window (UTC Unix seconds).",
                "Cuối khoảng thời gian của tệp (giây Unix, UTC).",
                _MOMENTS,
            ),
            "batch_num": _column(
                "Number of the file among those of its window.",
                "Số thứ tự của tệp trong khoảng thời gian đó.",
                Whole(0, 2**31 - 1),
            ),
            "batch_size": _column(
                "Number of files of its window.",
                "Số tệp của khoảng thời gian đó.",
                Whole(0, 2**31 - 1),
            ),
            "content_sha256": _column(
                "SHA-256 of its `export.bin`, by which it is known under any name.",
                "SHA-256 của `export.bin`, để nhận ra tệp dù mang tên nào.",
                _SHA256,
            ),
            "file_sha256": _column(
                "SHA-256 of the whole file, as a signed index has it.",
                "SHA-256 của cả tệp, như trong danh mục có chữ ký.",
                _SHA256,
            ),
        },
    ),
    "unusable_file": TablePurpose(
        Text(
            "The listed key files that could not be used.",
            "Các tệp khóa có trong danh mục nhưng không dùng được.",
        ),
        Text(
            "Not to fetch them every time, and to say what is missing.",
            "Để không tải lại mỗi lần và để cho bạn biết còn thiếu gì.",
        ),
        _AS_LISTED,
        _HERE,
        {
            "name": _NAME,
            "fault": _column(
                "Word of the fault; `ble_agent.messages.faults.server` has its text.",
                "Từ chỉ lỗi; nội dung ở `ble_agent.messages.faults.server`.",
                Word(40, "damaged_file"),
            ),
            "tag": _column(
                "ETag, or else the time of the last change, that the file came with.",
                "ETag, hoặc thời điểm sửa cuối, đi kèm tệp.",
                Word(256, '"5f-1606867200"', 0),
            ),
            "size": _column(
                "Bytes; null if unknown.",
                "Số byte; để trống nếu không rõ.",
                Whole(0, 2**53 - 1),
                or_null=True,
            ),
            "listed_sha256": _column(
                "SHA-256 that the signed index gave for it; null if there was none.",
                "SHA-256 ghi trong danh mục có chữ ký; để trống nếu không có.",
                _SHA256,
                or_null=True,
            ),
            "version": _column(
                "Version of truyvet that could not use it.",
                "Phiên bản truyvet đã không dùng được tệp.",
                Word(64, "1.0.0"),
            ),
            "tries": _column("How often it was tried.", "Số lần đã thử.", Whole(1, 10**9)),
            "tried_at": _column(
                "When it was last tried (UTC Unix seconds).",
                "Lần thử gần nhất (giây Unix, UTC).",
                _MOMENTS,
            ),
        },
    ),
    "kept_row": TablePurpose(
        Text(
            "Rows that an update could not take over, as they were.",
            "Những dòng mà bản cập nhật không nhận được, giữ nguyên như cũ.",
        ),
        Text(
            "To lose nothing: the status counts them, and the file with all data has them.",
            "Để không mất gì: phần trạng thái đếm chúng và tệp toàn bộ dữ liệu có chúng.",
        ),
        _TWO_WEEKS,
        _HERE,
        {
            "id": _NUMBER,
            "source": _column(
                "Table that the row was in.", "Bảng chứa dòng đó.", Word(32, "sighting")
            ),
            "kept_at": _column(
                "When it was set aside (UTC Unix seconds); 0 until that is known.",
                "Thời điểm để riêng (giây Unix, UTC); 0 khi chưa rõ.",
                _MOMENTS,
            ),
            "content": _column(
                "The row as JSON, in bytes, whatever stood in it.",
                "Nội dung dòng đó dạng JSON, dù trong đó có gì.",
                Bytes(range(2, 1_000_000_001)),
            ),
        },
    ),
    "_sqlite_migrations": TablePurpose(
        Text(
            "The steps that made these tables, written by sqlite-utils.",
            "Các bước đã tạo những bảng này, do sqlite-utils ghi.",
        ),
        Text(
            "To bring the tables of an older version up to date.",
            "Để cập nhật các bảng của phiên bản cũ.",
        ),
        Text("As long as the database", "Chừng nào còn cơ sở dữ liệu"),
        _HERE,
        {
            "id": _NUMBER,
            "migration_set": _column(
                "`agent` or `sighting`.", "`agent` hoặc `sighting`.", Word(32, "agent")
            ),
            "name": _column("Name of the step.", "Tên bước.", Word(64, "m001_own_key")),
            "applied_at": _column(
                "When it was applied.", "Thời điểm thực hiện.", Word(40, "2026-12-01")
            ),
        },
    ),
}
"""The tables of the agent's database, by name; what matters most to the owner comes first."""
