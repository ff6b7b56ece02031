"""The door, attacked over raw sockets: nothing is read, and nothing is changed."""

from __future__ import annotations

import contextlib
import socket
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.ble_agent.app.page.door.knocking import (
    MOST_MEBIBYTES,
    Served,
    Visitor,
    form,
    served_page,
)

pytestmark = pytest.mark.slow

# How long to wait for an answer to what may not be a whole request.
_PATIENCE = 0.1


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Visitor]]:
    home = tmp_path_factory.mktemp("door") / "home"
    with served_page(home) as served:
        visitor = served.visit()
        before = _files(home)
        yield served, visitor
        # Whatever was sent: the session is open, nothing was written, and memory is bounded.
        assert visitor.is_in
        assert _files(home) == before
        assert served.peak_mebibytes() < MOST_MEBIBYTES


def _files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}


@pytest.fixture
def served(house: tuple[Served, Visitor]) -> Served:
    return house[0]


@pytest.fixture
def visitor(house: tuple[Served, Visitor]) -> Visitor:
    return house[1]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "evil.localhost:{port}",
        "127.0.0.1:{port}.evil.example",
        "evil.example#@127.0.0.1:{port}",
        "127.0.0.1:{port},evil.example",
        "0.0.0.0:{port}",
        "127.0.0.2:{port}",
        "127.1:{port}",
        "2130706433:{port}",
        "[::1]:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "127.0.0.1.:{port}",
        "-",
        "",
    ],
)
def test_a_host_that_is_not_ours(served: Served, visitor: Visitor, host: str) -> None:
    sent = ("Host", host.format(port=served.port))
    for answer in (served.ask(headers=[sent]), visitor.ask("join", sent)):
        assert answer.status in (400, 421), answer.raw
        assert not answer.shows_a_screen
        assert "evil" not in answer.body


def test_two_hosts(served: Served, visitor: Visitor) -> None:
    for first, second in ((served.host, "evil.example"), ("evil.example", served.host)) * 2:
        answer = visitor.ask("join", ("Host", first), ("Host", second))
        assert answer.status == 400
        assert not answer.shows_a_screen
    assert visitor.ask("join", ("Host", served.host), ("Host", served.host)).status == 400


@pytest.mark.parametrize(
    "origin",
    [
        "-",
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port} http://evil.example",
        "file://",
    ],
)
def test_a_form_of_another_page(served: Served, visitor: Visitor, origin: str) -> None:
    sent = ("Origin", origin.format(port=served.port))
    for screen, fields in (("language", {"lang": "vi"}), ("leave", {}), ("join/confirm", {})):
        assert visitor.post(screen, fields, sent).status == 403
    answer = served.ask("/enter", "POST", [sent], form(token=served.token))
    assert answer.status == 403
    assert "English" not in visitor.ask("join").body
    assert visitor.is_in


def test_two_origins(served: Served, visitor: Visitor) -> None:
    ours, foreign = ("Origin", f"http://{served.host}"), ("Origin", "http://evil.example")
    for pair in ((ours, foreign), (foreign, ours), (ours, ours)):
        assert visitor.post("language", {"lang": "vi"}, *pair).status == 400


@pytest.mark.parametrize("site", ["same-site", "cross-site", "none", "Same-Origin", ""])
def test_a_form_that_the_browser_says_came_from_elsewhere(visitor: Visitor, site: str) -> None:
    assert visitor.post("language", {"lang": "vi"}, ("Sec-Fetch-Site", site)).status == 403


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_a_screen_or_file_that_another_site_asks_for(
    served: Served, visitor: Visitor, site: str
) -> None:
    sent = ("Sec-Fetch-Site", site)
    assert visitor.ask("join", sent).status == 403
    # So no other page can tell that this one is open by loading its pictures.
    for path in ("/icon.svg", "/page.css", "/door.js"):
        assert served.ask(path, headers=[sent]).status == 403
    # The link itself may be opened from anywhere: a mail, a file.
    assert served.ask("/", headers=[sent]).status == 200


