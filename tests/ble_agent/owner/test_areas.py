"""Areas: the same list for everyone, the last good one kept, and the own area never sent."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from ble_agent.authority.client import ServerClient
from ble_agent.authority.ledger_notes import AREAS as AREAS_ASKED
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import join, load_membership
from ble_agent.exposures.check import check
from ble_agent.owner.area_lines import area_view
from ble_agent.owner.areas import (
    LATE_SECONDS,
    OLD_SECONDS,
    choose_area,
    fetch_areas,
    find_areas,
    forget_area,
    known_areas,
    published_areas,
)
from ble_agent.owner.ledger import read_ledger
from ble_agent.store.database import make_home, open_store
from ble_agent.store.state import AREAS_DOCUMENT
from server.app.cli import server as server_command
from tests.areas import LEVELS, csv_of, invented_areas
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.ble_agent.recording_proxy import recording_proxy
from tests.server.running import RunningServer, clock_at
from tests.tracing_core.refusals import check_one_line
from tracing_core.clock import ManualClock
from tracing_core.errors import NotPossible, ServerRefused, TracingError, TrustError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.signed_areas import MAX_AREAS_BYTES, Area, SignedAreas

PATH = "/v1/areas/VN"
AREAS = tuple(invented_areas(3, 12))
OWN = AREAS[-1]
OTHER_KEY = ec.derive_private_key(2001, ec.SECP256R1())
DAY = 86_400
START = 1_800_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def fetch(db: Database, server: FakeServer, home: Path) -> TracingError | None:
    membership = load_membership(db)
    link = ServerLink(home, server.clock)
    with link.download_client(db, membership) as client:
        return fetch_areas(db, client, membership, server.clock)


def lines(db: Database, now: float, language: str = "en") -> list[str]:
    return area_view(known_areas(db), now, language).lines


def asked(server: FakeServer) -> list[str]:
    """The ETag sent with each request for areas; "" for none."""
    both = zip(server.asked, server.headers, strict=True)
    return [headers.get("If-None-Match", "") for (_, path, _), headers in both if path == PATH]


def test_the_list_is_fetched_in_every_check_and_confirmed_when_it_is_unchanged(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas(areas=tuple(invented_areas()))
    for _ in range(3):
        with ServerLink(home, server.clock).download_client(db, load_membership(db)) as client:
            assert check(db, client, server.clock).areas_fault is None
    first, *later = asked(server)
    assert first == ""
    assert len(later) == 2
    assert len(later[0]) == 66
    assert later[0] == later[1]
    areas = published_areas(db)
    assert areas is not None
    assert len(areas.areas) == 3_355
    (today,) = read_ledger(db)
    noted = [
        (each["times"], each["items"]) for each in today.entries if each["kind"] == AREAS_ASKED
    ]
    assert noted == [(3, 0)]


def test_a_server_without_areas_is_no_fault_and_says_so(
    db: Database, server: FakeServer, home: Path
) -> None:
    assert fetch(db, server, home) is None
    assert lines(db, START) == ["The authority publishes no levels of areas."]
    assert published_areas(db) is None
    with pytest.raises(NotPossible, match="no levels of areas"):
        choose_area(db, OWN.code)


def test_the_own_area_is_shown_with_its_level_and_date(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    assert lines(db, START) == [
        "Your area is not chosen. The authority publishes levels of 15 areas."
    ]
    choose_area(db, OWN.code)
    place = f"{OWN.name}, {AREAS[2].name}"
    level = LEVELS[OWN.level - 1]
    assert lines(db, START)[0] == f"Your area, {place}: {level.en}"
    assert lines(db, START)[1].startswith("The authority set the levels on 15 January 2027.")
    assert lines(db, START, "vi")[0] == f"Địa bàn của bạn, {place}: {level.vi}"
    # The next list has another level.
    server.publish_areas(2, areas=(*AREAS[:-1], replace(OWN, level=0)))
    fetch(db, server, home)
    assert lines(db, START)[0] == f"Your area, {place}: no level is stated"
    forget_area(db)
    assert known_areas(db).own is None


def test_an_old_list_and_one_not_confirmed_for_long_say_so(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    choose_area(db, OWN.code)
    assert len(lines(db, START + LATE_SECONDS)) == 2
    late = lines(db, START + LATE_SECONDS + 1)
    assert late[2].startswith("The server last confirmed this list on 15 January 2027")
    assert isinstance(server.clock, ManualClock)
    server.clock.advance(OLD_SECONDS + 1)
    assert fetch(db, server, home) is None
    now = server.clock.now()
    (_, dated) = lines(db, now)
    assert dated.endswith("so they may no longer hold: ask the authority.")
    assert area_view(known_areas(db), now, "vi").is_doubtful


def test_a_server_that_does_not_answer_changes_nothing(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    server.special[PATH] = lambda: (200, {"Content-Length": "5000"}, b"broken off")
    assert fetch(db, server, home) is None
    assert len(lines(db, START)) == 1


def million() -> bytes:
    rows = b",".join(b'["%07d","x","",0]' % number for number in range(1_000_000))
    return b'{"areas":[' + rows + b"]}"


def answer_of(server: FakeServer, document: str | bytes) -> None:
    body = document if isinstance(document, bytes) else document.encode()
    server.special[PATH] = lambda: (200, {}, body)


def test_whatever_cannot_be_used_is_one_line_and_the_last_good_list_stays(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas(7)
    fetch(db, server, home)
    choose_area(db, OWN.code)
    before, good = published_areas(db), server.areas
    own = known_areas(db).own

    def other(key: Any = server.config_key, **changes: Any) -> str:
        values = {"region": "VN", "sequence": 8, "issued_at": 1, "levels": LEVELS, "areas": AREAS}
        return SignedAreas(**(values | changes)).sign(key)

    bad: dict[str, tuple[str | bytes, type[TracingError]]] = {
        "a stranger's": (other(OTHER_KEY), TrustError),
        "older": (other(sequence=6), ServerRefused),
        "another region's": (other(region="LA"), ServerRefused),
        "a million areas": (million(), ServerRefused),
        "too large": (b"x" * (MAX_AREAS_BYTES + 1), ServerRefused),
        "no text": (b"\xff" * 100, ServerRefused),
        "nothing": (b"", TrustError),
        "the configuration": (server.config, TrustError),
    }
    places = random.Random(12).sample(range(len(good)), 40)
    for place in places:
        flipped = good[:place] + chr(ord(good[place]) ^ 1) + good[place + 1 :]
        bad[f"a bit at {place}"] = (flipped, TrustError)
    for what, (document, kind) in bad.items():
        answer_of(server, document)
        fault = fetch(db, server, home)
        assert isinstance(fault, kind), what
        check_one_line(fault)
        for language in ("en", "vi"):
            said = lines(db, START, language)
            assert len(said) == 3, what
            assert said[2].isprintable()
        assert published_areas(db) == before
        assert known_areas(db).own == own
    # The next good answer ends the fault.
    del server.special[PATH]
    assert fetch(db, server, home) is None
    assert len(lines(db, START)) == 2


def test_two_areas_of_one_code_are_refused(db: Database, server: FakeServer, home: Path) -> None:
    claims = {
        "region": "VN",
        "sequence": 1,
        "issued_at": 1,
        "levels": [],
        "areas": [["01", "Tỉnh", "", 0], ["01", "Xã", "", 0]],
    }
    headers = {"typ": "truyvet-areas+jwt"}
    payload = json.dumps(claims).encode()
    answer_of(server, jwt.PyJWS().encode(payload, server.config_key, "ES256", headers=headers))
    fault = fetch(db, server, home)
    assert fault is not None
    assert "areas[1]: the code 01 is that of another area before it" in str(fault)
    assert published_areas(db) is None
    headline, why = lines(db, START)
    assert headline == "This device has no levels of areas yet."
    assert str(fault) in why


def test_a_list_that_is_no_longer_there_is_a_fault_and_a_withdrawn_one_is_not(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    choose_area(db, OWN.code)
    server.areas = ""
    fault = fetch(db, server, home)
    assert isinstance(fault, ServerRefused)
    assert fault.code == "areas_missing"
    assert lines(db, START)[0].startswith("Your area")
    server.publish_areas(2, areas=())
    assert fetch(db, server, home) is None
    (line,) = lines(db, START)
    assert line.startswith("The authority withdrew its levels of areas on 15 January 2027")
    # The choice comes to life with the next list.
    server.publish_areas(3)
    fetch(db, server, home)
    assert lines(db, START)[0].startswith(f"Your area, {OWN.name}")


def test_an_area_that_disappeared_is_named_until_another_is_chosen(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    choose_area(db, OWN.code)
    server.publish_areas(2, areas=AREAS[:-1])
    fetch(db, server, home)
    view = area_view(known_areas(db), START, "en")
    assert view.headline == (
        f"Your area, {OWN.name}, {AREAS[2].name}, is no longer in the authority's list of"
        " 15 January 2027: choose again."
    )
    assert view.needs_choice
    with pytest.raises(NotPossible, match="no such area"):
        choose_area(db, OWN.code)
    choose_area(db, AREAS[5].code)
    assert lines(db, START)[0].startswith(f"Your area, {AREAS[5].name}")


def test_a_new_configuration_key_signs_the_list_again(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas(4)
    fetch(db, server, home)
    choose_area(db, OWN.code)
    server.trust(server.config_key, OTHER_KEY)
    server.configure(2)
    server.publish_areas(4)
    with ServerLink(home, server.clock).download_client(db, load_membership(db)) as client:
        assert check(db, client, server.clock).areas_fault is None
    assert lines(db, START)[0].startswith("Your area")


def test_a_stored_list_that_is_damaged_is_fetched_whole_again(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    with transaction(db):
        AREAS_DOCUMENT.set(db, server.areas[:-7])
    assert published_areas(db) is None
    assert fetch(db, server, home) is None
    assert asked(server)[-1] == ""
    assert published_areas(db) is not None


def test_another_authority_s_codes_are_other_areas(
    db: Database, server: FakeServer, home: Path
) -> None:
    server.publish_areas()
    fetch(db, server, home)
    choose_area(db, OWN.code)
    with fake_server() as other, ServerClient(other.url, other.clock) as client:
        join(db, client, JoinLine.parse(other.line), START)
    assert known_areas(db).own is None
    assert published_areas(db) is None


NAMES = SignedAreas(
    region="VN",
    sequence=1,
    issued_at=1,
    levels=LEVELS,
    areas=(
        Area("01", "Tỉnh Đồi Mây"),
        Area("02", "Thành phố Sông Lửa"),
        Area("00004", "Xã Bến Đá", "01", 1),
        Area("00007", "Xã Bến Đá Cao", "01", 2),
        Area("00011", "Phường Bến Đá", "02", 3),
        Area("00012", "Xã Đa Bến", "02", 4),
    ),
)


@pytest.mark.parametrize(
    ("words", "inside", "codes"),
    [
        ("00004", "", ["00004"]),
        ("004", "", []),
        ("ben da", "", ["00004", "00007", "00011", "00012"]),
        ("BẾN  đá", "01", ["00004", "00007"]),
        ("xa ben da", "", ["00004"]),
        ("cao be", "", ["00007"]),
        ("", "02", ["00011", "00012"]),
        ("doi may", "", ["01"]),
        ("ến", "", []),
        ("Xã không có", "", []),
        ("", "09", []),
    ],
)
def test_an_area_is_found_as_people_type_it(words: str, inside: str, codes: list[str]) -> None:
    assert [area.code for area in find_areas(NAMES, words, inside=inside)] == codes


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("areas")
    clock = clock_at(START)
    with RunningServer(folder / "server", clock) as running:
        running.init()
        levels, areas = folder / "levels.csv", folder / "areas.csv"
        rows = enumerate(LEVELS, 1)
        levels.write_text("level,vi,en\n" + "".join(f"{at},{x.vi},{x.en}\n" for at, x in rows))
        areas.write_text(csv_of(invented_areas()))
        words = ["areas", "set", str(areas), "--levels", str(levels), "--home", str(running.home)]
        done = CliRunner(env={"TRUYVET_CLOCK": str(clock)}).invoke(server_command, words)
        assert done.exit_code == 0, done.output
        running.start()
        yield running


def test_the_requests_of_devices_in_different_communes_are_equal_byte_for_byte(
    real_server: RunningServer, tmp_path: Path
) -> None:
    communes = invented_areas()[-1_000::500]
    clock = clock_at(START)
    seen = []
    with recording_proxy(real_server.url) as proxy:
        line = JoinLine.parse(f"{proxy.url}#{real_server.join.partition('#')[2]}")
        for number, chosen in enumerate([None, *communes]):
            home = tmp_path / str(number)
            make_home(home)
            before = len(proxy.connections)
            with open_store(home) as db:
                with ServerClient(proxy.url, clock) as client:
                    join(db, client, line, clock.now())
                for _ in range(3):
                    membership = load_membership(db)
                    with ServerLink(home, clock).download_client(db, membership) as client:
                        assert check(db, client, clock).areas_fault is None
                    if chosen is not None:
                        choose_area(db, chosen.code)
                own = known_areas(db).own
                assert (own and own["code"]) == (chosen and chosen.code)
            made = proxy.connections[before:]
            seen.append(([bytes(each.sent) for each in made], [each.runs for each in made]))
    sent = [requests for requests, _ in seen]
    assert sent[0] == sent[1] == sent[2]
    text = b"".join(sent[0])
    # Whole once, and then confirmed.
    assert text.count(b"GET /v1/areas/VN HTTP/1.1\r\n") == 3
    received = [sum(-run for run in runs if run < 0) for runs in seen[0][1]]
    assert received[1] > 150_000 > 8 * received[2]
