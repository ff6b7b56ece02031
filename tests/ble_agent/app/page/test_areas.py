"""The screen *Where you live*, over real connections, with as many areas as a country has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.authority.client import ServerClient
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import join, load_membership
from ble_agent.owner.areas import fetch_areas, known_areas
from ble_agent.store.database import make_home, open_store
from tests.areas import invented_areas
from tests.ble_agent.app.page.test_application import Served, form_key, served
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import Clock
from tracing_core.trust.join_line import JoinLine

AREAS = invented_areas()
OWN = AREAS[-1]
MOST_BYTES = 24_000


def fetch(home: Path, server: FakeServer) -> None:
    with open_store(home) as db:
        membership = load_membership(db)
        with ServerLink(home, server.clock).download_client(db, membership) as client:
            assert fetch_areas(db, client, membership, server.clock) is None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    make_home(tmp_path)
    with fake_server(clock=Clock()) as server:
        server.publish_areas(areas=tuple(AREAS))
        with open_store(tmp_path) as db, ServerClient(server.url, server.clock) as client:
            join(db, client, JoinLine.parse(server.line), server.clock.now())
        fetch(tmp_path, server)
        yield server


def press(page: Served, screen: str, **fields: str) -> str:
    answer = page.post(screen, key=form_key(page.get("more")), **fields)
    return page.get("more/area").text if answer.status_code == 303 else answer.text


def listed(text: str) -> list[str]:
    select = text.partition('<select id="code"')[2].partition("</select>")[0]
    return re.findall('<option value="([^"]*)">', select)


def test_3321_communes_make_no_screen_heavy(tmp_path: Path, server: FakeServer) -> None:
    assert server.areas
    with served(tmp_path) as page:
        text = page.get("more/area").text
        assert text.count("<option") == 35
        assert len(text.encode()) < MOST_BYTES
        text = press(page, "more/area/find", inside=OWN.parent)
        codes = listed(text)
        assert set(codes) == {area.code for area in AREAS if area.parent == OWN.parent}
        assert len(text.encode()) < MOST_BYTES
        text = press(page, "more/area/find", name="xa")
        assert len(listed(text)) == 300
        assert "Only the first 300 are listed" in text
        assert len(text.encode()) < 2 * MOST_BYTES


def test_an_area_is_found_by_its_name_chosen_and_forgotten(
    tmp_path: Path, server: FakeServer
) -> None:
    with served(tmp_path) as page:
        assert "Your area is not chosen" in page.get("today").text
        text = press(page, "more/area/find", name=OWN.name.upper())
        assert listed(text) == [OWN.code]
        assert "1 area found" in text
        text = press(page, "more/area/choose", code=OWN.code)
        assert "Saved on this device only." in text
        assert f"Your area, {OWN.name}" in text
        assert f"Your area, {OWN.name}" in page.get("today").text
        # The next list no longer has it.
        server.publish_areas(2, areas=tuple(AREAS[:-1]))
        fetch(tmp_path, server)
        assert f"Your area, {OWN.name}" in page.get("today").text
        assert "choose again" in page.get("today").text
        assert "has no such area" in press(page, "more/area/choose", code=OWN.code)
        assert "no longer noted on this device" in press(page, "more/area/forget")
    with open_store(tmp_path) as db:
        assert known_areas(db).own is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Choose a province or city"),
        ({"name": "nowhere"}, "No area has this name."),
        ({"name": "<b>", "inside": "99"}, "No area has this name."),
        ({"name": "x" * 5_000}, "No area has this name."),
    ],
    ids=["nothing", "unknown", "markup", "long"],
)
def test_what_is_not_found_is_said_beside_the_field(
    tmp_path: Path, server: FakeServer, fields: dict[str, str], said: str
) -> None:
    assert server.areas
    with served(tmp_path) as page:
        text = press(page, "more/area/find", **fields)
        assert said in text
        assert "<b>" not in text
        assert listed(text) == []


def test_without_a_list_there_is_nothing_to_choose(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path):
        pass
    with served(tmp_path) as page:
        text = page.get("more/area").text
        assert "The authority publishes no levels of areas." in text
        assert "<select" not in text
        for screen in ("more/area/find", "more/area/choose"):
            said = press(page, screen, name="xa", code="01")
            assert "this device has no levels of areas" in said.lower()
