"""The client (client.c), built on first use, and the requests that it sends."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.server.yardsticks import KEYS
from server.config import Settings
from server.store.private_keys import NamedKey
from server.verification.certificate import sign_certificate
from server.verification.store import Subject
from tracing_core.http.publish_request import PublishedKey, PublishRequest, key_hmac

__all__ = ["build_client", "publish_requests", "send", "write_requests"]

_SOURCE = Path(__file__).with_name("client.c")
_DAY = 86_400
# As long as a device's own: what it sends is padded.
_PADDING = 1_200


def build_client(folder: Path) -> Path:
    """Compile the client into a folder, and return the program."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise SystemExit("no C compiler: apt install gcc")
    program = folder / "client"
    options = ["-O2", "-D_GNU_SOURCE", "-o", str(program)]
    subprocess.run([compiler, *options, str(_SOURCE)], check=True)
    return program


def _request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def publish_requests(number: int, key: NamedKey, settings: Settings) -> list[bytes]:
    """Return uploads of 13 keys, each with a certificate of its own, as whole HTTP requests."""
    now = time.time()
    today = int(now // _DAY) * 144
    day = time.strftime("%Y-%m-%d", time.gmtime(now - 2 * _DAY))
    subject, made = Subject("confirmed", day), []
    for _ in range(number):
        keys = tuple(
            PublishedKey(b64encode(secrets.token_bytes(16)).decode(), today - 144 * ago)
            for ago in range(1, KEYS + 1)
        )
        secret = secrets.token_bytes(32)
        upload = PublishRequest(
            keys,
            settings.health_authority_id,
            sign_certificate(subject, key_hmac(keys, secret), key, settings, now),
            b64encode(secret).decode(),
            padding="A" * _PADDING,
        )
        made.append(_request("/v1/publish", json.dumps(upload.to_json()).encode()))
    return made


def write_requests(requests: Iterable[bytes], file: Path) -> None:
    """Write requests as the client reads them."""
    file.write_bytes(b"".join(len(each).to_bytes(4, "little") + each for each in requests))


def send(
    program: Path,
    requests: Path,
    ports: Sequence[int],
    seconds: float,
    *,
    word: str = f'"insertedExposures":{KEYS}',
    at_start: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Send requests over as many connections as there are ports, and return what was measured.

    `at_start` is called when the client has read the requests and before it sends the first.
    """
    command = [str(program), str(seconds), word, str(requests), *map(str, ports)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the client did not start")
        at_start()
        said, _ = process.communicate("go\n")
    if process.returncode:
        raise SystemExit("a server ended the connection of the client")
    found: dict[str, Any] = json.loads(said)
    if found["refused"]:
        raise SystemExit(f"{found['refused']} requests were refused: {found['first_refusal']}")
    return found