def test_the_door_is_nothing_to_load_into_another_page(served: Served) -> None:
    for wanted in ("iframe", "frame", "embed", "object", "image", "script", "style", "empty"):
        answer = served.ask(headers=[("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Dest", wanted)])
        assert answer.status == 403
    answer = served.ask()
    assert answer.header("x-frame-options") == "DENY"
    assert "frame-ancestors 'none'" in answer.header("content-security-policy")
    assert answer.header("cross-origin-resource-policy") == "same-origin"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "X"])
def test_other_methods(visitor: Visitor, method: str) -> None:
    answer = visitor.served.ask(f"/{visitor.path}/join", method, [("Cookie", visitor.cookie)])
    assert answer.status == 405
    assert not answer.shows_a_screen


def test_asking_for_the_head_alone(visitor: Visitor) -> None:
    served = visitor.served
    answer = served.ask(f"/{visitor.path}/join", "HEAD", [("Cookie", visitor.cookie)])
    assert answer.status == 200
    assert answer.body == ""
    assert served.ask(f"/{visitor.path}/join", "HEAD").status == 403
    # What changes something is never asked for.
    answer = served.ask(f"/{visitor.path}/leave", "HEAD", [("Cookie", visitor.cookie)])
    assert answer.status == 405
    assert visitor.is_in


def test_a_session_needs_its_path_its_cookie_and_its_form_key(
    served: Served, visitor: Visitor
) -> None:
    name, _, value = visitor.cookie.partition("=")
    for cookie in (
        "-",
        f"{name}=",
        f"{name}={value[:-1]}",
        f"{name}=x{value}",
        value,
        f"x={value}",
    ):
        answer = served.ask(f"/{visitor.path}/join", headers=[("Cookie", cookie)])
        assert answer.status == 403
        assert not answer.shows_a_screen
    for path in ("x", visitor.path[:-1], visitor.path + "x", visitor.path.swapcase(), value):
        answer = served.ask(f"/{path}/join", headers=[("Cookie", visitor.cookie)])
        assert answer.status == 403
        assert not answer.shows_a_screen
    for key in ("", visitor.key[:-1], visitor.key.swapcase(), value, visitor.path, "\ud7ff\x00"):
        assert visitor.post("language", {"key": key, "lang": "vi"}).status == 403
    raw = b"lang=vi&key=%ff%fe" + bytes(range(128, 256))
    sent = [("Cookie", visitor.cookie)]
    assert served.ask(f"/{visitor.path}/language", "POST", sent, raw).status == 403
    assert "English" not in visitor.ask("join").body


@pytest.mark.parametrize(
    "cookies",
    [
        "{name}=evil; {cookie}",
        "{cookie}; {name}=evil",
        "a=b; {cookie}; =; ;;",
        "truyvet=x; {cookie}",
    ],
)
def test_cookies_of_other_ports_do_not_lock_the_owner_out(visitor: Visitor, cookies: str) -> None:
    """Cookies do not see ports: another local page may set one for the whole host.

    It cannot know the name of ours.
    """
    sent = cookies.format(name="truyvet", cookie=visitor.cookie)
    answer = visitor.served.ask(f"/{visitor.path}/join", headers=[("Cookie", sent)])
    assert answer.status == 200
    assert answer.shows_a_screen


def test_two_cookie_headers(visitor: Visitor) -> None:
    assert visitor.ask("join", ("Cookie", visitor.cookie)).status == 400


@pytest.mark.parametrize(
    "target",
    [
        "//{path}/join",
        "/{path}//join",
        "/./{path}/join",
        "/x/../{path}/join",
        "/x/%2e%2e/{path}/join",
        "/{path}/join/",
        "/{path}/join;x",
        "/{path}/join%00",
        "/{path}/../etc/passwd",
        "/{path}/%2e%2e/%2e%2e/etc/passwd",
        "/page.css/../../application.py",
        "/..%2fapplication.py",
        "/static/page.css",
        "/%2e%2e/templates/today.html",
        "/page.css%00.html",
        "http://{host}/{path}/join",
        "http://evil.example/{path}/join",
        "//evil.example/{path}/join/",
        "/{path}\\join",
        "*",
        "{path}/join",
        "?/{path}/join",
    ],
)
def test_paths_that_play_tricks(served: Served, visitor: Visitor, target: str) -> None:
    target = target.format(path=visitor.path, host=served.host)
    without = served.ask(target)
    assert not without.shows_a_screen
    assert without.status < 500
    assert "root:" not in without.body
    assert "import" not in without.body
    assert "evil" not in without.raw.decode()
    answer = served.ask(target, headers=[("Cookie", visitor.cookie)])
    assert answer.status < 500
    # Only the path as it was given leads in; a redirect stays on this page.
    assert not answer.shows_a_screen
    assert "evil" not in answer.raw.decode()


