import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.strategies import fixed
from tracing_core.errors import InvalidValue
from tracing_core.protocol.associated_encrypted_metadata import (
    CalibrationConfidence,
    Metadata,
    decrypt_aem,
    encrypt_aem,
)


def test_the_version_of_2020():
    metadata = Metadata.decode(bytes.fromhex("40e80000"))
    assert (metadata.major_version, metadata.minor_version) == (1, 0)
    assert metadata.transmit_power_dbm == -24
    assert metadata.calibration_confidence is CalibrationConfidence.LOWEST
    assert Metadata(transmit_power_dbm=-24).encode().hex() == "40e80000"


@pytest.mark.parametrize("confidence", CalibrationConfidence)
def test_the_version_with_calibration_confidence(confidence):
    metadata = Metadata(-15, minor_version=1, calibration_confidence=confidence)
    plain = metadata.encode()
    assert plain[0] == 0x50 | confidence << 2
    assert plain[1:].hex() == "f10000"
    assert Metadata.decode(plain) == metadata


@given(fixed(4))
def test_every_four_bytes_mean_something(plain):
    encoded = Metadata.decode(plain).encode()
    assert encoded[0] == plain[0] & 0xFC
    assert encoded[1:] == plain[1:]


@given(fixed(16), fixed(16), fixed(4))
def test_encryption_and_decryption_undo_each_other(aemk, rpi, aem):
    metadata = decrypt_aem(aemk, rpi, aem)
    # The two lowest bits of the first byte mean nothing and are sent as 0.
    again = encrypt_aem(aemk, rpi, metadata)
    assert again[1:] == aem[1:]
    assert (again[0] ^ aem[0]) & 0xFC == 0


@given(st.binary(max_size=8).filter(lambda data: len(data) != 4))
def test_other_lengths(data):
    with pytest.raises(InvalidValue, match="4 bytes"):
        Metadata.decode(data)
    with pytest.raises(InvalidValue, match="4 bytes"):
        decrypt_aem(bytes(16), bytes(16), data)


@pytest.mark.parametrize(
    "fields",
    [
        {"transmit_power_dbm": 128},
        {"transmit_power_dbm": -129},
        {"transmit_power_dbm": 0, "major_version": 4},
        {"transmit_power_dbm": 0, "major_version": -1},
        {"transmit_power_dbm": 0, "minor_version": 4},
        {"transmit_power_dbm": 0, "minor_version": -1},
        {"transmit_power_dbm": 0, "reserved": b"\0"},
    ],
)
def test_fields_that_do_not_fit(fields):
    with pytest.raises(InvalidValue, match=r"must|has two"):
        Metadata(**fields)
