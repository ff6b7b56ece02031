"""The key folder, the chain of trust and the signed configuration."""

import base64
import itertools
import json
import os
import stat
import sys
import threading

import pytest

from server.context import Server
from server.store.key_folder import KeyFolder
from server.trust.chain import (
    begin_chain,
    join_line,
    retire_export_keys,
    rotate_config_key,
    rotate_export_key,
)
from server.trust.config_document import (
    CONTACT_FILE,
    ISOLATION_FILE,
    RISK_FILE,
    RISK_MODEL_FILE,
    current_config,
    set_contact,
)
from tests.server.homes import NOW, make_home, make_settings
from tracing_core.clock import ManualClock
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import StoreError, TrustError
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.trust_chain import verify_trust_chain

DAY = 86_400


@pytest.fixture
def settings(tmp_path):
    return make_settings(make_home(tmp_path / "home"))


@pytest.fixture
def keys(settings):
    keys = KeyFolder(settings.home)
    begin_chain(keys, settings.region, NOW)
    set_contact(settings.home, None)
    return keys


def joined(keys, settings):
    """Return the trust document of a device that joins now."""
    pinned = join_line(keys, settings.url).fingerprint
    return verify_trust_chain(keys.manifest().documents, fingerprint=pinned, last=None)


def test_only_the_owner_can_read_the_folder_and_its_files(keys):
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    names = set()
    for path in keys.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        names.add(path.name)
    assert names == {
        ".lock",
        "keys.json",
        "export-v1.pem",
        "config-1.pem",
        "certificate-1.pem",
        "revision-1.key",
        "code-1.key",
    }


def test_setting_up_twice_changes_nothing(keys, settings):
    before = {path.name: path.read_bytes() for path in keys.folder.iterdir()}
    begin_chain(KeyFolder(settings.home), settings.region, NOW + 1)
    assert before == {path.name: path.read_bytes() for path in keys.folder.iterdir()}


def test_secrets_are_not_shown(keys):
    for secret in (keys.revision_key(), keys.code_key()):
        assert len(secret.secret) == 32
        assert repr(secret.secret)[2:-1] not in repr(secret)
        assert "32 bytes" in repr(secret)
    assert keys.revision_key() != keys.code_key()


def test_a_folder_without_keys_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="run 'truyvet server init' first"):
        KeyFolder(tmp_path).manifest()


@pytest.mark.parametrize("name", ["keys.json", "export-v1.pem", "revision-1.key"])
def test_a_damaged_file_says_what_to_do(keys, settings, name):
    (keys.folder / name).write_bytes(b"\xff damaged")
    fresh = KeyFolder(settings.home)
    read = fresh.revision_key if name.startswith("revision") else lambda: fresh.export_keys(NOW)
    with pytest.raises(StoreError, match="restore it from a backup"):
        read()


def test_what_a_crash_left_is_removed_by_the_next_change(keys, settings):
    (keys.folder / ".export-v2.pem.0123456789abcdef").write_bytes(b"half")
    (keys.folder / "export-v2.pem").write_bytes(b"whole, but nobody heard of it")
    assert rotate_export_key(keys, settings.region, settings, NOW) == "v2"
    assert len(keys.export_keys(NOW)) == 2
    assert not list(keys.folder.glob(".export*"))


def test_another_process_sees_a_rotation_at_once(keys, settings):
    other = KeyFolder(settings.home)
    assert len(other.export_keys(NOW)) == 1
    rotate_export_key(keys, settings.region, settings, NOW)
    rotate_config_key(keys, settings.region, NOW)
    assert [each.version for each in other.export_keys(NOW)] == ["v1", "v2"]
    assert other.config_key().private_numbers() == keys.config_key().private_numbers()


