"""Published and other durable files: whole or absent."""

import os

import obstore
import obstore.exceptions
import pytest

from server.store.files import locked, make_private_folder, write_durably
from server.store.local_storage import LocalStorage
from tracing_core.errors import StoreError, StoreFull


def content(storage: LocalStorage, name: str) -> bytes | None:
    file = storage.read(name)
    return None if file is None else b"".join(file.chunks)


def test_a_staged_file_is_nowhere_until_it_is_published(tmp_path):
    storage = LocalStorage(tmp_path)
    staged = storage.stage(b"keys")
    assert storage.names("VN") == set()
    storage.publish(staged, "VN/1.zip")
    assert storage.names("VN") == {"VN/1.zip"}
    assert content(storage, "VN/1.zip") == b"keys"
    assert content(storage, staged) is None


def test_a_reader_keeps_the_file_it_opened(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.publish(storage.stage(b"a" * 10_000_000), "VN/1.zip")
    old = storage.read("VN/1.zip")
    storage.publish(storage.stage(b"b"), "VN/1.zip")
    assert old is not None
    assert b"".join(old.chunks) == b"a" * 10_000_000
    new = storage.read("VN/1.zip")
    assert new is not None
    assert (new.size, new.e_tag != old.e_tag) == (1, True)
    storage.delete(["VN/1.zip", "VN/1.zip"])
    assert content(storage, "VN/1.zip") is None


def test_leftovers_of_the_store_itself_are_cleared(tmp_path):
    storage = LocalStorage(tmp_path)
    staged = storage.stage(b"keys")
    (storage.folder / f"{staged}#1").write_bytes(b"half")
    storage.clear_staging()
    assert list((storage.folder / ".staging").iterdir()) == []
    LocalStorage(tmp_path / "fresh").clear_staging()


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path)
    synced = []

    def sync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", sync)
    staged = storage.stage(b"keys")
    assert synced == [str(storage.folder / staged)]
    storage.publish(staged, "VN/1.zip")
    assert synced[1:] == [str(storage.folder / "VN"), str(storage.folder)]


def test_a_disk_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "exports").write_text("a file where the folder should be")
    storage = LocalStorage(tmp_path)
    with pytest.raises(StoreError, match="check the disk"):
        storage.stage(b"keys")


def test_a_full_disk_says_so(tmp_path, monkeypatch):
    def put(*_: object, **__: object) -> None:
        # The text of obstore 0.12 on a full tmpfs.
        raise obstore.exceptions.GenericError(
            "Generic LocalFileSystem error: Unable to copy data to file:"
            " No space left on device (os error 28)"
        )

    monkeypatch.setattr(obstore, "put", put)
    with pytest.raises(StoreFull, match="free some space"):
        LocalStorage(tmp_path).stage(b"keys")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "small"
    write_durably(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_folder_is_made_private(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    make_private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_lock_ends_with_its_block(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "lock"):
            pass
