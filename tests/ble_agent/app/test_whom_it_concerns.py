"""The owner learns what was found: first, by local day, in the exit code, until it was seen."""

from __future__ import annotations

import datetime
import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ble_agent.air.persistence import note_radio
from ble_agent.authority.client import ServerClient
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import join
from ble_agent.exposures.checker import Checker
from ble_agent.exposures.exposure_day import ExposureDay
from ble_agent.exposures.notifier import Notifier
from ble_agent.store.database import make_home, open_store
from ble_agent.store.state import NOTIFY_FAULT, REPORT
from tests.ble_agent.agents import COMMAND, AgentProcess, clock_at, environment
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.json_schemas import printed
from tracing_core.clock import ManualClock
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.rolling_proximity_identifier import rpis_of
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_aemk
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine

# 28 August 2021, 10:00 UTC.
NOW = 1_630_144_800.0
MIDNIGHT = 1_629_936_000
"""Of 26 August 2021, in UTC."""
HOUR = 3600


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server(clock=clock_at(NOW)) as fake:
        yield fake


@pytest.fixture
def agent(tmp_path: Path, server: FakeServer) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path / "home", clock_at(NOW)) as process:
        make_home(process.home)
        with (
            open_store(process.home) as db,
            ServerClient(server.url, server.clock) as client,
        ):
            join(db, client, JoinLine.parse(server.line), NOW)
        yield process