def test_rotations_at_the_same_time_all_take_place(keys, settings):
    def rotate():
        rotate_config_key(KeyFolder(settings.home), settings.region, NOW)

    threads = [threading.Thread(target=rotate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert joined(keys, settings).sequence == 7


def test_keys_may_be_loaded_while_others_change(keys):
    is_over = threading.Event()

    def load():
        for number in itertools.count():
            if is_over.is_set():
                return
            keys._loaded[f"{number}"] = None

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    loader = threading.Thread(target=load)
    loader.start()
    try:
        for _ in range(200):
            keys._write(keys.manifest())
    finally:
        is_over.set()
        loader.join()
        sys.setswitchinterval(before)


def test_another_region_is_refused_before_devices_lose_the_server(settings):
    changed = settings.model_copy(update={"region": "XX"})
    for use in (
        lambda: Server.open(changed, ManualClock(NOW)),
        lambda: begin_chain(KeyFolder(settings.home), changed.region, NOW),
    ):
        with pytest.raises(
            StoreError, match="belongs to region VN: set that region again"
        ) as caught:
            use()
        assert "\n" not in str(caught.value)


def test_a_device_follows_every_rotation_from_wherever_it_was(keys, settings):
    seen = [joined(keys, settings)]
    for number in range(6):
        if number % 2:
            rotate_config_key(keys, settings.region, NOW + number)
        else:
            rotate_export_key(keys, settings.region, settings, NOW + number)
        seen.append(joined(keys, settings))
    documents = keys.manifest().documents
    for last in seen:
        assert verify_trust_chain(documents, fingerprint=None, last=last) == seen[-1]
    assert [each.key_version for each in seen[-1].export_keys] == ["v1", "v2", "v3", "v4"]
    assert seen[-1].config_key == keys.config_key().public_key()
    assert sorted(keys.folder.glob("config-*.pem")) == [keys.folder / "config-4.pem"]


def test_the_line_to_join_by_stays_the_same(keys, settings):
    before = str(join_line(keys, settings.url))
    assert before.startswith("http://127.0.0.1:8080#")
    rotate_config_key(keys, settings.region, NOW)
    assert str(join_line(keys, settings.url)) == before


def test_a_document_signed_by_a_stranger_is_refused(keys, settings, tmp_path):
    last = joined(keys, settings)
    stranger_settings = make_settings(make_home(tmp_path / "stranger"))
    stranger = KeyFolder(stranger_settings.home)
    begin_chain(stranger, stranger_settings.region, NOW)
    rotate_config_key(stranger, stranger_settings.region, NOW)
    with pytest.raises(TrustError):
        verify_trust_chain(stranger.manifest().documents[1:], fingerprint=None, last=last)


def test_an_old_export_key_signs_on_until_its_files_are_gone(keys, settings):
    rotate_export_key(keys, settings.region, settings, NOW)
    later = NOW + settings.retention_seconds
    assert [each.version for each in keys.export_keys(later - 1)] == ["v1", "v2"]
    assert [each.version for each in keys.export_keys(later)] == ["v2"]
    retire_export_keys(keys, settings.region, later - 1)
    assert joined(keys, settings).sequence == 2
    retire_export_keys(keys, settings.region, later)
    assert [each.key_version for each in joined(keys, settings).export_keys] == ["v2"]
    retire_export_keys(keys, settings.region, later + DAY)
    assert joined(keys, settings).sequence == 3
    assert rotate_export_key(keys, settings.region, settings, later) == "v3"


def test_more_keys_than_a_file_can_have_signatures_are_refused(keys, settings):
    for _ in range(9):
        rotate_export_key(keys, settings.region, settings, NOW)
    with pytest.raises(StoreError, match="wait until one retires"):
        rotate_export_key(keys, settings.region, settings, NOW)
    assert len(keys.export_keys(NOW)) == 10


def config(keys, settings, now=NOW):
    document = current_config(keys, settings.region, settings, now)
    return SignedConfig.verify(document, keys.config_key().public_key(), now=now)


def test_the_configuration_says_what_the_operator_wrote(keys, settings):
    said = config(keys, settings)
    assert said.risk == ExposureConfiguration.default()
    assert said.region == "VN"
    assert said.health_authority_id == settings.health_authority_id
    assert set(said.contact) == {"vi", "en"}
    assert said.check_interval_seconds == settings.check_interval_seconds
    assert said.expires_at == int(NOW) + settings.config_seconds


def test_it_is_signed_anew_when_something_changed_and_only_then(keys, settings):
    first = current_config(keys, settings.region, settings, NOW)
    assert current_config(keys, settings.region, settings, NOW + DAY) == first
    contact = {"en": {"name": "Ministry", "phone": "115", "url": "https://example.org"}}
    (settings.home / CONTACT_FILE).write_text(json.dumps(contact))
    changed = config(keys, settings)
    assert changed.contact["en"].phone == "115"
    risk = ExposureConfiguration.default().to_json() | {"name": "ours"}
    (settings.home / RISK_FILE).write_text(json.dumps(risk))
    weighed = config(keys, settings)
    assert weighed.risk.name == "ours"
    rotate_config_key(keys, settings.region, NOW)
    resigned = config(keys, settings)
    renewed = config(keys, settings, NOW + settings.config_seconds // 2)
    slower = settings.model_copy(update={"check_interval_seconds": 7_200})
    assert config(keys, slower, NOW + DAY).check_interval_seconds == 7_200
    numbers = [each.sequence for each in (changed, weighed, resigned, renewed)]
    assert numbers == [2, 3, 4, 5]


def payload(document):
    """Return the bytes that are signed."""
    middle = document.split(".")[1]
    return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))


def test_without_a_risk_model_4f04a2b_signed_the_same_but_for_the_promise_of_an_index(
    keys, settings
):
    (settings.home / CONTACT_FILE).write_text('{"en": {"name": "Ministry"}}')
    found = payload(current_config(keys, settings.region, settings, NOW))
    risk = ExposureConfiguration.default().to_json()
    assert found.decode() == (
        '{"check_interval_seconds":14400,"contact":{"en":{"advice":"","name":"Ministry","phone":"",'
        '"url":""}},"expires_at":1752595500,"health_authority_id":"truyvet","issued_at":1750003500,'
        '"mirrors":[],"region":"VN","risk":'
        + json.dumps(risk, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        + ',"sequence":1,"signed_index":true}'
    )


def test_a_risk_model_stands_beside_the_risk(keys, settings):
    plain = config(keys, settings)
    assert plain.risk_model is None
    parameters = ExposureConfiguration.default().to_json() | {"name": "ours"}
    file = settings.home / RISK_MODEL_FILE
    file.write_text(json.dumps({"name": "env2", "parameters": parameters}))
    beside = config(keys, settings)
    assert beside.sequence == plain.sequence + 1
    assert beside.risk == plain.risk
    assert beside.risk_model.name == "env2"
    assert beside.risk_model.parsed().name == "ours"
    file.unlink()
    assert config(keys, settings).risk_model is None


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({"name": "emv2", "parameters": {}}, "emv2 is unknown"),
        ({"name": "env2", "parameters": {"nickname": "ours"}}, "nickname"),
        ({"name": "env2"}, "parameters"),
        ([], "risk_model"),
    ],
)
def test_a_risk_model_that_cannot_be_used_changes_nothing(keys, settings, caplog, model, why):
    good = current_config(keys, settings.region, settings, NOW)
    file = settings.home / RISK_MODEL_FILE
    file.write_text(json.dumps(model))
    assert current_config(keys, settings.region, settings, NOW) == good
    assert f"{file} cannot be used" in caplog.text
    assert why in caplog.text


