"""Texts of the screen on which the owner takes all data away."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_data": Text("All my data in one file", "Toàn bộ dữ liệu của tôi"),
    "page_link_data_hint": Text("To keep or to look at", "Tải về để lưu hoặc xem"),
    "page_data_page_what": Text(
        "A page with everything that this device holds about you. Any browser shows it, without a"
        " network, and another device reads it under Data of an earlier app.",
        "Một trang chứa mọi dữ liệu về bạn trên thiết bị này. Trình duyệt nào cũng mở được, không"
        " cần mạng, và thiết bị khác nhập được ở mục Dữ liệu của ứng dụng cũ.",
    ),
    "page_data_with_keys": Text(
        "With the keys of this device, to move to another one",
        "Gồm cả các khóa của thiết bị, để chuyển sang thiết bị khác",
    ),
    "page_data_with_keys_hint": Text(
        "Anyone who has the keys can recognise you in what other devices heard, and can report in"
        " your place. Delete the file once the other device has read it.",
        "Ai có các khóa thì nhận ra được bạn trong dữ liệu của thiết bị khác và có thể khai báo"
        " thay bạn. Hãy xóa tệp ngay khi thiết bị kia đã nhập xong.",
    ),
    "page_data_zip": Text("As single files", "Dưới dạng từng tệp riêng"),
    "page_data_get_zip": Text("Download the archive", "Tải tệp zip"),
    "page_data_what": Text(
        "A zip archive with everything that this device holds about you: what it recorded and found"
        " out, your reports, your settings, and what left the device. A README in it explains each"
        " file.",
        "Một tệp zip gồm mọi dữ liệu về bạn trên thiết bị này: những gì đã ghi nhận và tính được,"
        " các lần khai báo, cài đặt và những gì đã rời thiết bị. Trong đó có tệp README giải thích"
        " từng tệp.",
    ),
    "page_data_without": Text(
        "The keys of this device, and what is needed to take back a report, are not in it.",
        "Trong tệp không có các khóa của thiết bị và thông tin dùng để thu hồi khai báo.",
    ),
    "page_data_private": Text(
        "Keep the file private: with it, others could find out whom you were near.",
        "Hãy giữ kín tệp này: người khác có thể dùng nó để biết bạn đã ở gần ai.",
    ),
    "page_data_get": Text("Download the file", "Tải tệp về"),
    "page_data_noted": Text(
        "The download is noted under What left this device.",
        "Lần tải này được ghi ở mục Những gì đã rời thiết bị.",
    ),
}
"""The texts by name."""