def meet(db: Database, began: int, *, minutes: int = 20, rssi_dbm: int = -50) -> list[DiagnosisKey]:
    """Log a meeting, and return the keys that the other device would publish."""
    keys: dict[int, TemporaryExposureKey] = {}
    rows = []
    for moment in range(began, began + 60 * minutes, 240):
        day = moment // 86_400
        tek = keys.setdefault(day, TemporaryExposureKey.generate(day * 144))
        rpi = rpis_of(tek)[moment // 600 - day * 144]
        aem = encrypt_aem(derive_aemk(tek.key_data), rpi, Metadata(0))
        rows.append(Sighting(rpi, aem, (rssi_dbm,) * 9, moment, moment - 240))
    with transaction(db):
        insert_sightings(db, rows)
    return [
        DiagnosisKey(tek.key_data, day * 144, 144, ReportType.CONFIRMED_TEST, 0)
        for day, tek in keys.items()
    ]


def exposed(agent: AgentProcess, server: FakeServer, began: int, **meeting: int) -> None:
    with open_store(agent.home) as db:
        keys = meet(db, began, **meeting)
    server.add_file(f"{len(server.files):05}.zip", keys)


@pytest.mark.parametrize(
    ("zone", "began", "english", "vietnamese"),
    [
        # corona-warn-app/cwa-app-android#1963: met at 05:00 on 26 August, shown as the 25th.
        ("Asia/Ho_Chi_Minh", MIDNIGHT - 2 * HOUR, "26 August 2021", "26/08/2021"),
        ("UTC", MIDNIGHT - 2 * HOUR, "25 August 2021", "25/08/2021"),
        # A zone with minutes, summer and the other side of UTC.
        ("Asia/Kathmandu", MIDNIGHT - 5 * HOUR - 2000, "26 August 2021", "26/08/2021"),
        ("Europe/Berlin", MIDNIGHT - 7000, "26 August 2021", "26/08/2021"),
        ("America/New_York", MIDNIGHT + 3 * HOUR, "25 August 2021", "25/08/2021"),
        # A meeting over local midnight, within one UTC day.
        ("Asia/Ho_Chi_Minh", MIDNIGHT - 7 * HOUR - 600, "25–26 August 2021", "25–26/08/2021"),
    ],
)
def test_the_owner_reads_the_day_of_the_own_zone(
    agent: AgentProcess,
    server: FakeServer,
    zone: str,
    began: int,
    english: str,
    vietnamese: str,
) -> None:
    exposed(agent, server, began)
    agent.variables = {"TZ": zone}
    told = agent.answer("check")
    utc = datetime.datetime.fromtimestamp(began, datetime.UTC).date()
    assert [day["date"] for day in told["days"]] == [utc.isoformat()]
    assert f"  {english}: about 20 minutes, risk: high" in told["text"]
    for command in ("check", "status"):
        assert f"  {english}: about 20" in agent.command(command).stdout
        assert f"  {vietnamese}: khoảng 20 phút" in agent.command(command, lang="vi").stdout
    assert [day["date"] for day in agent.answer("status")["days"]] == [utc.isoformat()]


def test_without_a_zone_the_machine_s_own_counts(agent: AgentProcess, server: FakeServer) -> None:
    exposed(agent, server, MIDNIGHT + 12 * HOUR)
    agent.variables = {"TZ": ""}
    assert "26 August 2021" in agent.command("check").stdout


def test_a_meeting_over_the_cut_of_days_is_one_line_that_says_so(
    agent: AgentProcess, server: FakeServer
) -> None:
    exposed(agent, server, MIDNIGHT - 1200, minutes=40)
    agent.variables = {"TZ": "Asia/Ho_Chi_Minh"}
    told = agent.answer("check")
    assert [day["date"] for day in told["days"]] == ["2021-08-25", "2021-08-26"]
    assert sum(day["minutes"] for day in told["days"]) == 40
    text = agent.command("status").stdout
    assert "  26 August 2021: about 40 minutes" in text
    assert "from 07:00 to 07:00 (midnight UTC)" in text
    assert "từ 07:00 đến 07:00 hôm sau" in agent.command("status", lang="vi").stdout
    agent.variables = {"TZ": "UTC"}
    assert "midnight UTC" not in agent.command("status").stdout


def test_an_exposure_is_the_first_line_and_the_exit_code_until_it_was_seen(
    agent: AgentProcess, server: FakeServer
) -> None:
    # ux.md section 2, 1 and 8: seven ticks, exit 0, and not one word of a high exposure.
    exposed(agent, server, MIDNIGHT + 12 * HOUR)
    assert agent.command("check", "--json").returncode == 1
    for _ in range(2):
        done = agent.command("check")
        assert (done.returncode, done.stderr) == (1, "")
        assert agent.answer("status")["unseen"] is True
    assert agent.command("status").stdout.startswith("Exposure found: this device recorded")
    assert agent.command("status", lang="vi").stdout.startswith("Phát hiện tiếp xúc gần")
    code, shown = agent.in_terminal("check")
    assert code == 1
    assert "26 August 2021: about 20 minutes" in shown
    assert agent.in_terminal("check")[0] == 0
    assert agent.command("check").returncode == 0
    assert agent.answer("check")["unseen"] is False
    assert agent.command("status").stdout.startswith("Exposure found: this device recorded")


def test_the_status_in_a_terminal_counts_as_seen(agent: AgentProcess, server: FakeServer) -> None:
    exposed(agent, server, MIDNIGHT + 12 * HOUR)
    agent.command("check")
    assert "26 August 2021" in agent.in_terminal("status", lang="vi")[1].replace("/08/", " August ")
    assert agent.command("check").returncode == 0


def test_what_grew_is_unseen_again(agent: AgentProcess, server: FakeServer) -> None:
    exposed(agent, server, MIDNIGHT + 12 * HOUR)
    assert agent.in_terminal("check")[0] == 1
    assert agent.in_terminal("check")[0] == 0
    # Another person on the same day, at the same level.
    exposed(agent, server, MIDNIGHT + 15 * HOUR)
    assert agent.command("check").returncode == 1
    assert agent.in_terminal("check")[0] == 1
    assert agent.in_terminal("check")[0] == 0
    # Another day.
    exposed(agent, server, MIDNIGHT + 36 * HOUR, minutes=40)
    assert agent.in_terminal("check")[0] == 1
    assert agent.in_terminal("check")[0] == 0


def test_what_is_below_the_threshold_needs_no_one(agent: AgentProcess, server: FakeServer) -> None:
    exposed(agent, server, MIDNIGHT + 12 * HOUR, rssi_dbm=-100)
    done = agent.command("check")
    assert done.returncode == 0
    assert "too brief or too far away" in done.stdout
    assert agent.answer("status")["unseen"] is False


def test_the_gravest_day_comes_first(agent: AgentProcess, server: FakeServer) -> None:
    exposed(agent, server, MIDNIGHT - 12 * HOUR, minutes=8)
    exposed(agent, server, MIDNIGHT + 12 * HOUR, minutes=40)
    agent.command("check")
    text = agent.command("status").stdout
    assert text.index("26 August") < text.index("25 August")


def test_an_output_that_failed_shows_nothing(agent: AgentProcess, server: FakeServer) -> None:
    exposed(agent, server, MIDNIGHT + 12 * HOUR)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "agent", "--home", str(agent.home), "check"],
            env=environment(agent.clock),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert agent.answer("status")["unseen"] is True


def test_that_you_reported_is_said(agent: AgentProcess, server: FakeServer) -> None:
    with open_store(agent.home) as db, transaction(db):
        REPORT.set(db, {"reported_at": MIDNIGHT - 2 * HOUR})
    agent.variables = {"TZ": "Asia/Ho_Chi_Minh"}
    assert agent.command("status").stdout.startswith("You reported a test on 26 August 2021.")
    text = agent.command("status", lang="vi").stdout
    assert text.startswith("Ngày 26/08/2021, bạn đã khai báo kết quả xét nghiệm.")
    assert agent.answer("status")["reported_on"] == "2021-08-25"
    with open_store(agent.home) as db, transaction(db):
        REPORT.set(db, {"reported_at": MIDNIGHT - 2 * HOUR, "taken_back": 2_716_416})
    assert "and took it back later" in agent.command("status").stdout


