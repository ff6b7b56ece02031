import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.publish.revision import RevisableKey, open_token, seal_token
from server.store.private_keys import SecretKey
from tests.server.homes import NOW, TODAY, make_settings
from tracing_core.errors import InvalidValue
from tracing_core.protocol.interval import interval_number

SETTINGS = make_settings(Path("/nonexistent"))
SECRET = SecretKey("revision-1", bytes(range(32)))
OLDEST = interval_number(NOW - SETTINGS.max_key_age_seconds)

revisable = st.builds(
    RevisableKey,
    st.binary(min_size=16, max_size=16),
    st.integers(OLDEST, TODAY),
    st.integers(1, 144),
)


@given(st.sets(revisable, max_size=60))
def test_a_token_holds_its_keys(keys: set[RevisableKey]) -> None:
    assert open_token(seal_token(keys, SECRET, "VN", SETTINGS, NOW), SECRET, "VN") == keys


@given(st.sets(revisable, max_size=28), st.sets(revisable, max_size=28))
def test_the_length_does_not_tell_how_many_keys(
    some: set[RevisableKey], others: set[RevisableKey]
) -> None:
    first, second = (seal_token(keys, SECRET, "VN", SETTINGS, NOW) for keys in (some, others))
    assert len(first) == len(second)
    assert first != second


def test_keys_too_old_to_be_published_again_are_left_out() -> None:
    young = RevisableKey(bytes(16), OLDEST - 144, 144)
    old = RevisableKey(bytes(16), OLDEST - 145, 144)
    token = seal_token([young, old], SECRET, "VN", SETTINGS, NOW)
    assert open_token(token, SECRET, "VN") == {young}


@given(st.binary(min_size=16, max_size=16), st.data())
def test_a_flipped_bit_is_noticed(key_data: bytes, data: st.DataObject) -> None:
    sealed = bytearray(
        base64.b64decode(
            seal_token([RevisableKey(key_data, TODAY, 9)], SECRET, "VN", SETTINGS, NOW)
        )
    )
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidValue):
        open_token(base64.b64encode(sealed).decode(), SECRET, "VN")


@given(st.one_of(st.text(), st.binary().map(lambda data: base64.b64encode(data).decode())))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        open_token(text, SECRET, "VN")


def test_a_token_is_of_one_key_and_one_region() -> None:
    token = seal_token([], SECRET, "VN", SETTINGS, NOW)
    for secret, region in (
        (SecretKey("revision-1", bytes(32)), "VN"),
        (SecretKey("revision-2", SECRET.secret), "VN"),
        (SECRET, "LA"),
    ):
        with pytest.raises(InvalidValue):
            open_token(token, secret, region)


def test_a_token_shows_no_key() -> None:
    key = RevisableKey(b"0123456789abcdef", TODAY, 144)
    assert "0123" not in repr(key)
    assert b"0123456789abcdef" not in base64.b64decode(
        seal_token([key], SECRET, "VN", SETTINGS, NOW)
    )
