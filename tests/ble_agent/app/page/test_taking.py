"""Several files at once on the page: gathered, shown together, and added with one press."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import httpx2
import pytest

from ble_agent.app.page.upload import LARGEST_FILE_BYTES
from ble_agent.store.database import make_home, open_store
from tests.ble_agent.app.page.test_application import Served, form_key, served
from tests.ble_agent.app.page.test_more import lines, press, sightings, working_files
from tests.ble_agent.app.page.test_upload import (
    file_part,
    form,
    received,
)
from tests.ble_agent.store.importers.foreign_logs import (
    contact_key,
    contact_value,
    scan_record,
    write_microg,
    write_play_services,
)
from tests.ble_agent.store.importers.test_bluezone import write as write_bluezone
from tracing_core.clock import Clock
from tracing_core.errors import NotPossible
from tracing_core.store.other_sighting import count_other_sightings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    make_home(home)
    return home


def send(page: Served, *files: tuple[str, bytes]) -> httpx2.Response:
    return page.browser.post(
        f"{page.path}/more/import/file",
        data={"key": form_key(page.get("more"))},
        files=[("file", (name, data)) for name, data in files],
    )


def numbers(html: str) -> list[int]:
    return [int(each) for each in re.findall(r"<dd>(\d+)</dd>", html)]


def bluezone(folder: Path, count: int) -> bytes:
    now = int(Clock().now())
    path = folder / "app_db_2.db"
    write_bluezone(path, [(bytes([n]) * 12, -60, (now - 60 * n) * 1000) for n in range(count)])
    return path.read_bytes()


def test_the_preview_of_several_files_equals_what_is_added(home: Path, tmp_path: Path) -> None:
    now = Clock().now()
    with served(home) as page:
        sent = send(
            page,
            ("một.jsonl", lines(now, 60, 120, 180)),
            ("two.jsonl", lines(now, 60, 120, 180, 240) + b"{broken\n"),
            ("app_db_2.db", bluezone(tmp_path, 5)),
            ("photo.jpg", b"\xff\xd8\xff\xe0"),
            ("d.diary", b'[{"startDate":1,"name":"Quan","type":"scan"}]'),
        )
        assert sent.headers["Location"] == f"{page.path}/more/import/preview"
        shown = page.get("more/import/preview").text
        # Rows read, added, already there and too old, of each.
        assert numbers(shown) == [3, 3, 0, 0, 5, 1, 3, 0, 5, 5, 0, 0]
        assert "9 sightings will be added" in shown
        assert "it cannot be read" in shown
        assert shown.count("<h2>") == 4
        assert "d.diary (visits: 1; unreadable: 0)" in shown
        assert "photo.jpg" in shown
        assert str(tmp_path) not in shown
        assert sightings(home) == 0
        press(page, "more/import/confirm")
        assert "9 sightings were added" in page.get("more/import").text
        assert sightings(home) == 4
        with open_store(home) as db:
            assert count_other_sightings(db) == {"bluezone": 5}
        assert not working_files(home)
        # The same files again add nothing.
        send(page, ("two.jsonl", lines(now, 60, 120, 180, 240)))
        again = page.get("more/import/preview").text
        assert "There is nothing to add" in again
        assert "import/confirm" not in again


def test_a_database_and_its_log_are_one(home: Path, tmp_path: Path) -> None:
    now = int(Clock().now())
    path = write_microg(tmp_path / "exposure.db", [])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "INSERT INTO advertisements VALUES (?, ?, ?, -60, 0)", [bytes(16), b"abcd", now * 1000]
    )
    connection.commit()
    names = ("exposure.db-wal", "exposure.db")
    files = [(name, (tmp_path / name).read_bytes()) for name in names]
    connection.close()
    with served(home) as page:
        # Without its log it is empty.
        send(page, files[1])
        assert numbers(page.get("more/import/preview").text)[1] == 0
        send(page, *files)
        assert numbers(page.get("more/import/preview").text)[1] == 1
        press(page, "more/import/confirm")
    assert sightings(home) == 1
    assert not working_files(home)


def test_all_files_of_play_services_are_one_log(home: Path, tmp_path: Path) -> None:
    now = int(Clock().now())
    value = contact_value(b"abcd", scan_record(now - 600, [-60]), scan_record(now - 300, [-60]))
    folder = write_play_services(tmp_path / "log", [(contact_key(now, bytes(16)), value)])
    files = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    with served(home) as page:
        send(page, *files, ("other.jsonl", lines(now, 60)))
        shown = page.get("more/import/preview").text
        assert "Files of one folder" in shown
        assert numbers(shown)[1] == 2
        press(page, "more/import/confirm")
    assert sightings(home) == 3
    assert not working_files(home)


@pytest.mark.parametrize(
    "names",
    [
        ("a.db", "a.db", "a.db-wal"),
        ("CURRENT", "CURRENT"),
        ("CURRENT", "CURRENT-wal", "CURRENT-journal"),
        ("-wal", "-journal", ""),
        ("x-wal", "x-wal-wal", "x"),
        ("../../x", "../../x-wal"),
    ],
)
def test_names_that_mean_to_confuse_add_nothing_and_leave_nothing(
    home: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    with served(home) as page:
        for data in (b"MANIFEST-000001\n", lines(Clock().now(), 60), b"SQLite format 3\0" * 9):
            answer = send(page, *((name, data) for name in names))
            assert answer.status_code in (303, 400)
            assert str(tmp_path) not in answer.text
            if answer.status_code == 303:
                press(page, "more/import/confirm")
        assert not working_files(home)
    assert sightings(home) <= 1
    assert {path.name for path in home.iterdir()} <= {"agent.db", "agent.use", "agent.lock"}


def test_what_changed_since_the_preview_is_shown_anew(tmp_path: Path) -> None:
    now = Clock().now()
    with served(tmp_path) as page:
        send(page, ("a.jsonl", lines(now, 60, 120)), ("b.jsonl", lines(now, 60, 120, 180)))
        with served(tmp_path) as other:
            send(other, ("c.jsonl", lines(now, 60)))
            press(other, "more/import/confirm")
        assert sightings(tmp_path) == 1
        answer = press(page, "more/import/confirm")
        assert answer.headers["Location"].endswith("more/import/preview")
        assert sightings(tmp_path) == 1
        shown = page.get("more/import/preview").text
        assert "has changed since it was shown" in shown
        assert "2 sightings will be added" in shown
        press(page, "more/import/confirm")
    assert sightings(tmp_path) == 3


def test_all_that_is_wrong_is_said_beside_the_field(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        answer = send(page, ("a.zip", b"PK\x03\x04"), ("b.bin", b"\xff" * 100))
        assert answer.status_code == 400
        assert answer.text.count('class="fault"') == 2
        assert "a.zip" in answer.text
        assert "b.bin" in answer.text
        assert not working_files(tmp_path)


def test_the_files_of_a_form_are_bounded_together(tmp_path: Path) -> None:
    with served(tmp_path) as page:
        answer = send(page, *((f"{number}", b"x") for number in range(101)))
        assert "More than 100 files" in answer.text
        assert not working_files(tmp_path)
    # Screens of one file take one.
    body = form(file_part(b"a"), file_part(b"b"))
    with pytest.raises(NotPossible) as refused:
        received(tmp_path, body)
    assert refused.value.code == "upload_two_files"


def test_several_files_arrive_whole_whatever_the_cuts(tmp_path: Path) -> None:
    contents = [b"", b"\r\n--x\r\n" * 40_000, b"", b"y" * 300_000, b"z"]
    body = form(*(file_part(data, f"{number}") for number, data in enumerate(contents)))
    for size in (len(body), 65_537, 100_003):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        with received(tmp_path, *pieces, most_files=9) as upload:
            assert [file.path.read_bytes() for file in upload.files] == contents
            assert [file.size for file in upload.files] == [len(data) for data in contents]
            assert [file.name for file in upload.files] == [f"{n}" for n in range(5)]
            paths = [str(file.path) for file in upload.files]
            assert upload.named(" ".join(paths)) == "0 1 2 3 4"
        assert list(tmp_path.iterdir()) == []
    half = b"x" * (LARGEST_FILE_BYTES // 2 + 1)
    with pytest.raises(NotPossible) as refused:
        received(tmp_path, form(file_part(half), file_part(half)), most_files=2)
    assert refused.value.code == "upload_too_large"
    assert list(tmp_path.iterdir()) == []
