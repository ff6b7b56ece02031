"""A server killed at random moments while devices report: no answered upload is lost."""

import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx2

from tests.server.homes import NOW, days_of_keys
from tests.server.running import Device, RunningServer, clock_at, environment, free_port
from tests.server.spawner import Spawner

# `make attack` sets a larger number.
MOMENTS = int(os.environ.get("CRASHES", "50"))
DEVICES = 3


class Reporter(threading.Thread):
    """Reports new keys again and again, through every crash, and records the answers."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.acknowledged: list[bytes] = []
        self.refused: list[str] = []
        self.up = threading.Event()
        self.is_over = False

    def answered(self, request: object) -> httpx2.Response:
        """Try until there is an answer, as a device does."""
        while True:
            self.up.wait()
            try:
                return request()  # type: ignore[operator,no-any-return]
            except httpx2.TransportError:
                if self.is_over:
                    raise
                time.sleep(0.01)

    def run(self) -> None:
        with httpx2.Client() as http:
            while not self.is_over:
                device = Device(self.server.url, http, days_of_keys(14))
                certificate = self.certified(device)
                if certificate is None:
                    continue
                response = self.answered(lambda d=device, c=certificate: d.publish(c))
                if response.status_code == 200:
                    self.acknowledged += [each.key_data for each in device.keys]
                else:
                    self.refused.append(response.text)

    def certified(self, device: Device) -> str | None:
        """Return a certificate; None if a crash came between a step and its answer."""
        issue = {"testType": "confirmed"}
        key = {"X-API-Key": self.server.operator_key}
        code = self.answered(lambda: device.post("/api/issue", issue, **key)).json()["code"]
        verified = self.answered(lambda: device.verify(code)).json()
        if verified.get("errorCode") == "code_invalid":
            return None
        certified = self.answered(lambda: device.certificate(verified["token"])).json()
        if certified.get("errorCode") == "token_invalid":
            return None
        certificate = certified["certificate"]
        assert isinstance(certificate, str)
        return certificate


def stored_keys(home: Path) -> set[bytes]:
    with closing(sqlite3.connect(home / "server.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in db.execute("SELECT key_data FROM diagnosis_key")}


def test_killed_at_any_moment_nothing_answered_is_lost(tmp_path: Path) -> None:
    chance = random.Random(20250615)
    server = RunningServer(tmp_path / "home", clock_at(NOW))
    server.init()
    server.port = free_port()
    server.url = f"http://127.0.0.1:{server.port}"
    arguments = ["run", "--home", str(server.home), "--port", str(server.port), "--json"]
    settings = {"TRUYVET_SERVER_VERIFY_REQUESTS_PER_MINUTE": "1000000"}
    output = tmp_path / "output"
    with Spawner() as spawner:

        def start() -> int:
            return spawner.start(arguments, environment(server.clock) | settings, output)

        reporters = [Reporter(server) for _ in range(DEVICES)]
        for reporter in reporters:
            reporter.start()
        for _ in range(MOMENTS):
            pid = start()
            for reporter in reporters:
                reporter.up.set()
            time.sleep(chance.uniform(0, 0.3))
            assert spawner.end(pid) == -signal.SIGKILL
            for reporter in reporters:
                reporter.up.clear()
            answered = [key for reporter in reporters for key in list(reporter.acknowledged)]
            assert stored_keys(server.home).issuperset(answered)
        pid = start()
        for reporter in reporters:
            reporter.is_over = True
            reporter.up.set()
        for reporter in reporters:
            reporter.join(30)
            assert not reporter.refused
            assert reporter.acknowledged
        assert spawner.end(pid, signal.SIGTERM) == 0
    stored = stored_keys(server.home)
    assert stored.issuperset(key for each in reporters for key in each.acknowledged)
    assert (tmp_path / "output.log").read_text() == ""
