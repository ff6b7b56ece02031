"""Addresses of clients behind a proxy, as in every real service."""

import itertools
import re
from pathlib import Path

import httpx2
from click.testing import CliRunner

from server.app.cli import server
from tests.server.running import RunningServer

DOCUMENT = Path(__file__).parents[3] / "packaging/server/README.md"
LINE = "proxy_set_header X-Forwarded-For $remote_addr;"


def test_the_documented_proxy_says_who_asks_and_believes_nobody_else() -> None:
    [block] = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    [location] = re.findall(r"location / \{(.*?)\}", block, re.DOTALL)
    assert LINE in [line.strip() for line in location.splitlines()]
    # Lines of an outer block do not apply in one that sets its own headers.
    assert block.count("X-Forwarded-For") == 1


def test_the_help_says_whose_word_is_taken() -> None:
    text = " ".join(CliRunner().invoke(server, ["run", "--help"]).output.split())
    assert "X-Forwarded-For" in text
    assert "only from 127.0.0.1" in text
    assert "FORWARDED_ALLOW_IPS" in text


def test_behind_a_proxy_every_client_is_counted_by_itself(tmp_path: Path) -> None:
    settings = {"max_consecutive_code_failures": "3"}
    with RunningServer(tmp_path / "home", settings=settings) as running:
        running.init()
        running.start()

        codes = itertools.count()

        def status(forwarded_for: str) -> int:
            return httpx2.post(
                f"{running.url}/api/verify",
                # The same wrong code counts once.
                json={"code": f"{next(codes):08}"},
                headers={"X-Forwarded-For": forwarded_for},
            ).status_code

        assert [status("192.0.2.1") for _ in range(4)] == [400, 400, 400, 429]
        assert status("192.0.2.2") == 400
        # From a proxy that appends to the client's header, only what it appended is trusted.
        assert status("203.0.113.9, 192.0.2.1") == 429
