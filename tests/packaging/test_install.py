"""What installs the agent: its options and refusals, and that its parts agree with each other.

Installing itself needs a system of its own: `make test-install` runs tests/packaging/install.sh.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
SCRIPT = PACKAGING / "install-agent"
SHELL = [
    SCRIPT,
    PACKAGING / "raspberry-pi/truyvet-agent",
    PACKAGING / "fresh-debian.sh",
    PACKAGING / "set-up.sh",
    ROOT / "tests/packaging/install.sh",
    *(PACKAGING / "deb" / name for name in ("build.sh", "preinst", "postinst", "prerm", "postrm")),
]


def install(*arguments: str, folder: Path, **stubs: str) -> subprocess.CompletedProcess[str]:
    """Run the script where these commands are stubs, and none of the system's comes before."""
    for name, line in ({"id": "echo 0"} | stubs).items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    copy = folder / "packaging/install-agent"
    copy.parent.mkdir(exist_ok=True)
    text = SCRIPT.read_text()
    copy.write_text(text.replace("\nPATH=", f"\nPATH={folder}:", 1).replace("/run/", f"{folder}/"))
    copy.chmod(0o755)
    return subprocess.run(
        ["packaging/install-agent", *arguments],
        cwd=folder,
        env={"LANG": "en_US.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", SHELL, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shell_reads_every_script(path: Path) -> None:
    assert path.stat().st_mode & 0o111 == 0o111
    shell = path.read_text().partition("\n")[0].removeprefix("#!/bin/")
    assert shell in ("sh", "bash")
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is missing: apt install")
def test_shellcheck_warns_of_nothing() -> None:
    command = ["shellcheck", "--severity=warning", *map(str, SHELL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--jion", "x"], "unknown option --jion: see packaging/install-agent --help"),
        (["--jion", "--lang=vi"], "không có tùy chọn --jion: xem packaging/install-agent --help"),
        (
            ["--lang", "vi", "--jion"],
            "không có tùy chọn --jion: xem packaging/install-agent --help",
        ),
        (["--lang", "fr"], "--lang is vi or en, not fr: see packaging/install-agent --help"),
        (["--join"], "--join needs a value: see packaging/install-agent --help"),
        (["--join="], "--join needs a value: see packaging/install-agent --help"),
        (["--erase"], "--erase only goes with --uninstall: see packaging/install-agent --help"),
        (
            ["--uninstall", "--join=x"],
            "--join does not go with --uninstall: see packaging/install-agent --help",
        ),
    ],
)
def test_a_wrong_option_is_named_in_one_line(
    arguments: list[str], line: str, tmp_path: Path
) -> None:
    done = install(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{line}\n")


@pytest.mark.parametrize(
    ("stubs", "line"),
    [
        ({"id": "echo 1000"}, "this needs root: sudo packaging/install-agent"),
        (
            {"dpkg-query": "echo installed"},
            "the package truyvet-agent is installed: upgrade that, or first sudo apt remove"
            " truyvet-agent (its data stays)",
        ),
        ({"flock": "exit 1"}, "another installation is running: wait for it"),
        (
            {"python3": "exit 1", "bluetoothctl": "", "apt-get": "exit 1"},
            "missing: python3-venv: sudo apt install python3-venv",
        ),
        (
            {
                "python3": "case $* in -V) echo Python 3.9 ;; *version_info*) exit 1 ;; esac",
                "bluetoothctl": "",
            },
            "Python 3.9 is not 3.11 to 3.14: use Debian 12 or 13, or Raspberry Pi OS based on it",
        ),
        (
            {"python3": "", "bluetoothctl": "", "mkdir": "", "df": "printf 'a\\n1 2 3 77\\n'"},
            "/opt has 77 MB left and 300 MB are needed: free some space",
        ),
    ],
)
def test_a_machine_that_cannot_have_it_is_told_in_one_line(
    stubs: dict[str, str], line: str, tmp_path: Path
) -> None:
    usual = {"systemctl": "", "systemd-sysusers": "", "dpkg-query": "", "flock": ""}
    done = install(folder=tmp_path, **(usual | stubs))
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (1, [line])
    # Only the question, to which nobody answered.
    assert done.stdout.strip() in ("", "Missing: python3-venv. Install with apt? [y/N]")


def test_both_ways_install_the_same_units() -> None:
    script, package = SCRIPT.read_text(), (PACKAGING / "deb/build.sh").read_text()
    named = re.findall(r"truyvet-agent[\w-]*\.(?:service|socket|sysusers)\b", script)
    there = {path.name for path in (PACKAGING / "raspberry-pi").glob("truyvet-agent*.*")}
    assert there <= set(named)
    assert all(name in package for name in there)
    assert "net-admin.conf" in package


def test_what_the_package_leaves_out_only_installs_or_builds() -> None:
    text = (PACKAGING / "deb/build.sh").read_text()
    found = re.search(r"locked '\^\(([\w|-]+)\)==' -v", text)
    assert found
    unwanted = set(found[1].split("|"))
    lock = (PACKAGING / "raspberry-pi/requirements.lock").read_text()
    assert unwanted <= set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    for package in ("tracing_core", "ble_agent", "matcher", "server", "truyvet"):
        for path in (ROOT / package).rglob("*.py"):
            imported = set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE))
            assert not imported & {name.replace("-", "_") for name in unwanted}, path
