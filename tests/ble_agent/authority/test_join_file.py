"""The join file: every field, every fault, and what becomes of it in the store."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ble_agent.authority.addresses import KeyFileAddress
from ble_agent.authority.join_file import JoinFile
from ble_agent.authority.requests import refusal
from ble_agent.messages.explanation import explain
from matcher.risk import load_configuration
from tests.ble_agent.fake_server import new_key
from tracing_core.errors import InvalidJoinFile, ServerRefused, StoreError

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "joining.md").read_text()
SCHEMA = json.loads((ROOT / "docs" / "api" / "join-file.json").read_text())


def example() -> dict[str, Any]:
    """The fields of the example in the page."""
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return tomllib.loads(found[1])


def read(path: Path, **changes: Any) -> JoinFile:
    fields = {**example(), **changes}
    present = {name: value for name, value in fields.items() if value is not None}
    return JoinFile.from_fields(present, path)


def test_the_page_s_example_is_a_join_file(tmp_path: Path) -> None:
    jsonschema_rs.validator_for(SCHEMA).validate(example())
    file = read(tmp_path / "join.toml")
    assert file.config.region == "VN"
    assert file.config.check_interval_seconds == 4 * 3600
    assert [(key.key_id, key.key_version) for key in file.export_keys] == [("452", "v1")]
    assert file.contact["vi"].phone == "1900 0000"
    assert file.risk == load_configuration("enx")
    assert "AAAAbbbbCCCC" not in repr(file)


def test_the_page_and_the_schema_name_every_field(tmp_path: Path) -> None:
    assert set(read(tmp_path).to_fields()) == set(SCHEMA["properties"])
    assert not [name for name in SCHEMA["properties"] if f"| `{name}` |" not in PAGE]


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    file = read(tmp_path / "join.toml", mirrors=["https://mirror.example/vn/index.txt"])
    stored = json.loads(json.dumps(file.to_fields()))
    jsonschema_rs.validator_for(SCHEMA).validate(stored)
    assert JoinFile.from_fields(stored, tmp_path) == file


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"regoin": "VN"}, "'regoin'", "no such field"),
    ({"region": None}, "region", "is missing"),
    ({"region": "a\nb"}, "region", "one line of text"),
    ({"health_authority_id": 5}, "health_authority_id", "one line of text"),
    ({"index_url": "http://cdn.example.org/i.txt"}, "index_url", "begins with https://"),
    ({"index_url": "https://u:p@cdn.example.org/i"}, "index_url", "without user"),
    ({"key_server_url": "https://k.example/v1/publish"}, "key_server_url", "before /v1/publish"),
    ({"verification_url": "https://k.example/api/verify/"}, "verification_url", "/api/verify"),
    ({"device_api_key": "a b"}, "device_api_key", "without blanks"),
    ({"device_api_key": "a\r\nX-Chaff: 1"}, "device_api_key", "without blanks"),
    ({"check_interval_seconds": 5}, "check_interval_seconds", "from 60 to 604800"),
    ({"check_interval_seconds": True}, "check_interval_seconds", "from 60 to 604800"),
    ({"mirrors": ["ftp://m.example"]}, "mirrors", "begins with https://"),
    ({"mirrors": "https://m.example"}, "mirrors", "a list"),
    ({"export_keys": []}, "export_keys", "1 to 10 keys"),
    ({"export_keys": [{"id": "1", "version": "v1"}]}, "export_keys", "either public_key or file"),
    ({"export_keys": [{"public_key": "AAAA"}]}, "export_keys", "key 1 is not a public key"),
    ({"export_keys": [{"pubkey": "AAAA"}]}, "export_keys", "key 1: 'pubkey' is not a field"),
    ({"risk": "exn"}, "risk", "neither a preset nor a file"),
    ({"risk": {"name": "own"}}, "risk", "is missing"),
    ({"contact": {"fr": {"name": "x"}}}, "contact", "'fr' is not a field"),
    ({"contact": {"en": {"name": "x", "fon": "1"}}}, "contact", "en: 'fon' is not a field"),
    ({"contact": {"en": {"name": "x", "url": "http://x"}}}, "contact", "begin with https://"),
]


@pytest.mark.parametrize(("changes", "place", "text"), FAULTS, ids=repr)
def test_a_fault_is_one_line_that_names_its_field(
    changes: dict[str, Any], place: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "join.toml"
    with pytest.raises(InvalidJoinFile) as caught:
        read(path, **changes)
    assert caught.value.place == f"{path}, {place}"
    said = str(caught.value)
    assert "\n" not in said
    assert text in said
    in_vietnamese = explain(caught.value, "vi")
    assert in_vietnamese.startswith(f"{path}, {place}: ")
    assert in_vietnamese != said


@pytest.mark.parametrize("text", [b"region = ", b"\xff\xfe", b"x" * 70_000], ids=len)
def test_what_is_no_join_file_is_one_line(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "join.toml"
    path.write_bytes(text)
    with pytest.raises(InvalidJoinFile) as caught:
        JoinFile.read(path)
    assert str(caught.value).startswith(f"{path}: this is ")
    assert "\n" not in str(caught.value)


def forms() -> dict[str, Callable[[bytes], str]]:
    """The forms in which authorities publish keys (immuni-documentation#114, GmsCore PR 1607)."""
    return {
        "base64": lambda der: base64.b64encode(der).decode(),
        "named": lambda der: f"452-v1,{base64.b64encode(der).decode()}",
    }


@pytest.mark.parametrize("form", forms())
def test_a_key_is_read_in_every_form_of_text(form: str, tmp_path: Path) -> None:
    key = new_key().public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = forms()[form](der)
    named = {"id": "452", "version": "v1", "public_key": text}
    (found,) = read(tmp_path, export_keys=[named]).export_keys
    assert (found.key_id, found.key_version, found.public_key) == ("452", "v1", key)
    if form == "named":
        assert read(tmp_path, export_keys=[text]).export_keys == (found,)
        with pytest.raises(InvalidJoinFile, match="not the one that the key is published with"):
            read(tmp_path, export_keys=[{"id": "453", "public_key": text}])
    else:
        with pytest.raises(InvalidJoinFile, match="id is missing"):
            read(tmp_path, export_keys=[text])


def test_files_beside_the_join_file_are_read(tmp_path: Path) -> None:
    key = new_key().public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "signer.der").write_bytes(der)
    (tmp_path / "risk.json").write_text(json.dumps(load_configuration("nz").to_json()))
    keys = [{"id": "452", "version": "v1", "file": "signer.der"}]
    file = read(tmp_path / "join.toml", export_keys=keys, risk="risk.json")
    assert file.export_keys[0].public_key == key
    assert file.risk == load_configuration("nz")
    with pytest.raises(StoreError, match=re.escape(str(tmp_path / "no.der"))):
        read(tmp_path / "join.toml", export_keys=[{**keys[0], "file": "no.der"}])


