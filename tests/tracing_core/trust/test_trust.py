import base64
import dataclasses
import hashlib
import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.refusals import check_one_line, may_refuse
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.configuration.isolation import IsolationRules
from tracing_core.configuration.risk_model import RiskModelConfiguration
from tracing_core.errors import InvalidKey, InvalidValue, TrustError
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.signed_config import Contact, SignedConfig
from tracing_core.trust.signed_document import MAX_DOCUMENT_BYTES, fingerprint
from tracing_core.trust.trust_chain import ExportVerificationKey, TrustDocument, verify_trust_chain

# The same in every process, since the names of tests hold fingerprints.
PRIVATE = [ec.derive_private_key(number, ec.SECP256R1()) for number in range(1001, 1006)]
PUBLIC = [key.public_key() for key in PRIVATE]
STRANGER = ec.derive_private_key(2001, ec.SECP256R1())
PINNED = fingerprint(PUBLIC[0])
EXPORT_KEY = ExportVerificationKey("452", "v1", STRANGER.public_key())
# Document n+1 names key n, and each but the first is signed by the key that the one before names.
DOCUMENTS = [
    TrustDocument(at + 1, "VN", 1_606_089_600 + at, PUBLIC[at], (EXPORT_KEY,)) for at in range(5)
]
CHAIN = [document.sign(PRIVATE[max(0, at - 1)]) for at, document in enumerate(DOCUMENTS)]
CONFIG = SignedConfig(
    region="VN",
    sequence=3,
    issued_at=1_606_089_600,
    risk=ExposureConfiguration.default(),
    health_authority_id="vn.gov.moh",
    contact={
        "vi": Contact("Bộ Y tế", "1900 9095", "https://moh.gov.vn/", "Ở nhà.\nGọi cho chúng tôi."),
        "en": Contact("Ministry of Health"),
    },
    check_interval_seconds=3600,
    expires_at=1_607_000_000,
)


def accept(documents, pinned=PINNED, last=None):
    return verify_trust_chain(documents, fingerprint=pinned, last=last)


def refused(text, documents, pinned=PINNED, last=None):
    with pytest.raises(TrustError, match=text) as caught:
        accept(documents, pinned, last)
    check_one_line(caught.value)


def test_a_fingerprint_is_the_sha256_of_the_key():
    der = PUBLIC[0].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(der).hexdigest() == PINNED


@pytest.mark.parametrize("count", range(1, 6))
def test_joining_follows_the_whole_chain(count):
    assert accept(CHAIN[:count]) == DOCUMENTS[count - 1]


@pytest.mark.parametrize("known", range(5))
@pytest.mark.parametrize("first", range(5))
def test_a_device_goes_on_from_what_it_accepted(known, first):
    last = DOCUMENTS[known]
    if first <= known + 1:
        assert accept(CHAIN[first:], None, last) == DOCUMENTS[4]
    else:
        refused("leaves out trust documents", CHAIN[first:], None, last)
    if first < known:
        refused("fewer trust documents", CHAIN[: first + 1], None, last)


def test_nothing_new_is_what_was_accepted():
    assert accept(CHAIN, None, DOCUMENTS[4]) == DOCUMENTS[4]
    assert accept(CHAIN[4:], None, DOCUMENTS[4]) == DOCUMENTS[4]


def test_the_pinned_key_is_not_looked_at_later():
    assert accept(CHAIN, "0" * 64, DOCUMENTS[0]) == DOCUMENTS[4]


@pytest.mark.parametrize("pinned", [fingerprint(PUBLIC[1]), "", None, PINNED.upper()])
def test_another_server_than_the_pinned_one(pinned):
    refused("check the fingerprint", CHAIN, pinned)


def test_a_chain_that_does_not_begin_at_the_first():
    refused("check the fingerprint", CHAIN[1:])
    refused("fewer trust documents", [])
    refused("fewer trust documents", [], None, DOCUMENTS[0])


@pytest.mark.parametrize("at", range(5))
def test_one_document_signed_by_a_stranger_breaks_the_chain(at):
    forged = [*CHAIN[:at], DOCUMENTS[at].sign(STRANGER), *CHAIN[at + 1 :]]
    refused("not signed by the key this device trusts", forged)


def test_a_new_key_cannot_introduce_itself():
    # Only the first document is signed by the key it names.
    refused("not signed by the key", [CHAIN[0], DOCUMENTS[1].sign(PRIVATE[1])])


def test_documents_out_of_order_left_out_or_repeated():
    for order in ([0, 2], [0, 2, 1], [0, 1, 1], [0, 0], [0, 1, 0]):
        refused("not numbered consecutively", [CHAIN[at] for at in order])


