"""Texts of the demo: its steps, its table and the labels of its picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ble_agent.messages.language import Text, filled

__all__ = ["DEMO_TEXTS", "day_text", "demo_text", "level_text", "levels_text"]

DEMO_TEXTS: Mapping[str, Text] = {
    # steps
    "server_set_up": Text(
        "a key server is set up, with a database and signing keys of its own",
        "dựng máy chủ khóa, có cơ sở dữ liệu và khóa ký riêng",
    ),
    "agents_join": Text(
        "{names} let their agents join it", "{names} kết nối chương trình của mình với máy chủ"
    ),
    "they_go_out": Text(
        "they go out: {minutes} minutes on {date}, {rate:.0f} times as fast",
        "mọi người ra ngoài: {minutes} phút ngày {date}, nhanh gấp {rate:.0f} lần",
    ),
    "two_days_later": Text(
        "{date}: two days later, everything starts again",
        "{date}: hai ngày sau, mọi thứ khởi động lại",
    ),
    "tests_positive": Text(
        "{name} tests positive; the health authority issues a code",
        "{name} có kết quả dương tính; cơ quan y tế cấp một mã",
    ),
    "agent_reports": Text(
        "{name}'s agent reports {count} keys with that code",
        "chương trình của {name} dùng mã đó để khai báo {count} khóa",
    ),
    "server_publishes": Text(
        "{hours} hours later the server publishes a signed key file",
        "{hours} giờ sau, máy chủ công bố một tệp khóa có chữ ký",
    ),
    "agents_match": Text(
        "every agent downloads the file, verifies it and compares it with its log",
        "mọi chương trình tải tệp đó về, xác minh và đối chiếu với nhật ký của mình",
    ),
    # ending
    "files": Text(
        "the picture is {picture}, every answer in {answers}",
        "hình vẽ ở {picture}, mọi câu trả lời ở {answers}",
    ),
    "all_true": Text("every agent's answer is true", "mọi chương trình đều trả lời đúng"),
    "wrong": Text("wrong: {names}", "trả lời sai: {names}"),
    "stopped": Text(
        "the demo was stopped; its processes have ended",
        "đã dừng bản trình diễn; các tiến trình của nó đã kết thúc",
    ),
    "folder_unusable": Text(
        "{folder} cannot be used ({reason}): choose another folder with --out",
        "không dùng được {folder} ({reason}): hãy chọn thư mục khác bằng --out",
    ),
    "folder_unwritable": Text(
        "{folder} cannot be written to ({reason}): choose another folder with --out",
        "không ghi được vào {folder} ({reason}): hãy chọn thư mục khác bằng --out",
    ),
    # table
    "heading_air": Text("near {name}, says the air", "ở gần {name}, theo bản ghi sóng"),
    "heading_agent": Text("the agent's answer", "chương trình trả lời"),
    "tested_positive": Text("tested positive", "dương tính"),
    "never_heard": Text("never heard", "chưa thu được lần nào"),
    "or": Text(" or ", " hoặc "),
    "expected": Text("{date}: {levels}, {minutes} minutes", "{date}: {levels}, {minutes} phút"),
    "range": Text("{least} to {most}", "{least} đến {most}"),
    "nothing": Text("nothing was recorded", "không ghi nhận gì"),
    "answered": Text("{date}: {level}, {minutes} minutes", "{date}: {level}, {minutes} phút"),
    "true": Text("true", "đúng"),
    "not_true": Text("WRONG: {fault}", "SAI: {fault}"),
    "level_high": Text("high", "cao"),
    "level_medium": Text("medium", "trung bình"),
    "level_low": Text("low", "thấp"),
    "level_none": Text("none", "không"),
    # what is wrong with an answer
    "fault_never": Text(
        "reported an exposure that never happened", "báo một lần phơi nhiễm không hề có"
    ),
    "fault_silent": Text("did not report the exposure", "không báo lần phơi nhiễm"),
    "fault_days": Text(
        "reported {found}, not {expected}", "báo ngày {found}, không phải {expected}"
    ),
    "fault_minutes": Text(
        "reported {found} minutes, not {least} to {most}",
        "báo {found} phút, không phải {least} đến {most}",
    ),
    "fault_score": Text(
        "reported {found:.0f} weighted seconds, not {least:.0f} to {most:.0f}",
        "báo {found:.0f} giây có trọng số, không phải {least:.0f} đến {most:.0f}",
    ),
    "fault_level": Text(
        "reported the level {found}, not {expected}", "báo mức {found}, không phải {expected}"
    ),
    # picture
    "title": Text(
        "Who was near whom, and what each agent found out",
        "Ai ở gần ai, và chương trình của mỗi người biết được gì",
    ),
    "subtitle": Text(
        "{date}, {minutes} minutes: where the people of the story went, and what their agents heard"
        " on the virtual air",
        "{date}, {minutes} phút: mọi người trong câu chuyện đã đi đâu, và chương trình của họ thu"
        " được gì từ sóng mô phỏng",
    ),
    "date": Text("{day} {month} {year}", "Ngày {day} tháng {month} năm {year}"),
    "sent": Text("What each sent", "Mã đã phát"),
    "sent_note": Text(
        "each bar is one identifier under one address; both change together after 10 to 20 minutes",
        "mỗi thanh là một mã định danh và một địa chỉ; cả hai cùng đổi sau 10 đến 20 phút",
    ),
    "minute": Text("{count} min", "{count} phút"),
    "near": Text("near {name}?", "ở gần {name}?"),
    "legend_distance": Text("distance", "cự ly"),
    "legend_heard": Text("heard in", "thu trong"),
    "legend_scan": Text("one scan", "một lần"),
    "never_heard_of": Text("never heard {name}", "chưa từng thu được {name}"),
    "not_positive": Text("{name} did not test positive,", "{name} không dương tính,"),
    "not_published": Text(
        "so no agent reports this meeting.", "nên không ai được báo về lần gặp này."
    ),
    "found_out": Text("{name}'s agent found", "Chương trình của {name} biết"),
    "card_nothing": Text("Nothing was recorded", "Không ghi nhận gì"),
    "card_risk": Text("Risk: {level}", "Mức nguy cơ: {level}"),
    "card_date": Text("on {date}", "ngày {date}"),
    "card_minutes": Text("about {minutes} minutes", "khoảng {minutes} phút"),
    "card_true": Text("✓ true: the air agrees", "✓ đúng: khớp với bản ghi sóng"),
    "card_wrong": Text("✗ not true", "✗ không đúng"),
    "followed": Text("What followed", "Sau đó"),
    "step_1": Text("two days later", "hai ngày sau"),
    "step_1_what": Text(
        "{name} tests positive and gets a code", "{name} dương tính và được cấp mã"
    ),
    "step_2": Text("with that code", "với mã đó"),
    "step_2_what": Text(
        "{name}'s agent reports {count} keys", "chương trình của {name} khai báo {count} khóa"
    ),
    "step_3": Text("six hours later", "sáu giờ sau"),
    "step_3_what": Text("the server publishes a signed file", "máy chủ công bố tệp có chữ ký"),
    "step_4": Text("at home", "tại nhà"),
    "step_4_what": Text("every agent verifies and matches it", "mọi máy xác minh và đối chiếu"),
}
"""The texts by name."""


def demo_text(name: str, /, **values: object) -> Text:
    """Return a text with its placeholders filled, in both languages."""
    return filled(DEMO_TEXTS[name], values)


def level_text(level: str) -> Text:
    """Return the name of a level of risk, or the level itself if it has no name here."""
    return DEMO_TEXTS.get(f"level_{level}", Text(level, level))


def levels_text(levels: Iterable[str]) -> Text:
    """Return the names of levels that may all be right."""
    names = [level_text(level) for level in sorted(levels)]
    between = DEMO_TEXTS["or"]
    return Text(
        between.en.join(name.en for name in names), between.vi.join(name.vi for name in names)
    )


def day_text(day: str) -> Text:
    """Return a day, given as ``YYYY-MM-DD``, as readers of each language write it."""
    return Text(day, "/".join(reversed(day.split("-"))))
