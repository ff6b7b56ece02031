"""A real agent and a deployment of Google's servers, from joining by a file to a revision.

Right values are those that issue 9 (B1, B4, B5) and its live run against Google's servers name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.database import make_home, open_store
from tests.ble_agent.agents import AgentProcess
from tests.google_standin.standin import GoogleStandIn, google_standin
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400


@pytest.fixture
def google() -> Iterator[GoogleStandIn]:
    with google_standin() as running:
        yield running


def used(home: Path, *, days: int = 3) -> AgentProcess:
    """A device that has sent for some days."""
    make_home(home)
    with open_store(home) as db:
        for ago in range(days, 0, -1):
            assert KeyRing(db).next_advertisement(time.time() - ago * DAY, Metadata(0))
    return AgentProcess(home)


def met(one: AgentProcess, other: AgentProcess) -> None:
    """Let one hear the other for a quarter of an hour, two days ago."""
    moment = int(time.time()) - 2 * DAY
    with open_store(other.home) as db:
        sent = KeyRing(db).next_advertisement(time.time() - 1.9 * DAY, Metadata(0))
    assert sent is not None
    rows = [
        Sighting(sent.rpi, sent.aem, (-40,) * 9, moment + 8640 + 240 * scan, moment)
        for scan in range(4)
    ]
    with open_store(one.home) as db, transaction(db):
        insert_sightings(db, rows)


def joined(agent: AgentProcess, file: Path) -> AgentProcess:
    assert agent.answer("join", str(file), "--yes")["region"] == "VN"
    return agent


def test_the_whole_story(google: GoogleStandIn, tmp_path: Path) -> None:
    file = google.join_file(tmp_path / "join.toml")
    ill = joined(used(tmp_path / "ill"), file)
    near = AgentProcess(tmp_path / "near")
    make_home(near.home)
    joined(near, file)
    assert not near.answer("check")["recorded"]
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 2 * DAY))
    code = google.issue("likely", day)
    assert ill.answer("report", code, "--yes")["reported_keys"] == 3
    assert {key["report_type"] for key in google.control("keys")} == {"likely"}
    # The same person again, now confirmed: the keys are revised, and none is new.
    assert ill.answer("report", google.issue("confirmed", day), "--yes")
    stored = google.control("keys")
    assert len(stored) == 3
    assert {key["revised"] for key in stored} == {"confirmed"}
    posts = [each for each in google.asked() if each["method"] == "POST"]
    real = [each for each in posts if "X-Plain" in each["headers"]]
    cover = [each for each in posts if "X-Chaff" in each["headers"]]
    assert {(each["path"], each["size"]) for each in real} == {
        (each["path"], each["size"]) for each in cover
    }
    assert all(("X-API-Key" in each["headers"]) == ("/api/" in each["path"]) for each in posts)
