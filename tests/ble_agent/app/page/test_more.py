"""The screens below *More*, over real connections and on real homes."""

from __future__ import annotations

import io
import json
import re
import secrets
import socket
import time
import zipfile
from pathlib import Path

import httpx2
import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.ledger_notes import COVER, REPORT, note
from ble_agent.config import load_config
from ble_agent.store.database import make_home, open_store
from ble_agent.store.home import exclusive_use
from ble_agent.store.working_folder import WORKING_FOLDERS
from tests.ble_agent.app.page.test_application import Served, form_key, served
from tests.ble_agent.store.importers.test_bluezone import write as bluezone
from tracing_core.clock import Clock, local_date
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction


def upload(page: Served, screen: str, name: str, data: bytes, **fields: str) -> httpx2.Response:
    key = form_key(page.get("more"))
    return page.browser.post(
        f"{page.path}/{screen}", data={"key": key, **fields}, files={"file": (name, data)}
    )


def press(page: Served, screen: str, **fields: str) -> httpx2.Response:
    return page.post(screen, key=form_key(page.get("more")), **fields)


def lines(now: float, *ages: float) -> bytes:
    """A log with one sighting of each age in seconds."""
    return b"".join(
        json.dumps(
            {
                "rpi": f"{number:032x}",
                "aem": "00000000",
                "rssi_dbm": [-60],
                "seen_at": int(now - age),
            }
        ).encode()
        + b"\n"
        for number, age in enumerate(ages, 1)
    )


def sightings(home: Path) -> int:
    with open_store(home) as db:
        return db.table("sighting").count


def working_files(home: Path) -> list[Path]:
    return [path for folder in home.glob(WORKING_FOLDERS) for path in folder.iterdir()]


def test_a_log_is_imported_after_a_look_at_what_it_would_add(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        sent = upload(
            page, "more/import/file", "cũ.jsonl", lines(Clock().now(), 60, 120, 30 * 86_400)
        )
        assert sent.headers["Location"] == f"{page.path}/more/import/preview"
        shown = page.get("more/import/preview").text
        assert "cũ.jsonl" in shown
        assert str(tmp_path) not in shown
        assert "<dd>2</dd>" in shown
        assert sightings(tmp_path) == 0
        assert len(working_files(tmp_path)) == 1
        press(page, "more/import/confirm")
        assert "2 sightings were added" in page.get("more/import").text
        assert sightings(tmp_path) == 2
        assert not working_files(tmp_path)
        # The same form again finds no file.
        press(page, "more/import/confirm")
        assert "The files are no longer here" in page.get("more/import").text


def test_an_import_that_is_not_wanted_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60))
        press(page, "more/import/discard")
        assert "Nothing was added" in page.get("more/import").text
        assert not working_files(tmp_path)
        for _ in range(2):
            upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60))
            assert len(working_files(tmp_path)) == 1
        press(page, "leave")
        assert not working_files(tmp_path)
        assert sightings(tmp_path) == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "No file was chosen"),
        (b"PK\x03\x04 archive", "archive"),
        (b"\xff" * 1000, "not a log that truyvet can import"),
        (lines(Clock().now(), 60) + b"{broken\n", "What is in the file"),
    ],
    ids=["empty", "archive", "unknown", "broken line"],
)
def test_a_file_that_cannot_be_imported_is_said_beside_the_field(
    tmp_path: Path, data: bytes, said: str
) -> None:
    with served(tmp_path) as page:
        answer = upload(page, "more/import/file", "x.bin" if data else "", data)
        if answer.status_code == 303:
            answer = page.get("more/import/preview")
        assert said in answer.text
        assert str(tmp_path) not in answer.text


def test_a_file_without_the_form_key_is_overwritten_and_not_read(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        answer = upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60), key="x")
        assert answer.status_code == 403
        assert not working_files(tmp_path)
        assert page.get("more/import/preview").status_code == 303


