"""A certificate of the page's own, for one run; its key is never in a file."""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ble_agent.app.page.lan.addresses import Address
from tracing_core.clock import Clock

__all__ = ["make_context"]

_DAY = datetime.timedelta(days=1)
_VALID_DAYS = 30


def make_context(address: Address, clock: Clock) -> tuple[ssl.SSLContext, str]:
    """Make a key and a certificate for an address.

    Returns
    -------
    tuple of SSLContext and str
        What a server needs, and the certificate's SHA-256 fingerprint as browsers show it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(address, key, clock)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # A session is never resumed, so a ticket is only more to send.
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # OpenSSL reads files only. A pipe is one that is never on a disk.
    with (
        _readable(certificate.public_bytes(Encoding.PEM)) as chain_path,
        _readable(private) as key_path,
    ):
        context.load_cert_chain(chain_path, key_path)
    return context, certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _certificate(
    address: Address, key: ec.EllipticCurvePrivateKey, clock: Clock
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "truyvet")])
    now = datetime.datetime.fromtimestamp(clock.now(), datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _VALID_DAYS * _DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


@contextlib.contextmanager
def _readable(data: bytes) -> Iterator[str]:
    """Yield a path at which a few hundred bytes can be read once, by this process alone."""
    reader, writer = os.pipe()
    try:
        with open(writer, "wb") as file:
            file.write(data)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