@pytest.mark.parametrize(
    ("index", "files", "name", "url"),
    [
        # Google's documentation: "downloading export batches".
        (
            "https://cdn.example.com/24h/region/index.txt",
            "https://cdn.example.com/24h",
            "region/file1.zip",
            "https://cdn.example.com/24h/region/file1.zip",
        ),
        ("https://c.example/b/vn/index.txt", "", "vn/1.zip", "https://c.example/b/vn/1.zip"),
        ("https://c.example/b/a/vn/index.txt", "", "a/vn/1.zip", "https://c.example/b/a/vn/1.zip"),
        ("https://c.example/b/vn/index.txt", "", "1.zip", "https://c.example/b/vn/1.zip"),
        ("https://c.example/b/list.txt", "", "vn/1.zip", "https://c.example/b/vn/1.zip"),
        ("https://vn/index.txt", "", "vn/1.zip", "https://vn/vn/1.zip"),
    ],
)
def test_names_of_an_index_are_completed(index: str, files: str, name: str, url: str) -> None:
    assert KeyFileAddress(index, files).file_url(name) == url


@pytest.mark.parametrize(
    ("status", "body", "own", "google"),
    [
        # Google's verification server: unknown and used codes alike (issue 9, B5).
        (400, {"errorCode": "code_invalid"}, "code_used", "code_unknown_or_used"),
        (400, {"errorCode": "code_expired"}, "code_expired", "code_expired"),
        (400, {"errorCode": "token_expired"}, "token_expired", "token_used"),
        (412, {"errorCode": "unsupported_test_type"}, "invalid_test_type", "invalid_test_type"),
        (401, {"error": "unauthorized"}, "answer", "api_key"),
        (429, {"errorCode": "maintenance_mode"}, "maintenance_mode", "maintenance_mode"),
        (429, {}, "too_many_requests", "too_many_requests"),
        (503, {}, "maintenance_mode", "maintenance_mode"),
        (401, {"code": "unknown_health_authority_id"}, "keys_refused", "authority_unknown"),
        (404, {"code": "unable_to_load_health_authority"}, "not_found", "server"),
        (400, {"code": "missing_revision_token"}, "keys_refused", "keys_known"),
        (400, {"code": "internal_error"}, "server", "server"),
    ],
)
def test_words_of_google_s_servers(
    status: int, body: dict[str, str], own: str, google: str
) -> None:
    data = json.dumps(body).encode()
    for is_own_kind, code in ((True, own), (False, google)):
        error = refusal(status, data, is_own_kind=is_own_kind)
        assert isinstance(error, ServerRefused)
        assert error.code == code