def test_what_left_the_device_is_listed_by_day(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        assert "Nothing is noted" in page.get("more/ledger").text
        now = Clock().now()
        with open_store(tmp_path) as db:
            KeyRing(db).next_advertisement(now, Metadata(0))
            with transaction(db):
                note(db, now, REPORT, "keys.example.org", 12)
                note(db, now, COVER, "keys.example.org")
        shown = page.get("more/ledger").text
        assert "12 random keys sent to keys.example.org" in shown
        assert "Cover reports sent to keys.example.org: 1" in shown
        assert "Bluetooth sent random identifiers" in shown


def test_browsers_are_listed_and_ended(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        page.page.make_link = lambda: f"{page.origin}/#{page.page.door.new_link()}"
        press(page, "more/sessions/link")
        shown = page.get("more/sessions").text
        token = shown.split("/#")[1].split("<")[0]
        # A link is shown once.
        assert token not in page.get("more/sessions").text
        with httpx2.Client(base_url=page.origin, headers={"Origin": page.origin}) as other:
            there = other.post("/enter", data={"token": token}).headers["Location"]
            assert other.get(there.replace("today", "more")).status_code == 200
            assert page.get("more/sessions").text.count("browser</strong>") == 2
            (name,) = [
                each.name for each in page.page.door.sessions() if each.path not in page.path
            ]
            press(page, "more/sessions/end", name=name)
            assert "closed in that browser" in page.get("more/sessions").text
            assert other.get(there.replace("today", "more")).status_code == 403
            assert page.get("more").status_code == 200


def test_everything_is_deleted_only_with_a_tick(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    with served(home) as page:
        upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60))
        (home / "notes.txt").write_text("of somebody else")
        (home / ".page-12.html").write_text("link")
        assert "Delete everything" in page.get("more/erase").text
        answer = press(page, "more/erase/confirm")
        assert answer.status_code == 400
        assert "Tick the box first" in answer.text
        assert (home / "agent.db").exists()
        answer = press(page, "more/erase/confirm", sure="yes")
        assert answer.status_code == 200
        assert "Everything was deleted" in answer.text
        assert "notes.txt" in answer.text
        assert [path.name for path in home.iterdir()] == ["notes.txt"]
        assert page.page.is_ending
        assert page.get("more").status_code == 403


def settings_form(page: Served, **typed: str) -> dict[str, str]:
    """The fields of the form as they are shown, with some of them typed over."""
    shown = page.get("more/settings").text
    fields = {"lang": "en", "radio": "auto", "notify_desktop": "yes", "cover_traffic": "yes"}
    fields |= {
        "quiet_from": "",
        "quiet_to": "",
        "digest": re.findall(r'digest" value="(.*?)"', shown)[0],
    }
    return {name: value for name, value in {**fields, **typed}.items() if value is not None}


def test_settings_are_changed_and_what_a_hand_wrote_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRUYVET_LANG", "TRUYVET_RADIO"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "agent.toml"
    file.write_text('# của tôi\nlang = "en"\nscan_seconds = 5.0  # longer\n')
    with served(tmp_path) as page:
        press(page, "more/settings/save", **settings_form(page))
        assert "Nothing has changed" in page.get("more/settings").text
        typed = settings_form(page, quiet_from="22:00", quiet_to="07:00", cover_traffic="")
        press(page, "more/settings/save", **typed)
        shown = page.get("more/settings").text
        assert "Saved: Quiet hours; Send cover reports at random moments" in shown
        assert "only after a restart" not in shown
        assert 'role="alert"' not in shown
        assert 'name="quiet_from" value="22:00"' in shown
        config = load_config(tmp_path)
        assert (config.quiet_hours, config.cover_traffic) == ("22:00-07:00", False)
        assert file.read_text().startswith('# của tôi\nlang = "en"\nscan_seconds = 5.0  # longer\n')
        with exclusive_use(tmp_path):
            typed = settings_form(page, lang="vi", quiet_from="22:00", quiet_to="07:00")
            press(page, "more/settings/save", **typed)
            shown = page.get("more/settings").text
        assert '<html lang="vi">' in shown
        assert "chỉ áp dụng sau khi khởi động lại" in shown


def test_a_wrong_setting_keeps_what_was_typed_and_names_the_field(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        for wrong in ({"quiet_from": "22:00"}, {"quiet_from": "9:99", "quiet_to": "07:00"}):
            typed = settings_form(page, cover_traffic="", **wrong)
            answer = press(page, "more/settings/save", **typed)
            assert answer.status_code == 400
            assert "Quiet hours: give two different times" in answer.text
            assert f'name="quiet_from" value="{wrong["quiet_from"]}"' in answer.text
            assert 'name="cover_traffic" value="yes" aria' in answer.text
        answer = press(
            page, "more/settings/save", **settings_form(page, radio="replay:/etc/passwd")
        )
        assert answer.status_code == 400
        assert "choose one from the list" in answer.text
        typed = settings_form(page, radio="bluez")
        (tmp_path / "agent.toml").write_text("scan_seconds = 5.0\n")
        answer = press(page, "more/settings/save", **typed)
        assert "The settings have been changed in the meantime" in answer.text
        assert '<option value="bluez" selected>' in answer.text
        (tmp_path / "agent.toml").write_text("scan_seconds = ?\n")
        answer = page.get("more/settings")
        assert answer.status_code == 409
        assert "not TOML" in answer.text


def test_a_setting_of_the_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUYVET_RADIO", "mgmt")
    with served(tmp_path) as page:
        assert "TRUYVET_RADIO is set on this device" in page.get("more/settings").text


def test_all_data_is_downloaded_once_and_noted(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60, 120))
        press(page, "more/import/confirm")
        assert "README" in page.get("more/data").text
        answer = press(page, "more/data/download")
        assert answer.status_code == 200
        today = local_date(Clock().now()).isoformat()
        disposition = f'attachment; filename="truyvet-{today}.zip"'
        assert answer.headers["Content-Disposition"] == disposition
        assert answer.headers["Cache-Control"] == "no-store"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            assert len(archive.read("sightings.jsonl").splitlines()) == 2
            assert archive.read("README.vi.txt")
        assert "All your data written to a file." in page.get("more/ledger").text
        assert not list(tmp_path.glob(WORKING_FOLDERS))


def test_all_data_as_a_page_is_downloaded_and_taken_by_another_device(tmp_path: Path) -> None:
    for name in ("old", "new"):
        make_home(tmp_path / name)
    with served(tmp_path / "old") as page:
        upload(page, "more/import/file", "a.jsonl", lines(Clock().now(), 60, 120))
        press(page, "more/import/confirm")
        with open_store(tmp_path / "old") as db:
            assert KeyRing(db).next_advertisement(Clock().now(), Metadata(0)) is not None
        assert "Any browser shows it" in page.get("more/data").text
        plain = press(page, "more/data/page")
        today = local_date(Clock().now()).isoformat()
        disposition = f'attachment; filename="truyvet-{today}.html"'
        assert plain.headers["Content-Disposition"] == disposition
        assert plain.headers["Cache-Control"] == "no-store"
        answer = press(page, "more/data/page", with_keys="yes")
        assert len(answer.content) > len(plain.content)
        assert not list((tmp_path / "old").glob(WORKING_FOLDERS))
    with served(tmp_path / "new") as page:
        upload(page, "more/import/file", "all.html", answer.content)
        text = page.get("more/import/preview").text
        assert "truyvet, all data" in text
        assert "Keys taken over: 1." in text
        assert "00:00 UTC" in text
        with open_store(tmp_path / "new") as db:
            assert db.table("sighting").count == db.table("own_key").count == 0
        press(page, "more/import/confirm")
        text = page.get("more/import").text
        assert "2 sightings were added" in text
        assert "Keys taken over: 1." in text
        with open_store(tmp_path / "new") as db:
            assert (db.table("sighting").count, db.table("own_key").count) == (2, 1)
        upload(page, "more/import/file", "all.html", answer.content)
        assert "There is nothing to add." in page.get("more/import/preview").text
        broken = answer.content[: len(answer.content) - 100]
        refusal = upload(page, "more/import/file", "all.html", broken)
        assert refusal.status_code == 400
        assert "all.html" in refusal.text


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    rows = [
        Sighting(secrets.token_bytes(16), bytes(4), (-60,), int(Clock().now()) - age)
        for age in range(60, 50_060)
    ]
    make_home(tmp_path)
    with open_store(tmp_path) as db, transaction(db):
        insert_sightings(db, rows)
    with served(tmp_path) as page:
        key = form_key(page.get("more"))
        # More than the buffers between the two hold, so that the page must wait for the browser.
        small_buffer = httpx2.HTTPTransport(
            socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
        )
        with (
            httpx2.Client(transport=small_buffer, cookies=page.browser.cookies) as slow,
            slow.stream(
                "POST",
                f"{page.origin}{page.path}/more/data/download",
                data={"key": key},
                headers={"Origin": page.origin},
            ) as answer,
        ):
            assert answer.status_code == 200
            next(answer.iter_raw(1000))
            assert list(tmp_path.glob(WORKING_FOLDERS))
        deadline = Clock().monotonic() + 30
        while list(tmp_path.glob(WORKING_FOLDERS)):
            assert Clock().monotonic() < deadline
            time.sleep(0.05)


def test_what_bluezone_recorded_is_said_not_to_be_compared(tmp_path: Path) -> None:
    heard_at = (int(Clock().now()) - 3600) * 1000
    make_home(tmp_path / "home")
    data = bluezone(tmp_path / "app_db_2.db", [(bytes(range(12)), -60, heard_at)]).read_bytes()
    with served(tmp_path / "home") as page:
        upload(page, "more/import/file", "app_db_2.db", data)
        assert "of another protocol (bluezone)" in page.get("more/import/preview").text
        press(page, "more/import/confirm")
        shown = page.get("more/import").text
        assert "1 sighting was added." in shown
        assert "of another protocol (bluezone)" in shown
        assert "The next check compares" not in shown
