"""Fetching little and often: what is known is not fetched again, what broke off goes on."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

import pytest

from ble_agent.authority.client import ServerClient
from ble_agent.authority.download import KnownAnswers, PartialFile
from ble_agent.authority.membership import join
from ble_agent.exposures.check import CheckResult, check
from ble_agent.store.database import open_store
from ble_agent.store.home import PART_NAME, erase_home
from tests.ble_agent.authority.test_hostile_server import self_signed
from tests.ble_agent.fake_server import Answer, FakeServer, fake_server
from tracing_core.clock import ManualClock
from tracing_core.errors import InvalidSignature, ServerRefused, ServerUnreachable
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine

NOW = 1_800_000_000.0


def checked(db: Database, server: FakeServer, home: Path) -> CheckResult:
    known, partial = KnownAnswers(db), PartialFile(home / PART_NAME)
    with ServerClient(server.url, server.clock, known=known, partial=partial) as client:
        return check(db, client, server.clock)


def keys(number: int) -> list[DiagnosisKey]:
    start = int(NOW) // 86_400 * 144 - 288
    return [DiagnosisKey(each.to_bytes(16, "big"), start) for each in range(1, number + 1)]


def tagged(server: FakeServer, path: str, tag: str | None = None) -> list[str | None]:
    """Make the server answer as ours does, by tags of content; return what it is sent."""
    sent: list[str | None] = []

    def answer() -> Answer:
        special = server.special.pop(path)
        _, headers, body = server.answer(path)
        server.special[path] = special
        own = tag or f'"{hashlib.sha256(body).hexdigest()}"'
        asked = server.headers[-1].get("If-None-Match")
        sent.append(asked)
        return (304, {"ETag": own}, b"") if asked == own else (200, {"ETag": own, **headers}, body)

    server.special[path] = answer
    return sent


@pytest.mark.parametrize("path", ["/v1/trust", "/v1/config/VN", "/exports/VN/index.txt"])
def test_a_document_that_did_not_change_is_not_fetched_again(
    db: Database, server: FakeServer, tmp_path: Path, path: str
) -> None:
    server.add_file("1.zip", keys(1))
    sent = tagged(server, path)
    assert checked(db, server, tmp_path).key_files == 1
    assert checked(db, server, tmp_path).key_files == 0
    server.add_file("2.zip", keys(1))
    server.configure(2)
    assert checked(db, server, tmp_path).key_files == 1
    assert sent[0] is None
    assert sent[1] is not None
    assert sent[1] == sent[2]


def test_a_tag_that_could_name_this_device_is_never_sent_back(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    sent = tagged(server, "/exports/VN/index.txt", tag='"you-are-device-7"')
    for _ in range(3):
        checked(db, server, tmp_path)
    assert sent == [None, None, None]


def test_not_modified_when_nobody_asked_is_no_answer(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    server.special["/exports/VN/index.txt"] = lambda: (304, {}, b"")
    with pytest.raises(ServerRefused, match="makes no sense"):
        checked(db, server, tmp_path)


def breaking_off(server: FakeServer, path: str, *, after: int) -> list[str | None]:
    """Send so many bytes of a file and then hang up, and go on from there when asked to."""
    asked: list[str | None] = []

    def answer() -> Answer:
        whole = server.files[path.rpartition("/")[2]]
        text = server.headers[-1].get("Range")
        asked.append(text)
        start = int(re.fullmatch(r"bytes=(\d+)-", text)[1]) if text else 0  # type: ignore[index]
        head = {"Content-Length": str(len(whole) - start)}
        if text:
            head["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        return (206 if text else 200), head, whole[start : start + after]

    server.special[path] = answer
    return asked


def test_a_file_that_breaks_off_again_and_again_is_resumed(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    server.add_file("1.zip", keys(500))
    size = len(server.files["1.zip"])
    step = size // 4 + 1
    asked = breaking_off(server, "/exports/VN/1.zip", after=step)
    assert checked(db, server, tmp_path).key_files == 1
    assert asked == [None, *(f"bytes={step * number}-" for number in (1, 2, 3))]
    assert not (tmp_path / PART_NAME).exists()


def broken_off(db: Database, server: FakeServer, home: Path) -> tuple[Path, int]:
    """Check while a file breaks off each time; return the part, and after how many bytes."""
    server.add_file("1.zip", keys(500))
    after = len(server.files["1.zip"]) // 20
    breaking_off(server, "/exports/VN/1.zip", after=after)
    with pytest.raises(ServerUnreachable):
        checked(db, server, home)
    return home / PART_NAME, after


def test_a_later_check_goes_on_where_an_earlier_one_ended(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    part, after = broken_off(db, server, tmp_path)
    assert part.stat().st_size == 32 + 5 * after
    assert part.stat().st_mode & 0o777 == 0o600
    asked = breaking_off(server, "/exports/VN/1.zip", after=len(server.files["1.zip"]))
    assert checked(db, server, tmp_path).key_files == 1
    assert asked == [f"bytes={5 * after}-"]


def test_a_damaged_part_is_found_out_and_fetched_whole(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    part, _ = broken_off(db, server, tmp_path)
    part.write_bytes(part.read_bytes()[:-9] + b"damaged!!")
    breaking_off(server, "/exports/VN/1.zip", after=len(server.files["1.zip"]))
    assert checked(db, server, tmp_path).failure is not None
    assert checked(db, server, tmp_path).key_files == 1


def test_a_server_that_knows_no_ranges_sends_the_file_whole(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    broken_off(db, server, tmp_path)
    del server.special["/exports/VN/1.zip"]
    assert checked(db, server, tmp_path).key_files == 1


def test_erasing_removes_the_part_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    PartialFile(home / PART_NAME).restart("1.zip")
    assert (home / PART_NAME).exists()
    erase_home(home)
    assert not home.exists()


def test_a_mirror_helps_when_the_server_is_away(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    with fake_server(clock=server.clock, export_key=server.export_key) as mirror:
        server.configure(2, mirrors=(mirror.url,))
        checked(db, server, tmp_path)
        mirror.add_file("1.zip", keys(1))
        server.special["/exports/VN/index.txt"] = lambda: (503, {}, b"")
        assert checked(db, server, tmp_path).key_files == 1
        assert {path for _, path, _ in mirror.asked} == {
            "/exports/VN/index.txt",
            "/exports/VN/1.zip",
        }
        # Documents of trust come from nowhere else.
        mirror.add_file("2.zip", keys(2))
        gone = ServerClient("http://127.0.0.1:9", server.clock)
        with gone as client:
            assert check(db, client, server.clock).key_files == 1


def test_a_mirror_can_forge_nothing(db: Database, server: FakeServer, tmp_path: Path) -> None:
    with fake_server(clock=server.clock) as mirror:
        server.configure(2, mirrors=(mirror.url,))
        mirror.add_file("1.zip", keys(1))
        server.special["/exports/VN/index.txt"] = lambda: (503, {}, b"")
        result = checked(db, server, tmp_path)
        assert result.key_files == 0
        assert isinstance(result.failure, InvalidSignature)


def test_a_server_elsewhere_cannot_have_a_device_ask_its_own_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with (
        fake_server(tls=context) as server,
        fake_server(clock=server.clock) as own_port,
        open_store(tmp_path) as db,
    ):
        server.configure(1, mirrors=(own_port.url,))
        with ServerClient(server.url, server.clock) as client:
            join(db, client, JoinLine.parse(server.line), server.clock.now())
        server.special["/exports/VN/index.txt"] = lambda: (503, {}, b"")
        with pytest.raises(ServerRefused):
            checked(db, server, tmp_path)
        assert own_port.asked == []


def test_without_a_mirror_a_server_that_is_away_is_an_error(db: Database) -> None:
    with (
        ServerClient("http://127.0.0.1:9", ManualClock(NOW)) as client,
        pytest.raises(ServerUnreachable),
    ):
        check(db, client, ManualClock(NOW))
