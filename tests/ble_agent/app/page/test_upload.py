"""Uploads: what a form brought, whatever the cuts; what is refused; and that no file is left."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
import unicodedata
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.app.page.upload import LARGEST_FILE_BYTES, Upload, receive_upload
from ble_agent.messages.explanation import explain
from ble_agent.store.database import make_home, open_store
from ble_agent.store.home import erase_home
from ble_agent.store.working_folder import WORKING_FOLDERS
from tests.ble_agent.cards import can_mount, card
from tracing_core.errors import NotPossible, StoreFull, TracingError

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


def field(name: str, value: str) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()


def file_part(data: bytes, name: str | None = "log.jsonl") -> bytes:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data


def form(*parts: bytes) -> bytes:
    line = f"--{BOUNDARY}".encode()
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"


async def chunks(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def received(home: Path, *pieces: bytes, kind: str = KIND, most_files: int = 1) -> Upload:
    return asyncio.run(receive_upload(home, chunks(pieces), kind, most_files=most_files))


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(body) + 1) for place in places})
    return [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]


def outcome(home: Path, pieces: Iterable[bytes], kind: str = KIND) -> object:
    """What came of a body; nothing of it may be left."""
    try:
        with received(home, *pieces, kind=kind) as upload:
            facts = (dict(upload.fields), upload.name, upload.size)
            assert upload.path.stat().st_size == upload.size
            result: object = (*facts, upload.path.read_bytes())
    except NotPossible as error:
        result = error.code
    assert list(home.iterdir()) == []
    return result


def test_a_form_s_fields_and_its_file(tmp_path: Path) -> None:
    typed = unicodedata.normalize("NFD", "  Lê Thị Hồng\r\n")
    body = form(field("key", "abc"), file_part(b"\r\n--data\r\n"), field("note", typed))
    with received(tmp_path, body) as upload:
        assert upload.fields == {"key": "abc", "note": "  Lê Thị Hồng\r\n"}
        assert (upload.name, upload.size) == ("log.jsonl", 10)
        assert upload.path.read_bytes() == b"\r\n--data\r\n"
        assert upload.path.is_relative_to(tmp_path)
        assert upload.path.stat().st_mode & 0o7777 == 0o600
        assert upload.path.parent.stat().st_mode & 0o7777 == 0o700
        assert upload.named(f"{upload.path}: not a log") == "log.jsonl: not a log"
    assert list(tmp_path.iterdir()) == []
    upload.close()


@given(
    fields=st.dictionaries(
        st.text("abcxyz_", min_size=1, max_size=8),
        st.text(st.characters(codec="utf-8"), max_size=40),
        max_size=5,
    ),
    data=st.binary(max_size=3000)
    | st.lists(
        st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", BOUNDARY.encode()[:9], b"x"])
    ).map(b"".join),
    at=st.integers(0, 5),
    places=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_the_cuts_of_the_network_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    fields: dict[str, str],
    data: bytes,
    at: int,
    places: list[int],
) -> None:
    home = tmp_path_factory.mktemp("home")
    parts = [field(name, value) for name, value in fields.items()]
    parts.insert(at, file_part(data))
    expected = {name: unicodedata.normalize("NFC", value) for name, value in fields.items()}
    pieces = cut(form(*parts), places)
    assert outcome(home, pieces) == (expected, "log.jsonl", len(data), data)


LINES = st.sampled_from(
    [
        f"--{BOUNDARY}".encode(),
        f"--{BOUNDARY}--".encode(),
        f"--{BOUNDARY} ".encode(),
        f"--{BOUNDARY}-x".encode(),
        b'Content-Disposition: form-data; name="a"',
        b'Content-Disposition: form-data; name="b"; filename="c"',
        b'Content-Disposition: form-data; name="d"; filename=""',
        b"Content-Disposition: attachment",
        b"content-disposition:form-data;name=\xff",
        b"Content-Type: text/plain",
        b":",
        b"",
        b"--",
        b"x",
        b"\xff\xfe",
    ]
)


LONG = form(file_part(b""))[: -len(BOUNDARY) - 8]


@given(
    lead=st.just(b"") | st.integers(65_200, 65_536).map(lambda size: LONG + b"x" * size),
    body=st.binary(max_size=300)
    | st.lists(LINES, max_size=14).map(b"\r\n".join)
    | st.lists(LINES, max_size=14).map(b"\n".join),
    places=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_no_body_is_read_in_two_ways(
    tmp_path_factory: pytest.TempPathFactory, lead: bytes, body: bytes, places: list[int]
) -> None:
    home = tmp_path_factory.mktemp("home")
    whole = outcome(home, [lead + body])
    assert outcome(home, [lead, *cut(body, places)]) == whole
    assert outcome(home, cut(lead + body, places)) == whole
    assert outcome(home, [lead, *(body[at : at + 1] for at in range(len(body)))]) == whole


@given(
    kind=st.text(max_size=60) | st.text(max_size=90).map("multipart/form-data;boundary=".__add__)
)
def test_no_content_type_is_a_fault_of_ours(
    tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    assert outcome(home, [form(file_part(b"x"))], kind) in ("upload_broken", "upload_no_file")


REFUSED = [
    ("upload_no_file", [field("key", "x")]),
    ("upload_no_file", [file_part(b"", "")]),
    ("upload_no_file", []),
    ("upload_two_files", [file_part(b"a"), file_part(b"b")]),
    ("upload_two_files", [file_part(b""), file_part(b"")]),
    ("upload_two_files", [file_part(b"a"), file_part(b"b", "")]),
    ("upload_two_files", [file_part(b"a", ""), file_part(b"b")]),
    ("upload_fields", [field(f"f{count}", "") for count in range(21)]),
    ("upload_fields", [field("a", "x" * (64 << 10))]),
    ("upload_broken", [field("a", "1"), field("a", "2"), file_part(b"")]),
    ("upload_broken", [file_part(b"a"), b"Content-Type: text/plain\r\n\r\nx"]),
    ("upload_broken", [b"X: " + b"y" * 5000 + b"\r\n\r\n"]),
    ("upload_broken", [b"X: y\r\n" * 9 + b"\r\n"]),
]


@pytest.mark.parametrize(("code", "parts"), REFUSED)
def test_what_is_refused_is_one_line_and_leaves_nothing(
    tmp_path: Path, code: str, parts: list[bytes]
) -> None:
    # What browsers write for "no file chosen" comes first where another field has the file.
    with pytest.raises(NotPossible) as caught:
        received(tmp_path, form(*parts))
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []
    for language in ("en", "vi"):
        assert "\n" not in explain(caught.value, language)
        assert ": " in explain(caught.value, language)


def test_an_empty_part_of_another_field_does_not_matter(tmp_path: Path) -> None:
    for parts in ([file_part(b"", ""), file_part(b"a")], [file_part(b"a"), file_part(b"", "")]):
        with received(tmp_path, form(*parts)) as upload:
            assert (upload.name, upload.path.read_bytes()) == ("log.jsonl", b"a")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\\Users\\Hà\\nhật ký.jsonl", "nhật ký.jsonl"),
        ("..", ".."),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}lnosj.exe", "a\N{REPLACEMENT CHARACTER}lnosj.exe"),
        ("%22<b>%22.db", '"<b>".db'),
        ("x" * 300, "x" * 79 + "…"),
        (unicodedata.normalize("NFD", "nhật.db"), "nhật.db"),
        ("/", ""),
    ],
)
def test_a_name_is_only_shown(tmp_path: Path, name: str, shown: str) -> None:
    with received(tmp_path, form(file_part(b"x", name))) as upload:
        assert upload.name == shown
        assert upload.path.name == "upload"
        assert [path.parent.parent for path in tmp_path.rglob("upload")] == [tmp_path]


def test_a_large_file_takes_little_memory_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    block = bytes(range(256)) * 1024

    def pieces(count: int) -> Iterable[bytes]:
        yield b"--" + BOUNDARY.encode() + b"\r\n" + file_part(b"")
        for _ in range(count):
            yield block
        yield b"\r\n--" + BOUNDARY.encode() + b"--\r\n"

    full = LARGEST_FILE_BYTES // len(block)
    tracemalloc.start()
    try:
        with asyncio.run(receive_upload(tmp_path, chunks(pieces(full)), KIND)) as upload:
            assert upload.size == upload.path.stat().st_size == LARGEST_FILE_BYTES
        for count in (full + 1, 10 * full):
            with pytest.raises(NotPossible, match="64 MB"):
                asyncio.run(receive_upload(tmp_path, chunks(pieces(count)), KIND))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert list(tmp_path.iterdir()) == []


def test_the_bytes_are_overwritten_before_the_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last: list[bytes] = []
    unlink = Path.unlink

    def looking(path: Path, missing_ok: bool = False) -> None:
        if path.name == "upload":
            last.append(path.read_bytes())
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", looking)
    received(tmp_path, form(file_part(b"secret"))).close()
    with pytest.raises(NotPossible):
        received(tmp_path, form(file_part(b"secret" * 100_000)).removesuffix(b"--\r\n"))
    assert [set(each) for each in last] == [{0}, {0}]


def test_a_reader_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    body = form(file_part(b"secret" * 100_000))

    async def broken() -> AsyncIterator[bytes]:
        yield body[:-1000]
        raise ConnectionResetError(errno.ECONNRESET, "gone")

    with pytest.raises(ConnectionResetError):
        asyncio.run(receive_upload(tmp_path, broken(), KIND))
    assert list(tmp_path.iterdir()) == []

    def left() -> bool:
        return any(tmp_path.rglob("upload"))

    async def cancelled() -> None:
        arrived = asyncio.Event()

        async def stalled() -> AsyncIterator[bytes]:
            yield body[:-1000]
            arrived.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(receive_upload(tmp_path, stalled(), KIND))
        await arrived.wait()
        assert left()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() < 20


def test_what_a_killed_process_leaves_is_gone_at_the_next_start(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys, time\n"
        "from tests.ble_agent.app.page.test_upload import file_part, form, received\n"
        "kept = received(pathlib.Path(sys.argv[1]), form(file_part(b'secret' * 1000)))\n"
        "print('there', flush=True)\n"
        "time.sleep(600)\n"
    )
    home = tmp_path / "home"
    for clean in (lambda: erase_home(home), lambda: make_home(home), lambda: open_once(home)):
        home.mkdir(exist_ok=True)
        with subprocess.Popen(
            [sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n"
            try:
                with pytest.raises(NotPossible, match="another command"):
                    erase_home(home)
            finally:
                process.send_signal(signal.SIGKILL)
        assert len(list(home.glob(WORKING_FOLDERS))) == 1
        clean()
        assert not list(home.glob(WORKING_FOLDERS))


def open_once(home: Path) -> None:
    with open_store(home):
        pass


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    if not can_mount():
        return
    code = (
        "import pathlib, sys\n"
        "from tests.ble_agent.app.page.test_upload import refused\n"
        "print(refused(pathlib.Path(sys.argv[1])))\n"
    )
    with card(tmp_path / "card") as small:
        command = [*small.prefix, sys.executable, "-c", code, str(small.folder)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": "."},
        )
    assert (
        done.stdout
        == f"the disk that holds {small.folder} is full: free some space; nothing was lost\n"
    )


def refused(home: Path) -> TracingError:
    with pytest.raises(StoreFull) as caught:
        received(home, form(file_part(b"x" * (3 << 20))))
    assert list(home.iterdir()) == []
    return caught.value
