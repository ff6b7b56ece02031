"""What other programs say is quoted without addresses and identifiers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ble_agent.radio.quotation import quote


@given(
    st.binary(min_size=6, max_size=20),
    st.sampled_from(["", ":", "_", "-"]),
    st.booleans(),
    st.sampled_from(["", "dev_", "at ", "(", "'"]),
)
def test_no_address_is_left(secret: bytes, separator: str, upper: bool, before: str) -> None:
    text = secret.hex(separator) if separator else secret.hex()
    quoted = quote(f"Failed {before}{text.upper() if upper else text}/more")
    assert quoted == f"Failed {before}…/more"


@given(st.text(max_size=300))
def test_any_text_becomes_one_short_line(text: str) -> None:
    quoted = quote(text)
    assert len(quoted.splitlines()) <= 1
    assert len(quoted) <= 80


def test_words_stay() -> None:
    for text in (
        "Failed to register advertisement",
        "[Errno 19] No such device",
        "dead beef",
    ):
        assert quote(text) == text
    assert quote(OSError("gone")) == "gone"
