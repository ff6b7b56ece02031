"""Texts of reporting a test."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "report_question": Text(
        "This device's keys for {count} days ({first} to {last}) will be sent to {url}. Other"
        " people's devices use them to find out for themselves whether they were near yours. Your"
        " name and the places where you were are not sent. Send the keys?",
        "Thao tác này gửi khóa của {count} ngày (từ {first} đến {last}) tới {url}. Nhờ đó, thiết bị"
        " của người khác có thể tự kiểm tra xem đã từng ở gần thiết bị của bạn hay chưa. Tên của"
        " bạn và những nơi bạn đã đến không được gửi kèm. Bạn có đồng ý gửi các khóa này không?",
        one="This device's keys for 1 day ({first}) will be sent to {url}. Other people's devices"
        " use them to find out for themselves whether they were near yours. Your name and the"
        " places where you were are not sent. Send the keys?",
    ),
    "reported": Text(
        "Thank you. The server has accepted this device's keys for {count} days. Today's key is"
        " published only after it has expired.",
        "Cảm ơn bạn. Máy chủ đã nhận khóa của {count} ngày. Khóa của hôm nay chỉ được công bố sau"
        " khi hết hạn.",
        one="Thank you. The server has accepted this device's keys for 1 day. Today's key is"
        " published only after it has expired.",
    ),
    "taken_back": Text(
        "This device's keys for {count} days were taken back, because the test was negative."
        " Devices that were near yours withdraw their warnings after their next check.",
        "Đã thu hồi khóa của {count} ngày vì kết quả xét nghiệm là âm tính. Thiết bị của những"
        " người từng ở gần bạn sẽ bỏ cảnh báo sau lần kiểm tra tới.",
        one="This device's keys for 1 day were taken back, because the test was negative. Devices"
        " that were near yours withdraw their warnings after their next check.",
    ),
    "not_reported": Text(
        "The server took none of this device's keys, so no one is warned: {reasons}. Ask the"
        " authority whether the code states the right dates.",
        "Máy chủ không nhận khóa nào của thiết bị này nên không ai được cảnh báo: {reasons}. Hãy"
        " hỏi cơ quan y tế xem mã có đúng ngày hay không.",
    ),
    "not_taken_back": Text(
        "The server has none of the keys that were to be taken back, so nothing was changed.",
        "Máy chủ không có khóa nào trong số các khóa cần thu hồi nên không có gì thay đổi.",
    ),
    "none_taken_back": Text(
        "The server took back none of this device's keys, so the warnings stand: {reasons}. Ask the"
        " authority whether the code states the right dates.",
        "Máy chủ không thu hồi khóa nào của thiết bị này nên các cảnh báo vẫn còn: {reasons}. Hãy"
        " hỏi cơ quan y tế xem mã có đúng ngày hay không.",
    ),
    "left_out": Text(
        "The server left out {count} keys: {reasons}.",
        "Máy chủ đã bỏ qua {count} khóa: {reasons}.",
        one="The server left out 1 key: {reasons}.",
    ),
    "left_out_far_from_onset": Text(
        "{count} too far from the start of the symptoms or the test",
        "{count} khóa cách quá xa ngày có triệu chứng hoặc ngày xét nghiệm",
    ),
    "left_out_too_old": Text("{count} too old", "{count} khóa quá cũ"),
    "left_out_future": Text(
        "{count} dated in the future, so check this device's clock",
        "{count} khóa có ngày ở tương lai, hãy kiểm tra đồng hồ của thiết bị",
    ),
    "left_out_overlap": Text(
        "{count} used at the same time as another key",
        "{count} khóa trùng thời gian với khóa khác",
    ),
    "left_out_other": Text(
        "{count} that the server cannot use", "{count} khóa mà máy chủ không dùng được"
    ),
    "error_no_keys": Text(
        "this device has sent nothing in the last 14 days, so there is nothing to report",
        "trong 14 ngày qua thiết bị chưa phát tín hiệu nào nên không có gì để khai báo",
    ),
    "error_code_expired": Text(
        "the code has expired: ask the authority for a new one",
        "mã đã hết hạn: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_code_used": Text(
        "the code has already been used: ask the authority for a new one",
        "mã đã được sử dụng: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_code_unknown_or_used": Text(
        "the authority has no such code, or it was used already: check each letter and digit, then"
        " ask for a new code",
        "cơ quan y tế không có mã này hoặc mã đã được sử dụng: hãy kiểm tra lại từng chữ và số, rồi"
        " xin mã mới",
    ),
    "error_token_used": Text(
        "the code was entered too long ago, or an answer of the server was lost after it: ask the"
        " authority for a new code",
        "đã quá lâu kể từ khi nhập mã, hoặc câu trả lời của máy chủ sau đó bị mất: hãy xin cơ quan"
        " y tế cấp mã mới",
    ),
    "error_keys_known": Text(
        "the server already has some of these keys from an earlier report whose answer was lost, so"
        " it took no others: ask the authority",
        "máy chủ đã có một số khóa này từ lần khai báo trước mà câu trả lời bị mất, nên không nhận"
        " thêm khóa nào: hãy hỏi cơ quan y tế",
    ),
    "error_keys_revised": Text(
        "the server has changed these keys once already, and does not change them again: ask the"
        " authority",
        "máy chủ đã thay đổi các khóa này một lần và không thay đổi thêm: hãy hỏi cơ quan y tế",
    ),
    "error_api_key": Text(
        "the verification server does not accept the device_api_key of the join file: get a new"
        " file from the authority, and join with it again",
        "máy chủ xác minh không chấp nhận device_api_key trong tệp kết nối: hãy lấy tệp mới của cơ"
        " quan y tế và kết nối lại",
    ),
    "error_authority_unknown": Text(
        "the key server does not know the health_authority_id of the join file: get a new file from"
        " the authority, and join with it again",
        "máy chủ khóa không biết health_authority_id trong tệp kết nối: hãy lấy tệp mới của cơ quan"
        " y tế và kết nối lại",
    ),
    "error_code_unknown": Text(
        "the authority has no such code: check each letter and digit",
        "cơ quan y tế không có mã này: hãy kiểm tra lại từng chữ và số",
    ),
    "error_invalid_test_type": Text(
        "the code belongs to a kind of test that cannot be reported: ask the authority",
        "mã thuộc loại xét nghiệm không thể khai báo: hãy hỏi cơ quan y tế",
    ),
    "error_token_expired": Text(
        "too much time has passed since the code was entered: ask the authority for a new code",
        "đã quá lâu kể từ khi nhập mã: hãy xin cơ quan y tế cấp mã mới",
    ),
    "error_keys_refused": Text(
        "the server did not accept the keys: ask the authority",
        "máy chủ không chấp nhận các khóa: hãy hỏi cơ quan y tế",
    ),
}
"""The texts by name."""