def test_an_encoded_path_is_the_same_path(served: Served, visitor: Visitor) -> None:
    encoded = "".join(f"%{ord(each):02x}" for each in visitor.path)
    assert not served.ask(f"/{encoded}/join").shows_a_screen
    assert served.ask(f"/{encoded}/join", headers=[("Cookie", visitor.cookie)]).status == 200


def _smuggled(served: Served, visitor: Visitor) -> bytes:
    """A whole request that must never be answered: it has all that the session needs."""
    return served.request(
        f"/{visitor.path}/language",
        "POST",
        [("Cookie", visitor.cookie)],
        form(key=visitor.key, lang="vi"),
    )


@pytest.mark.parametrize(
    "shape",
    [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n",
        "Transfer-Encoding:\x0bchunked\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 9\r\n\r\n",
        "Content-Length: 0, 9\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 0x0\r\n\r\n",
        "Content-Length: 9999999999999999999999\r\n\r\n",
        "Content-Length: \xb2\r\n\r\n",
        "X: 1\r\n Content-Length: 0\r\n\r\n",
        "X: \x00\r\nContent-Length: 0\r\n\r\n",
        "X\x00: 1\r\nContent-Length: 0\r\n\r\n",
        "X: 1\rContent-Length: 0\r\n\r\n",
        "X: " + "a" * 70_000 + "\r\nContent-Length: 0\r\n\r\n",
        "X: a\r\n" * 20_000 + "Content-Length: 0\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: 104857600\r\n\r\n",
        "Content-Length: 104857600\r\n\r\n",
        "\r\n",
    ],
)
def test_one_request_is_never_taken_for_two(served: Served, visitor: Visitor, shape: str) -> None:
    head = f"POST /enter HTTP/1.1\r\nHost: {served.host}\r\nOrigin: http://{served.host}\r\n"
    raw = (head + shape).encode("latin-1") + _smuggled(served, visitor)
    answer = served.send(raw, patience=_PATIENCE)
    assert answer.raw.count(b"HTTP/1.1 ") <= 1
    assert answer.status in (0, 400, 403, 411, 413), answer.raw
    assert answer.status == 0 or answer.header("connection") == "close" or answer.status == 403
    assert visitor.is_in


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"\r\n" * 5_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"A" * 100_000,
        b"",
    ],
)
def test_what_is_no_request(served: Served, line: bytes) -> None:
    answer = served.send(line, patience=_PATIENCE)
    assert answer.status in (0, 400, 421), answer.raw
    assert not answer.shows_a_screen


def test_pipelined_requests_are_each_judged(served: Served, visitor: Visitor) -> None:
    keep = [("Connection", "keep-alive"), ("Cookie", visitor.cookie)]
    screen = served.request(f"/{visitor.path}/join", headers=keep)
    foreign = served.request(f"/{visitor.path}/join", headers=[*keep, ("Host", "evil.example")])
    raw = served.send(screen + foreign + screen).raw
    # What follows a refusal on the same connection is not heard.
    assert raw.count(b"HTTP/1.1 200") == 1
    assert raw.count(b"HTTP/1.1 421") == 1
    assert raw.count(b"HTTP/1.1 ") == 2


def test_an_upgrade_is_not_offered(served: Served, visitor: Visitor) -> None:
    for protocol in ("websocket", "h2c"):
        upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", protocol),
            ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("Sec-WebSocket-Version", "13"),
        ]
        assert served.ask(f"/{visitor.path}/join", headers=upgrade).status == 403


