"""The two journeys of docs/journeys.md, walked through the homes that one played story left."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.membership import load_membership
from ble_agent.demo.play import Play
from ble_agent.demo.processes import Processes
from ble_agent.demo.run import conclude
from ble_agent.demo.story import NAMES, Story
from ble_agent.demo.texts import demo_text
from ble_agent.store.database import open_store
from ble_agent.virtual_air.trace import Trace
from tracing_core.errors import InvalidSignature
from tracing_core.export_file import find_exports, read_export, read_public_key
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.interval import interval_number, rolling_start
from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, select_sightings
from tracing_core.store.sqlite import open_readonly

DAY = 86_400


@dataclass
class Played:
    """A story told to its end."""

    play: Play
    trace: Trace
    answers: Mapping[str, Mapping[str, Any]]
    before: Path
    """Copies of all homes from before anybody looked for keys."""

    @property
    def exports(self) -> Path:
        return self.play.folder / "server" / "exports" / "VN"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("story")
    before = tmp_path_factory.mktemp("before") / "homes"

    async def tell() -> Played:
        async with Processes(folder / "logs") as processes:
            play = Play(Story.tell(2), folder, processes, lambda line: None)
            trace = await play.meet()
            await play.report()
            shutil.copytree(folder, before)
            return Played(play, trace, await play.find_out(), before)

    return asyncio.run(tell())


def sightings_of(home: Path) -> list[Sighting]:
    with closing(open_readonly(home / "agent.db", [SIGHTING_TABLE]).conn) as connection:
        from tracing_core.store.database import Database

        return list(select_sightings(Database(connection)))


def test_every_answer_is_the_true_one(played: Played, tmp_path: Path) -> None:
    outcomes = played.play.judge(played.trace, played.answers)
    assert {name: outcome.fault for name, outcome in outcomes.items()} == dict.fromkeys(NAMES)
    assert outcomes["binh"].expected.levels == {"high"}
    assert conclude(tmp_path, played.play, played.trace, outcomes) == 0


def test_what_the_air_delivered_is_in_the_log_and_nothing_else(played: Played) -> None:
    lines = (played.play.folder / "meeting.trace.jsonl").read_text().splitlines()
    heard = [fields for line in lines if (fields := json.loads(line))["kind"] == "heard"]
    for name in NAMES:
        delivered: dict[bytes, int] = {}
        for fields in heard:
            if fields["receiver"] == name:
                rpi = Advertisement.decode(bytes.fromhex(fields["data"])).rpi
                delivered[rpi] = delivered.get(rpi, 0) + fields["count"]
        logged: dict[bytes, int] = {}
        for sighting in sightings_of(played.before / name):
            logged[sighting.rpi] = logged.get(sighting.rpi, 0) + len(sighting.rssi_dbm)
        # The last packets of a scan may still be on their way when it ends.
        assert set(logged) <= set(delivered)
        assert sum(logged.values()) >= 0.8 * sum(delivered.values())
        assert all(logged[rpi] <= count for rpi, count in delivered.items() if rpi in logged)
    assert {fields["receiver"] for fields in heard} == set(NAMES)


def test_match_says_of_the_log_and_files_what_the_agent_said(
    played: Played, tmp_path: Path
) -> None:
    with open_store(played.play.home("binh")) as db:
        keys = load_membership(db).trust.export_keys
    pem = tmp_path / "authority.pem"
    pem.write_bytes(
        keys[0].public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )

    async def match(name: str) -> Any:
        log = str(played.play.home(name) / "agent.db")
        arguments = (log, str(played.exports), "--public-key", str(pem), "--json")
        async with Processes(tmp_path) as processes:
            return await processes.run("match", "match", *arguments)

    for name in ("binh", "chi"):
        found = asyncio.run(match(name))
        (day,) = played.answers[name]["days"]
        (summary,) = found["daily_summaries"]
        assert summary["score_sum"] == day["score_seconds"]
        assert (summary["date"], summary["level"]) == (day["date"], day["level"])
        assert found["matched_keys"] == 1
    assert asyncio.run(match("dung"))["matched_keys"] == 0


def test_the_key_of_the_day_is_published_signed_and_the_one_in_use_is_not(played: Played) -> None:
    with open_store(played.before / "an") as db:
        own = {
            key.rolling_start_interval_number: key.key_data
            for key in KeyRing(db).keys_to_report(played.play.reported_at)
        }
        public_keys = [key.public_key for key in load_membership(db).trust.export_keys]
    met = rolling_start(interval_number(played.play.began))
    today = rolling_start(interval_number(played.play.reported_at))
    assert set(own) == {met, today}
    files = find_exports([played.exports])
    published = [key for path in files for key in read_export(path, public_keys=public_keys).keys]
    of_an = [key for key in published if key.key_data in own.values()]
    assert [key.rolling_start_interval_number for key in of_an] == [met]
    assert of_an[0].key_data == own[met]
    assert of_an[0].days_since_onset_of_symptoms == 0
    assert len(published) > 1000, "one key alone would be known for a real one"
    with pytest.raises(InvalidSignature):
        read_export(files[0], public_keys=[read_public_key(_foreign_pem(), "foreign").public_key])


def _foreign_pem() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_an_agent_that_lost_its_log_is_found_out(
    played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "story"
    shutil.copytree(played.before, folder)
    with open_store(folder / "binh") as db:
        db.conn.execute("DELETE FROM sighting")

    async def find_out() -> tuple[Play, Mapping[str, Mapping[str, Any]]]:
        async with Processes(tmp_path / "logs") as processes:
            spoilt = Play(
                played.play.story,
                folder,
                processes,
                lambda line: None,
                began=played.play.began,
                port=played.play.port,
                facts=dict(played.play.facts),
            )
            return spoilt, await spoilt.find_out()

    spoilt, answers = asyncio.run(find_out())
    outcomes = spoilt.judge(played.trace, answers)
    assert outcomes["binh"].fault == demo_text("fault_silent")
    assert [name for name, outcome in outcomes.items() if outcome.fault] == ["binh"]
    assert conclude(tmp_path / "logs", spoilt, played.trace, outcomes) == 1
    assert f"WRONG: {demo_text('fault_silent').en}" in capsys.readouterr().out


def test_after_fourteen_days_key_and_sighting_are_gone_from_the_files(
    played: Played, tmp_path: Path
) -> None:
    folder = tmp_path / "story"
    shutil.copytree(played.play.folder, folder)
    with open_store(folder / "an") as db:
        sealed = db.conn.execute("SELECT key_data FROM own_key ORDER BY rolling_start")
        key_at_rest = bytes(sealed.fetchone()[0])
        key = KeyRing(db).keys_to_report(played.play.reported_at)[0].key_data
    sighting = sightings_of(folder / "binh")[0]
    assert key_at_rest in everything_in(folder / "an")
    assert key not in everything_in(folder / "an")
    assert sighting.rpi in everything_in(folder / "binh")
    assert key in everything_in(folder / "server", "*.db*")

    async def later() -> Mapping[str, Mapping[str, Any]]:
        async with Processes(tmp_path / "logs") as processes:
            play = Play(
                played.play.story,
                folder,
                processes,
                lambda line: None,
                began=played.play.began + 18 * DAY,
                port=played.play.port,
            )
            answers = await play.find_out()
            await processes.run(
                "cleanup", "server", "cleanup", "--home", str(folder / "server"), "--json"
            )
            return answers

    answers = asyncio.run(later())
    assert not answers["binh"]["recorded"]
    assert key_at_rest not in everything_in(folder / "an")
    assert sighting.rpi not in everything_in(folder / "binh")
    assert key not in everything_in(folder / "server", "*.db*")
    published = [name.name for name in find_exports([played.exports])]
    assert not [name for name in published if (folder / "server/exports/VN" / name).exists()]


def everything_in(home: Path, pattern: str = "*") -> bytes:
    return b"".join(path.read_bytes() for path in home.glob(pattern) if path.is_file())
