"""A mirror, a cache or a server that lies about the list or the files silences no warning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join, load_membership
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import CheckResult
from ble_agent.messages.catalogue import MESSAGES
from ble_agent.messages.explanation import explain
from ble_agent.store.state import INDEX
from tests.ble_agent.exposures.test_exposure_check import NOW, checked, met, stranger
from tests.ble_agent.fake_server import FakeServer, fake_server, new_key
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerRefused, TrustError
from tracing_core.export_file import ExportFile, Signer, write_export
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine

DAY = 86_400
HOUR = 3_600
END = int(NOW) // HOUR * HOUR


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[FakeServer]:
    with fake_server(is_signed=getattr(request, "param", True)) as fake:
        yield fake


both_kinds = pytest.mark.parametrize(
    "server", [True, False], ids=["signed", "plain"], indirect=True
)
plain = pytest.mark.parametrize("server", [False], ids=["plain"], indirect=True)


def words(result: CheckResult) -> dict[str, int]:
    """Return the kinds of fault of a check, with the number of files."""
    return {getattr(each.error, "code", "trust"): each.key_files for each in result.faults}


def file_of(
    server: FakeServer, *keys: DiagnosisKey, hours_ago: int = 0, region: str = "VN"
) -> tuple[str, bytes]:
    """Return a key file named by its times, as our server and Google's name them."""
    end = END - hours_ago * HOUR
    export = ExportFile(end - HOUR, end, region, keys)
    data = write_export(export, [Signer(server.export_key, "452", "v1")])
    return f"VN/{end - HOUR}-{end}-00001.zip", data


def publish(server: FakeServer, *files: tuple[str, bytes]) -> None:
    server.files = dict(files)
    for name, data in files:
        server.special[f"/exports/{name}"] = lambda data=data: (200, {}, data)  # type: ignore[misc]


@contextlib.contextmanager
def lying(server: FakeServer, answers: dict[str, Any]) -> Iterator[None]:
    honest = dict(server.special)
    server.special |= {path: lambda answer=answer: answer for path, answer in answers.items()}
    try:
        yield
    finally:
        server.special = honest


@both_kinds
def test_an_old_file_under_every_name_silences_nothing(db: Database, server: FakeServer) -> None:
    old, new = file_of(server, stranger(), hours_ago=1), file_of(server, met(db))
    publish(server, old, new)
    with lying(server, {f"/exports/{new[0]}": (200, {}, old[1])}):
        for _ in range(2):
            result = checked(db, server)
            assert words(result) == {"file_swapped": 1}
            assert result.days == ()
        assert (
            sum(path.endswith(new[0]) and method == "GET" for method, path, _ in server.asked) == 1
        )
    result = checked(db, server)
    assert (result.level, result.faults) == ("high", ())


@both_kinds
def test_the_marks_of_the_true_file_do_not_help_the_liar(db: Database, server: FakeServer) -> None:
    old, new = file_of(server, hours_ago=1), file_of(server, met(db))
    publish(server, old, new)
    server.special[f"/exports/{new[0]}"] = lambda: (200, {"ETag": '"true"'}, new[1])
    with lying(server, {f"/exports/{new[0]}": (200, {"ETag": '"true"'}, old[1])}):
        checked(db, server)
    assert checked(db, server).level == "high"


@plain
def test_one_file_under_two_names_is_a_fault_and_neither_counts(
    db: Database, server: FakeServer
) -> None:
    # Names without times, so nothing but the content says which file it is.
    server.add_file("a.zip", [stranger()])
    server.add_file("b.zip", [met(db)])
    with lying(server, {"/exports/VN/b.zip": (200, {}, server.files["a.zip"])}):
        assert words(checked(db, server)) == {"file_twice": 1}
    result = checked(db, server)
    assert (result.level, result.faults) == ("high", ())


@plain
def test_a_file_that_first_came_under_another_name_is_fetched_by_its_own(
    db: Database, server: FakeServer
) -> None:
    server.add_file("a.zip", [stranger()])
    server.add_file("b.zip", [met(db)])
    liar = {
        "/exports/VN/index.txt": (200, {}, b"b.zip"),
        "/exports/VN/b.zip": (200, {}, server.files["a.zip"]),
    }
    with lying(server, liar):
        assert checked(db, server).days == ()
    assert words(checked(db, server)) == {"file_twice": 1}
    assert checked(db, server).level == "high"
    assert checked(db, server).faults == ()


