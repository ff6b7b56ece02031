"""Purposes: every table and column of the server's databases, and what they are for.

A test holds the list against the real schemas of both databases. A new column needs its entry
here and its limit in the migration that adds it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracing_core.store.purpose import (
    AnyNumber,
    Bytes,
    Choice,
    ColumnPurpose,
    Document,
    Limit,
    TablePurpose,
    Whole,
    Word,
)
from tracing_core.texts import Text

__all__ = ["SERVER_TABLES"]

_TIME = Whole(0, 99_999_999_999)
_FLAG = Whole(0, 1)
_NUMBER = AnyNumber()
_HEX_64 = Word(64, "0" * 64, 64)
_ISO_DATE = Word(10, "2025-06-15", 10)

_OPERATORS = Text(
    "The authority's operators, on the server's machine or in its PostgreSQL.",
    "Người vận hành của cơ quan y tế, trên máy chủ hoặc trong PostgreSQL của máy chủ.",
)
_PUBLIC = Text(
    "Everyone, once it is published; before that, the authority's operators.",
    "Mọi người, sau khi được công bố; trước đó là người vận hành của cơ quan y tế.",
)
_WHILE_USED = Text("As long as the server is used.", "Trong suốt thời gian dùng máy chủ.")
_14_DAYS = Text(
    "14 days (setting `retention_seconds`).", "14 ngày (thiết lập `retention_seconds`)."
)
_CODES_KEPT = Text(
    "Until it expires and a while longer (setting `forget_codes_seconds`).",
    "Đến khi hết hạn và thêm một thời gian (thiết lập `forget_codes_seconds`).",
)


def _column(en: str, vi: str, limit: Limit, *, or_null: bool = False) -> ColumnPurpose:
    return ColumnPurpose(Text(en, vi), limit, or_null)


_ROW = _column("Number of the row.", "Số thứ tự của dòng.", _NUMBER)
_ONE = _column("Always 1.", "Luôn là 1.", Whole(1, 1))
_REGION = _column("The region.", "Khu vực.", Word(16, "VN"))


def _voucher(en: str, vi: str) -> Mapping[str, ColumnPurpose]:
    return {
        "id": _ROW,
        "test_type": _column(
            "What the authority stated about the test.",
            "Kết quả xét nghiệm do cơ quan y tế xác nhận.",
            Choice(("confirmed", "likely", "negative")),
        ),
        "symptom_date": _column(
            "First day of symptoms; null if unknown.",
            "Ngày bắt đầu có triệu chứng; để trống nếu không rõ.",
            _ISO_DATE,
            or_null=True,
        ),
        "test_date": _column(
            "Day of the test; null if unknown.",
            "Ngày xét nghiệm; để trống nếu không rõ.",
            _ISO_DATE,
            or_null=True,
        ),
        "expires_at": _column(
            f"When the {en} expires (UTC Unix seconds); 2⁶² for never.",
            f"Khi nào {vi} hết hạn (giây Unix UTC); 2⁶² là không bao giờ.",
            Whole(0, 2**62),
        ),
    }


def _risk(or_null: bool, en: str = "", vi: str = "") -> ColumnPurpose:
    return _column(
        f"Transmission risk level{en}.", f"Mức nguy cơ lây{vi}.", Whole(0, 8), or_null=or_null
    )


def _report_type(or_null: bool, en: str = "", vi: str = "") -> ColumnPurpose:
    return _column(
        f"Number of the `ReportType`{en}.",
        f"Số của `ReportType`{vi}.",
        Whole(0, 5),
        or_null=or_null,
    )


def _onset(en: str = "", vi: str = "") -> ColumnPurpose:
    return _column(
        f"Days from the onset of symptoms to the key{en}; null if unknown.",
        f"Số ngày từ khi có triệu chứng đến ngày của khóa{vi}; để trống nếu không rõ.",
        Whole(-14, 14),
        or_null=True,
    )


_KEYS = TablePurpose(
    Text(
        "Published keys, real and invented; nothing of who used them.",
        "Các khóa được công bố, thật và giả; không có gì về người đã dùng khóa.",
    ),
    Text(
        "To write the key files with which devices find exposures.",
        "Để ghi các tệp khóa mà thiết bị dùng để phát hiện tiếp xúc gần.",
    ),
    _14_DAYS,
    _PUBLIC,
    {
        "id": _ROW,
        "key_data": _column("The key.", "Khóa.", Bytes((16,))),
        "region": _REGION,
        "rolling_start_interval_number": _column(
            "First interval of the key's use, of ten minutes each.",
            "Khoảng 10 phút đầu tiên dùng khóa.",
            Whole(0, 2**32 - 1),
        ),
        "rolling_period": _column(
            "Number of intervals.", "Số khoảng 10 phút dùng khóa.", Whole(1, 144)
        ),
        "transmission_risk_level": _risk(or_null=False),
        "report_type": _report_type(or_null=False),
        "days_since_onset": _onset(),
        "created_at": _column(
            "Start of the window of hours in which the key may first leave (UTC Unix seconds).",
            "Bắt đầu khung giờ mà khóa được công bố sớm nhất (giây Unix UTC).",
            _TIME,
        ),
        "revised_at": _column(
            "Start of the window of its revision; null if none.",
            "Bắt đầu khung giờ mà khóa được sửa; để trống nếu không sửa.",
            _TIME,
            or_null=True,
        ),
        "revised_transmission_risk_level": _risk(True, " after the revision", " sau khi sửa"),
        "revised_report_type": _report_type(True, " after the revision", " sau khi sửa"),
        "revised_days_since_onset": _onset(", after the revision", ", sau khi sửa"),
        "is_padding": _column(
            "1 for an invented key, which hides how many are real.",
            "1 nếu là khóa giả, để che số khóa thật.",
            _FLAG,
        ),
        "waits_until": _column(
            "`known_time.running_seconds` from which a key that was held back may leave; null if"
            " it was never held back.",
            "`known_time.running_seconds` mà từ đó khóa bị giữ lại được công bố; để trống nếu chưa"
            " từng bị giữ.",
            _TIME,
            or_null=True,
        ),
    },
)

_CODES = TablePurpose(
    Text("Codes that the authority issued.", "Các mã do cơ quan y tế cấp."),
    Text(
        "So that only those whom the authority confirmed can publish keys, and each code once.",
        "Để chỉ người được cơ quan y tế xác nhận mới công bố được khóa, mỗi mã một lần.",
    ),
    _CODES_KEPT,
    _OPERATORS,
    {
        **_voucher("code", "mã"),
        "code_hash": _column(
            "Keyed hash of the code, which itself is not stored.",
            "Giá trị băm có khóa của mã; mã không được lưu.",
            Bytes((32,)),
        ),
        "uuid": _column(
            "Random handle by which the authority's programs ask about the code; null for none.",
            "Số ngẫu nhiên để chương trình của cơ quan y tế hỏi về mã; để trống nếu không có.",
            Word(36, "0" * 36, 36),
            or_null=True,
        ),
        "is_claimed": _column("1 once the code was exchanged.", "1 khi mã đã được đổi.", _FLAG),
    },
)

_TOKENS = TablePurpose(
    Text("Tokens that codes were exchanged for.", "Các thẻ được đổi từ mã."),
    Text(
        "To let a device take the last step of a report, once.",
        "Để thiết bị thực hiện bước cuối của việc khai báo, một lần.",
    ),
    _CODES_KEPT,
    _OPERATORS,
    {
        **_voucher("token", "thẻ"),
        "token_hash": _column(
            "Keyed hash of the token, which itself is not stored.",
            "Giá trị băm có khóa của thẻ; thẻ không được lưu.",
            Bytes((32,)),
        ),
        "use_hash": _column(
            "Keyed hash by which a device whose answer was lost gets it again; null for none.",
            "Giá trị băm có khóa để thiết bị nhận lại câu trả lời bị mất; để trống nếu không có.",
            Bytes((32,)),
            or_null=True,
        ),
        "is_used": _column("1 once the token was exchanged.", "1 khi thẻ đã được đổi.", _FLAG),
    },
)

_KNOWN_TIME = TablePurpose(
    Text("One row: what is certain about the time.", "Một dòng: điều chắc chắn về thời gian."),
    Text(
        "So that a wrong clock publishes no key that is in use, and deletes nothing.",
        "Để đồng hồ sai không làm lộ khóa đang dùng và không xóa gì.",
    ),
    _WHILE_USED,
    _OPERATORS,
    {
        "id": _ONE,
        "at": _column(
            "A moment that has passed for certain (UTC Unix seconds).",
            "Thời điểm chắc chắn đã qua (giây Unix UTC).",
            _TIME,
        ),
        "running_seconds": _column(
            "Seconds that have passed for certain since the first start.",
            "Số giây chắc chắn đã trôi qua từ lần chạy đầu tiên.",
            _TIME,
        ),
        "setting": _column(
            "Rises when `at` is set.", "Tăng khi `at` được đặt lại.", Whole(0, 2**31 - 1)
        ),
        "boot_id": _column(
            "The machine's random number of its present run; null if unknown.",
            "Số ngẫu nhiên của lần chạy hiện tại của máy; để trống nếu không rõ.",
            Word(36, "0"),
            or_null=True,
        ),
        "uptime": _column(
            "Seconds of that run at `at`; null if unknown.",
            "Số giây của lần chạy đó tại `at`; để trống nếu không rõ.",
            _TIME,
            or_null=True,
        ),
        "doubt_seconds": _column(
            "By how much the clock is ahead, if over a day, else 0.",
            "Đồng hồ chạy trước bao nhiêu nếu hơn một ngày, nếu không là 0.",
            _TIME,
        ),
        "doubted_since": _column(
            "`running_seconds` when that began.", "`running_seconds` khi bắt đầu như vậy.", _TIME
        ),
        "witnesses": _column(
            "First intervals of the newest keys of three uploads, which may be invented.",
            "Khoảng đầu tiên của khóa mới nhất trong ba lần gửi, có thể là giả.",
            Word(50, "0", 0),
        ),
    },
)

_SCHEDULE = TablePurpose(
    Text("How far the region is exported.", "Đã xuất tệp khóa đến đâu."),
    Text(
        "So that each window of hours leaves exactly once.",
        "Để mỗi khung giờ được công bố đúng một lần.",
    ),
    _WHILE_USED,
    _OPERATORS,
    {
        "region": _REGION,
        "exported_until": _column(
            "End of the last exported window (UTC Unix seconds).",
            "Cuối khung giờ đã xuất gần nhất (giây Unix UTC).",
            _TIME,
        ),
        "holder": _column(
            "Random name of the node that exports now; null if none does.",
            "Tên ngẫu nhiên của máy đang xuất; để trống nếu không có.",
            Word(32, "0"),
            or_null=True,
        ),
        "held_until": _column(
            "When another node may take over (UTC Unix seconds).",
            "Khi nào máy khác được thay (giây Unix UTC).",
            _TIME,
        ),
    },
)

_BATCHES = TablePurpose(
    Text("Windows of hours that were exported.", "Các khung giờ đã xuất."),
    Text("So that their contents never change.", "Để nội dung của chúng không bao giờ thay đổi."),
    _14_DAYS,
    _PUBLIC,
    {
        "id": _ROW,
        "region": _REGION,
        "start_timestamp": _column(
            "Start of the window (UTC Unix seconds).", "Đầu khung giờ (giây Unix UTC).", _TIME
        ),
        "end_timestamp": _column(
            "End of the window (UTC Unix seconds).", "Cuối khung giờ (giây Unix UTC).", _TIME
        ),
    },
)

_FILES = TablePurpose(
    Text("The published key files.", "Các tệp khóa đã công bố."),
    Text("To list and serve these files and no others.", "Để chỉ liệt kê và gửi các tệp này."),
    _14_DAYS,
    _PUBLIC,
    {
        "id": _ROW,
        "batch_id": _column(
            "The window, as `export_batch.id`.", "Khung giờ, như `export_batch.id`.", _NUMBER
        ),
        "name": _column(
            "Name, as in the index.", "Tên, như trong danh sách.", Word(100, "VN/1-2-00001.zip")
        ),
    },
)

_OPERATOR_KEYS = TablePurpose(
    Text("Keys of the authority's programs.", "Khóa cho các chương trình của cơ quan y tế."),
    Text("So that only these programs issue codes.", "Để chỉ các chương trình này cấp được mã."),
    Text("Until the key is replaced.", "Đến khi thay khóa."),
    _OPERATORS,
    {
        "id": _ROW,
        "key_hash": _column(
            "Keyed hash of the key, which itself is not stored.",
            "Giá trị băm có khóa của khóa; khóa không được lưu.",
            Bytes((32,)),
        ),
        "created_at": _column(
            "When it was made (UTC Unix seconds).", "Khi nào được tạo (giây Unix UTC).", _TIME
        ),
    },
)

_OWNER = TablePurpose(
    Text(
        "One row: the server that the database belongs to.",
        "Một dòng: máy chủ sở hữu cơ sở dữ liệu.",
    ),
    Text("So that no other server writes into it.", "Để không máy chủ nào khác ghi vào đây."),
    _WHILE_USED,
    _OPERATORS,
    {
        "id": _ONE,
        "fingerprint": _column(
            "Fingerprint in the server's join line; null before the first start.",
            "Dấu vân tay trong dòng kết nối của máy chủ; để trống trước lần chạy đầu tiên.",
            _HEX_64,
            or_null=True,
        ),
        "folder": _column(
            "Random name of the folder of key files; null if it is in the same home.",
            "Tên ngẫu nhiên của thư mục tệp khóa; để trống nếu ở cùng thư mục máy chủ.",
            Word(64, "0"),
            or_null=True,
        ),
    },
)

_AREAS = TablePurpose(
    Text("The list of areas and their levels.", "Danh sách địa bàn và cấp độ dịch."),
    Text("So that all nodes serve the same signed list.", "Để mọi máy gửi cùng một danh sách."),
    Text("Until another list takes its place.", "Đến khi có danh sách khác thay thế."),
    _PUBLIC,
    {
        "region": _REGION,
        "fingerprint": _column(
            "Fingerprint of the key that signed it.", "Dấu vân tay của khóa đã ký.", _HEX_64
        ),
        "tag": _column("ETag of the list.", "ETag của danh sách.", Word(66, "0" * 66, 66)),
        "sequence": _column(
            "Rises with every list.", "Tăng theo mỗi danh sách.", Whole(1, 2**53 - 1)
        ),
        "document": _column(
            "The signed list: names of areas, and nothing of a person.",
            "Danh sách đã ký: tên địa bàn, không có gì về cá nhân.",
            Word(524_288, "e"),
        ),
    },
)

# The tables that there were when their limits were made.
_OLDER = (
    *("alembic_version", "area_list", "diagnosis_key", "export_batch", "export_file"),
    *("export_schedule", "known_time", "operator_key", "owner"),
    *("verification_code", "verification_token"),
)

_KEPT_ASIDE = TablePurpose(
    Text(
        "Rows that an older version wrote and that lie outside a limit.",
        "Các dòng do phiên bản cũ ghi, nằm ngoài giới hạn.",
    ),
    Text(
        "So that an update loses nothing: an operator can look at them.",
        "Để việc cập nhật không làm mất gì: người vận hành có thể xem lại.",
    ),
    _14_DAYS,
    _OPERATORS,
    {
        "id": _ROW,
        "of_table": _column(
            "The table that it was in.", "Bảng mà dòng đó thuộc về.", Choice(_OLDER)
        ),
        "kept_at": _column(
            "When it was kept aside (UTC Unix seconds).",
            "Khi nào được để riêng (giây Unix UTC).",
            _TIME,
        ),
        "fields": _column(
            "Its values by column, as above.", "Các giá trị theo cột, như trên.", Document(1 << 20)
        ),
    },
)

_VERSION = TablePurpose(
    Text("The step that the tables are at.", "Bước cập nhật hiện tại của các bảng."),
    Text("So that an update makes each change once.", "Để mỗi thay đổi chỉ được làm một lần."),
    _WHILE_USED,
    _OPERATORS,
    {
        "version_num": _column("Number of the step.", "Số của bước.", Word(32, "0009")),
    },
)

SERVER_TABLES: Mapping[str, TablePurpose] = {
    "alembic_version": _VERSION,
    "area_list": _AREAS,
    "diagnosis_key": _KEYS,
    "export_batch": _BATCHES,
    "export_file": _FILES,
    "export_schedule": _SCHEDULE,
    "kept_aside": _KEPT_ASIDE,
    "known_time": _KNOWN_TIME,
    "operator_key": _OPERATOR_KEYS,
    "owner": _OWNER,
    "verification_code": _CODES,
    "verification_token": _TOKENS,
}
"""The tables of the server's databases by name."""