def test_another_history_than_the_accepted_one():
    other = dataclasses.replace(DOCUMENTS[1], issued_at=5)
    forked = [CHAIN[0], other.sign(PRIVATE[0])]
    assert accept(forked) == other
    refused("replaced a trust document", forked, None, DOCUMENTS[1])


def test_a_server_may_not_change_its_region():
    moved = dataclasses.replace(DOCUMENTS[1], region="LA")
    refused("changed its region", [CHAIN[0], moved.sign(PRIVATE[0])])


def resigned(claims, key=PRIVATE[0], typ="truyvet-trust+jwt", algorithm="ES256"):
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, headers={"typ": typ})


def claims_of(document):
    payload = document.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sequence", 0),
        ("sequence", True),
        ("sequence", "1"),
        ("sequence", 2**31),
        ("region", ""),
        ("region", "V\nN"),
        ("region", "\x1b[31mVN"),
        ("region", "\ud800"),
        ("region", "N\u202eV"),
        ("region", None),
        ("issued_at", -1),
        ("issued_at", 1.5),
        ("config_key", "AAAA"),
        ("config_key", "é"),
        ("config_key", 5),
        ("export_keys", []),
        ("export_keys", {}),
        ("export_keys", [5]),
        ("export_keys", [{"key_id": "452"}]),
        ("export_keys", [{"key_id": "452", "key_version": "v1", "public_key": ""}]),
    ],
)
def test_trust_documents_that_cannot_be_used(name, value):
    claims = claims_of(CHAIN[0])
    refused(
        f"cannot be used: .*({name}|public_key|key_id|key_version)",
        [resigned(claims | {name: value})],
    )
    del claims[name]
    refused(f"cannot be used: {name} is missing", [resigned(claims)])


def test_a_document_no_device_could_use_is_not_signed():
    for change in ({"sequence": 0}, {"region": ""}, {"export_keys": ()}):
        with pytest.raises(TrustError, match="cannot be used"):
            dataclasses.replace(DOCUMENTS[0], **change).sign(PRIVATE[0])


def test_keys_on_other_curves():
    other = ec.generate_private_key(ec.SECP384R1())
    der = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    claims = claims_of(CHAIN[0]) | {"config_key": base64.b64encode(der).decode()}
    refused("config_key must be on the curve P-256", [resigned(claims)])
    with pytest.raises(InvalidKey, match="P-256"):
        DOCUMENTS[0].sign(other)


def test_unknown_fields_of_later_versions_are_ignored():
    assert accept([resigned(claims_of(CHAIN[0]) | {"news": [1]})]) == DOCUMENTS[0]


def segments(*parts):
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def test_no_other_algorithm_and_no_other_type():
    claims = claims_of(CHAIN[0])
    spki = PUBLIC[0].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    payload = json.dumps(claims).encode()
    unsigned = segments(b'{"alg":"none","typ":"truyvet-trust+jwt"}', payload, b"")
    refused("damaged, or not signed with ES256", [unsigned])
    # The public key as a shared secret, the classic confusion.
    signed = segments(b'{"alg":"HS256","typ":"truyvet-trust+jwt"}', payload)
    shared = f"{signed}.{segments(hmac.digest(spki, signed.encode(), 'sha256'))}"
    refused("damaged, or not signed with ES256", [shared])
    wider = resigned(claims, ec.generate_private_key(ec.SECP384R1()), algorithm="ES384")
    refused("damaged, or not signed with ES256", [wider])
    for typ in ("JWT", "truyvet-config+jwt", "", None, 5):
        header = json.dumps({"alg": "ES256", "typ": typ}).encode()
        refused("not of the type|damaged", [segments(header, payload, bytes(64))])
    with pytest.raises(TrustError, match="not of the type"):
        SignedConfig.verify(CHAIN[0], PUBLIC[0])
    with pytest.raises(TrustError, match="not of the type"):
        TrustDocument.verify(CONFIG.sign(PRIVATE[0]), PUBLIC[0])


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 40_000])
def test_payloads_that_are_no_objects(payload):
    refused("not JSON|cannot be used", [resigned(payload)])


def test_documents_beyond_the_limit():
    refused("larger than 65536", ["x" * (MAX_DOCUMENT_BYTES + 1)])


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: segments(data, data, data)))
def test_any_text_is_refused(text):
    with may_refuse(TrustError):
        accept([text])
        raise AssertionError("accepted")
    with may_refuse(TrustError):
        SignedConfig.verify(text, PUBLIC[0])
        raise AssertionError("accepted")


