"""Texts of the diary and of the isolation clock."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["TEXTS"]

TEXTS: Mapping[str, Text] = {
    "help_diary": Text(
        "Show your health diary, or note or remove a day.\n\n"
        "The diary is for you: it stays on this device, for 21 days. With --sign, --met, --test or"
        " --well the day's entry is written, in place of an earlier one. At a report the diary"
        " proposes the day on which your symptoms began.",
        "Xem nhật ký sức khỏe, ghi hoặc xóa một ngày.\n\n"
        "Nhật ký là của riêng bạn: chỉ nằm trên thiết bị này, trong 21 ngày. Với --sign, --met,"
        " --test hoặc --well, mục của ngày đó được ghi và thay cho mục cũ. Khi khai báo, nhật ký"
        " gợi ý ngày bạn bắt đầu có triệu chứng.",
    ),
    "help_diary_day": Text(
        "The day, YYYY-MM-DD; today if it is not given.",
        "Ngày, dạng YYYY-MM-DD; nếu không ghi thì là hôm nay.",
    ),
    "help_diary_sign": Text(
        "A sign that you have: fever, cough, breath (shortness of breath), pneumonia, throat (sore"
        " throat) or tiredness. Give it again for each sign.",
        "Triệu chứng bạn có: fever (sốt), cough (ho), breath (khó thở), pneumonia (viêm phổi),"
        " throat (đau họng) hoặc tiredness (mệt mỏi). Dùng lại cho từng triệu chứng.",
    ),
    "help_diary_met": Text(
        "Whom you were near: patient (someone who has the disease or may have it), traveller"
        " (someone from a place with an outbreak) or ill (someone with fever, cough, shortness of"
        " breath or pneumonia). Give it again for each.",
        "Bạn đã ở gần ai: patient (người bệnh hoặc nghi mắc bệnh), traveller (người đến từ nơi đang"
        " có dịch) hoặc ill (người có biểu hiện sốt, ho, khó thở hoặc viêm phổi). Có thể dùng lại.",
    ),
    "help_diary_test": Text(
        "The result of your own test: negative or positive.",
        "Kết quả xét nghiệm của bạn: negative (âm tính) hoặc positive (dương tính).",
    ),
    "help_diary_well": Text("You have no sign.", "Bạn không có triệu chứng."),
    "help_diary_remove": Text("Remove the day's entry.", "Xóa mục của ngày đó."),
    "help_onset": Text(
        "Send the day on which your symptoms began, YYYY-MM-DD, if the code states no day.",
        "Gửi kèm ngày bạn bắt đầu có triệu chứng, dạng YYYY-MM-DD, nếu mã không ghi ngày.",
    ),
    "sign_fever": Text("fever", "sốt"),
    "sign_cough": Text("cough", "ho"),
    "sign_breath": Text("shortness of breath", "khó thở"),
    "sign_pneumonia": Text("pneumonia", "viêm phổi"),
    "sign_throat": Text("sore throat", "đau họng"),
    "sign_tiredness": Text("tiredness", "mệt mỏi"),
    "met_patient": Text(
        "near a person who has the disease or may have it", "ở gần người bệnh hoặc nghi mắc bệnh"
    ),
    "met_traveller": Text(
        "near a person from a place with an outbreak", "ở gần người đến từ nơi đang có dịch"
    ),
    "met_ill": Text(
        "near a person with fever, cough, shortness of breath or pneumonia",
        "ở gần người có biểu hiện sốt, ho, khó thở hoặc viêm phổi",
    ),
    "test_positive": Text("positive test", "xét nghiệm dương tính"),
    "test_negative": Text("negative test", "xét nghiệm âm tính"),
    "diary_well": Text("no signs", "không có triệu chứng"),
    "diary_empty": Text(
        "Your diary has no entry from the last 21 days.", "Nhật ký chưa có mục nào trong 21 ngày."
    ),
    "diary_noted": Text("Noted for {date}: {what}.", "Đã ghi cho ngày {date}: {what}."),
    "diary_removed": Text("Removed: the entry for {date}.", "Đã xóa mục của ngày {date}."),
    "diary_no_entry": Text(
        "There was no entry for {date}, so nothing was removed.",
        "Ngày {date} không có mục nào nên không có gì bị xóa.",
    ),
    "error_diary_day": Text(
        "the diary has no such day: choose today or one of the 21 days before",
        "nhật ký không có ngày này: hãy chọn hôm nay hoặc một trong 21 ngày trước",
    ),
    "error_diary_choice": Text(
        "a day of the diary is written with --sign, --met, --test or --well, or removed with"
        " --remove alone; --well goes without --sign",
        "một ngày của nhật ký được ghi bằng --sign, --met, --test hoặc --well, hoặc được xóa chỉ"
        " bằng --remove; --well không đi cùng --sign",
    ),
    "error_onset_fixed": Text(
        "this report was confirmed with another answer about the start of your symptoms: give the"
        " same answer, or ask the authority for a new code",
        "khai báo này đã được xác nhận với câu trả lời khác về ngày bắt đầu có triệu chứng: hãy trả"
        " lời như lần trước, hoặc xin cơ quan y tế mã mới",
    ),
    "onset_question": Text(
        "By your diary, your symptoms began on {date}. If the code states no day, send this day"
        " too? The authority then weighs your keys better.",
        "Theo nhật ký, bạn bắt đầu có triệu chứng từ ngày {date}. Nếu mã không ghi ngày, bạn có"
        " muốn gửi kèm ngày này không? Nhờ đó cơ quan y tế đánh giá các khóa đúng hơn.",
    ),
    "onset_will_be_sent": Text(
        "If the code states no day, the day on which your symptoms began ({date}) is sent too.",
        "Nếu mã không ghi ngày, ngày bạn bắt đầu có triệu chứng ({date}) cũng được gửi kèm.",
    ),
    "risk_will_be_sent": Text(
        "If the start of your symptoms is known, each key carries a level from 1 to 8 that follows"
        " from it.",
        "Nếu biết ngày bắt đầu có triệu chứng, mỗi khóa mang thêm một mức từ 1 đến 8 tính theo ngày"
        " đó.",
    ),
    "isolation_no_rules": Text(
        "Your health authority has given no rules of isolation, so no days are counted here.",
        "Cơ quan y tế của bạn chưa đưa ra quy định cách ly nên ở đây không đếm ngày.",
    ),
    "isolation_none": Text(
        "This device knows no reason to isolate by your health authority's rules.",
        "Theo quy định của cơ quan y tế, thiết bị chưa ghi nhận lý do nào để bạn cách ly.",
    ),
    "isolation_lasts": Text(
        "Isolate until the end of {date}: {count} days after today.",
        "Hãy cách ly đến hết ngày {date}: còn {count} ngày sau hôm nay.",
        one="Isolate until the end of {date}: 1 day after today.",
    ),
    "isolation_last_day": Text(
        "Isolate until the end of today, {date}. It is the last day.",
        "Hãy cách ly đến hết hôm nay, {date}. Đây là ngày cuối.",
    ),
    "isolation_ended": Text(
        "Your isolation ended with {date}.", "Thời gian cách ly của bạn đã hết ngày {date}."
    ),
    "isolation_ended_by_test": Text(
        "A negative test ended your isolation; {date} was its last day.",
        "Kết quả âm tính đã kết thúc thời gian cách ly; ngày cuối là {date}.",
    ),
    "isolation_because_exposure": Text(
        "You were near someone who tested positive, on {date} (until {last}).",
        "Bạn đã ở gần người có kết quả dương tính, ngày {date} (đến {last}).",
    ),
    "isolation_because_onset": Text(
        "Your symptoms began on {date} (until {last}).",
        "Bạn bắt đầu có triệu chứng ngày {date} (đến {last}).",
    ),
    "isolation_because_positive_test": Text(
        "Your test of {date} was positive (until {last}).",
        "Xét nghiệm ngày {date} của bạn dương tính (đến {last}).",
    ),
    "isolation_doubtful": Text(
        "This device's clock may be wrong, so these days may be wrong too.",
        "Đồng hồ của thiết bị có thể sai nên các ngày này cũng có thể sai.",
    ),
}
"""The texts by name."""
