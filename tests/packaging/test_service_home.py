"""A home folder that a service manager made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ble_agent.store.database import open_store
from ble_agent.store.home import erase_home
from tests.ble_agent.cards import UNSHARE, can_mount

ROOT = Path(__file__).resolve().parents[2]
AGENT = """
import pathlib, sys, time
from ble_agent.store.home import exclusive_use
with exclusive_use(pathlib.Path(sys.argv[1]), until_stopped=True):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_erasing_leaves_the_folder_where_only_the_service_manager_may_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with open_store(tmp_path):
        pass
    monkeypatch.setattr(Path, "rmdir", refuse)
    erase_home(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_page_s_service_can_stop_an_agent_with_more_rights(tmp_path: Path) -> None:
    if os.geteuid() or not can_mount():
        return
    unit = (ROOT / "packaging/raspberry-pi/truyvet-agent-page.service").read_text()
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    # What systemd makes of these two settings (systemd.exec(5)).
    options = [
        f"hidepid={settings[name]}" if name == "ProtectProc" else f"subset={settings[name]}"
        for name in ("ProtectProc", "ProcSubset")
        if settings.get(name, "default") not in ("default", "all")
    ]
    with open_store(tmp_path):
        pass
    erase = (
        "import pathlib, sys\n"
        "from ble_agent.store.home import erase_home\n"
        "print(erase_home(pathlib.Path(sys.argv[1])))\n"
    )
    script = 'mount -t proc -o "$0" proc /proc && exec setpriv "$@"'
    # Of the same user, as both services are, but without a capability of the agent.
    rights = ["--regid=4321", "--clear-groups", "--securebits=+noroot", "--inh-caps=-all"]
    command = [*rights, "--bounding-set=-all", sys.executable, "-c", erase, str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", AGENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "locked\n"
        try:
            done = subprocess.run(
                [*UNSHARE, "sh", "-c", script, ",".join(["rw", *options]), *command],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            assert (done.stdout, done.stderr) == ("[]\n", "")
            assert agent.wait(30) == -signal.SIGTERM
        finally:
            agent.kill()
