"""Texts about radios: both languages say the same, with the same details."""

from __future__ import annotations

import string

import pytest

from ble_agent.messages.explanation import explain
from ble_agent.messages.language import Text
from ble_agent.messages.radio import RADIO_TEXTS, radio_error, radio_text
from tracing_core.errors import RadioFault


def placeholders(text: str) -> list[tuple[str, str]]:
    return sorted((name, form or "") for _, name, form, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("name", RADIO_TEXTS)
def test_both_languages_have_a_text_with_the_same_details(name: str) -> None:
    text = RADIO_TEXTS[name]
    assert text.en
    assert text.vi
    assert placeholders(text.en) == placeholders(text.vi)
    # A command to type is the same in both.
    for command in ("sudo ", "rfkill unblock", "bluetoothctl power", "--radio", "CAP_NET_ADMIN"):
        assert text.en.count(command) == text.vi.count(command)


def test_a_fault_keeps_its_detail_in_either_language() -> None:
    error = radio_error(RadioFault.NO_ADAPTER, "transport_closed", spec="usb:0", reason="no host")
    for language, beginning in (("en", "cannot open"), ("vi", "không mở được")):
        said = explain(error, language)
        assert said.startswith(beginning)
        assert "usb:0 (no host)" in said


def test_a_text_inside_a_text_is_filled_in_by_language() -> None:
    why = radio_text("no_answer", command="RESET")
    text = radio_text("went_away", name="hci:usb:0", why=why)
    assert "hci:usb:0" in text.in_("vi")
    assert text == Text(
        "the adapter behind hci:usb:0 went away (it does not answer RESET: restart it)",
        "mất kết nối với bộ điều hợp của hci:usb:0"
        " (bộ điều hợp không trả lời lệnh RESET: hãy khởi động lại)",
    )