def test_rules_of_isolation_are_signed(keys, settings):
    plain = config(keys, settings)
    assert plain.isolation is None
    file = settings.home / ISOLATION_FILE
    file.write_text('{"exposure": {"days": 7, "negative_test_after": 5}}')
    ruled = config(keys, settings)
    assert ruled.sequence == plain.sequence + 1
    assert ruled.isolation.to_json() == {"exposure": {"days": 7, "negative_test_after": 5}}
    assert config(keys, settings, NOW + DAY) == ruled
    file.write_text('{"exposure": {"days": 5}}')
    assert config(keys, settings).sequence == plain.sequence + 2
    file.unlink()
    assert config(keys, settings).isolation is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "isolation must be a JSON object"),
        ("{}", "isolation must have a rule"),
        ('{"exposures": {"days": 7}}', "'exposures' is not a field of isolation"),
        ('{"exposure": {"days": 700}}', "exposure.days must be a whole number from 1 to 18"),
    ],
)
def test_rules_that_cannot_be_used_change_nothing(keys, settings, caplog, text, why):
    good = current_config(keys, settings.region, settings, NOW)
    file = settings.home / ISOLATION_FILE
    file.write_text(text)
    assert current_config(keys, settings.region, settings, NOW) == good
    assert str(file) in caplog.text
    assert why in caplog.text


def test_a_file_that_cannot_be_used_leaves_the_last_good_configuration(keys, settings, caplog):
    good = current_config(keys, settings.region, settings, NOW)
    for text in ("{", "[]", '{"xx": {"name": "a"}}', '{"en": {"name": ""}}', "null"):
        (settings.home / CONTACT_FILE).write_text(text)
        assert current_config(keys, settings.region, settings, NOW) == good
    assert str(settings.home / CONTACT_FILE) in caplog.text
    set_contact(settings.home, None)
    (settings.home / RISK_FILE).write_text("{}")
    assert current_config(keys, settings.region, settings, NOW) == good


def test_a_file_that_cannot_be_used_is_logged_once_however_many_devices_ask(keys, settings, caplog):
    contact = settings.home / CONTACT_FILE
    good = current_config(keys, settings.region, settings, NOW), contact.read_bytes()
    for broken in (1, 2):
        contact.write_text("{")
        for _ in range(3):
            assert current_config(keys, settings.region, settings, NOW) == good[0]
        assert caplog.text.count(str(contact)) == broken
        contact.write_bytes(good[1])
        assert current_config(keys, settings.region, settings, NOW) == good[0]


def test_a_misspelt_word_of_a_contact_is_named(tmp_path, settings):
    file = tmp_path / "contact.json"
    file.write_text('{"vi": {"name": "CDC", "telephone": "115"}}')
    with pytest.raises(StoreError, match="vi: unknown field 'telephone': use name, phone, url"):
        set_contact(settings.home, file)


def test_a_contact_file_is_checked_before_it_is_taken(tmp_path, settings):
    file = tmp_path / "contact.json"
    with pytest.raises(StoreError):
        set_contact(settings.home, file)
    file.write_text('{"vi": {"name": "Bộ Y tế", "url": "http://plain.example"}}')
    with pytest.raises(StoreError, match="https"):
        set_contact(settings.home, file)
    assert not (settings.home / CONTACT_FILE).exists()
    file.write_text('{"vi": {"name": "Bộ Y tế", "advice": "Gọi cho chúng tôi."}}')
    set_contact(settings.home, file)
    set_contact(settings.home, None)
    assert (settings.home / CONTACT_FILE).read_bytes() == file.read_bytes()


def test_a_folder_that_cannot_be_written_says_so(keys, settings, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = (keys.folder / "keys.json").read_bytes()
    with pytest.raises(StoreError, match="free some space"):
        rotate_export_key(keys, settings.region, settings, NOW)
    monkeypatch.undo()
    assert (keys.folder / "keys.json").read_bytes() == before
    assert joined(keys, settings).sequence == 1
