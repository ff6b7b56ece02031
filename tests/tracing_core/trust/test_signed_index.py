import dataclasses
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.refusals import check_one_line, may_refuse
from tests.tracing_core.trust.test_trust import claims_of, json_values
from tracing_core.errors import TrustError
from tracing_core.export_file import MAX_INDEX_BYTES
from tracing_core.trust.signed_index import MAX_SIGNED_INDEX_BYTES, IndexedFile, SignedIndex

KEY = ec.derive_private_key(1001, ec.SECP256R1())
STRANGER = ec.derive_private_key(2001, ec.SECP256R1())
FILE = IndexedFile("VN/1606089600-1606104000-00001.zip", "0f" * 32, 25_000)
INDEX = SignedIndex(
    region="VN",
    sequence=1_606_111_200,
    issued_at=1_606_111_200,
    expires_at=1_606_197_600,
    files=(FILE, dataclasses.replace(FILE, name="VN/1606104000-1606118400-00001.zip")),
    newest_end=1_606_118_400,
    window_seconds=14_400,
)


def resigned(claims, typ="truyvet-index+jwt"):
    return jwt.PyJWS().encode(json.dumps(claims).encode(), KEY, "ES256", headers={"typ": typ})


def test_an_index_is_read_back():
    assert SignedIndex.verify(INDEX.sign(KEY), KEY.public_key()) == INDEX
    empty = dataclasses.replace(INDEX, files=(), newest_end=None, window_seconds=0)
    assert SignedIndex.verify(empty.sign(KEY), KEY.public_key()) == empty


def test_fields_of_later_versions_are_ignored():
    claims = claims_of(INDEX.sign(KEY))
    claims["files"][0]["later"] = claims["later"] = True
    assert SignedIndex.verify(resigned(claims), KEY.public_key()) == INDEX


def test_an_index_of_a_stranger_and_another_document_are_refused():
    for document in (INDEX.sign(STRANGER), resigned(claims_of(INDEX.sign(KEY)), "JWT")):
        with pytest.raises(TrustError) as caught:
            SignedIndex.verify(document, KEY.public_key())
        check_one_line(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("region", ""),
        ("sequence", 0),
        ("sequence", 1.5),
        ("issued_at", -1),
        ("expires_at", None),
        ("newest_end", "now"),
        ("window_seconds", -1),
        ("files", {}),
        ("files", [{}]),
        ("files", [{"name": "VN/1.zip", "sha256": "0f" * 32}]),
        ("files", [{"name": "../1.zip", "sha256": "0f" * 32, "size": 1}]),
        ("files", [{"name": "1.zip\n2.zip", "sha256": "0f" * 32, "size": 1}]),
        ("files", [{"name": ["1.zip"], "sha256": "0f" * 32, "size": 1}]),
        ("files", [{"name": "1.zip", "sha256": "0F" * 32, "size": 1}]),
        ("files", [{"name": "1.zip", "sha256": "0f" * 31, "size": 1}]),
        ("files", [{"name": "1.zip", "sha256": "0f" * 32, "size": 1 << 40}]),
        ("files", [{"name": "1.zip", "sha256": "0f" * 32, "size": 1}] * 2),
    ],
)
def test_an_index_that_cannot_be_used_is_refused(field, value):
    with pytest.raises(TrustError, match=f"cannot be used: {field}") as caught:
        SignedIndex.verify(resigned(claims_of(INDEX.sign(KEY)) | {field: value}), KEY.public_key())
    check_one_line(caught.value)


def test_an_index_no_device_could_use_is_not_signed():
    with pytest.raises(TrustError, match="files must have different names"):
        dataclasses.replace(INDEX, files=(FILE, FILE)).sign(KEY)


def test_the_largest_plain_index_has_a_signed_one():
    count = MAX_INDEX_BYTES // (len(FILE.name) + 1)
    files = tuple(dataclasses.replace(FILE, name=f"VN/{at:031}") for at in range(count))
    document = dataclasses.replace(INDEX, files=files).sign(KEY)
    assert len(document) < MAX_SIGNED_INDEX_BYTES
    assert len(SignedIndex.verify(document, KEY.public_key()).files) == count


@given(st.data())
def test_any_signed_claims_are_read_or_refused(data):
    claims = claims_of(INDEX.sign(KEY))
    change = st.dictionaries(st.sampled_from(sorted(claims)), json_values, max_size=3)
    changed = data.draw(change.map(lambda change: claims | change) | json_values)
    with may_refuse(TrustError):
        SignedIndex.verify(resigned(changed), KEY.public_key())
