"""The units of systemd: valid, closed, and what the documents beside them say."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tracing_core.cli import truyvet

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
PAGE = "raspberry-pi/truyvet-agent-page.service"
UNITS = {
    "raspberry-pi/truyvet-agent.service": ["agent", "run"],
    PAGE: ["agent", "page"],
    "server/truyvet-server.service": ["server", "run"],
}
# Of 10, the least closed; what is left is the network, which both need.
MOST_EXPOSURE = 1.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is missing: apt install systemd",
)


def settings(name: str) -> list[tuple[str, str]]:
    lines = (PACKAGING / name).read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#["]
    return [(key, value) for key, _, value in pairs]


def runnable(unit: Path, folder: Path) -> Path:
    """A copy of a unit, with a program that exists, under its own name."""
    text = unit.read_text().replace("/opt/truyvet/bin/truyvet", "/bin/true")
    text = text.replace("User=truyvet-agent", "User=root").replace(
        "User=truyvet-server", "User=root"
    )
    copy = folder / unit.name
    copy.write_text(text)
    bell = unit.with_suffix(".socket")
    if bell.exists():
        shutil.copy(bell, folder)
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    done = analyze("verify", "--man=no", str(runnable(PACKAGING / name, tmp_path)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    copy = runnable(PACKAGING / name, tmp_path)
    copy.write_text(copy.read_text().replace("ProtectSystem=strict", "ProtectSistem=strict"))
    assert "ProtectSistem" in analyze("verify", "--man=no", str(copy)).stderr


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_the_services_are_closed(name: str) -> None:
    done = analyze("security", "--offline=true", str(PACKAGING / name))
    match = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert match, done.stderr
    assert float(match[1]) <= MOST_EXPOSURE


@needs_systemd
def test_systemd_understands_the_bell(tmp_path: Path) -> None:
    bell = runnable(PACKAGING / PAGE, tmp_path).with_suffix(".socket")
    done = analyze("verify", "--man=no", str(bell))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_page_is_reached_through_a_socket_of_root_alone() -> None:
    bell = dict(settings(PAGE.replace(".service", ".socket")))
    assert bell["ListenStream"].startswith("/run/")
    assert bell["SocketMode"] == "0600"
    # Not root's socket if another owner is named; no second page for each ring.
    assert not {"SocketUser", "SocketGroup", "Accept"} & bell.keys()


def test_the_page_is_as_closed_as_the_agent_and_says_nothing_to_the_log() -> None:
    agent, page = (settings(f"raspberry-pi/truyvet-agent{name}.service") for name in ("", "-page"))
    start = agent.index(("CapabilityBoundingSet", ""))
    end = agent.index(("WantedBy", "multi-user.target"))
    # The page must see the agent's process, to stop it before it erases.
    closed = [each for each in agent[start:end] if each[0] != "ProtectProc"]
    assert len(closed) > 25
    assert page[-len(closed) :] == closed
    found = dict(page)
    assert found["StandardOutput"] == "null"
    assert "AmbientCapabilities" not in found
    for name in ("User", "LoadCredential", "StateDirectory", "StateDirectoryMode", "UMask"):
        assert found[name] == dict(agent)[name], name


@needs_systemd
def test_the_drop_in_gives_one_capability_and_no_more(tmp_path: Path) -> None:
    unit = runnable(PACKAGING / "raspberry-pi/truyvet-agent.service", tmp_path)
    drop_in = (PACKAGING / "raspberry-pi/net-admin.conf").read_text()
    unit.write_text(f"{unit.read_text()}\n{drop_in}")
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")
    done = analyze("security", "--offline=true", str(unit))
    granted = re.findall(r"✗ CapabilityBoundingSet=~(\S+)", done.stdout)
    assert granted == ["CAP_NET_ADMIN"]


@pytest.mark.parametrize(("name", "words"), UNITS.items())
def test_what_is_started_is_a_command(name: str, words: list[str]) -> None:
    found = dict(settings(name))
    program, *arguments = found["ExecStart"].split()
    assert program == "/opt/truyvet/bin/truyvet"
    assert arguments[:2] == words
    context = truyvet.make_context("truyvet", list(arguments))
    command = truyvet.get_command(context, words[0])
    assert command is not None
    inner = command.get_command(context, words[1])  # type: ignore[attr-defined]
    inner.make_context(words[1], arguments[2:], parent=context)


def test_the_agents_unit_hands_over_what_the_agent_reads() -> None:
    from ble_agent.config import _ENVIRONMENT
    from ble_agent.store.vault import CREDENTIAL_NAME

    found = dict(settings("raspberry-pi/truyvet-agent.service"))
    assert found["LoadCredential"].partition(":")[0] == CREDENTIAL_NAME
    named = set(re.findall(r"TRUYVET_\w+", found["Environment"]))
    assert named <= {"TRUYVET_COMMAND", "TRUYVET_HOME", *_ENVIRONMENT.values()}
    assert "/var/lib/" + found["StateDirectory"] in found["Environment"]


def test_the_watchdog_waits_longer_than_the_agent_may() -> None:
    from ble_agent.air.agent import _LAST_RETRY_SECONDS, _LONGEST_SLEEP_SECONDS

    found = dict(settings("raspberry-pi/truyvet-agent.service"))
    longest = max(_LAST_RETRY_SECONDS, _LONGEST_SLEEP_SECONDS)
    assert int(found["WatchdogSec"]) > 2 * longest


@pytest.mark.parametrize("folder", ["raspberry-pi", "server"])
def test_the_steps_install_every_file(folder: str) -> None:
    text = (PACKAGING / folder / "README.md").read_text()
    for path in (PACKAGING / folder).iterdir():
        if path.name != "README.md":
            assert f"packaging/{folder}/{path.name}" in text, path.name
    for name in re.findall(rf"packaging/{folder}/([\w.-]+)", text):
        assert (PACKAGING / folder / name).is_file(), name


def test_the_wrapper_is_a_script_that_runs() -> None:
    script = PACKAGING / "raspberry-pi/truyvet-agent"
    assert script.stat().st_mode & 0o111 == 0o111
    subprocess.run(["sh", "-n", str(script)], check=True)


def wrapped(folder: Path, *arguments: str, **stubs: str) -> subprocess.CompletedProcess[str]:
    """Run the wrapper as root would, where each system command prints what it was asked."""
    made = {
        "id": "echo 0",
        "runuser": "true",
        "systemctl": '[ "$1" != show ] || echo cap_net_admin',
        "systemd-run": 'printf "%s\\n" "$@"',
        "journalctl": 'echo "journalctl $*"',
    }
    for name, line in (made | stubs).items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    script = (PACKAGING / "raspberry-pi/truyvet-agent").read_text()
    (folder / "wrapper").write_text(script.replace("/opt/truyvet/bin", str(folder)))
    return subprocess.run(
        ["sh", str(folder / "wrapper"), *arguments],
        env={"PATH": f"{folder}:/usr/bin:/bin", "LANG": "vi_VN.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("is_open", "folder"), [(0, "--same-dir"), (1, "--working-directory=/")])
def test_the_wrapper_works_in_a_folder_that_is_closed_to_the_service(
    is_open: int, folder: str, tmp_path: Path
) -> None:
    runuser = f'[ "$*" = "-u truyvet-agent -- test -x $PWD" ] && exit {is_open}'
    said = wrapped(tmp_path, "status", runuser=runuser).stdout.splitlines()
    assert folder in said
    # `join` comes before the service was ever started, so the folder may not be there yet.
    found = dict(settings("raspberry-pi/truyvet-agent.service"))
    for name in ("StateDirectory", "StateDirectoryMode", "UMask", "LoadCredential"):
        assert f"--property={name}={found[name]}" in said
    assert "--property=AmbientCapabilities=cap_net_admin" in said
    assert said[-3:] == [f"{tmp_path}/truyvet", "agent", "status"]


@pytest.mark.parametrize("arguments", [["page", "--lan"], ["--lang", "vi", "page"]])
def test_a_page_in_the_terminal_is_as_closed_as_its_unit(
    arguments: list[str], tmp_path: Path
) -> None:
    systemctl = f'[ "$1" = cat ] && cat "{PACKAGING / PAGE}"'
    said = wrapped(tmp_path, *arguments, systemctl=systemctl).stdout.splitlines()
    pairs = [tuple(line[11:].split("=", 1)) for line in said if line.startswith("--property=")]
    unit = settings(PAGE)
    start = unit.index(("CapabilityBoundingSet", ""))
    # In the unit's order: the first filter of system calls allows, the second denies.
    assert [pair for pair in pairs if pair in unit[start:]] == unit[start:]
    assert ("MemoryMax", dict(unit)["MemoryMax"]) in pairs
    assert not [pair for pair in pairs if pair[0] == "AmbientCapabilities"]
    assert said[-len(arguments) - 2 :] == [f"{tmp_path}/truyvet", "agent", *arguments]


def test_the_wrapper_rings_and_shows_what_it_is_handed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bell:
        bell.bind(str(tmp_path / "bell"))
        bell.listen()
        # The interpreter of the service, told where this test's bell is.
        python = f'''p=$(printf %s "$3" | sed "s,/run/truyvet-agent-page.sock,{tmp_path}/bell,")
exec {sys.executable} "$1" "$2" "$p"'''
        answered = threading.Thread(target=hand_over, args=(bell, ["http://127.0.0.1:5/#x\n", ""]))
        answered.start()
        done = wrapped(tmp_path, "page", python=python)
        assert done.stdout.startswith("http://127.0.0.1:5/#x\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert "sudo systemctl --quiet stop truyvet-agent-page.service" in done.stdout
        # A page that ends before it answers has said why in its log.
        done = wrapped(tmp_path, "page", python=python)
        answered.join()
    assert (done.returncode, done.stdout) == (1, "")
    assert "trang không khởi động được" in done.stderr
    assert "journalctl --unit=truyvet-agent-page.service" in done.stderr


def hand_over(bell: socket.socket, texts: list[str]) -> None:
    for text in texts:
        connection, _ = bell.accept()
        with connection:
            connection.sendall(text.encode())


def test_the_wrapper_is_for_root(tmp_path: Path) -> None:
    done = wrapped(tmp_path, "page", id="echo 1000")
    assert done.returncode == 1
    assert done.stderr == "chỉ root mới mở được dữ liệu của dịch vụ: sudo truyvet-agent page\n"


def test_the_server_may_read_whether_its_clock_is_set() -> None:
    """Of the C library's adjtimex(), the kernel sees either call."""
    filters = [
        value
        for key, value in settings("server/truyvet-server.service")
        if key == "SystemCallFilter"
    ]
    assert {"adjtimex", "clock_adjtime"} <= set(filters[-1].split())
