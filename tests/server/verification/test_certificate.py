import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.store.private_keys import NamedKey
from server.verification.certificate import Claims, sign_certificate, verify_certificate
from server.verification.store import Subject
from tests.server.homes import NOW, TODAY, key, make_settings, upload_of
from tracing_core.errors import PublishRejected
from tracing_core.http.publish_request import PublishRequest, key_hmac
from tracing_core.protocol.diagnosis_key import ReportType

SETTINGS = make_settings(Path("/nonexistent"))
KEY = NamedKey("certificate-1", ec.generate_private_key(ec.SECP256R1()))
SECRET = bytes(range(16))
KEYS = (key(TODAY - 144), key(TODAY - 288))


def upload(certificate: str, **fields: Any) -> PublishRequest:
    fields = {"hmac_key": base64.b64encode(SECRET).decode(), **fields}
    return upload_of(*KEYS, verification_payload=certificate, **fields)


def signed(test_type: str = "confirmed", **subject: str) -> str:
    return sign_certificate(
        Subject(test_type, **subject), key_hmac(KEYS, SECRET), KEY, SETTINGS, NOW
    )


def verified(certificate: str, now: float = NOW, **fields: Any) -> Claims:
    return verify_certificate(upload(certificate, **fields), KEY, SETTINGS, now)


def refused(certificate: str, now: float = NOW, **fields: Any) -> str:
    with pytest.raises(PublishRejected) as caught:
        verified(certificate, now, **fields)
    assert caught.value.code == "health_authority_verification_certificate_invalid"
    assert caught.value.status == 401
    return str(caught.value)


def forged(key: Any = KEY.private_key, algorithm: str = "ES256", **changes: Any) -> str:
    claims = jwt.decode(signed(), options={"verify_signature": False})
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": KEY.key_id})


def test_a_certificate_is_what_googles_servers_sign() -> None:
    token = signed("likely", symptom_date="2025-06-12", test_date="2025-06-14")
    assert jwt.get_unverified_header(token) == {
        "alg": "ES256",
        "kid": "certificate-1",
        "typ": "JWT",
    }
    assert jwt.decode(token, options={"verify_signature": False}) == {
        "iss": SETTINGS.issuer,
        "aud": SETTINGS.audience,
        "iat": int(NOW),
        "nbf": int(NOW) - 5,
        "exp": int(NOW) + 900,
        "tekmac": base64.b64encode(key_hmac(KEYS, SECRET)).decode(),
        "reportType": "likely",
        "symptomOnsetInterval": TODAY - 144 * 3,
    }


@pytest.mark.parametrize(
    ("test_type", "report_type"),
    [
        ("confirmed", ReportType.CONFIRMED_TEST),
        ("likely", ReportType.CONFIRMED_CLINICAL_DIAGNOSIS),
        ("negative", ReportType.REVOKED),
        ("user-report", ReportType.SELF_REPORT),
    ],
)
def test_what_was_signed_is_read_again(test_type: str, report_type: ReportType) -> None:
    assert verified(signed(test_type)) == Claims(report_type, 0)


def test_onset_is_of_the_test_where_symptoms_are_unknown() -> None:
    assert verified(signed(test_date="2025-06-14")).symptom_onset_interval == TODAY - 144


def test_the_form_without_risk_counts_while_every_risk_is_zero() -> None:
    text = ",".join(
        f"{each.key_text}.{each.rolling_start_interval_number}.{each.rolling_period}"
        for each in sorted(KEYS, key=lambda each: each.key_text)
    )
    mac = hmac.digest(SECRET, text.encode(), "sha256")
    assert verified(sign_certificate(Subject("confirmed"), mac, KEY, SETTINGS, NOW))


def test_it_is_valid_for_fifteen_minutes_by_the_servers_clock() -> None:
    certificate = signed()
    assert verified(certificate, NOW + 904)
    assert "expired" in refused(certificate, NOW + 905)
    assert verified(certificate, NOW - 5)
    assert "not valid yet" in refused(certificate, NOW - 6)


def test_what_the_systems_clock_shows_does_not_matter() -> None:
    later = 2.0**32
    certificate = sign_certificate(
        Subject("confirmed"), key_hmac(KEYS, SECRET), KEY, SETTINGS, later
    )
    assert verified(certificate, later) == Claims(ReportType.CONFIRMED_TEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"aud": "somebody"},
        {"iss": None},
        {"aud": None},
        {"iat": None},
        {"exp": None},
        {"exp": "9999999999"},
        {"iat": True},
        {"nbf": int(NOW) + 60},
        {"iat": int(NOW) + 60},
        {"reportType": "rumour"},
        {"reportType": None},
        {"reportType": 1},
        {"tekmac": None},
        {"tekmac": "*"},
        {"tekmac": base64.b64encode(bytes(32)).decode()},
        {"tekmac": ["a"]},
        {"symptomOnsetInterval": "soon"},
    ],
)
def test_a_wrong_claim_is_refused(changes: dict[str, Any]) -> None:
    assert refused(forged(**changes))


def test_a_forged_signature_is_refused() -> None:
    assert refused(forged(ec.generate_private_key(ec.SECP256R1())))
    assert refused(forged(key=None, algorithm="none"))
    pem = KEY.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = forged().split(".")
    head = base64.urlsafe_b64encode(
        json.dumps({"alg": "HS256", "typ": "JWT", "kid": KEY.key_id}).encode()
    ).decode()
    signing = f"{head.rstrip('=')}.{body}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, signing.encode(), hashlib.sha256)).decode()
    assert refused(f"{signing}.{mac.rstrip('=')}")


def test_an_unknown_key_id_is_refused() -> None:
    other = NamedKey("certificate-2", KEY.private_key)
    token = sign_certificate(Subject("confirmed"), key_hmac(KEYS, SECRET), other, SETTINGS, NOW)
    assert "does not know" in refused(token)


def test_a_certificate_is_for_its_keys_alone() -> None:
    assert "MAC" in refused(signed(), hmac_key=base64.b64encode(bytes(16)).decode())
    with pytest.raises(PublishRejected, match="MAC"):
        verify_certificate(
            upload_of(
                *KEYS,
                key(),
                verification_payload=signed(),
                hmac_key=base64.b64encode(SECRET).decode(),
            ),
            KEY,
            SETTINGS,
            NOW,
        )


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "e30.e30.e30", "\ud7ff.é.x"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    assert refused(text)


def test_a_secret_that_is_not_base64_is_refused() -> None:
    assert "base64" in refused(signed(), hmac_key="*")
