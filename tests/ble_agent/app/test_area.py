"""The command `truyvet agent area`, and the area in the status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.areas import LEVELS, invented_areas
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.json_schemas import printed

NOW = 1_800_000_000.0
AREAS = tuple(invented_areas(3, 12))
OWN = AREAS[-1]


@pytest.fixture
def device(tmp_path: Path) -> AgentProcess:
    return AgentProcess(tmp_path / "home", clock_at(NOW))


def joined(device: AgentProcess, server: FakeServer) -> None:
    assert device.command("join", server.line, "--yes").returncode == 0
    device.command("check")


def test_an_owner_looks_for_an_area_chooses_it_and_forgets_it(device: AgentProcess) -> None:
    with fake_server(clock=clock_at(NOW)) as server:
        server.publish_areas()
        joined(device, server)
    said = device.command("area").stdout
    assert said.startswith("Your area is not chosen. The authority publishes levels of 15 areas.\n")
    assert f"truyvet agent area --home {device.home} NAME" in said
    listed = device.command("area", "--in", AREAS[2].name)
    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == 5
    assert f"{OWN.code}  {OWN.name}, {AREAS[2].name}: {LEVELS[OWN.level - 1].en}" in listed.stdout
    several = device.command("area", "xa", lang="vi")
    assert several.returncode == 1
    assert several.stdout.endswith(
        "Có 15 địa bàn phù hợp. Hãy gõ thêm phần của tên, hoặc mã ở đầu dòng.\n"
    )
    chosen = device.command("area", *OWN.name.lower().split())
    assert chosen.returncode == 0
    assert chosen.stdout.splitlines()[0].startswith(f"Your area, {OWN.name}, {AREAS[2].name}: ")
    assert chosen.stdout.endswith("Noted on this device only; it is never sent.\n")
    shown = printed("agent area", device.command("area", "--json", lang="vi").stdout)
    assert shown["area"] == OWN.code
    assert shown["area_level_text"] == LEVELS[OWN.level - 1].vi
    status = device.answer("status")
    assert (status["area"], status["areas_issued_on"]) == (OWN.code, "2027-01-15")
    assert f"Your area, {OWN.name}" in device.command("status").stdout
    assert device.command("area", "--forget").stdout == (
        "Your area is no longer noted on this device.\n"
    )
    assert printed("agent area", device.command("area", "--json").stdout)["area"] is None


def test_what_cannot_be_chosen_is_one_line(device: AgentProcess) -> None:
    assert "truyvet agent join" in device.refusal("area")
    with fake_server(clock=clock_at(NOW)) as server:
        joined(device, server)
        assert device.refusal("area", "Xã").startswith("this device has no levels of areas")
        assert device.refusal("area", "Xã", lang="vi").startswith("thiết bị chưa có cấp độ dịch")
        assert device.command("area").stdout == "The authority publishes no levels of areas.\n"
        assert "area" not in device.command("status").stdout.lower().replace(str(device.home), "")
        server.publish_areas()
        device.command("check")
    assert device.refusal("area", "nowhere").startswith("the authority's list has no such area")
    assert device.refusal("area", "--in", "xa").startswith("--in must name one area at the top")
    assert device.command("area", "--forget", "xa").returncode == 2


def test_a_list_that_cannot_be_used_is_named_by_check_and_status(device: AgentProcess) -> None:
    with fake_server(clock=clock_at(NOW)) as server:
        server.publish_areas(2)
        joined(device, server)
        device.command("area", OWN.code)
        server.publish_areas(1)
        line = "The server's newest levels of areas cannot be used: the list is older than"
        assert line in device.command("check").stdout
        said = device.command("status").stdout
        assert line in said
        assert f"Your area, {OWN.name}" in said
