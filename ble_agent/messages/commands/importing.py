"""Texts of importing logs of other apps and devices."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "imported": Text(
        "Rows of {format} read: {read}. Sightings added: {kept}; already there: {known}; older than"
        " 14 days: {too_old}.",
        "Số dòng dữ liệu {format} đã đọc: {read}. Lượt ghi nhận thêm mới: {kept}; đã có sẵn:"
        " {known}; cũ hơn 14 ngày: {too_old}.",
    ),
    "import_refused": Text("Left out, {count}: {reason}.", "Bỏ qua, {count}: {reason}."),
    "import_first_unreadable": Text(
        "The first that cannot be read: {first}.", "Dòng đầu tiên không đọc được: {first}."
    ),
    "import_cut": Text(
        "The rest of {path} is damaged: copy all of it, and import it again.",
        "Phần sau của {path} bị hỏng: hãy sao chép lại toàn bộ rồi nhập lại.",
    ),
    "dry_run": Text("Nothing was changed.", "Không có gì thay đổi."),
    "place_line": Text("{path}, line {line}", "{path}, dòng {line}"),
    "import_other_protocol": Text(
        "What was added is of another protocol ({protocol}). truyvet agent check does not compare"
        " it with the authority's keys; truyvet match --protocol {protocol} compares it with a list"
        " of {protocol} keys.",
        "Dữ liệu vừa thêm thuộc giao thức khác ({protocol}). Lệnh truyvet agent check không đối"
        " chiếu dữ liệu này với khóa của cơ quan y tế; hãy dùng truyvet match --protocol {protocol}"
        " cùng danh sách khóa {protocol}.",
    ),
    "refusal_identifier": Text(
        "the identifier is missing or of a wrong length",
        "mã định danh không có hoặc sai độ dài",
    ),
    "refusal_address": Text(
        "a Bluetooth address in place of an identifier",
        "chỉ có địa chỉ Bluetooth, không có mã định danh",
    ),
    "refusal_metadata": Text(
        "the metadata of the identifier is not 4 bytes long",
        "dữ liệu kèm theo mã định danh không có đúng 4 byte",
    ),
    "refusal_signal_strength": Text(
        "the signal strength is missing or impossible",
        "cường độ tín hiệu không có hoặc không hợp lệ",
    ),
    "refusal_time": Text(
        "the time is missing or impossible", "thời điểm không có hoặc không hợp lệ"
    ),
    "refusal_duration": Text(
        "the app never writes such a duration", "thời lượng mà ứng dụng không bao giờ ghi"
    ),
    "refusal_encoding": Text(
        "this is not how the app writes its rows", "không đúng cách ghi của ứng dụng"
    ),
    "refusal_reused_address": Text(
        "the row belongs to an earlier identifier from the same address",
        "dòng này thuộc về một mã định danh trước đó từ cùng địa chỉ",
    ),
    "refusal_future": Text(
        "the time is later than this device's clock",
        "thời điểm muộn hơn giờ trên đồng hồ của thiết bị này",
    ),
    "refusal_unreadable": Text("it cannot be read", "không đọc được"),
    "error_log_unknown": Text(
        "this is not a log that truyvet can import: see truyvet agent import --help",
        "đây không phải là dữ liệu mà truyvet nhập được: hãy xem truyvet agent import --help",
    ),
    "error_log_packed": Text(
        "this is an archive: unpack it first, and import what is in it",
        "đây là tệp nén: hãy giải nén trước rồi nhập nội dung bên trong",
    ),
    "error_log_line": Text(
        "nothing was added: export the log again at its source",
        "dòng này không đọc được nên chưa thêm gì: hãy xuất lại dữ liệu từ nơi đã tạo ra",
    ),
    "error_log_damaged": Text(
        "the log is damaged, so nothing was added: copy all of it again",
        "tệp này bị hỏng nên chưa thêm gì: hãy sao chép lại toàn bộ",
    ),
    "error_log_missing": Text(
        "this file is missing: copy the whole folder, while the phone is switched off",
        "thiếu tệp này: hãy sao chép toàn bộ thư mục khi điện thoại đã tắt",
    ),
    "error_log_journal": Text(
        "this journal names another file, as no app's journal does, so nothing was read: copy the"
        " log again, without the journal, while its app is stopped",
        "tệp journal này nêu tên một tệp khác, điều mà không ứng dụng nào làm, nên chưa đọc gì: hãy"
        " sao chép lại dữ liệu khi ứng dụng đã dừng, không kèm tệp journal",
    ),
    "error_log_fixed": Text(
        "this is a log of Bluezone 1, whose identifiers never changed: no key can match them, so"
        " nothing was added",
        "đây là dữ liệu của Bluezone 1, có mã định danh không bao giờ thay đổi: không khóa nào khớp"
        " được nên chưa thêm gì",
    ),
    "error_log_sealed": Text(
        "this is a log of OpenTrace (TraceTogether, COVIDSafe): only its authority can read the"
        " identifiers in it, so nothing was added",
        "đây là dữ liệu của OpenTrace (TraceTogether, COVIDSafe): chỉ cơ quan quản lý ứng dụng đó"
        " mới đọc được mã định danh nên chưa thêm gì",
    ),
    "error_log_addresses": Text(
        "this file holds nothing but Bluetooth addresses, which are never imported, so nothing was"
        " added",
        "tệp này chỉ chứa địa chỉ Bluetooth, loại dữ liệu không bao giờ được nhập, nên chưa thêm"
        " gì",
    ),
    "diary_place": Text(
        "{path} (visits: {count}; unreadable: {wrong})",
        "{path} (lượt ghé thăm: {count}; không đọc được: {wrong})",
    ),
    "error_log_places": Text(
        "this is a diary of places of NZ COVID Tracer; this version of truyvet keeps no places, so"
        " nothing was added: keep the file, as visits will serve to check an authority's warnings"
        " of places",
        "đây là nhật ký địa điểm của NZ COVID Tracer; phiên bản truyvet này chưa lưu địa điểm nên"
        " chưa thêm gì: hãy giữ lại tệp, sau này các lượt ghé thăm sẽ dùng để đối chiếu với cảnh"
        " báo về địa điểm của cơ quan y tế",
    ),
    "error_log_own": Text(
        "this is the device's own log: there is nothing to add",
        "đây là dữ liệu của chính thiết bị này: không có gì để thêm",
    ),
}
"""The texts by name."""
