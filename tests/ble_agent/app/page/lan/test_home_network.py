"""The page for phones of the home network, in a network that the test makes."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.app.page.door.knocking import (
    Served,
    Visitor,
    read_all,
    served_page,
)
from tests.ble_agent.app.page.lan.network import (
    HOME,
    HOME_V6,
    PUBLIC,
    Network,
    needs_network,
    network,
)

pytestmark = [needs_network, pytest.mark.slow]

_LAST_LINE = "without use"
_PARTIAL_CHAIN = 0x80000
_MOST_MEBIBYTES = 64


@dataclass
class Phone(Served):
    """A page as a phone of the network sees it."""

    network: Network | None = None

    @property
    def link(self) -> str:
        return re.findall(r"https://\S+", self.printed)[0]

    @property
    def scheme(self) -> str:
        return "https"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.host.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def fingerprint(self) -> str:
        return re.findall(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", self.printed)[0]

    def connect(self) -> socket.socket:
        """Connect as a browser whose user has compared the fingerprint and trusts it."""
        assert self.network is not None
        return self.network.do(self._connect)

    def _connect(self) -> socket.socket:
        pem = ssl.get_server_certificate(self.address)
        assert (
            hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
            == self.fingerprint.replace(":", "").lower()
        )
        context = ssl.create_default_context(cadata=pem)
        context.verify_flags |= _PARTIAL_CHAIN
        plain = socket.create_connection(self.address, 30)
        return context.wrap_socket(plain, server_hostname=self.address[0])


@dataclass
class Own(Served):
    """The same page as this machine sees it, in its network."""

    network: Network | None = None

    def connect(self) -> socket.socket:
        assert self.network is not None
        return self.network.do(super().connect)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture
def served(net: Network, tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "home"
    with served_page(home, "--lan", prefix=net.prefix, last_line=_LAST_LINE) as page:
        yield page
        assert page.peak_mebibytes() < _MOST_MEBIBYTES
    for path in home.rglob("*"):
        assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes()


@pytest.fixture
def phone(served: Served, net: Network) -> Phone:
    return Phone(served.process, served.printed, net)


@pytest.fixture
def own(served: Served, net: Network) -> Own:
    return Own(served.process, served.printed, net)


def test_it_listens_at_the_home_address_and_at_loopback_alone(
    net: Network, phone: Phone, own: Own
) -> None:
    assert net.listeners() == {HOME, "127.0.0.1"}
    assert phone.address[0] == HOME
    for host, port in (
        (PUBLIC, phone.address[1]),
        (PUBLIC, own.port),
        ("127.0.0.1", phone.address[1]),
        (HOME, own.port),
        (HOME_V6, phone.address[1]),
    ):
        with pytest.raises(ConnectionRefusedError):
            net.do(lambda place=(host, port): socket.create_connection(place, 5))


def test_nothing_is_said_without_tls(net: Network, phone: Phone) -> None:
    for raw in (phone.request(), b"\r\n", bytes(300), b"\x16\x03\x01\x00\x05hello"):
        with net.do(lambda: socket.create_connection(phone.address, 30)) as plain:
            plain.sendall(raw)
            plain.shutdown(socket.SHUT_WR)
            answer = read_all(plain)
        # At most an alert of TLS.
        assert answer == b"" or answer[0] == 0x15
        assert b"HTTP" not in answer
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = net.do(lambda: socket.create_connection(phone.address, 30))
    with old.wrap_socket(plain) as wrapped:
        assert wrapped.version() == "TLSv1.2"


def test_a_second_phone_needs_a_second_link(phone: Phone, own: Own) -> None:
    first = Visitor.of(phone, phone.enter(phone.token))
    assert "This page is open to your home network" in first.ask("join").body
    assert phone.enter(phone.token).status == 403
    # The owner, at the device, sees the phone and makes another link.
    owner = own.visit()
    assert owner.post("more/sessions/link", {}).status == 303
    shown = owner.ask("more/sessions").body
    (link,) = re.findall(r"<code>(https://[^<]+)</code>", shown)
    assert link.startswith(f"https://{phone.host}/#")
    assert phone.fingerprint in shown
    code = owner.ask("more/sessions/link.svg")
    assert code.header("content-type").startswith("image/svg+xml")
    assert "style" not in code.body
    second = Visitor.of(phone, phone.enter(link.partition("#")[2]))
    assert phone.enter(link.partition("#")[2]).status == 403
    assert first.is_in
    assert second.is_in
    # And ends them.
    for name in re.findall(r'name="name" value="(\w+)"', owner.ask("more/sessions").body):
        # The owner's own is not ended by this.
        owner.post("more/sessions/end", {"name": name})
    assert [each.is_in for each in (first, second, owner)] == [False, False, True]


def test_the_cookie_of_a_phone_goes_by_tls_alone(phone: Phone, own: Own) -> None:
    answer = phone.enter(phone.token)
    assert "; Secure" in answer.header("set-cookie")
    assert "; Secure" not in own.enter(own.token).header("set-cookie")


def test_each_address_has_its_own_origin(phone: Phone, own: Own) -> None:
    visitor = Visitor.of(phone, phone.enter(phone.token))
    for host in (own.host, f"{PUBLIC}:{phone.address[1]}", "evil.example", HOME):
        answer = visitor.ask("join", ("Host", host))
        assert answer.status == 421
        assert not answer.shows_a_screen
    assert own.ask(headers=[("Host", phone.host)]).status == 421
    for origin in (f"http://{phone.host}", f"http://{own.host}", "null", f"https://{PUBLIC}"):
        assert visitor.post("language", {"lang": "vi"}, ("Origin", origin)).status == 403


def test_the_door_names_no_folder_to_the_network(phone: Phone, own: Own) -> None:
    assert "truyvet agent page --lan" in phone.ask().body
    assert "/home" not in phone.ask().body


def test_those_who_do_not_shake_hands_keep_nobody_out(net: Network, phone: Phone) -> None:
    def knock() -> socket.socket:
        return socket.create_connection(phone.address, 30)

    with contextlib.ExitStack() as stack:
        for index in range(200):
            connection = stack.enter_context(net.do(knock))
            with contextlib.suppress(OSError):
                connection.sendall((b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n")[index % 3])
        assert Visitor.of(phone, phone.enter(phone.token)).is_in
        open_files = list(Path(f"/proc/{phone.process.pid}/fd").iterdir())
        assert len(open_files) < 80


def test_phones_that_say_nothing_keep_nobody_out(phone: Phone, own: Own) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(phone.connect())
            with contextlib.suppress(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\n")
        assert own.visit().is_in
        assert Visitor.of(phone, phone.enter(phone.token)).is_in


def test_a_home_address_of_ipv6(net: Network, tmp_path: Path) -> None:
    with served_page(
        tmp_path / "home", "--lan", HOME_V6, prefix=net.prefix, last_line=_LAST_LINE
    ) as page:
        phone = Phone(page.process, page.printed, net)
        assert phone.address[0] == HOME_V6
        assert Visitor.of(phone, phone.enter(phone.token)).is_in


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (PUBLIC, "is not an address of a home network"),
        ("0.0.0.0", "is not an address of a home network"),
        ("::", "is not an address of a home network"),
        ("127.0.0.1", "is not an address of a home network"),
        ("169.254.3.4", "is not an address of a home network"),
        ("fe80::1", "is not an address of a home network"),
        ("100.64.0.1", "is not an address of a home network"),
        ("::ffff:192.168.77.5", "is not an address of a home network"),
        ("home.local", "is not an address of a home network"),
        ("192.168.77.9", "is not an address of this device"),
    ],
)
def test_an_address_that_is_refused_with_one_line(
    net: Network, tmp_path: Path, address: str, words: str
) -> None:
    agent = AgentProcess(tmp_path / "home", prefix=net.prefix)
    assert words in agent.refusal("page", "--no-open", "--lan", address)


def test_without_a_home_network_or_with_several(net: Network, tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "home", prefix=("unshare", "-n"))
    assert "no address in a home network" in agent.refusal("page", "--no-open", "--lan")
    agent = AgentProcess(tmp_path / "home", prefix=net.prefix)
    change = [*net.prefix, "ip", "address", "add", "10.1.2.3/32", "dev", "home0"]
    subprocess.run(change, check=True)
    try:
        said = agent.refusal("page", "--no-open", "--lan")
        assert f"10.1.2.3, {HOME}" in said
        assert PUBLIC not in said
    finally:
        subprocess.run([*change[:-4], "delete", *change[-3:]], check=True)


def test_without_use_it_closes_by_itself(net: Network, tmp_path: Path) -> None:
    with served_page(
        tmp_path / "home",
        "--lan",
        prefix=net.prefix,
        last_line=_LAST_LINE,
        clock=clock_at(time.time(), rate=2000),
    ) as page:
        assert "after 30 minutes without use" in page.printed
        assert page.process.wait(60) == 0
        assert net.listeners() == set()
