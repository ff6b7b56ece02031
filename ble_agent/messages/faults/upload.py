"""Texts of faults in what the owner uploads to the page: files, and photos of codes."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_upload_too_large": Text(
        "what was sent is larger than 64 MB: choose less, or import it in a terminal with truyvet"
        " agent import",
        "dữ liệu gửi lên lớn hơn 64 MB: hãy chọn ít hơn, hoặc nhập trong terminal bằng lệnh truyvet"
        " agent import",
    ),
    "error_upload_no_file": Text(
        "no file was chosen: choose one, then send the form again",
        "chưa chọn tệp nào: hãy chọn một tệp rồi gửi lại",
    ),
    "error_upload_two_files": Text(
        "more than one file was sent: choose one file",
        "đã gửi nhiều hơn một tệp: hãy chỉ chọn một tệp",
    ),
    "error_upload_too_many": Text(
        "more than 100 files were sent: choose fewer",
        "đã gửi hơn 100 tệp: hãy chọn ít tệp hơn",
    ),
    "error_upload_fields": Text(
        "the form holds too much text: shorten it, then send it again",
        "biểu mẫu chứa quá nhiều chữ: hãy rút ngắn rồi gửi lại",
    ),
    "error_upload_broken": Text(
        "the file did not arrive whole, or not as a browser sends it: open the page again, then"
        " choose the file again",
        "tệp chưa được gửi trọn vẹn hoặc không đúng cách trình duyệt gửi: hãy mở lại trang rồi chọn"
        " lại tệp",
    ),
    "error_photo_unsupported": Text(
        "this device cannot read photos of codes: type the code, or paste the line",
        "thiết bị này không đọc được ảnh chụp mã: hãy nhập mã hoặc dán dòng kết nối",
    ),
    "error_photo_not_image": Text(
        "this is not a photo in JPEG, PNG or WebP, or not all of it arrived: choose another photo",
        "đây không phải là ảnh JPEG, PNG hay WebP, hoặc ảnh chưa được gửi trọn vẹn: hãy chọn ảnh"
        " khác",
    ),
    "error_photo_too_large": Text(
        "the photo is too large to read: cut out the part with the code, or take a smaller photo"
        " (at most 50 megapixels)",
        "ảnh quá lớn nên không đọc được: hãy cắt lấy phần có mã, hoặc chụp ảnh nhỏ hơn (tối đa 50"
        " megapixel)",
    ),
    "error_photo_failed": Text(
        "reading the photo failed or took too long: take it again, closer, or type what it shows",
        "đọc ảnh không thành công hoặc mất quá nhiều thời gian: hãy chụp lại gần hơn, hoặc nhập nội"
        " dung trong ảnh",
    ),
    "error_photo_empty": Text(
        "no QR code was found in the photo: take it closer, sharp and in good light",
        "không tìm thấy mã QR trong ảnh: hãy chụp lại gần hơn, rõ nét và đủ sáng",
    ),
    "error_photo_no_line": Text(
        "the QR code in the photo is not a join line: take a photo of the one from your health"
        " authority",
        "mã QR trong ảnh không phải là dòng kết nối: hãy chụp mã QR kết nối do cơ quan y tế cung"
        " cấp",
    ),
    "error_photo_no_code": Text(
        "the QR code in the photo holds no verification code: take a photo of the one that you were"
        " given with your result, or type the code",
        "mã QR trong ảnh không chứa mã xác nhận: hãy chụp mã QR được cấp kèm kết quả xét nghiệm,"
        " hoặc nhập mã xác nhận",
    ),
    "error_photo_several": Text(
        "the photo shows several such QR codes: take a photo of only one",
        "trong ảnh có nhiều mã QR như vậy: hãy chụp riêng một mã",
    ),
}
"""The texts by name."""
