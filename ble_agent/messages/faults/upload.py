"""Texts of faults in what the owner uploads to the page: files, and photos of codes."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "error_upload_too_large": Text(
        "the file is larger than 64 MB: choose a smaller one, or import it in a terminal with"
        " truyvet agent import",
        "tệp lớn hơn 64 MB: hãy chọn tệp nhỏ hơn, hoặc nhập tệp trong terminal bằng lệnh"
        " truyvet agent import",
    ),
    "error_upload_no_file": Text(
        "no file was chosen: choose one, then send the form again",
        "chưa chọn tệp nào: hãy chọn một tệp rồi gửi lại",
    ),
    "error_upload_two_files": Text(
        "more than one file was sent: choose one file",
        "đã gửi nhiều hơn một tệp: hãy chỉ chọn một tệp",
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
}
"""The texts by name."""
