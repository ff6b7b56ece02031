import shutil

import pytest

from tests.tracing_core.vectors import FOLDER, load
from tests.vectors import own
from tracing_core.protocol.associated_encrypted_metadata import (
    CalibrationConfidence,
    Metadata,
    decrypt_aem,
    encrypt_aem,
)
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi, derive_rpis, rpis_of
from tracing_core.protocol.temporary_exposure_key import (
    TemporaryExposureKey,
    derive_aemk,
    derive_rpik,
)


def key_of(vector):
    return TemporaryExposureKey(
        bytes.fromhex(vector["tek"]),
        vector["rolling_start_interval_number"],
        vector.get("rolling_period", 144),
    )


def test_every_file_names_source_and_licence():
    files = sorted(FOLDER.glob("*.json"))
    assert len(files) == 9
    for file in files:
        contents = load(file.name)
        for entry in contents.get("files", [contents]):
            assert entry["source"]
            assert entry["licence"]


def test_published_144_identifiers_and_metadata():
    vector = load("gaen_144.json")
    tek = key_of(vector)
    assert derive_rpik(tek.key_data).hex() == vector["rpik"]
    aemk = derive_aemk(tek.key_data)
    assert aemk.hex() == vector["aemk"]
    metadata = Metadata(transmit_power_dbm=8)
    assert metadata.encode().hex() == vector["metadata"]
    pairs = [f"{rpi.hex()} {encrypt_aem(aemk, rpi, metadata).hex()}" for rpi in rpis_of(tek)]
    assert len(pairs) == 144
    assert pairs == vector["rpi_aem"]


def test_sample_of_another_implementation():
    vector = load("ble_python_sample.json")
    tek = key_of(vector)
    rpi = derive_rpi(tek, vector["interval"])
    assert rpi.hex() == vector["rpi"]
    assert derive_rpik(tek.key_data).hex() == vector["rpik"]
    aemk = derive_aemk(tek.key_data)
    assert aemk.hex() == vector["aemk"]
    metadata = Metadata.decode(bytes.fromhex(vector["metadata"]))
    assert encrypt_aem(aemk, rpi, metadata).hex() == vector["aem"]


def test_sightings_of_a_real_phone():
    vector = load("real_phone_match.json")
    tek = key_of(vector)
    assert len(vector["sightings"]) == 3
    for sighting in vector["sightings"]:
        rpi = derive_rpi(tek, sighting["interval"])
        assert rpi.hex() == sighting["rpi"]
        metadata = decrypt_aem(derive_aemk(tek.key_data), rpi, bytes.fromhex(sighting["aem"]))
        assert metadata.encode().hex() == sighting["metadata"]
        assert metadata.transmit_power_dbm - sighting["rssi_dbm"] == sighting["attenuation_db"]


@pytest.mark.parametrize("vector", load("own.json")["vectors"], ids=lambda v: v["rolling_period"])
def test_our_vectors_of_other_periods_and_metadata(vector):
    tek = key_of(vector)
    rpik, aemk = derive_rpik(tek.key_data), derive_aemk(tek.key_data)
    assert (rpik.hex(), aemk.hex()) == (vector["rpik"], vector["aemk"])
    assert len(rpis_of(tek)) == vector["rolling_period"]
    for sent in vector["sent"]:
        rpi = bytes.fromhex(sent["rpi"])
        assert derive_rpi(tek, sent["interval"]) == rpi
        assert derive_rpis(rpik, sent["interval"], 1) == [rpi]
        for plain, cipher in sent["aem_of_metadata"].items():
            metadata = Metadata.decode(bytes.fromhex(plain))
            assert encrypt_aem(aemk, rpi, metadata).hex() == cipher
            assert decrypt_aem(aemk, rpi, bytes.fromhex(cipher)) == metadata


def test_our_vectors_hold_each_confidence_of_version_1_1():
    kinds = {
        (metadata.minor_version, metadata.calibration_confidence)
        for metadata in (Metadata.decode(bytes.fromhex(plain)) for plain in own.METADATA)
    }
    assert kinds >= {(1, confidence) for confidence in CalibrationConfidence}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the program openssl is not installed")
def test_our_vectors_are_what_openssl_computes():
    assert own.PATH.read_text() == own.text()