@given(st.data())
def test_a_changed_letter_anywhere_is_refused_or_changes_nothing(data):
    document = CONFIG.sign(PRIVATE[0])
    at = data.draw(st.integers(0, len(document) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    with may_refuse(TrustError):
        changed = document[:at] + letter + document[at + 1 :]
        assert SignedConfig.verify(changed, PUBLIC[0]) == CONFIG


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.data())
def test_any_signed_claims_are_read_or_refused(data):
    trust, config = claims_of(CHAIN[0]), claims_of(CONFIG.sign(PRIVATE[0]))
    for claims, typ, verify in (
        (trust, "truyvet-trust+jwt", TrustDocument.verify),
        (config, "truyvet-config+jwt", SignedConfig.verify),
    ):
        change = st.dictionaries(st.sampled_from(sorted(claims)), json_values, max_size=3)
        changed = data.draw(change.map(lambda change, claims=claims: claims | change) | json_values)
        with may_refuse(TrustError):
            verify(resigned(changed, typ=typ), PUBLIC[0])


def test_a_configuration_is_read_back():
    assert SignedConfig.verify(CONFIG.sign(PRIVATE[0]), PUBLIC[0]) == CONFIG
    forever = dataclasses.replace(CONFIG, expires_at=None)
    assert SignedConfig.verify(forever.sign(PRIVATE[0]), PUBLIC[0], now=1e12) == forever


def test_a_configuration_of_a_stranger():
    with pytest.raises(TrustError, match="not signed by the key this device trusts") as caught:
        SignedConfig.verify(CONFIG.sign(STRANGER), PUBLIC[0])
    check_one_line(caught.value)


def test_a_configuration_that_has_expired():
    document = CONFIG.sign(PRIVATE[0])
    assert SignedConfig.verify(document, PUBLIC[0], now=1_606_999_999) == CONFIG
    with pytest.raises(TrustError, match="has expired") as caught:
        SignedConfig.verify(document, PUBLIC[0], now=1_607_000_000)
    check_one_line(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("region", ""),
        ("sequence", 0),
        ("issued_at", -5),
        ("health_authority_id", ""),
        ("check_interval_seconds", 59),
        ("check_interval_seconds", 8 * 86400),
        ("expires_at", -1),
    ],
)
def test_a_configuration_no_device_could_use_is_not_signed(field, value):
    with pytest.raises(TrustError, match=f"cannot be used: {field} must"):
        dataclasses.replace(CONFIG, **{field: value}).sign(PRIVATE[0])


def test_a_configuration_too_large_for_devices_is_not_signed():
    contact = {name: Contact("ế" * 100, "ế" * 2000, "", "ế" * 2000) for name in ("vi", "en")}
    risk = dataclasses.replace(ExposureConfiguration.default(), source="ế" * 10_000)
    with pytest.raises(TrustError, match="larger than 65536") as caught:
        dataclasses.replace(CONFIG, contact=contact, risk=risk).sign(PRIVATE[0])
    check_one_line(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("contact", []), ("contact", {"vi": []}), ("contact", {"vi": {}}), ("risk", {}), ("risk", 5)],
)
def test_a_configuration_with_other_parts(name, value):
    claims = claims_of(CONFIG.sign(PRIVATE[0])) | {name: value}
    with pytest.raises(TrustError, match="the server's configuration cannot be used") as caught:
        SignedConfig.verify(resigned(claims, typ="truyvet-config+jwt"), PUBLIC[0])
    check_one_line(caught.value)


