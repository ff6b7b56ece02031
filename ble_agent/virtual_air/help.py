"""Texts of the help of `truyvet air` and its options."""

from __future__ import annotations

from collections.abc import Mapping

from tracing_core.texts import Text

__all__ = ["HELP"]

HELP: Mapping[str, Text] = {
    "air": Text(
        "Serve the virtual Bluetooth controllers of SCENARIO (TOML) until interrupted.\n\n"
        "Every controller has a TCP port that speaks HCI. Give it to an agent as --radio.",
        "Cung cấp các bộ điều khiển Bluetooth ảo của SCENARIO (TOML) cho đến khi bị dừng.\n\n"
        "Mỗi bộ điều khiển có một cổng TCP dùng giao thức HCI. Hãy chỉ cổng đó cho chương trình"
        " bằng --radio.",
    ),
    "--trace": Text(
        "Write what was sent and heard to this file (JSON Lines).",
        "Ghi những gì đã phát và đã thu vào tệp này (JSON Lines).",
    ),
    "--force": Text("Replace a trace of that name.", "Ghi đè tệp cùng tên nếu đã có."),
    "--host": Text("Address to serve on.", "Địa chỉ để nhận kết nối."),
    "--json": Text("Print the ports as one JSON object.", "In các cổng thành một đối tượng JSON."),
}
"""The texts by what one types."""
