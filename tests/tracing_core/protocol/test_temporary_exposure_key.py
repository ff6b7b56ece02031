import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.strategies import teks
from tracing_core.errors import InvalidInterval, InvalidKey
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi, derive_rpis, rpis_of
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_rpik


@given(teks())
def test_a_key_covers_its_period_and_no_more(tek):
    start, end = tek.rolling_start_interval_number, tek.rolling_start_interval_number
    end += tek.rolling_period
    assert [tek.covers(i) for i in (start - 1, start, end - 1, end)] == [False, True, True, False]
    assert tek.expires_at == end * 600
    if end < 2**32:
        assert tek.end_interval_number == end


@given(teks())
def test_identifiers_of_a_key(tek):
    rpis = rpis_of(tek)
    assert len(rpis) == tek.rolling_period
    assert len(set(rpis)) == tek.rolling_period
    last = tek.rolling_start_interval_number + tek.rolling_period - 1
    assert derive_rpi(tek, last) == rpis[-1]
    for outside in (tek.rolling_start_interval_number - 1, last + 1):
        with pytest.raises(InvalidInterval, match="not used"):
            derive_rpi(tek, outside)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 300))
def test_a_range_is_its_parts(rpik, first):
    whole = derive_rpis(rpik, first, 300)
    assert whole == derive_rpis(rpik, first, 100) + derive_rpis(rpik, first + 100, 200)
    assert derive_rpis(rpik, first, 0) == []


@pytest.mark.parametrize("first", [2**32 - 1, -1])
def test_identifiers_beyond_32_bits(first):
    with pytest.raises(InvalidInterval):
        derive_rpis(bytes(16), first, 2)


@pytest.mark.parametrize(
    ("key_data", "start", "period", "text"),
    [
        (bytes(15), 0, 144, "16 bytes, not 15"),
        (bytes(17), 0, 144, "16 bytes, not 17"),
        (bytes(16), 0, 0, "1 to 144, not 0"),
        (bytes(16), 0, 145, "1 to 144, not 145"),
        (bytes(16), -1, 144, "32 bits, not -1"),
        (bytes(16), 2**32 - 143, 144, "32 bits"),
    ],
)
def test_values_outside_the_protocol(key_data, start, period, text):
    with pytest.raises(InvalidKey, match=text):
        TemporaryExposureKey(key_data, start, period)


def test_a_generated_key_begins_at_midnight_and_never_repeats():
    keys = [TemporaryExposureKey.generate(2650000) for _ in range(100)]
    assert {key.rolling_start_interval_number for key in keys} == {2650000 // 144 * 144}
    assert {key.rolling_period for key in keys} == {144}
    assert len({key.key_data for key in keys}) == 100


@given(teks())
def test_no_text_of_a_key_shows_it(tek):
    for text in (repr(tek), str(tek)):
        assert tek.key_data.hex() not in text
        assert repr(tek.key_data)[2:-1] not in text


def test_the_identifier_key_is_not_the_key():
    assert derive_rpik(bytes(16)) != bytes(16)
