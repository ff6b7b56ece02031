"""Texts of faults of a server, and of the way to it."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
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
    "error_maintenance_mode": Text(
        "the server is being maintained: try again in an hour",
        "máy chủ đang được bảo trì: hãy thử lại sau một giờ",
    ),
    "error_too_many_requests": Text(
        "the server is overloaded: try again in a few minutes",
        "máy chủ đang quá tải: hãy thử lại sau vài phút",
    ),
    "error_answer": Text(
        "the server's answer makes no sense: try again later, or ask the authority",
        "câu trả lời của máy chủ không hợp lệ: hãy thử lại sau hoặc hỏi cơ quan y tế",
    ),
    "error_server": Text(
        "the server has a fault: try again later, or inform the authority",
        "máy chủ gặp lỗi: hãy thử lại sau hoặc báo cho cơ quan y tế",
    ),
    "error_not_found": Text(
        "there is no such service at this address: check the join line that you used",
        "địa chỉ này không có dịch vụ cần tìm: hãy kiểm tra lại dòng kết nối đã dùng",
    ),
    "error_redirected": Text(
        "the server sends this device to another address: join at that address only if the"
        " authority confirms it",
        "máy chủ chuyển thiết bị sang địa chỉ khác: chỉ kết nối với địa chỉ đó nếu cơ quan y tế xác"
        " nhận",
    ),
    "error_too_large": Text(
        "the server's answer is too large and was not read: inform the authority",
        "câu trả lời của máy chủ quá lớn nên không được đọc: hãy báo cho cơ quan y tế",
    ),
    "error_batch": Text(
        "a key file from the server is damaged or wrongly signed, so it was not used: inform the"
        " authority",
        "một tệp khóa của máy chủ bị hỏng hoặc chữ ký không đúng nên không được sử dụng: hãy báo"
        " cho cơ quan y tế",
    ),
    "error_index_missing": Text(
        "the server gave no signed list of key files, though it has one: something on the way may"
        " hold it back; inform the authority",
        "máy chủ không gửi danh sách tệp khóa có chữ ký dù có danh sách này: có thể có gì đó trên"
        " đường truyền chặn lại; hãy báo cho cơ quan y tế",
    ),
    "error_index_region": Text(
        "the server's list of key files is for another region: inform the authority",
        "danh sách tệp khóa của máy chủ thuộc khu vực khác: hãy báo cho cơ quan y tế",
    ),
    "error_index_older": Text(
        "the list of key files is older than one this device already has: try again in an hour; if"
        " it stays so, inform the authority",
        "danh sách tệp khóa cũ hơn danh sách mà thiết bị đã có: hãy thử lại sau một giờ; nếu vẫn"
        " vậy, hãy báo cho cơ quan y tế",
    ),
    "error_index_expired": Text(
        "the list of key files has expired, so new ones may be missing: check this device's clock;"
        " if it is right, inform the authority",
        "danh sách tệp khóa đã hết hạn nên có thể thiếu tệp mới: hãy kiểm tra đồng hồ của thiết bị;"
        " nếu giờ đúng, hãy báo cho cơ quan y tế",
    ),
    "error_file_missing": Text(
        "the server lists a key file that it does not have: try again later; if it stays so, inform"
        " the authority",
        "máy chủ liệt kê một tệp khóa mà máy chủ không có: hãy thử lại sau; nếu vẫn vậy, hãy báo"
        " cho cơ quan y tế",
    ),
    "error_file_swapped": Text(
        "a key file is not the one that the list names, so it was not used: check the way to the"
        " server, and inform the authority",
        "một tệp khóa không đúng là tệp mà danh sách nêu nên không được sử dụng: hãy kiểm tra đường"
        " mạng tới máy chủ và báo cho cơ quan y tế",
    ),
    "error_file_twice": Text(
        "one key file came under two names, so another may be missing: check the way to the server,"
        " and inform the authority",
        "một tệp khóa xuất hiện dưới hai tên nên có thể thiếu một tệp khác: hãy kiểm tra đường mạng"
        " tới máy chủ và báo cho cơ quan y tế",
    ),
    "error_file_version": Text(
        "a key file has a form that this version cannot read, so it was not used: update truyvet",
        "một tệp khóa có dạng mà phiên bản này chưa đọc được nên không được sử dụng: hãy cập nhật"
        " truyvet",
    ),
    "error_list_too_long": Text(
        "the list names more key files than one check fetches: check again for the rest",
        "danh sách có nhiều tệp khóa hơn mức một lần kiểm tra tải về: hãy kiểm tra lại để tải phần"
        " còn lại",
    ),
    "error_bluezone_missing": Text(
        "the server has no list of Bluezone keys, though the authority promises one: try again"
        " later; if it stays so, inform the authority",
        "máy chủ không có danh sách khóa Bluezone dù cơ quan y tế thông báo là có: hãy thử lại sau;"
        " nếu vẫn vậy, hãy báo cho cơ quan y tế",
    ),
    "error_bluezone_signature": Text(
        "the list of Bluezone keys is damaged or wrongly signed, so it was not used: inform the"
        " authority",
        "danh sách khóa Bluezone bị hỏng hoặc chữ ký không đúng nên không được sử dụng: hãy báo cho"
        " cơ quan y tế",
    ),
    "error_bluezone_form": Text(
        "the list of Bluezone keys is too long or has another form, so it was not used: inform the"
        " authority",
        "danh sách khóa Bluezone quá dài hoặc không đúng dạng nên không được sử dụng: hãy báo cho"
        " cơ quan y tế",
    ),
    "error_bluezone_older": Text(
        "the list of Bluezone keys is older than the one the authority promises: try again in an"
        " hour; if it stays so, inform the authority",
        "danh sách khóa Bluezone cũ hơn danh sách mà cơ quan y tế đã thông báo: hãy thử lại sau một"
        " giờ; nếu vẫn vậy, hãy báo cho cơ quan y tế",
    ),
    "error_bluezone_region": Text(
        "the list of Bluezone keys is for another region, so it was not used: inform the authority",
        "danh sách khóa Bluezone thuộc khu vực khác nên không được sử dụng: hãy báo cho cơ quan y"
        " tế",
    ),
    "error_bluezone_partly": Text(
        "some records of the list of Bluezone keys could not be used, or only their first 30 days;"
        " all else was used: inform the authority",
        "một số mục trong danh sách khóa Bluezone không dùng được hoặc chỉ dùng được 30 ngày đầu,"
        " phần còn lại vẫn được dùng: hãy báo cho cơ quan y tế",
    ),
    "error_keys_stale": Text(
        "no newer key file has come for more than a day, so an exposure may go unnoticed: check the"
        " way to the server, and inform the authority",
        "đã hơn một ngày không có tệp khóa mới nên thiết bị có thể bỏ sót tiếp xúc gần: hãy kiểm"
        " tra đường mạng tới máy chủ và báo cho cơ quan y tế",
    ),
}
"""The texts by name."""
