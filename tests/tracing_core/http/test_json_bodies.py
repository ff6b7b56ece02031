import base64
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.refusals import check_one_line, may_refuse
from tests.tracing_core.strategies import fixed, teks
from tracing_core.errors import InvalidKey, InvalidValue
from tracing_core.http import publish_request, verification
from tracing_core.http.json_body import JSONBody, _fields
from tracing_core.http.publish_request import (
    LeftOut,
    PublishedKey,
    PublishRequest,
    PublishResponse,
    check_key_hmac,
    decode_base64,
    key_hmac,
)
from tracing_core.http.verification import (
    BatchIssueRequest,
    BatchIssueResponse,
    CertificateRequest,
    CertificateResponse,
    CheckCodeStatusResponse,
    CodeHandle,
    ExpireCodeResponse,
    IssueRequest,
    IssueResponse,
    VerifyRequest,
    VerifyResponse,
)
from tracing_core.protocol.interval import ENIntervalNumber
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1)
published_keys = st.builds(PublishedKey, texts, numbers, numbers, numbers)
issue_requests = st.builds(
    IssueRequest, texts, texts, texts, st.floats(-1e6, 1e6), uuid=texts, padding=texts
)
issue_responses = st.builds(IssueResponse, texts, texts, texts, numbers, error=texts)

BODIES = {
    PublishRequest: st.builds(
        PublishRequest,
        st.lists(published_keys, max_size=3).map(tuple),
        texts,
        texts,
        texts,
        numbers,
        st.booleans(),
        texts,
        texts,
    ),
    PublishResponse: st.builds(
        PublishResponse,
        *(texts, numbers, texts, texts, texts, st.lists(texts).map(tuple), numbers),
        st.lists(st.builds(LeftOut, texts, numbers), max_size=2).map(tuple),
    ),
    VerifyRequest: st.builds(VerifyRequest, texts, st.lists(texts).map(tuple), texts, texts),
    VerifyResponse: st.builds(VerifyResponse, texts, texts, texts, texts, texts, texts, texts),
    CertificateRequest: st.builds(CertificateRequest, texts, texts, texts),
    CertificateResponse: st.builds(CertificateResponse, texts, texts, texts, texts),
    IssueRequest: issue_requests,
    IssueResponse: issue_responses,
    CodeHandle: st.builds(CodeHandle, texts, texts),
    CheckCodeStatusResponse: st.builds(CheckCodeStatusResponse, st.booleans(), numbers, numbers),
    ExpireCodeResponse: st.builds(ExpireCodeResponse, numbers, numbers, texts, texts, texts),
    BatchIssueRequest: st.builds(BatchIssueRequest, st.lists(issue_requests).map(tuple), texts),
    BatchIssueResponse: st.builds(
        BatchIssueResponse, st.lists(issue_responses).map(tuple), texts, texts, texts
    ),
}
REQUESTS = [kind for kind in BODIES if kind.__name__.endswith("Request")]
RESPONSES = [kind for kind in BODIES if kind.__name__.endswith("Response")]


def test_every_body_is_tried():
    exported = {
        value
        for module in (publish_request, verification)
        for value in (getattr(module, name) for name in module.__all__)
        if isinstance(value, type) and issubclass(value, JSONBody)
    }
    assert exported == {*BODIES, LeftOut, PublishedKey}


@pytest.mark.parametrize("kind", BODIES)
@given(data=st.data())
def test_what_is_written_is_read_back(kind, data):
    body = data.draw(BODIES[kind])
    assert kind.from_json(body.to_json()) == body
    text = json.dumps(body.to_json())
    assert kind.from_bytes(text) == kind.from_bytes(text.encode()) == body


def names(body):
    return list(body.to_json())


def test_names_are_googles():
    key = PublishedKey("a", 1, 2, 3)
    assert names(key) == ["key", "rollingStartNumber", "rollingPeriod", "transmissionRisk"]
    request = PublishRequest((key,), "b", "c", "d", 4, True, "e", "f")
    assert names(request) == [
        "temporaryExposureKeys",
        "healthAuthorityID",
        "verificationPayload",
        "hmacKey",
        "symptomOnsetInterval",
        "traveler",
        "revisionToken",
        "padding",
    ]
    assert names(PublishResponse("a", 1, "b", "c", "d", ("e",))) == [
        "revisionToken",
        "insertedExposures",
        "error",
        "code",
        "padding",
        "warnings",
    ]
    assert names(VerifyRequest("a", ("b",), "c", "d")) == ["code", "accept", "nonce", "padding"]
    assert names(VerifyResponse(*"abcdefg")) == [
        "testtype",
        "symptomDate",
        "testDate",
        "token",
        "padding",
        "error",
        "errorCode",
    ]
    assert names(CertificateRequest(*"abc")) == ["token", "ekeyhmac", "padding"]
    assert names(CertificateResponse(*"abcd")) == ["certificate", "padding", "error", "errorCode"]
    assert names(IssueRequest("a", "b", "c", 420.0, "d", "e", padding="f")) == [
        "symptomDate",
        "testDate",
        "testType",
        "tzOffset",
        "uuid",
        "externalIssuerID",
        "padding",
    ]
    assert names(IssueResponse("a", "b", "c", 1, "d", "e", "f")) == [
        "uuid",
        "code",
        "expiresAt",
        "expiresAtTimestamp",
        "padding",
        "error",
        "errorCode",
    ]
    assert names(BatchIssueRequest((IssueRequest(),), "a")) == ["codes", "padding"]
    assert names(BatchIssueResponse((IssueResponse(),), "a", "b", "c")) == [
        "codes",
        "padding",
        "error",
        "errorCode",
    ]


