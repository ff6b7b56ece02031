"""Which addresses are of a home, the certificate of one run, and the code of a link."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

import pytest
import zxingcpp
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ble_agent.app.page.lan.addresses import choose_address, home_addresses, is_home_address
from ble_agent.app.page.lan.certificate import make_context
from ble_agent.app.page.lan.qr import qr_svg, qr_text
from tracing_core.clock import ManualClock
from tracing_core.errors import NotPossible

LINK = "https://192.168.77.5:42199/#xLWrCbleVo5ogpBCdQ4e8VkwQBeQntly"
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", True),
        ("172.15.255.255", False),
        ("172.16.0.0", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.167.255.255", False),
        ("192.168.1.20", True),
        ("192.169.0.0", False),
        ("127.0.0.1", False),
        ("169.254.1.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("fd12::1", True),
        ("fc00::1", False),
        ("fe80::1", False),
        ("::1", False),
        ("2001:db8::1", False),
        ("::ffff:192.168.1.20", False),
    ],
)
def test_an_address_of_a_home(address: str, expected: bool) -> None:
    assert is_home_address(ipaddress.ip_address(address)) is expected


def test_only_addresses_of_a_home_are_listed() -> None:
    assert all(map(is_home_address, home_addresses()))


@given(st.text(min_size=1) | st.ip_addresses().map(str) | st.from_regex(r"192\.168\.\d+\.\d+"))
def test_no_other_address_is_ever_chosen(wanted: str) -> None:
    with contextlib.suppress(NotPossible):
        assert is_home_address(choose_address(wanted))


def test_a_certificate_names_its_address_and_lasts_a_month() -> None:
    address = ipaddress.ip_address("192.168.77.5")
    context, fingerprint = make_context(address, ManualClock(NOW))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(20)
        serving = threading.Thread(target=_serve, args=(context, ours))
        serving.start()
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        with trusting.wrap_socket(theirs) as wrapped:
            der = wrapped.getpeercert(binary_form=True)
        serving.join()
    assert der is not None
    assert hashlib.sha256(der).hexdigest() == fingerprint.replace(":", "").lower()
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [address]
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    assert certificate.not_valid_before_utc < now
    assert (certificate.not_valid_after_utc - now).days == 30
    # Another run has another.
    assert make_context(address, ManualClock(NOW))[1] != fingerprint


def _serve(context: ssl.SSLContext, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
        wrapped.recv(1)


def test_making_a_certificate_leaves_no_file_open() -> None:
    folder = Path("/proc/self/fd")
    before = set(folder.iterdir())
    make_context(ipaddress.ip_address("fd00::1"), ManualClock(NOW))
    assert set(folder.iterdir()) == before


def test_a_phone_reads_the_link_from_the_terminal() -> None:
    """Drawn as a terminal with a dark background does, four by eight pixels a character."""
    lines = qr_text(LINK).splitlines()
    picture = Image.new("L", (4 * len(lines[0]), 8 * len(lines)))
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            for half, filled in enumerate((character in "▀█", character in "▄█")):
                if filled:
                    at = (4 * column, 8 * row + 4 * half)
                    picture.paste(255, (*at, at[0] + 4, at[1] + 4))
    (found,) = zxingcpp.read_barcodes(picture)
    assert found.text == LINK


def test_the_picture_needs_no_style() -> None:
    picture = qr_svg(LINK).decode()
    assert "<svg" in picture
    assert "style" not in picture
    assert "<script" not in picture
