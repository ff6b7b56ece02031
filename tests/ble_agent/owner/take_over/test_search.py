"""Search of folders: what is looked at, what is not, and that nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from ble_agent.owner.take_over import search as searching
from ble_agent.owner.take_over.copies import copied
from ble_agent.owner.take_over.kinds import Kind
from ble_agent.owner.take_over.left import Reason
from ble_agent.owner.take_over.places import usual_folders
from ble_agent.owner.take_over.search import MOST_FILES, Search
from ble_agent.store.database import make_home, open_store
from ble_agent.store.working_folder import WORKING_FOLDERS
from tests.ble_agent.owner.take_over.folders import ADDED, REFUSED, every_format, lay_traps, lines
from tracing_core.clock import Clock
from tracing_core.errors import StoreError


class Steps(Clock):
    """A clock that goes on by one step whenever it is asked, after some questions."""

    def __init__(self, step: float, *, after: int = 0) -> None:
        super().__init__()
        self._step = step
        self._at = 0.0
        self._rest = after

    def monotonic(self) -> float:
        self._rest -= 1
        if self._rest < 0:
            self._at += self._step
        return self._at


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    make_home(home)
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are opened with a folder's descriptor."""
    names: list[str] = []
    real = os.open

    def noted(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None:
            names.append(os.fspath(path))
            assert flags & os.O_NOFOLLOW
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(searching.os, "open", noted)
    return names


def searched(folder: Path, home: Path, clock: Clock | None = None) -> Search:
    search = Search(clock or Clock(), home)
    search.add_folder(folder)
    search.look()
    return search


def left(search: Search) -> dict[str, int]:
    return {reason.value: count for reason, count in search.left.counts()}


def test_every_format_is_found_by_its_content(home: Path, folder: Path) -> None:
    every_format(folder)
    (folder / "song.mp3").write_bytes(b"ID3")
    (folder / "agent.db").write_text("not a database")
    search = searched(folder, home)
    kinds = [each.kind for each in search.found]
    assert len(kinds) == len(ADDED) + len(REFUSED)
    assert kinds.count(Kind.FOLDER) == 1
    assert kinds.count(Kind.DATABASE) == 8
    assert kinds.count(Kind.LINES) == 4
    assert {Kind.TRACE, Kind.DIARY, Kind.CHECKS} <= set(kinds)
    assert left(search) == {}
    # The other agent's home has a lock, and perhaps what SQLite keeps beside a database.
    assert search.looked_at == len(search.found) + search.others


def test_links_pipes_and_sockets_are_counted_and_never_opened(
    home: Path, folder: Path, tmp_path: Path, opened: list[str]
) -> None:
    lay_traps(folder, lines(tmp_path / "elsewhere.jsonl", 0, 3))
    lines(folder / "a" / "b" / "log", 0, 3)
    search = searched(folder, home)
    assert left(search) == {"link": 3, "special": 4, "deep": 1}
    assert [each.path for each in search.found] == [folder.resolve() / "a" / "b" / "log"]
    assert set(opened) == {"a", "b", "log"}


def test_five_thousand_files_end_at_two_thousand(home: Path, folder: Path) -> None:
    for number in range(5_000):
        (folder / f"file{number}").touch()
    os.utime(lines(folder / "newest", 0, 1), (2_000_000_000, 2_000_000_000))
    search = searched(folder, home)
    assert search.looked_at == MOST_FILES
    assert left(search) == {"many": 3_001}
    assert search.left.is_whole
    # The newest are looked at first.
    assert [each.path.name for each in search.found] == ["newest"]


def test_names_without_end_are_counted_and_not_kept(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_MOST_NAMES", 10)
    for number in range(25):
        (folder / f"file{number}").touch()
    search = searched(folder, home)
    assert search.looked_at == 10
    assert left(search) == {"many": 15}


@pytest.mark.parametrize(
    ("step", "after"), [(0.005, 0), (0.2, 0), (2.0, 0), (6.0, 0), (0.1, 850), (6.0, 850)]
)
def test_the_search_ends_when_its_time_is_over(
    home: Path, folder: Path, step: float, after: int
) -> None:
    for part in ("", "a", "b", "c"):
        (folder / part).mkdir(exist_ok=True)
        for number in range(200):
            (folder / part / f"file{number}").touch()
    search = searched(folder, home, Steps(step, after=after))
    assert search.looked_at < 800
    assert left(search)["late"] > 0
    # Once all folders are listed, the files that are left can be counted.
    assert search.left.is_whole is bool(after)
    assert not after or search.looked_at + left(search)["late"] == 800


@pytest.mark.parametrize("where", ["home itself", "in it", "around it"])
def test_the_home_itself_is_never_looked_into(home: Path, tmp_path: Path, where: str) -> None:
    with open_store(home):
        pass
    (home / "sub").mkdir()
    lines(home / "sub" / "log", 0, 1)
    folder = {"home itself": home, "in it": home / "sub", "around it": tmp_path}[where]
    search = searched(folder, home)
    assert left(search) == {"own": 1}
    assert search.found == []


def test_a_hard_link_to_the_own_database_is_not_opened(
    home: Path, folder: Path, opened: list[str]
) -> None:
    with open_store(home):
        os.link(home / "agent.db", folder / "link")
        search = searched(folder, home)
    assert left(search) == {"own": 1}
    assert opened == []


def test_a_file_is_not_a_folder(home: Path, folder: Path) -> None:
    with pytest.raises(StoreError):
        searched(lines(folder / "log", 0, 1), home)


def test_a_named_folder_may_be_a_link(home: Path, folder: Path, tmp_path: Path) -> None:
    lines(folder / "log", 0, 1)
    (tmp_path / "link").symlink_to(folder)
    assert len(searched(tmp_path / "link", home).found) == 1


@pytest.mark.parametrize("swap", ["gone", "link", "pipe", "other", "folder"])
def test_what_changes_before_it_is_copied_is_left(
    home: Path, folder: Path, tmp_path: Path, swap: str
) -> None:
    path = lines(folder / "sub", 0, 1)
    search = searched(folder, home)
    secret = lines(tmp_path / "elsewhere", 0, 1)
    # The old file stays, so that its number is not used again.
    path.rename(tmp_path / "kept")
    if swap == "link":
        path.symlink_to(secret)
    elif swap == "pipe":
        os.mkfifo(path)
    elif swap == "other":
        lines(path, 5, 5)
    elif swap == "folder":
        path.mkdir()
    with copied(search, home) as candidates:
        assert candidates == []
    expected = {"gone": "gone", "link": "link", "other": "gone"}.get(swap, "special")
    assert left(search) == {expected: 1}
    assert not list(home.glob(WORKING_FOLDERS))


def test_copies_are_private_and_bounded(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ble_agent.owner.take_over.copies.MOST_BYTES", 300)
    lines(folder / "small", 0, 2)
    with lines(folder / "sparse", 0, 1).open("r+b") as file:
        file.truncate(1 << 40)
    os.utime(folder / "sparse", (2_000_000_000, 2_000_000_000))
    search = searched(folder, home)
    with copied(search, home) as candidates:
        assert [Path(each.name).name for each in candidates] == ["small"]
        assert candidates[0].path.stat().st_mode & 0o7777 == 0o600
        assert candidates[0].path.read_bytes() == (folder / "small").read_bytes()
    assert left(search) == {"large": 1}
    assert not list(home.glob(WORKING_FOLDERS))


def test_files_that_come_and_go_meanwhile_break_nothing(home: Path, folder: Path) -> None:
    has_ended = threading.Event()

    def disturb() -> None:
        number = 0
        while not has_ended.is_set():
            number += 1
            path = folder / f"file{number % 40}"
            with contextlib.suppress(OSError):
                if number % 4 == 0:
                    os.mkfifo(path)
                elif number % 4 == 1:
                    path.symlink_to("/dev/zero")
                elif number % 4 == 2:
                    lines(path, number, 1)
                path.rename(folder / f"file{number * 7 % 40}")
            with contextlib.suppress(OSError):
                (folder / f"file{number * 3 % 40}").unlink()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(40):
            search = searched(folder, home)
            with copied(search, home) as candidates:
                assert all(each.path.read_bytes()[:1] in (b"{", b"") for each in candidates)
            assert set(left(search)) <= {
                reason.value for reason in (Reason.LINK, Reason.SPECIAL, Reason.GONE)
            }
    finally:
        has_ended.set()
        thread.join()


def test_downloads_and_media_are_where_the_system_has_them(tmp_path: Path) -> None:
    person, media = tmp_path / "person", tmp_path / "media"
    assert usual_folders(person, "an", [media]) == []
    (person / "Downloads").mkdir(parents=True)
    (media / "an" / "STICK").mkdir(parents=True)
    (media / "binh" / "CARD").mkdir(parents=True)
    (media / "an" / "link").symlink_to(tmp_path)
    (media / "link").symlink_to(media / "an")
    stick = media / "an" / "STICK"
    assert usual_folders(person, "an", [media]) == [person / "Downloads", stick]
    settings = person / ".config" / "user-dirs.dirs"
    settings.parent.mkdir()
    (person / "Tải xuống").mkdir()
    settings.write_text('# x\nXDG_DOWNLOAD_DIR="$HOME/Tải xuống"\nXDG_MUSIC_DIR="$HOME/"\n')
    assert usual_folders(person, "an", [media]) == [person / "Tải xuống", stick]
    settings.write_text(f'XDG_DOWNLOAD_DIR="{tmp_path}/person/Downloads/"\n')
    assert usual_folders(person, "an", [media]) == [person / "Downloads", stick]
    settings.write_text('XDG_DOWNLOAD_DIR="$HOME/"\n')
    assert usual_folders(person, "an", [media]) == [person / "Downloads", stick]
