import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.strategies import fixed
from tracing_core.errors import AdvertisementFault, InvalidAdvertisement, InvalidValue
from tracing_core.protocol.advertisement import FLAGS, Advertisement

RPI = bytes(range(16))
AEM = bytes(range(16, 20))
SENT = Advertisement(RPI, AEM)
UUIDS = bytes.fromhex("03036ffd")
SERVICE_DATA = bytes.fromhex("17166ffd") + RPI + AEM

advertisements = st.builds(Advertisement, fixed(16), fixed(4))


def structure(kind: int, value: bytes) -> bytes:
    return bytes([1 + len(value), kind]) + value


@st.composite
def other_structures(draw: st.DrawFn) -> bytes:
    """Anything but Service Data for 0xFD6F: flags, names, maker's data, other services."""
    kind, value = draw(st.integers(0, 255)), draw(st.binary(max_size=30))
    if kind == 0x16 and value[:2] == b"\x6f\xfd":
        kind = 0xFF
    return structure(kind, value)


def reason(data: bytes) -> AdvertisementFault:
    with pytest.raises(InvalidAdvertisement) as caught:
        Advertisement.decode(data)
    assert str(caught.value) == caught.value.reason.value
    return caught.value.reason


def test_as_an_iphone_sends_it():
    data = SENT.encode()
    assert data == bytes.fromhex("02011a") + UUIDS + SERVICE_DATA
    assert len(data) == 31
    assert FLAGS == 0x1A
    assert Advertisement.decode(data) == SENT


def test_as_an_android_phone_sends_it():
    data = SENT.encode(flags=None)
    assert data == UUIDS + SERVICE_DATA
    assert len(data) == 28
    assert Advertisement.decode(data) == SENT


@given(advertisements, st.none() | st.integers(0, 255))
def test_encoding_and_decoding_undo_each_other(advertisement, flags):
    assert Advertisement.decode(advertisement.encode(flags=flags)) == advertisement
    assert Advertisement.from_service_data(advertisement.service_data) == advertisement


@given(advertisements, st.lists(other_structures()), st.data())
def test_structures_in_any_order_and_with_any_company(advertisement, others, data):
    parts = data.draw(st.permutations([advertisement.encode(flags=None)[4:], *others]))
    ending = data.draw(st.sampled_from([b"", b"\0", b"\0\x05junk"]))
    assert Advertisement.decode(b"".join(parts) + ending) == advertisement


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data):
    try:
        decoded = Advertisement.decode(data)
    except InvalidAdvertisement:
        return
    assert decoded.service_data in data


@given(advertisements, st.none() | st.integers(0, 255), st.data())
def test_damaged_advertisements_are_read_or_refused(advertisement, flags, data):
    whole = bytearray(advertisement.encode(flags=flags))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[at] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        decoded = Advertisement.decode(cut)
    except InvalidAdvertisement:
        return
    assert decoded.service_data in cut


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", AdvertisementFault.NO_SERVICE_DATA),
        (b"\0" + SERVICE_DATA, AdvertisementFault.NO_SERVICE_DATA),
        (UUIDS, AdvertisementFault.NO_SERVICE_DATA),
        (structure(0x16, b"\x6e\xfd" + RPI + AEM), AdvertisementFault.NO_SERVICE_DATA),
        (structure(0x16, b"\x6f"), AdvertisementFault.NO_SERVICE_DATA),
        (structure(0x20, b"\x6f\xfd" + RPI + AEM), AdvertisementFault.NO_SERVICE_DATA),
        (SERVICE_DATA[:-1], AdvertisementFault.TRUNCATED),
        (b"\x05" + SERVICE_DATA[:3], AdvertisementFault.TRUNCATED),
        (structure(0x16, b"\x6f\xfd") + b"\x05", AdvertisementFault.TRUNCATED),
        (structure(0x16, b"\x6f\xfd" + RPI), AdvertisementFault.WRONG_LENGTH),
        (structure(0x16, b"\x6f\xfd" + RPI + AEM + b"!"), AdvertisementFault.WRONG_LENGTH),
        (structure(0x16, b"\x6f\xfd"), AdvertisementFault.WRONG_LENGTH),
        (SERVICE_DATA + structure(0x16, b"\x6f\xfd" + bytes(20)), AdvertisementFault.REPEATED),
    ],
)
def test_each_fault_is_named(data, fault):
    assert reason(data) is fault


@pytest.mark.parametrize(
    "ending",
    [
        b"\x05",
        b"\xff",
        b"\x01",
        b"\0",
        b"\0\0\0\x17\x16\x6f",
        b"\x17\x16\x6f\xfd",
        SERVICE_DATA[:-1],
        SERVICE_DATA,
        structure(0x16, b"\x6f\xfd"),
        structure(0x16, b"\x6f\xfd" + bytes(21)),
        structure(0x09, b"name") + b"\x1f\x16\x6f\xfd",
    ],
)
def test_a_complete_identifier_is_heard_whatever_follows(ending):
    # Issue 9, F14: a stray byte behind the structures hid the identifier.
    assert Advertisement.decode(SERVICE_DATA + ending) == SENT
    assert Advertisement.decode(SENT.encode() + ending) == SENT


@pytest.mark.parametrize("before", [structure(0x16, b"\x6f\xfd"), b"\x01\x16", UUIDS * 3])
def test_a_complete_identifier_is_heard_behind_one_that_is_cut(before):
    assert Advertisement.decode(before + SERVICE_DATA) == SENT


@given(advertisements, st.lists(other_structures()), st.binary(max_size=40))
def test_any_bytes_may_follow_a_complete_identifier(advertisement, others, ending):
    data = advertisement.encode() + b"".join(others) + ending
    try:
        assert Advertisement.decode(data) == advertisement
    except InvalidAdvertisement as error:
        assert error.reason is AdvertisementFault.REPEATED  # noqa: PT017


def test_wrong_lengths_are_not_sent():
    with pytest.raises(InvalidValue, match="16 bytes"):
        Advertisement(RPI[:-1], AEM)
    with pytest.raises(InvalidValue, match="4 of metadata"):
        Advertisement(RPI, AEM + b"!")


def test_no_text_shows_the_identifier():
    assert repr(SENT) == "Advertisement()"
