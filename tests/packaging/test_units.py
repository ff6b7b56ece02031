"""The units of systemd: valid, closed, and what the documents beside them say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tracing_core.cli import truyvet

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
UNITS = {
    "raspberry-pi/truyvet-agent.service": ["agent", "run"],
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
    assert named <= {"TRUYVET_HOME", *_ENVIRONMENT.values()}
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


@pytest.mark.parametrize(("is_open", "folder"), [(0, "--same-dir"), (1, "--working-directory=/")])
def test_the_wrapper_works_in_a_folder_that_is_closed_to_the_service(
    is_open: int, folder: str, tmp_path: Path
) -> None:
    stubs = {
        "id": "echo 0",
        "runuser": f'[ "$*" = "-u truyvet-agent -- test -x $PWD" ] && exit {is_open}',
        "systemctl": "true",
        "systemd-run": 'printf "%s\\n" "$@"',
    }
    for name, line in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [str(PACKAGING / "raspberry-pi/truyvet-agent"), "status"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert folder in done.stdout.splitlines()
    # `join` comes before the service was ever started, so the folder may not be there yet.
    found = dict(settings("raspberry-pi/truyvet-agent.service"))
    for name in ("StateDirectory", "StateDirectoryMode", "UMask", "LoadCredential"):
        assert f"--property={name}={found[name]}" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-3:] == ["/opt/truyvet/bin/truyvet", "agent", "status"]


def test_the_server_may_read_whether_its_clock_is_set() -> None:
    """Of the C library's adjtimex(), the kernel sees either call."""
    filters = [
        value
        for key, value in settings("server/truyvet-server.service")
        if key == "SystemCallFilter"
    ]
    assert {"adjtimex", "clock_adjtime"} <= set(filters[-1].split())