def test_other_languages_are_left_out():
    claims = claims_of(CONFIG.sign(PRIVATE[0]))
    claims["contact"]["fr"] = 5
    document = resigned(claims, typ="truyvet-config+jwt")
    assert SignedConfig.verify(document, PUBLIC[0]) == CONFIG


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": 5},
        {"phone": "\x1b]0;"},
        {"phone": None},
        {"url": "http://moh.gov.vn"},
        {"url": "javascript:alert(1)"},
        {"url": "https://moh.gov.vn/ evil"},
        {"advice": "x" * 2001},
        {"advice": "\x07"},
    ],
)
def test_contacts_that_could_mislead(fields):
    with pytest.raises(InvalidValue):
        Contact.from_json({"name": "Ministry"} | fields)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://en.example.vn", "https://en.example.vn"),
        ("  https://en.example.vn:8443/api/\n", "https://en.example.vn:8443/api"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9/", "http://127.9.9.9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_lines_to_join_by(text, url):
    head, newline, tail = text.partition("\n")
    line = JoinLine.parse(f"{head}#{PINNED.upper()}{newline}{tail}")
    assert (line.url, line.fingerprint) == (url, PINNED)
    assert str(line) == f"{url}#{PINNED}"
    assert JoinLine.parse(str(line)) == line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("https://en.example.vn", "URL#FINGERPRINT"),
        ("https://en.example.vn#abc", "64 hex digits"),
        ("https://en.example.vn#" + "g" * 64, "64 hex digits"),
        ("https://en.example.vn##" + PINNED, "64 hex digits"),
        ("http://en.example.vn#" + PINNED, "plain http"),
        ("http://10.0.0.1#" + PINNED, "plain http"),
        ("http://localhost.example.vn#" + PINNED, "plain http"),
        ("http://127.0.0.1.example.vn#" + PINNED, "plain http"),
        ("http://localhost@example.vn#" + PINNED, "plain http"),
        ("ftp://en.example.vn#" + PINNED, "begin with https"),
        ("file:///etc/passwd#" + PINNED, "begin with https"),
        ("en.example.vn#" + PINNED, "begin with https"),
        ("https://#" + PINNED, "begin with https"),
        ("https://user@en.example.vn#" + PINNED, "no user"),
        ("https://en.example.vn/?x=1#" + PINNED, "no user, query"),
        ("https://en.example.vn:99999#" + PINNED, "like https"),
        ("https://en.example.vn:x#" + PINNED, "like https"),
        ("https://[::1#" + PINNED, "like https"),
        ("https://en.exa\tmple.vn#" + PINNED, "like https"),
        ("#" + PINNED, "like https"),
    ],
)
def test_lines_nobody_should_join_by(text, complaint):
    with pytest.raises(TrustError, match=complaint) as caught:
        JoinLine.parse(text)
    check_one_line(caught.value)


@given(st.text(max_size=80))
def test_any_line_is_read_or_refused(text):
    with may_refuse(TrustError):
        JoinLine.parse(text)
    with may_refuse(TrustError):
        JoinLine.parse(f"{text}#{PINNED}")


def test_no_text_of_a_document_shows_a_private_key():
    assert "PRIVATE" not in repr(DOCUMENTS[0]).upper()


def test_a_risk_model_stands_beside_the_risk_that_every_device_reads():
    model = RiskModelConfiguration("dose", {"half_life_minutes": 12.5})
    document = dataclasses.replace(CONFIG, risk_model=model).sign(PRIVATE[4])
    claims = claims_of(document)
    assert claims["risk"] == CONFIG.risk.to_json()
    assert claims["risk_model"] == {"name": "dose", "parameters": {"half_life_minutes": 12.5}}
    read = SignedConfig.verify(document, PUBLIC[4])
    assert read.risk_model == model
    assert dataclasses.replace(read, risk_model=None) == CONFIG


def test_without_a_risk_model_the_document_is_as_before():
    document = CONFIG.sign(PRIVATE[4])
    assert "risk_model" not in claims_of(document)
    assert SignedConfig.verify(document, PUBLIC[4]).risk_model is None


def test_a_server_signs_no_parameters_that_it_knows_to_be_wrong():
    model = RiskModelConfiguration("env2", {"threshold": 3})
    with pytest.raises(TrustError, match=r"risk_model cannot be used: .*'threshold'"):
        dataclasses.replace(CONFIG, risk_model=model).sign(PRIVATE[4])


def test_a_device_accepts_parameters_of_a_later_version():
    claims = claims_of(CONFIG.sign(PRIVATE[4]))
    claims["risk_model"] = {"name": "env2", "parameters": {"threshold": 3}}
    document = jwt.PyJWS().encode(
        json.dumps(claims).encode(), PRIVATE[4], "ES256", headers={"typ": "truyvet-config+jwt"}
    )
    model = SignedConfig.verify(document, PUBLIC[4]).risk_model
    with pytest.raises(InvalidValue, match="'threshold'"):
        model.parsed()


ISOLATION = {"exposure": {"days": 7, "negative_test_after": 5}, "onset": {"days": 10}}


def test_rules_of_isolation_are_read_back_and_ignored_by_older_devices():
    rules = IsolationRules.from_json(ISOLATION)
    document = dataclasses.replace(CONFIG, isolation=rules).sign(PRIVATE[4])
    assert claims_of(document)["isolation"] == ISOLATION
    assert SignedConfig.verify(document, PUBLIC[4]).isolation == rules
    assert "isolation" not in claims_of(CONFIG.sign(PRIVATE[4]))
    assert SignedConfig.verify(CONFIG.sign(PRIVATE[4]), PUBLIC[4]).isolation is None


def test_rules_of_a_later_version_are_no_rules():
    claims = claims_of(CONFIG.sign(PRIVATE[0])) | {"isolation": {"travel": {"days": 7}}}
    document = resigned(claims, typ="truyvet-config+jwt")
    assert SignedConfig.verify(document, PUBLIC[0]).isolation is None