def test_a_zip_packed_otherwise_is_not_another_file(db: Database, server: FakeServer) -> None:
    server.add_file("a.zip", [met(db)])
    assert checked(db, server).level == "high"
    server.add_file("a.zip", [met(db)])
    # The signed index names another hash, so it is fetched again though the name was used.
    clock_of(server).advance(1)
    assert checked(db, server).key_files == 1


@both_kinds
def test_a_file_of_another_region_is_not_used(db: Database, server: FakeServer) -> None:
    publish(server, file_of(server, met(db), region="LA"))
    assert words(checked(db, server)) == {"file_swapped": 1}


def clock_of(server: FakeServer) -> ManualClock:
    assert isinstance(server.clock, ManualClock)
    return server.clock


def test_the_signed_index_alone_is_asked_for(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [met(db)])
    assert checked(db, server).level == "high"
    assert "/exports/VN/index.txt" not in {path for _, path, _ in server.asked}
    assert INDEX.get(db) == {"sequence": int(NOW)}


@plain
def test_an_older_server_is_not_asked_for_it(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [met(db)])
    assert checked(db, server).faults == ()
    assert "/exports/VN/index.jws" not in {path for _, path, _ in server.asked}


def expired(server: FakeServer) -> str:
    return server.signed_index(expires_at=int(server.clock.now()))


