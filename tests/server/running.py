"""A real `truyvet server run` in its own process, with its own home and clock."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.json_schemas import printed
from tracing_core.clock import ScaledClock
from tracing_core.http.publish_request import PublishedKey, PublishRequest, key_hmac

_COMMAND = (sys.executable, "-c", "from tracing_core.cli import main; main()", "server")


def environment(clock: ScaledClock | None) -> dict[str, str]:
    values = {name: value for name, value in os.environ.items() if "TRUYVET" not in name}
    return values if clock is None else {**values, "TRUYVET_CLOCK": str(clock)}


def clock_at(told: float, *, rate: float = 1.0) -> ScaledClock:
    """Return the variable of a clock that shows `told` now."""
    return ScaledClock(shown=told, real=time.time(), rate=rate)


def command(
    *arguments: str, home: Path, clock: ScaledClock | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run `truyvet server …`; with `check`, it must succeed and print JSON lines."""
    done = subprocess.run(
        [*_COMMAND, arguments[0], "--home", str(home), *arguments[1:]],
        env=environment(clock),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def free_port() -> int:
    """Return a port that is free, and that the system hands out to no other process."""
    # Not from the range that the system hands out, which could go to another process meanwhile.
    while True:
        with socket.socket() as probe:
            port = secrets.choice(range(20_000, 32_000))
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def answer(*arguments: str, home: Path, clock: ScaledClock | None = None) -> Any:
    """Run `truyvet server … --json` and return what it printed."""
    done = command(*arguments, "--json", home=home, clock=clock)
    return printed(f"server {arguments[0]}", done.stdout)


@dataclass
class RunningServer:
    """A server's home and, while it runs, its process; a context manager with an explicit start."""

    home: Path
    clock: ScaledClock | None = None
    settings: dict[str, str] = field(default_factory=dict)
    """Further environment variables, without their prefix."""
    operator_key: str = ""
    url: str = ""
    join: str = ""
    """The line to join by, with the port of the running process."""
    process: subprocess.Popen[str] | None = None
    port: int = 0

    def init(self, *options: str) -> None:
        made = answer("init", *options, home=self.home, clock=self.clock)
        self.operator_key, self.join = made["operator_key"], made["join"]

    def start(self) -> None:
        """Start the process and wait until it listens; after a stop, on the same port again."""
        self.port = self.port or free_port()
        prefix = "TRUYVET_SERVER_"
        settings = {prefix + name.upper(): value for name, value in self.settings.items()}
        with (self.home.parent / f"{self.home.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                [*_COMMAND, "run", "--home", str(self.home), "--port", str(self.port), "--json"],
                env={**environment(self.clock), **settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        self.url = printed("server run", line)["url"]
        self.join = f"{self.url}#{self.join.partition('#')[2]}"

    def stop(self) -> int:
        """Stop it as an operator would; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._forget()
        return code

    def kill(self) -> None:
        """Kill it, as in a power cut."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        self._forget()

    def _forget(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    def log(self) -> str:
        """Everything its processes logged."""
        return (self.home.parent / f"{self.home.name}.log").read_text()

    def issue(self, **fields: Any) -> str:
        """Issue a code over HTTP."""
        response = httpx2.post(
            f"{self.url}/api/issue",
            json={"testType": "confirmed", **fields},
            headers={"X-API-Key": self.operator_key},
        )
        assert response.status_code == 200, response.text
        code = response.json()["code"]
        assert isinstance(code, str)
        return code

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()


@dataclass
class Device:
    """A device that reports: code, certificate, upload."""

    url: str
    http: httpx2.Client
    keys: Sequence[PublishedKey]
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        return self.http.post(self.url + path, json=body, headers=headers)

    def verify(self, code: str, accept: str = "negative") -> httpx2.Response:
        return self.post("/api/verify", {"code": code, "accept": [accept]})

    def certificate(self, token: str) -> httpx2.Response:
        mac = base64.b64encode(key_hmac(self.keys, self.secret)).decode()
        return self.post("/api/certificate", {"token": token, "ekeyhmac": mac})

    def certify(self, code: str) -> str:
        """Exchange a code for a certificate of these keys."""
        certificate = self.certificate(self.verify(code).json()["token"]).json()["certificate"]
        assert isinstance(certificate, str)
        return certificate

    def upload(self, certificate: str, **fields: Any) -> PublishRequest:
        return PublishRequest(
            tuple(self.keys),
            "truyvet",
            verification_payload=certificate,
            hmac_key=base64.b64encode(self.secret).decode(),
            **fields,
        )

    def publish(self, certificate: str, **fields: Any) -> httpx2.Response:
        return self.post("/v1/publish", self.upload(certificate, **fields).to_json())
