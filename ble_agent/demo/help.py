"""Texts of the help of `truyvet demo` and its options."""

from __future__ import annotations

from collections.abc import Mapping

from tracing_core.texts import Text

__all__ = ["HELP"]

HELP: Mapping[str, Text] = {
    "demo": Text(
        "Play the whole story on this machine, in one to two minutes.\n\n"
        "A key server, a virtual Bluetooth air and the agents of four people run as separate"
        " processes. Some of the people meet. Two days later one of them tests positive and"
        " reports, and the others' agents find out by themselves. The exit code is 0 only if every"
        " agent's answer is true.",
        "Diễn lại toàn bộ câu chuyện trên máy này, trong một đến hai phút.\n\n"
        "Máy chủ khóa, sóng Bluetooth mô phỏng và chương trình của bốn người chạy thành các tiến"
        " trình riêng. Vài người trong số đó gặp nhau. Hai ngày sau, một người có kết quả dương"
        " tính và khai báo; chương trình của những người còn lại tự phát hiện ra. Mã thoát là 0"
        " chỉ khi mọi chương trình đều trả lời đúng.",
    ),
    "--out": Text(
        "Folder for the picture, the air's trace and the answers.",
        "Thư mục cho hình vẽ, bản ghi sóng và các câu trả lời.",
    ),
    "--seed": Text("Vary times and places.", "Số để thay đổi thời gian và vị trí."),
    "--lang": Text(
        "Language of what is printed and drawn.  [default: the system's]",
        "Ngôn ngữ của phần in ra và của hình vẽ.  [mặc định: theo hệ thống]",
    ),
}
"""The texts by what one types."""
