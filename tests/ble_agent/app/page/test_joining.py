"""Joining by a file and by a photo, and a code by a photo, over real connections."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ble_agent.air.key_ring import KeyRing
from ble_agent.app.page.screens import joining, sending
from ble_agent.authority.membership import find_membership
from ble_agent.store.database import open_store
from tests.ble_agent.app.page.test_application import served
from tests.ble_agent.app.page.test_more import press, upload, working_files
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import Clock
from tracing_core.protocol.associated_encrypted_metadata import Metadata


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server(clock=Clock()) as fake:
        yield fake


def join_file(server: FakeServer, **changes: str) -> bytes:
    key = server.export_key.public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b64encode(der).decode()
    fields = {
        "region": '"VN"',
        "health_authority_id": '"vn.health"',
        "index_url": f'"{server.url}/exports/VN/index.txt"',
        "verification_url": f'"{server.url}"',
        "key_server_url": f'"{server.url}"',
        "export_keys": f'[{{id = "452", version = "v1", public_key = "{text}"}}]',
        "risk": '"enx"',
        **changes,
    }
    return "".join(f"{name} = {value}\n" for name, value in fields.items()).encode()


def last_day_in(html: str) -> str:
    found = re.search(r'name="last_day" value="([0-9-]+)"', html)
    assert found is not None
    return found[1]


def photo(text: str) -> bytes:
    png = io.BytesIO()
    segno.make(text, error="m", micro=False).save(png, kind="png", scale=8, border=4)
    return png.getvalue()


def test_a_device_joins_by_a_file(tmp_path: Path, server: FakeServer) -> None:
    server.add_file("00000.zip")
    with served(tmp_path) as page:
        answer = upload(page, "join/file", "việt.toml", join_file(server))
        assert answer.headers["Location"] == f"{page.path}/join/file-preview"
        shown = page.get("join/file-preview").text
        assert f"{server.url}/exports/VN/index.txt" in shown
        assert "cannot prove that their list of key files is complete" in shown
        # Looking asks nobody, and the file is gone.
        assert not server.asked
        assert not working_files(tmp_path)
        assert 'name="last_day"' in shown
        assert press(page, "join/file-confirm").status_code == 409
        answer = press(page, "join/file-confirm", last_day=last_day_in(shown))
        assert answer.headers["Location"] == f"{page.path}/today"
        today = page.get("today").text
        assert "This device has joined the health authority of VN" in today
        # This server takes no reports.
        assert "A trial report failed" in today
        assert "cannot prove that their list of key files is complete" in today
    with open_store(tmp_path) as db:
        membership = find_membership(db)
    assert membership is not None
    assert membership.joined_by == "file"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"risk": '"/etc/passwd"'}, "names another file"),
        ({"export_keys": '[{id = "1", version = "v1", file = "/etc/passwd"}]'}, "another file"),
        ({"region": "5"}, "join.toml, region"),
        ({"index_url": '"http://cdn.example.org/i"'}, "begins with https://"),
    ],
)
def test_a_wrong_join_file_names_the_field_and_reads_no_other_file(
    tmp_path: Path, server: FakeServer, changes: dict[str, str], said: str
) -> None:
    with served(tmp_path) as page:
        answer = upload(page, "join/file", "join.toml", join_file(server, **changes))
        assert answer.status_code == 400
        assert said in answer.text
        assert "root:" not in answer.text
        assert str(tmp_path) not in answer.text
        assert page.get("join/file-preview").status_code == 303


def test_a_device_joins_by_a_photo_of_the_code(tmp_path: Path, server: FakeServer) -> None:
    with served(tmp_path) as page:
        answer = upload(page, "join/photo", "qr.png", photo(server.line))
        assert answer.status_code == 200
        assert server.url in answer.text
        assert f'name="line" value="{server.line}"' in answer.text
        # The last day is in the server's documents, and nothing else is asked for.
        assert server.asked == [("GET", "/v1/trust", 0)]
        another = press(page, "join/confirm", line=server.line, last_day="2027-01-01")
        assert another.status_code == 409
        assert "not the day you were shown" in another.text
        press(page, "join/confirm", line=server.line, last_day=last_day_in(answer.text))
        assert "has joined the health authority of VN" in page.get("today").text
        assert not working_files(tmp_path)

        answer = upload(page, "send/photo", "code.png", photo("12345678"))
        assert answer.status_code == 409
        with open_store(tmp_path) as db:
            KeyRing(db).next_advertisement(Clock().now(), Metadata(0))
        answer = upload(page, "send/photo", "code.png", photo("12345678"))
        assert answer.status_code == 200
        assert '<input type="hidden" name="code" value="12345678">' in answer.text
        answer = upload(page, "send/photo", "x.png", b"no photo")
        assert answer.status_code == 400
        assert 'id="photo-fault"' in answer.text


def test_without_the_library_photos_are_not_offered_but_said(
    tmp_path: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (joining, sending):
        monkeypatch.setattr(module, "can_read_photos", lambda: False)
    with served(tmp_path) as page:
        shown = page.get("join").text
        assert 'id="photo"' not in shown
        assert "Photos of codes cannot be read here" in shown
        assert 'id="file"' in shown
