"""Texts of the page for phones of the same home network."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "page_link_phone": Text(
        "Or open it within 5 minutes on one phone in the same home network: {link}\n"
        "The phone will warn you, because this device made the certificate itself. Go on only if"
        " the certificate's SHA-256 fingerprint is\n{fingerprint}\n"
        "Until you close it, the page is open to your home network. It closes by itself after"
        " {minutes} minutes without use.",
        "Hoặc mở trong vòng 5 phút trên một điện thoại dùng chung mạng trong nhà: {link}\n"
        "Điện thoại sẽ cảnh báo vì chứng chỉ do chính thiết bị này tạo ra. Chỉ tiếp tục nếu dấu vân"
        " tay SHA-256 của chứng chỉ là\n"
        "{fingerprint}\n"
        "Cho đến khi bạn đóng, trang mở cho cả mạng trong nhà. Trang tự đóng sau {minutes} phút"
        " không sử dụng.",
    ),
    "page_lan_open": Text(
        "This page is open to your home network. Close it when you are done.",
        "Trang này đang mở cho mạng trong nhà. Hãy đóng trang khi dùng xong.",
    ),
    "page_lan_fingerprint": Text(
        "The other device will warn you, because this device made the certificate itself. Go on"
        " only if its SHA-256 fingerprint is",
        "Máy kia sẽ cảnh báo vì chứng chỉ do chính thiết bị này tạo ra. Chỉ tiếp tục nếu dấu vân"
        " tay SHA-256 của chứng chỉ là",
    ),
    "page_lan_qr": Text("The link as a QR code", "Liên kết dưới dạng mã QR"),
    "error_lan_none": Text(
        "this device has no address in a home network: connect it to your Wi-Fi, or leave out"
        " --lan",
        "thiết bị này chưa có địa chỉ của mạng trong nhà: hãy kết nối Wi-Fi hoặc bỏ --lan",
    ),
    "lan_several": Text(
        "this device is in several networks: add the address of one after --lan: {addresses}",
        "thiết bị này ở trong nhiều mạng: hãy ghi một trong các địa chỉ này sau --lan: {addresses}",
    ),
    "lan_public": Text(
        "{address} is not an address of a home network (such as 192.168.1.20), and the page is"
        " never served at another: leave out the address to have one chosen",
        "{address} không phải là địa chỉ của mạng trong nhà (như 192.168.1.20) và trang không bao"
        " giờ mở ở địa chỉ khác: hãy bỏ địa chỉ để chương trình tự chọn",
    ),
    "lan_not_ours": Text(
        "{address} is not an address of this device: leave out the address to have one chosen",
        "{address} không phải là địa chỉ của thiết bị này: hãy bỏ địa chỉ để chương trình tự chọn",
    ),
}
"""The texts by name."""