def test_a_key_names_its_period_always() -> None:
    """Google's key server reads a missing rollingPeriod as 0, in the MAC too (issue 9, B1)."""
    tek = TemporaryExposureKey(bytes(16), ENIntervalNumber(2_650_320))
    assert PublishedKey.of(tek).to_json() == {
        "key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "rollingStartNumber": 2_650_320,
        "rollingPeriod": 144,
        "transmissionRisk": 0,
    }
    request = PublishRequest((PublishedKey.of(tek),), "a")
    assert list(request.to_json()) == ["temporaryExposureKeys", "healthAuthorityID"]


@pytest.mark.parametrize("kind", BODIES)
def test_a_missing_field_is_the_zero_of_its_type(kind):
    body = kind.from_json({})
    values = {field.name: getattr(body, field.name) for field in dataclasses.fields(body)}
    # None taken is not the same as a server that does not say.
    assert values.pop("accepted_exposures", -1) == -1
    assert not any(values.values())


def test_what_is_missing_or_null():
    request = PublishRequest.from_json(
        {"temporaryExposureKeys": [{"key": "a", "rollingStartNumber": 5}], "padding": None}
    )
    assert request == PublishRequest((PublishedKey("a", 5, 144, 0),), "")
    assert PublishRequest.from_json({}) == PublishRequest((), "")
    zero = {"key": "a", "rollingPeriod": 0}
    assert PublishedKey.from_json(zero).rolling_period == 0
    assert PublishedKey.from_json(PublishedKey.from_json(zero).to_json()).rolling_period == 0


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"temporaryExposureKeys": {}}, "temporaryExposureKeys must be a list"),
        ({"temporaryExposureKeys": [1]}, r"temporaryExposureKeys\[0\] must be a JSON object"),
        (
            {"temporaryExposureKeys": [{}, {"rollingPeriod": "1"}]},
            r"temporaryExposureKeys\[1\].rollingPeriod must be an integer",
        ),
        (
            {"temporaryExposureKeys": [{"name": "An"}]},
            r"temporaryExposureKeys\[0\].'name' is not a field",
        ),
        ({"symptomOnsetInterval": True}, "symptomOnsetInterval must be an integer"),
        ({"symptomOnsetInterval": 1.0}, "symptomOnsetInterval must be an integer"),
        ({"symptomOnsetInterval": 2**63}, "symptomOnsetInterval must be an integer of 64 bits"),
        ({"traveler": 1}, "traveler must be true or false"),
        ({"padding": 1}, "padding must be text"),
        ({"padding": "\ud800"}, "padding must be text"),
        ({"padding": "aé\udfff"}, "padding must be text"),
        ({"regions": ["VN"]}, "'regions' is not a field"),
    ],
)
def test_wrong_fields_are_named(fields, text):
    with pytest.raises(InvalidValue, match=text) as caught:
        PublishRequest.from_json(fields)
    check_one_line(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"{} {}", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"padding": NaN}'),
        *(b"{\0}\0", b"{\0\0\0}\0\0\0"),
    ],
)
def test_bodies_that_are_not_one_object(body):
    with pytest.raises(InvalidValue, match="JSON object") as caught:
        PublishRequest.from_bytes(body)
    check_one_line(caught.value)


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_newer_server_may_answer_more(kind):
    assert kind.from_json({"news": [1, {}]}) == kind.from_json({})


def test_numbers_may_have_a_fraction_only_where_they_are_no_integers():
    assert IssueRequest.from_json({"tzOffset": -330}).tz_offset == -330.0
    assert IssueRequest.from_json({"tzOffset": 420.5}).tz_offset == 420.5
    for wrong in (10**400, True, "420", float("inf")):
        with pytest.raises(InvalidValue, match="tzOffset must be a number"):
            IssueRequest.from_json({"tzOffset": wrong})


