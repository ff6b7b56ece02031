"""From Bluezone's own recordings and a list to what the owner reads, by real processes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.ble_agent.agents import COMMAND, AgentProcess, environment
from tests.ble_agent.store.importers.test_bluezone import android, published
from tests.json_schemas import printed
from tests.server.running import RunningServer, clock_at
from tests.tracing_core.vectors import load

DAY = 86_400


def operate(server: RunningServer, name: str, *arguments: str) -> Any:
    """Run a command of ``truyvet server bluezone`` beside the running server."""
    done = subprocess.run(
        [
            *(*COMMAND, "server", "bluezone", name, "--home", str(server.home)),
            *(*arguments, "--json"),
        ],
        env=environment(server.clock),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return printed(f"server bluezone {name}", done.stdout)


def test_an_owner_learns_of_a_person_on_the_list(tmp_path: Path) -> None:
    start = load("bluezone_rows.json")["day_start"]
    clock = clock_at(start + 2 * DAY)
    listed = published(tmp_path / "F0.json")
    with RunningServer(tmp_path / "server", clock) as server:
        server.init()
        server.start()
        agent = AgentProcess(tmp_path / "agent", clock)
        agent.answer("join", server.join, "--yes")
        assert agent.answer("import", str(android(tmp_path / "app_db_2.db")))["kept"] == 118

        # Before there is a list, nothing is claimed about what Bluezone recorded.
        before = agent.answer("check")
        assert [each["compared"] for each in before["others"]] == [False]
        assert "your health authority publishes no list for it" in before["text"]

        made = operate(server, "publish", str(listed))
        assert made["records"] == 1
        found = agent.answer("check")
        (bluezone,) = found["others"]
        assert (bluezone["compared"], bluezone["strength"]) == (True, "unknown")
        assert all(day["counts"] for day in bluezone["days"])
        assert sum(day["minutes"] for day in bluezone["days"]) >= 50
        assert (found["recorded"], found["days"], found["unseen"]) == (True, [], True)
        shown = agent.command("check", lang="vi")
        assert shown.returncode == 1
        assert "không rõ cường độ tín hiệu" in shown.stdout
        status = agent.answer("status")
        assert status["others"] == found["others"]
        assert all(probe["name"] != "list" for probe in status["checks"])

        # A server that loses the list does not pass for one without anything to find.
        (server.home / "exports/VN/bluezone.json").unlink()
        assert "has no list of Bluezone keys, though" in agent.refusal("check")
        (probe,) = (each for each in agent.answer("status")["checks"] if each["name"] == "list")
        assert not probe["ok"]
        assert agent.answer("status")["others"][0]["days"] == bluezone["days"]

        assert operate(server, "withdraw") == {"withdrawn": True}
        after = agent.answer("check")
        assert after["others"][0]["days"] == bluezone["days"]
        assert after["others"][0]["compared"] is False