def test_a_report_that_broke_off_needs_the_owner(agent: AgentProcess) -> None:
    with open_store(agent.home) as db, transaction(db):
        REPORT.set(db, {"code": "1", "token": "t", "verified_at": int(NOW) - 600})
    assert "✘ Your report is not finished" in agent.command("status").stdout
    assert "✘ Việc khai báo chưa hoàn tất" in agent.command("status", lang="vi").stdout


def test_no_tick_for_what_was_not_checked(agent: AgentProcess, server: FakeServer) -> None:
    # ux.md section 2, 8: "Bluetooth works" after 30 hours without a run.
    with open_store(agent.home) as db:
        note_radio(db, "hci:usb:0", None)
    text = agent.command("status").stdout
    assert "✘ Bluetooth (hci:usb:0) is not in use now." in text
    agent.answer("check")
    assert "✔ Last check of published keys: just now" in agent.command("status").stdout
    # An empty log is no reason to feel safe.
    assert "no exposure can be found (last check: just now)" in agent.command("status").stdout
    assert "No exposure recorded so far" not in agent.command("status").stdout
    with open_store(agent.home) as db:
        meet(db, int(NOW) - 86_400)
    assert "No exposure recorded so far" in agent.command("status").stdout
    server.files["broken.zip"] = b"PK"
    assert agent.command("check").returncode == 1
    text = agent.command("status").stdout
    assert "✘ Last check of published keys: just now, and something was missing: " in text
    assert "No exposure recorded" not in text
    del server.files["broken.zip"]
    agent.answer("check")
    assert "✔ Last check" in agent.command("status").stdout
    agent.command("check", "--server", "http://127.0.0.1:9")
    assert "something was missing: the server does not answer" in agent.command("status").stdout


def test_the_status_of_a_device_that_never_checked_claims_nothing(agent: AgentProcess) -> None:
    done = agent.command("status")
    assert done.returncode == 1
    assert "No exposure" not in done.stdout
    facts = printed("agent status", agent.command("status", "--json").stdout)
    assert (facts["days"], facts["unseen"], facts["reported_on"]) == ([], False, None)
    assert json.loads(agent.command("status", "--json").stdout)["ok"] is False


def test_next_steps_keep_the_home(agent: AgentProcess, tmp_path: Path) -> None:
    named = f"truyvet agent run --home {agent.home}"
    assert named in agent.command("status").stdout
    assert named in str(agent.answer("status"))
    none = AgentProcess(tmp_path / "no home")
    assert f"truyvet agent join --home '{none.home}'" in none.refusal("check")
    assert f"truyvet agent join --home '{none.home}'" in none.refusal("check", lang="vi")


def test_a_notification_that_cannot_arrive_is_named(agent: AgentProcess) -> None:
    settings = agent.home / "agent.toml"
    settings.write_text('notify_command = ["/nowhere/notify"]\n')
    assert "✘ No notification will reach you: /nowhere/notify" in agent.command("status").stdout
    assert "✘ Bạn sẽ không nhận được" in agent.command("status", lang="vi").stdout
    settings.write_text('notify_command = ["true"]\n')
    assert "✘ No notification" not in agent.command("status").stdout
    with open_store(agent.home) as db, transaction(db):
        NOTIFY_FAULT.set(db, {"at": int(NOW) - 3600, "days": {"2021-08-26": "high"}})
    assert "✘ A notification did not reach you (60 minutes ago)" in agent.command("status").stdout


def test_a_running_agent_shows_an_exposure_in_its_terminal_only(
    agent: AgentProcess, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    exposed(agent, server, MIDNIGHT + 5 * HOUR)
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    link = ServerLink(agent.home, ManualClock(NOW))
    checker = Checker(link, Random(1), show=shown.append)
    checker.check()
    checker.check()
    (text,) = shown
    assert text.startswith("Exposure found")
    assert "risk: high" in text
    Checker(link, Random(1)).check()
    assert "truyvet agent check" in caplog.text
    assert "risk: high" not in caplog.text


def test_a_notification_that_was_cut_off_counts_as_failed(
    agent: AgentProcess, server: FakeServer
) -> None:
    exposed(agent, server, MIDNIGHT + 5 * HOUR)

    class Stopped(Notifier):
        def notify(self, *_: object, **__: object) -> list[ExposureDay]:
            raise KeyboardInterrupt

    checker = Checker(
        ServerLink(agent.home, ManualClock(NOW)),
        Random(1),
        notifier=Stopped(["true"], is_desktop=False, language="en"),
    )
    with pytest.raises(KeyboardInterrupt):
        checker.check()
    with open_store(agent.home) as db:
        assert NOTIFY_FAULT.get(db) is not None
