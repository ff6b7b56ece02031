import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.http.verification_code import plain_code

DASHES = (
    "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u207b\u30fc\ufe58\ufe63\uff0d\u2e3a"
)
BLANKS = " \t\n\u00a0\u1680\u2007\u2009\u202f\u205f\u3000\u180e"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202c\u2066\u2069\ufe0f\u20e3"


@pytest.mark.parametrize("sign", DASHES + BLANKS + INVISIBLE + "._·,/:'\"“”‘’()[]")
def test_a_sign_that_devices_put_in_is_left_out(sign: str) -> None:
    assert plain_code(f"{sign}1234{sign}{sign}5678{sign}") == "12345678"


@pytest.mark.parametrize(
    "text",
    [
        "1234–5678",
        "１２３４－５６７８",
        "١٢٣٤٥٦٧٨",
        "۱۲۳۴ ۵۶۷۸",
        "१२३४५६७८",
        "𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
        "①②③④⑤⑥⑦⑧",
        "1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣",
        "\u202a1234\u202c 5678\n",
    ],
)
def test_digits_of_any_script_and_width_are_digits(text: str) -> None:
    assert plain_code(text) == "12345678"


def test_a_long_code_is_read_in_any_case_and_width() -> None:
    assert plain_code("ＡＢＣＤ—efgh—２３４５") == "abcdefgh2345"


def test_other_letters_stay_so_the_code_stays_wrong() -> None:
    assert plain_code("1234é5678") != "12345678"


@given(st.text(max_size=300))
def test_any_text_becomes_letters_and_digits_or_stays(text: str) -> None:
    plain = plain_code(text)
    assert plain == text if len(text) > 256 else not any(sign.isspace() for sign in plain)
    assert len(plain) <= max(256 * 18, len(text))