def test_a_phone_number_is_not_shown():
    """The server's rules refuse the request, and only this one of a batch."""
    batch = BatchIssueRequest.from_json({"codes": [{"phone": "+84 912"}, {}]})
    assert "912" not in repr(batch)


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_names_are_matched_without_case_as_go_does(case):
    """peers-live.md, B9: `healthAuthorityId` is 200 at Google's server."""
    request = PublishRequest((PublishedKey("a", 1, 2, 3),), "b", "c", "d", 4, True, "e", "f")
    fields = {case(name): value for name, value in request.to_json().items()}
    [key] = request.to_json()["temporaryExposureKeys"]
    fields[case("temporaryExposureKeys")] = [{case(name): value for name, value in key.items()}]
    assert PublishRequest.from_json(fields) == request


def test_a_field_in_two_cases_and_an_unknown_one_are_refused():
    for kind in (VerifyRequest, VerifyResponse):
        with pytest.raises(InvalidValue, match="padding is given twice"):
            kind.from_json({"padding": "a", "Padding": "b"})
    with pytest.raises(InvalidValue, match=r"'Cöde' is not a field of this request"):
        VerifyRequest.from_json({"Cöde": "1"})


def test_a_long_list_is_refused_before_its_items_are_read():
    """attacks.md, T8: what is read before any check must be little."""
    body = json.dumps({"temporaryExposureKeys": [{"surprise": 1}] * 31})
    with pytest.raises(InvalidValue, match="has 31 items, but at most 30 are accepted"):
        PublishRequest.from_bytes(body, longest_list=30)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", [*BODIES, PublishedKey])
@given(data=st.data())
def test_any_json_is_read_or_refused(kind, data):
    known = [field.name for field in _fields(kind)]
    fields = data.draw(json_values | st.dictionaries(st.sampled_from(known), json_values))
    with may_refuse(InvalidValue):
        body = kind.from_json(fields)
        json.dumps(body.to_json()).encode()
        assert kind.from_json(body.to_json()) == body


@pytest.mark.parametrize("kind", REQUESTS)
@given(data=st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(kind, data):
    with may_refuse(InvalidValue):
        kind.from_bytes(data)


@given(st.binary(max_size=40))
def test_base64_of_either_alphabet_padded_or_not(data):
    standard, url = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    for text in (standard, url, standard.rstrip("="), url.rstrip("=")):
        assert decode_base64(text) == data


@given(st.text(max_size=30))
def test_any_text_is_decoded_or_refused(text):
    with may_refuse(InvalidValue):
        decode_base64(text)


@pytest.mark.parametrize("text", ["a", "ab c", "ab\ncd", "=a", "é", "a*bc", "ab=cd"])
def test_what_is_not_base64(text):
    with pytest.raises(InvalidValue, match="base64"):
        decode_base64(text)


@given(teks())
def test_a_devices_own_key(tek):
    key = PublishedKey.of(tek)
    assert key.key_data == tek.key_data
    assert key.rolling_start_interval_number == tek.rolling_start_interval_number
    assert (key.rolling_period, key.transmission_risk_level) == (tek.rolling_period, 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "not 0"), ("AAAA", "not 3"), ("A" * 24, "not 18"), ("!", "must be base64")],
)
def test_a_wrong_key_is_found_when_it_is_decoded(text, complaint):
    with pytest.raises(InvalidKey, match=complaint):
        _ = PublishedKey(text, 1).key_data


@given(st.lists(published_keys, max_size=4), fixed(16), st.booleans())
def test_a_mac_belongs_to_its_keys(keys, secret, with_risk):
    mac = key_hmac(keys, secret, with_transmission_risk=with_risk)
    without_any = all(key.transmission_risk_level == 0 for key in keys)
    if with_risk or without_any or not keys:
        check_key_hmac(iter(keys), secret, mac)
    changed = [*keys, PublishedKey("one more", 1)]
    with pytest.raises(InvalidValue, match="does not match"):
        check_key_hmac(changed, secret, mac)
    with pytest.raises(InvalidValue, match="does not match"):
        check_key_hmac(keys, secret + b"!", mac)
    with pytest.raises(InvalidValue, match="does not match"):
        check_key_hmac(keys, secret, mac[:-1])


SECRETS = {
    "key_text",
    "verification_payload",
    "hmac_key",
    "revision_token",
    "code",
    "token",
    "key_hmac",
    "certificate",
    "nonce",
}


@pytest.mark.parametrize("kind", [*BODIES, PublishedKey])
def test_no_text_of_a_body_shows_its_secrets(kind):
    for field in dataclasses.fields(kind):
        if field.name in SECRETS and not (kind is PublishResponse and field.name == "code"):
            assert not field.repr, field.name
