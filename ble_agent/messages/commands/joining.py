"""Texts of joining a health authority."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "joined": Text(
        "This device has joined {region} at {url}. Start it with: truyvet agent run",
        "Thiết bị này đã kết nối với cơ quan y tế của khu vực {region} tại {url}. Hãy khởi động"
        " bằng lệnh: truyvet agent run",
    ),
    "join_question": Text(
        "This device has joined {region} at {url}. If it joins {new} instead, it forgets which of"
        " that authority's keys matched, and can no longer take back a report made there."
        " Everything that was heard, this device's own keys and its settings are kept. Join the new"
        " authority?",
        "Thiết bị này đang kết nối với cơ quan y tế của khu vực {region} tại {url}. Nếu chuyển sang"
        " {new}, kết quả đối chiếu với khóa của nơi cũ và thông tin cần để thu hồi khai báo ở đó sẽ"
        " bị xóa. Mọi tín hiệu đã thu, khóa và cài đặt của thiết bị vẫn được giữ. Bạn có muốn"
        " chuyển không?",
    ),
    "error_join_line": Text(
        "this is not a server's address or a join line: copy the whole line (https://…#…) that"
        " your authority gave you",
        "đây không phải là địa chỉ máy chủ hay dòng kết nối: hãy sao chép lại toàn bộ dòng"
        " (https://…#…) mà cơ quan y tế cung cấp",
    ),
    "error_not_joined": Text(
        "this device has not joined a health authority: run truyvet agent join with the line your"
        " authority gave you",
        "thiết bị này chưa kết nối với cơ quan y tế nào: hãy chạy lệnh truyvet agent join kèm dòng"
        " kết nối mà cơ quan y tế cung cấp",
    ),
    "joined_by_file": Text(
        "This device has joined {region} with the file. Its keys stay until you join with a newer"
        " file. Start it with: truyvet agent run",
        "Thiết bị này đã kết nối với cơ quan y tế của khu vực {region} bằng tệp. Các khóa trong tệp"
        " được giữ nguyên cho đến khi bạn kết nối bằng tệp mới hơn. Hãy khởi động bằng lệnh:"
        " truyvet agent run",
    ),
    "joined_no_reports": Text(
        "A trial report failed: {fault}. Key files are checked all the same.",
        "Gửi thử khai báo không thành công: {fault}. Việc kiểm tra các tệp khóa không bị ảnh"
        " hưởng.",
    ),
    "join_changes_question": Text(
        "This device has joined {region} with an older or another file. The new file changes:"
        " {changes}. From then on the device trusts what the new file names. Make sure that it"
        " comes from the authority. What was found so far is kept. Join with the new file?",
        "Thiết bị này đã kết nối với cơ quan y tế của khu vực {region} bằng một tệp cũ hơn hoặc tệp"
        " khác. Tệp mới thay đổi: {changes}. Từ đó thiết bị sẽ tin những gì ghi trong tệp mới. Hãy"
        " chắc chắn rằng tệp này do cơ quan y tế cung cấp. Kết quả đã có vẫn được giữ. Bạn có muốn"
        " kết nối bằng tệp mới không?",
    ),
    "error_join_file": Text(
        "this join file cannot be used: ask the authority for a correct one",
        "tệp kết nối này không dùng được: hãy xin cơ quan y tế cấp tệp đúng",
    ),
    "error_pinned_keys": Text(
        "the key files are not signed by a key of the join file that you used, so they were not"
        " used: if the authority has replaced its keys, get its new file and join with it again",
        "các tệp khóa không được ký bằng khóa nào trong tệp kết nối đã dùng nên không được sử dụng:"
        " nếu cơ quan y tế đã thay khóa, hãy lấy tệp mới và kết nối lại",
    ),
    "error_file_region": Text(
        "the key files are for another region than the join file names: correct region in the file,"
        " or ask the authority",
        "các tệp khóa dành cho khu vực khác với khu vực ghi trong tệp kết nối: hãy sửa region trong"
        " tệp hoặc hỏi cơ quan y tế",
    ),
    "error_server_by_file": Text(
        "this device joined by a file, so --server and the setting server do not apply: change the"
        " addresses in the file, and join with it again",
        "thiết bị đã kết nối bằng tệp nên --server và cài đặt server không có tác dụng: hãy sửa địa"
        " chỉ trong tệp rồi kết nối lại",
    ),
    "join_file_not_toml": Text(
        "this is neither a join line nor a join file in TOML ({fault}): ask the authority for one"
        " of them",
        "đây không phải là dòng kết nối hay tệp kết nối dạng TOML ({fault}): hãy xin cơ quan y tế"
        " một trong hai",
    ),
    "join_file_absent": Text(
        "this file does not exist: give a join line (https://…#…) or a join file",
        "không có tệp này: hãy dùng dòng kết nối (https://…#…) hoặc tệp kết nối",
    ),
    "join_file_too_large": Text(
        "this is too large for a join file: give the file from the authority",
        "tệp quá lớn so với một tệp kết nối: hãy dùng tệp mà cơ quan y tế cung cấp",
    ),
    "join_file_missing": Text(
        "this field is missing: add it as docs/joining.md describes",
        "thiếu trường này: hãy thêm vào theo docs/joining.md",
    ),
    "join_file_unknown": Text(
        "a join file has no such field: correct its name or remove it",
        "tệp kết nối không có trường này: hãy sửa tên hoặc xóa trường này",
    ),
    "join_file_text": Text(
        "this must be one line of text in quotes, and not empty",
        "trường này phải là một dòng chữ trong dấu ngoặc kép và không được trống",
    ),
    "join_file_address": Text(
        "this must be an address that begins with https://, without user, query or fragment"
        " (http:// is for this machine alone)",
        "trường này phải là địa chỉ bắt đầu bằng https://, không có tên người dùng, truy vấn hay"
        " phần sau dấu # (http:// chỉ dành cho chính máy này)",
    ),
    "join_file_base": Text(
        "this must be the address before {part}: remove that part",
        "trường này phải là phần địa chỉ đứng trước {part}: hãy bỏ phần đó",
    ),
    "join_file_api_key": Text(
        "this must be the key in quotes, without blanks, as the authority wrote it",
        "trường này phải là khóa trong dấu ngoặc kép, không có dấu cách, đúng như cơ quan y tế cấp",
    ),
    "join_file_names_file": Text(
        "this names another file, which was not sent along: run truyvet agent join with the file,"
        " where both are",
        "trường này dẫn tới một tệp khác không được gửi kèm: hãy chạy truyvet agent join với tệp"
        " này ở nơi có cả hai tệp",
    ),
    "join_file_interval": Text(
        "this must be a whole number of seconds from {least} to {most}",
        "trường này phải là số giây nguyên từ {least} đến {most}",
    ),
    "join_file_last_day": Text(
        "this must be a date like 2027-12-31",
        "trường này phải là một ngày như 2027-12-31",
    ),
    "join_file_mirrors": Text(
        "this must be a list of at most {most} addresses of the index",
        "trường này phải là danh sách tối đa {most} địa chỉ của chỉ mục",
    ),
    "join_file_wrong": Text(
        "{fault}: correct it as docs/joining.md describes",
        "{fault}: hãy sửa lại theo docs/joining.md",
    ),
    "error_trust": Text(
        "the server has no key that this device trusts, so nothing from it was used: ask the"
        " authority",
        "máy chủ không đưa ra được khóa mà thiết bị tin cậy nên thiết bị không dùng gì của máy chủ"
        " này: hãy hỏi cơ quan y tế",
    ),
}
"""The texts by name."""