BAD = {
    "missing": (lambda server: (404, {}, b""), "index_missing"),
    "forbidden": (lambda server: (403, {}, b""), "answer"),
    "not text": (lambda server: (200, {}, b"\xff"), "answer"),
    "expired": (lambda server: (200, {}, expired(server).encode()), "index_expired"),
    "older": (lambda server: (200, {}, server.signed_index(sequence=1).encode()), "index_older"),
    "of another region": (
        lambda server: (200, {}, server.signed_index(region="LA").encode()),
        "index_region",
    ),
    "another document": (lambda server: (200, {}, server.config.encode()), "trust"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_signed_index_is_named_and_the_signed_files_are_still_used(
    db: Database, server: FakeServer, kind: str
) -> None:
    server.add_file("1.zip", [stranger()])
    assert checked(db, server).faults == ()
    server.add_file("2.zip", [met(db)])
    answer, word = BAD[kind]
    with lying(server, {"/exports/VN/index.jws": answer(server)}):
        result = checked(db, server)
    assert words(result) == {word: 0}
    assert result.level == "high"
    assert checked(db, server).faults == ()


def test_a_stranger_signs_no_index(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    with fake_server(clock=server.clock, config_key=new_key()) as other:
        forged = other.signed_index()
    with lying(server, {"/exports/VN/index.jws": (200, {}, forged.encode())}):
        assert isinstance(checked(db, server).failure, TrustError)


def test_the_first_check_already_misses_an_index_that_is_held_back(
    db: Database, server: FakeServer
) -> None:
    with lying(server, {"/exports/VN/index.jws": (404, {}, b"")}):
        assert words(checked(db, server)) == {"index_missing": 0}


def test_a_server_that_once_had_one_must_keep_it(db: Database, server: FakeServer) -> None:
    checked(db, server)
    server.is_signed = False
    server.configure(2)
    assert words(checked(db, server)) == {"index_missing": 0}
    # Joining another server begins anew.
    with fake_server(clock=server.clock) as other:
        with ServerClient(other.url, other.clock) as client:
            join(db, client, JoinLine.parse(other.line), NOW)
        assert checked(db, other).faults == ()


def test_a_frozen_index_is_named_when_it_expires(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    frozen = {"/exports/VN/index.jws": (200, {}, server.signed_index().encode())}
    with lying(server, frozen):
        assert checked(db, server).faults == ()
        clock_of(server).advance(DAY)
        server.add_file("2.zip", [met(db)])
        result = checked(db, server)
        assert "index_expired" in words(result)
        assert result.level == "high"


def test_a_dead_exporter_behind_a_fresh_index_is_named(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    checked(db, server)
    clock_of(server).advance(DAY + HOUR)
    document = server.signed_index(newest_end=END)
    with lying(server, {"/exports/VN/index.jws": (200, {}, document.encode())}):
        assert words(checked(db, server)) == {"keys_stale": 0}


@plain
@pytest.mark.parametrize("end", ["head", "tail", "both ends"])
def test_names_of_nothing_keep_no_real_file_from_being_reached(
    db: Database, server: FakeServer, end: str
) -> None:
    server.add_file("1.zip", [met(db)])
    bogus = [f"{number:04}-nothing.zip" for number in range(1_000)]
    names = {
        "head": [*bogus, "1.zip"],
        "tail": ["1.zip", *bogus],
        "both ends": [*bogus[:500], "1.zip", *bogus[500:]],
    }[end]
    with lying(server, {"/exports/VN/index.txt": (200, {}, "\n".join(names).encode())}):
        checks = 0
        while checks < 3:
            checks += 1
            server.asked.clear()
            result = checked(db, server)
            assert len(server.asked) < 600
            faults = words(result)
            assert faults["file_missing"] + faults.get("list_too_long", 0) >= 1_000
            if result.level == "high":
                break
        assert result.level == "high"
        assert checks == (3 if end == "both ends" else 1)
        # Each name is remembered, so the next check asks for the rest only.
        for _ in range(3):
            server.asked.clear()
            checked(db, server)
        assert len(server.asked) < 10


@plain
def test_a_missing_file_is_asked_for_again_after_longer_and_longer_pauses(
    db: Database, server: FakeServer
) -> None:
    with lying(server, {"/exports/VN/index.txt": (200, {}, b"1.zip")}):
        for _ in range(14 * 24):
            assert words(checked(db, server)).get("file_missing") == 1
            clock_of(server).advance(HOUR)
        asked = sum(path == "/exports/VN/1.zip" for _, path, _ in server.asked)
        assert 5 < asked < 20
        server.add_file("1.zip", [met(db)])
        clock_of(server).advance(8 * DAY)
        assert checked(db, server).key_files == 1


@both_kinds
@pytest.mark.parametrize("answer", [(404, {}, b""), (200, {}, b"x" * 2_000)], ids=["404", "bad"])
def test_a_file_that_cannot_be_used_is_fetched_once_until_it_changes(
    db: Database, server: FakeServer, answer: Any
) -> None:
    # cwa-app-android#4753
    name, data = file_of(server, met(db))
    publish(server, (name, data))
    path = f"/exports/{name}"
    with lying(server, {path: answer}):
        for _ in range(3):
            assert len(checked(db, server).faults) == 1
        assert server.asked.count(("GET", path, 0)) == 1
    clock_of(server).advance(HOUR)
    assert checked(db, server).level == "high"


@plain
def test_a_new_version_tries_again(
    db: Database, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["1.zip"] = b"not of this version"
    checked(db, server)
    db.execute("UPDATE unusable_file SET version = '0.0.1'")
    server.asked.clear()
    checked(db, server)
    assert ("GET", "/exports/VN/1.zip", 0) in server.asked


def test_a_new_hash_in_the_signed_index_is_enough_to_try_again(
    db: Database, server: FakeServer
) -> None:
    server.files["1.zip"] = b"damaged on the server's disk"
    assert len(checked(db, server).faults) == 1
    server.add_file("1.zip", [met(db)])
    clock_of(server).advance(1)
    assert checked(db, server).level == "high"


def test_a_name_that_is_no_longer_listed_is_forgotten(db: Database, server: FakeServer) -> None:
    server.files["1.zip"] = b"damaged"
    checked(db, server)
    assert db.table("unusable_file").count == 1
    server.files.clear()
    clock_of(server).advance(1)
    assert checked(db, server).faults == ()
    assert db.table("unusable_file").count == 0


def test_what_an_older_version_used_counts_as_used(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [met(db)])
    db.execute("INSERT INTO batch (name, done_on) VALUES ('1.zip', ?)", [int(NOW) // DAY])
    assert checked(db, server).key_files == 0


@pytest.mark.parametrize("word", sorted({word for _, word in BAD.values()} - {"trust"}))
def test_every_word_has_its_texts(word: str) -> None:
    assert f"error_{word}" in MESSAGES


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_kind_of_fault_is_said(db: Database, server: FakeServer, language: str) -> None:
    server.add_file("1.zip", [stranger()])
    server.files["2.zip"] = b"damaged"
    with lying(server, {"/exports/VN/index.jws": (404, {}, b"")}):
        result = checked(db, server)
    text = owner_text(result, load_membership(db), language)
    assert len(result.faults) == 2
    assert explain(result.faults[1].error, language) in text


def test_a_refusal_keeps_its_kind(db: Database, server: FakeServer) -> None:
    server.add_file("1.zip", [stranger()])
    server.files["1.zip"] = wrongly_signed(server)
    failures = [checked(db, server).failure for _ in range(2)]
    assert isinstance(failures[1], ServerRefused)
    assert failures[1].code == "batch"


def wrongly_signed(server: FakeServer) -> bytes:
    export = ExportFile(END - HOUR, END, "VN", ())
    return write_export(export, [Signer(new_key(), "452", "v1")])