def test_a_body_of_100_mb_is_refused_unread(served: Served, visitor: Visitor) -> None:
    for path in ("/enter", f"/{visitor.path}/join/preview"):
        answer = served.ask(
            path,
            "POST",
            [("Cookie", visitor.cookie), ("Content-Length", str(100 << 20))],
            bytes(4 << 20),
        )
        # The system may lose the answer when what was sent is thrown away.
        assert answer.status in (0, 413)
    big = b"key=" + b"a" * ((64 << 10) + 1)
    assert served.ask("/enter", "POST", body=big).status == 413
    assert served.ask("/enter", "POST", body=big[: 64 << 10]).status == 403


def test_a_form_of_too_many_fields(served: Served, visitor: Visitor) -> None:
    body = b"&".join([b"a=1"] * 10_000)
    for path in ("/enter", f"/{visitor.path}/language"):
        answer = served.ask(path, "POST", [("Cookie", visitor.cookie)], body)
        assert answer.status in (400, 403)


def test_whoever_hangs_up_leaves_nothing_behind(served: Served, visitor: Visitor) -> None:
    """In the middle of a head, of a body, of an answer; the log stays empty."""
    whole = _smuggled(served, visitor)[:-10]
    entering = served.request("/enter", "POST", [("Content-Length", "60000")], b"token=")
    screen = served.request(f"/{visitor.path}/join", headers=[("Cookie", visitor.cookie)])
    chunked = [("Content-Length", "-"), ("Transfer-Encoding", "chunked")]
    malformed = served.request("/enter", "POST", chunked, b"zz\r\n")
    for raw in (whole, whole[:100], entering, screen, screen * 3, malformed, b"\r\n", b""):
        for how in (socket.SHUT_WR, socket.SHUT_RDWR, None):
            with served.connect() as connection:
                connection.sendall(raw)
                if how is not None:
                    connection.shutdown(how)
    assert visitor.is_in


def test_200_connections_that_say_nothing_or_little(served: Served, visitor: Visitor) -> None:
    begun = [
        b"",
        b"GET",
        f"GET / HTTP/1.1\r\nHost: {served.host}\r\nX: ".encode(),
        served.request("/enter", "POST", [("Content-Length", "60000")], b"token="),
        served.request(f"/{visitor.path}/join", headers=[("Connection", "keep-alive")]),
    ]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(served.connect()) for _ in range(200)]
        for index, connection in enumerate(connections):
            with contextlib.suppress(OSError):
                connection.sendall(begun[index % len(begun)])
        # The owner is served meanwhile, again and again.
        for _ in range(10):
            assert visitor.is_in
            for index, connection in enumerate(connections):
                with contextlib.suppress(OSError):
                    connection.sendall(b"a" if index % 2 else b"")
        assert _open_files(served) < 80


def _open_files(served: Served) -> int:
    return len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))


def test_the_log_and_the_arguments_hold_no_secret(served: Served, visitor: Visitor) -> None:
    arguments = Path(f"/proc/{served.process.pid}/cmdline").read_bytes().decode()
    variables = Path(f"/proc/{served.process.pid}/environ").read_bytes().decode()
    for secret in (served.token, visitor.path, visitor.cookie.partition("=")[2], visitor.key):
        assert secret not in arguments
        assert secret not in variables


def test_every_answer_forbids_keeping_framing_and_scripts(served: Served, visitor: Visitor) -> None:
    answers = [
        served.ask(),
        served.ask("/nothing"),
        served.ask("/door.js"),
        served.ask(headers=[("Host", "evil.example")]),
        served.ask("/enter", "POST", body=form(token="x")),
        visitor.ask("join"),
        visitor.ask("today"),
        visitor.ask("nothing"),
        visitor.post("join/preview", {"line": "x"}),
    ]
    for answer in answers:
        policy = answer.header("content-security-policy")
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "same-origin"
        assert answer.header("server") == ""
        assert answer.header("access-control-allow-origin") == ""


@pytest.mark.parametrize(
    "echo", ["/<script>pwn(1)</script>", "/x?<script>pwn(1)</script>", "/%3Cscript%3Epwn(1)"]
)
def test_error_pages_echo_nothing(served: Served, visitor: Visitor, echo: str) -> None:
    for answer in (
        served.ask(echo),
        visitor.ask(echo.lstrip("/")),
        served.ask("/enter", "POST", body=form(token="<script>pwn(1)")),
    ):
        assert "pwn" not in answer.raw.decode()


