"""Every form in which authorities published the keys that verify key files."""

import base64
import codecs
import datetime
import itertools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.exports import OTHER_KEY, PUBLIC_KEY, SIGNING_KEY
from tests.tracing_core.refusals import check_one_line, may_refuse
from tracing_core.errors import InvalidKey
from tracing_core.export_file import MAX_PUBLIC_KEY_BYTES, VerificationKey, read_public_key


def public_bytes(key, encoding=Encoding.DER):
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def certificate(private_key=SIGNING_KEY, signer=SIGNING_KEY):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    long_ago = datetime.datetime(2020, 6, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder(name, name, private_key.public_key(), 1)
        .not_valid_before(long_ago)
        .not_valid_after(long_ago + datetime.timedelta(days=1))
        .sign(signer, SHA256())
    )


DER = public_bytes(PUBLIC_KEY)
PEM = public_bytes(PUBLIC_KEY, Encoding.PEM)
LINE = base64.b64encode(DER)
POINT = PUBLIC_KEY.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
CERTIFICATE = certificate()
CURVE = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
OTHER_PEM = public_bytes(OTHER_KEY.public_key(), Encoding.PEM)

FORMS = {
    "pem": PEM,
    "pem, CRLF": PEM.replace(b"\n", b"\r\n"),
    "pem, byte order mark": codecs.BOM_UTF8 + PEM,
    "pem, as PowerShell redirects": PEM.decode().encode("utf-16"),
    "pem, indented": b"\n".join(b"    " + line for line in PEM.splitlines()),
    "pem in one line": PEM.replace(b"\n", b" "),
    "pem, escaped as in JSON": b'"' + PEM.replace(b"\n", b"\\n") + b'"',
    "pem, after a comment": b"# key of the authority, 2020\n" + PEM,
    "pem, after its curve": CURVE + PEM,
    "der": DER,
    # corona-warn-app/cwa-documentation#740 and immuni-app/immuni-documentation#114
    "base64": LINE,
    "base64, line end": LINE + b"\r\n",
    "base64, wrapped": base64.encodebytes(DER),
    "base64, byte order mark": codecs.BOM_UTF8 + LINE,
    "base64 for addresses": base64.urlsafe_b64encode(DER).rstrip(b"="),
    "base64 of the pem": base64.b64encode(PEM),
    "base64 of the point": base64.b64encode(POINT),
    "point": POINT,
    "compressed point": PUBLIC_KEY.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
    "certificate": CERTIFICATE.public_bytes(Encoding.PEM),
    "certificate, der": CERTIFICATE.public_bytes(Encoding.DER),
    "certificate, base64": base64.b64encode(CERTIFICATE.public_bytes(Encoding.DER)),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_key(data):
    assert read_public_key(data, "key") == VerificationKey(PUBLIC_KEY)


@pytest.mark.parametrize(
    ("prefix", "named"),
    [
        # microg/GmsCore PR 1607, and the sample keys of exposure-notifications-android.
        (b"262-v1,", ("262", "v1")),
        (b"de.rki.coronawarnapp-dev-v1,", ("de.rki.coronawarnapp-dev", "v1")),
        (b"com.example.app:ExampleServer-v1,", ("ExampleServer", "v1")),
        (b"222,", ("222", None)),
        (b"-v1,", ("", "v1")),
        (b"262-v1, ", ("262", "v1")),
        (codecs.BOM_UTF8 + b"\r\n262-v1,", ("262", "v1")),
    ],
)
@pytest.mark.parametrize("key", [LINE, LINE + b"\r\n", PEM], ids=["line", "CRLF", "PEM"])
def test_a_key_may_come_with_its_name(prefix, named, key):
    assert read_public_key(prefix + key, "key") == VerificationKey(PUBLIC_KEY, *named)


def private(encoding, key_format, encryption=None):
    return SIGNING_KEY.private_bytes(encoding, key_format, encryption or NoEncryption())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a public key"),
        (b"junk", "not a public key"),
        (b"<!DOCTYPE html><html>404</html>", "not a public key"),
        (PEM[:-40], "not a public key"),
        (DER[:-1], "not a public key"),
        (DER + b"1", "not a public key"),
        (LINE[:-8], "not a public key"),
        (b"4" + POINT[1:], "not a public key"),
        (b"262-v1,", "not a public key"),
        (b"x" * 101 + b"-v1," + LINE, "100 characters"),
        (PEM + OTHER_PEM, "more than one key"),
        (b"262-v1," + LINE + b"|310-v1," + LINE, "more than one key"),
        (private(Encoding.PEM, PrivateFormat.PKCS8), "private key"),
        (private(Encoding.PEM, PrivateFormat.TraditionalOpenSSL), "private key"),
        (private(Encoding.DER, PrivateFormat.PKCS8), "private key"),
        (base64.b64encode(private(Encoding.DER, PrivateFormat.PKCS8)), "private key"),
        (
            private(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
            "private key",
        ),
        (public_bytes(ec.generate_private_key(ec.SECP384R1()).public_key()), "P-256"),
        (
            public_bytes(rsa.generate_private_key(65537, 2048).public_key(), Encoding.PEM),
            "P-256",
        ),
        (
            certificate(rsa.generate_private_key(65537, 2048)).public_bytes(Encoding.PEM),
            "P-256",
        ),
        (PEM + b"\n" * MAX_PUBLIC_KEY_BYTES, "too large"),
    ],
    # Not by their bytes, which differ between runs.
    ids=map(str, itertools.count()),
)
def test_anything_else_is_refused_in_one_line(data, words):
    with pytest.raises(InvalidKey, match=words) as caught:
        read_public_key(data, "key.txt")
    check_one_line(caught.value)
    assert str(caught.value).startswith("key.txt ")


def damaged(form, at, junk):
    return form[:at] + junk + form[at:]


DAMAGED = st.builds(
    damaged, st.sampled_from(list(FORMS.values())), st.integers(0, 99), st.binary(max_size=4)
)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | DAMAGED)
def test_any_public_key_is_read_or_refused(data):
    with may_refuse(InvalidKey):
        read_public_key(data, "key")
