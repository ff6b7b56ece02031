"""Texts of the archive of all data."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "all_data_written": Text(
        "All data about you was written to {path}, with {count} sightings. Keep the file private:"
        " anyone who has other people's keys can see from it whom you were near.",
        "Đã ghi toàn bộ dữ liệu về bạn vào {path}, gồm {count} lượt ghi nhận. Hãy giữ kín tệp này:"
        " ai có khóa của người khác đều có thể dùng nó để biết bạn đã ở gần ai.",
        one="All data about you was written to {path}, with 1 sighting. Keep the file private:"
        " anyone who has other people's keys can see from it whom you were near.",
    ),
    "all_data_readme": Text(
        """\
All data about you that truyvet holds on this device, as of {date}
==================================================================

Keep this archive private. Anyone who has it and other people's keys can see whom you were near.
What is older than 14 days (the diary: 21 days) is not in it: it was deleted.

What is in it
-------------
sightings.jsonl
The identifiers that were heard, one line each, with the time and the signal strength. An
identifier does not hold a name. The commands truyvet agent import and truyvet match read this file.

other-sightings.jsonl
The same for other apps such as Bluezone; empty if none were imported.

settings.toml
Your settings. Absent if you changed none.

authority.json
The health authority that you joined, and its signed documents.

found.json
The days on which an exposure was recorded, its level and minutes; the last check; what you were
notified of. An empty list means that none was recorded. You may still have been exposed.

reports.json
When you reported a test, and whether you took it back.

counts.json
How many identifiers were heard on each day, on which days this device had a key of its own, what
was imported from other apps and when, and how many lines of the log could not be read.

health.json
Your health diary of the last 21 days, and the last exposure that isolation is counted from.

left-this-device.json
What left this device, by day.

requests.json
Each request for the authority's servers: when, where, what, how many bytes, whether it was cover,
and the status of the answer (0 if it never left, 1 if no answer came, null if that is not known).

device.json
The radio that was used, the state of listening, and any damage to the recordings.

Dates are days of Universal Time (UTC), but those of left-this-device.json and health.json are of
your time zone.

What is not in it, and why
--------------------------
Your own keys. Anyone who has them can recognise you in what other devices heard, and can send in
your place. They leave this device only when you report.

Your code, and the secrets by which you can take a report back. Anyone who has them could report or
take back in your place.

The file agent.key, or the service's credential, which opens your keys.

The published keys of people you were near. Only their day and kind are given: the keys are theirs.

The device key of a health authority that you joined by a file. It belongs to the authority.

A damaged database that was set aside. What could be read from it is in this archive.""",
        """\
Toàn bộ dữ liệu về bạn mà truyvet lưu trên thiết bị này, tính đến ngày {date}
==============================================================================

Hãy giữ kín tệp nén này. Ai có tệp này cùng với khóa của người khác thì biết được bạn đã ở gần ai.
Dữ liệu cũ hơn 14 ngày (nhật ký: 21 ngày) đã bị xóa nên không có ở đây.

Trong này có gì
---------------
sightings.jsonl
Các mã định danh đã thu được, mỗi dòng một lượt, kèm thời điểm và cường độ tín hiệu. Mã định danh
không cho biết tên ai. Lệnh truyvet agent import và truyvet match đọc được tệp này.

other-sightings.jsonl
Tương tự, dành cho ứng dụng khác như Bluezone; tệp trống nếu bạn chưa nhập gì.

settings.toml
Các cài đặt của bạn. Không có tệp này nếu bạn chưa thay đổi gì.

authority.json
Cơ quan y tế mà thiết bị đã kết nối và các tài liệu có chữ ký của cơ quan đó.

found.json
Những ngày ghi nhận tiếp xúc gần, mức nguy cơ và số phút; lần kiểm tra gần nhất; những gì bạn đã
được thông báo. Danh sách trống nghĩa là chưa ghi nhận lần nào; bạn vẫn có thể đã tiếp xúc gần với
người nhiễm bệnh.

reports.json
Bạn đã khai báo kết quả xét nghiệm ngày nào và đã thu hồi hay chưa.

counts.json
Mỗi ngày thu được bao nhiêu mã định danh, những ngày thiết bị có khóa riêng, đã nhập gì từ ứng dụng
khác vào ngày nào, và số lượt ghi nhận không đọc được.

health.json
Nhật ký sức khỏe 21 ngày qua và lần tiếp xúc gần cuối cùng dùng để tính ngày cách ly.

left-this-device.json
Những gì đã rời khỏi thiết bị, theo từng ngày.

requests.json
Từng yêu cầu gửi tới máy chủ của cơ quan y tế: lúc nào, tới đâu, nội dung gì, bao nhiêu byte, có
phải giả lập không, và trạng thái trả lời (0 nếu chưa rời thiết bị, 1 nếu không có trả lời, null
nếu không rõ).

device.json
Bộ thu phát đã dùng, tình trạng thu tín hiệu và hư hỏng của dữ liệu ghi nhận (nếu có).

Ngày được tính theo giờ quốc tế (UTC); riêng left-this-device.json và health.json tính theo múi giờ
của bạn.

Những gì không có ở đây, và vì sao
----------------------------------
Khóa của chính bạn. Ai có khóa này thì nhận ra được bạn trong dữ liệu của các thiết bị khác và có
thể phát tín hiệu thay bạn. Khóa chỉ rời khỏi thiết bị khi bạn khai báo.

Mã xác nhận của bạn và những bí mật dùng để thu hồi khai báo. Ai có chúng thì có thể khai báo hoặc
thu hồi thay bạn.

Tệp agent.key (hoặc credential của dịch vụ), thứ dùng để mở khóa của bạn.

Khóa đã công bố của những người từng ở gần bạn. Ở đây chỉ có ngày và loại, vì khóa đó là của họ.

Khóa thiết bị của cơ quan y tế mà bạn kết nối bằng tệp. Khóa đó thuộc về cơ quan y tế.

Cơ sở dữ liệu bị hỏng đã được để riêng. Những gì còn đọc được từ đó đều đã có ở đây.""",
    ),
}
"""The texts by name."""