_HEADER = st.sampled_from(
    [
        "Host: {host}",
        "Host: evil.example",
        "Origin: http://{host}",
        "Origin: null",
        "Content-Length: 0",
        "Content-Length: 7",
        "Content-Length: 70000",
        "Transfer-Encoding: chunked",
        "Connection: keep-alive",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Cookie: truyvet=x; =; a",
        "Content-Type: multipart/form-data; boundary=x",
        "Expect: 100-continue",
        "Range: bytes=0-1",
        " folded",
        "X: \x00",
    ]
)
_TARGET = st.sampled_from(
    [
        "/",
        "/enter",
        "/{path}/today",
        "/{path}/leave",
        "/x/join",
        "/page.css",
        "*",
        "//",
        "/%00",
        "/?a",
    ]
) | st.text(st.characters(max_codepoint=255), max_size=30)


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "get", "\x00"]),
    target=_TARGET,
    headers=st.lists(_HEADER | st.text(st.characters(max_codepoint=255), max_size=40), max_size=8),
    body=st.binary(max_size=100) | st.sampled_from([b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"]),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
)
@example("POST", "/enter", ["Host: {host}", "Transfer-Encoding: chunked"], b"zz\r\n", "\r\n")
@example(
    "POST", "/enter", ["Host: {host}", "Origin: http://{host}", "Content-Length: 7"], b"", "\r\n"
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_request_is_answered_with_a_fault_or_a_screen(
    served: Served,
    visitor: Visitor,
    method: str,
    target: str,
    headers: list[str],
    body: bytes,
    end: str,
) -> None:
    lines = [f"{method} {target} HTTP/1.1", *headers, "", ""]
    known = {"{host}": served.host, "{path}": visitor.path}
    head = end.join(lines)
    for name, value in known.items():
        head = head.replace(name, value)
    answer = served.send(head.encode("latin-1") + body, patience=_PATIENCE)
    assert answer.status < 500, answer.raw
    assert not answer.shows_a_screen


@given(raw=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_bytes_are_answered_with_a_fault_or_a_screen(served: Served, raw: bytes) -> None:
    answer = served.send(raw, patience=_PATIENCE)
    assert answer.status in (0, 400, 421), answer.raw


def test_a_session_of_ones_own_choice_is_not_taken(served: Served) -> None:
    """Nothing that a browser brings along becomes a session (fixation)."""
    answer = served.ask("/enter", "POST", [("Cookie", "truyvet=mine")], form(token="wrong"))
    assert answer.status == 403
    assert answer.header("set-cookie") == ""


def test_nothing_listens_beyond_loopback(served: Served) -> None:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, port = line.split()[1].split(":")
        if int(port, 16) == served.port and line.split()[3] == "0A":
            assert address == "0100007F"


_WORDS = {
    "html": '"><script>pwn(1)</script><img src=x onerror=pwn(1)>&amp;',
    "nfd": unicodedata.normalize("NFD", "Tiếng Việt: một hai ba"),
    "marks": "a" + "\u0301\u0323\u0302\u0334" * 25,
    "turned": "abc\u202egnp.exe\u2066\u2067x\u2069\u200f",
    "controls": "a\x00\x01\x1b[31mb\x7f\u0085\u2028c",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "long": "ạ" * 5_000,
}


@pytest.mark.parametrize("words", _WORDS)
def test_an_owners_words_are_shown_as_words(visitor: Visitor, words: str) -> None:
    for screen, field in (("join/preview", "line"), ("send/preview", "code")):
        answer = visitor.post(screen, {field: _WORDS[words]})
        assert answer.status in (200, 303, 400, 409), answer.raw
        assert "<script>pwn" not in answer.body
        assert "<img src=x" not in answer.body
        assert "49" not in answer.body
        assert not set(answer.body) & set("\u202e\u2066\u2067\u200f\x00\x01\x1b\x7f\u0085")
        assert len(answer.raw) < 60_000
