import dataclasses
import json
import random
import tracemalloc

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tests.areas import LEVELS, invented_areas
from tests.tracing_core.refusals import check_one_line, may_refuse
from tests.tracing_core.trust.test_trust import claims_of, json_values
from tracing_core.errors import InvalidValue, TrustError
from tracing_core.trust.signed_areas import MAX_AREAS_BYTES, Area, AreaLevel, SignedAreas
from tracing_core.trust.signed_document import sign_document

KEY = ec.derive_private_key(1001, ec.SECP256R1())
STRANGER = ec.derive_private_key(2001, ec.SECP256R1())
TYPE = "truyvet-areas+jwt"
AREAS = SignedAreas(
    region="VN",
    sequence=1_606_111_200,
    issued_at=1_606_111_200,
    levels=LEVELS,
    areas=(
        Area("01", "Tỉnh Mây Xanh"),
        Area("00004", "Xã Sông Trăng", "01", 3),
        Area("4", "Xã Bến Nắng", "01", 1),
    ),
)
ALL = dataclasses.replace(AREAS, areas=tuple(invented_areas()))
MOST_BYTES_READ = 16 << 20


def resigned(claims, typ=TYPE):
    return jwt.PyJWS().encode(json.dumps(claims).encode(), KEY, "ES256", headers={"typ": typ})


def test_a_list_is_read_back():
    assert SignedAreas.verify(AREAS.sign(KEY), KEY.public_key()) == AREAS
    none = dataclasses.replace(AREAS, levels=(), areas=())
    assert SignedAreas.verify(none.sign(KEY), KEY.public_key()) == none


def test_a_country_with_3321_communes_fits():
    document = ALL.sign(KEY)
    assert len(ALL.areas) == 3_355
    assert len(document) < MAX_AREAS_BYTES / 2
    assert SignedAreas.verify(document, KEY.public_key()) == ALL


def test_an_area_is_found_by_its_code_with_all_zeros():
    found = AREAS.find("00004")
    assert AREAS.level_text(found, "vi") == "Cấp 3: nguy cơ cao"
    assert AREAS.level_text(found, "en") == "Level 3: high"
    assert AREAS.find("4").name == "Xã Bến Nắng"
    assert AREAS.level_text(AREAS.find("01"), "en") == ""
    assert AREAS.find("004") is None


def test_fields_of_later_versions_are_ignored():
    claims = claims_of(AREAS.sign(KEY))
    claims["later"] = claims["levels"][0]["later"] = True
    claims["areas"] = [[*row, "later"] for row in claims["areas"]]
    assert SignedAreas.verify(resigned(claims), KEY.public_key()) == AREAS


def test_a_list_of_a_stranger_and_another_document_are_refused():
    for document in (AREAS.sign(STRANGER), resigned(claims_of(AREAS.sign(KEY)), "JWT")):
        with pytest.raises(TrustError) as caught:
            SignedAreas.verify(document, KEY.public_key())
        check_one_line(caught.value)


def test_a_flipped_bit_anywhere_is_refused():
    document = ALL.sign(KEY)
    places = random.Random(20).sample(range(len(document)), 150)
    for place in [*places, 0, len(document) - 1]:
        flipped = chr(ord(document[place]) ^ 1)
        changed = document[:place] + flipped + document[place + 1 :]
        with pytest.raises(TrustError) as caught:
            SignedAreas.verify(changed, KEY.public_key())
        check_one_line(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("region", ""),
        ("sequence", 0),
        ("sequence", True),
        ("issued_at", -1),
        ("levels", {}),
        ("levels", [{"vi": "thấp"}]),
        ("levels", [{"vi": "thấp", "en": ""}]),
        ("levels", [{"vi": "thấp", "en": "low\n"}]),
        ("levels", [{"vi": "thấp", "en": "low"}] * 11),
        ("areas", {}),
        ("areas", [5]),
        ("areas", [["01", "Tỉnh", ""]]),
        ("areas", [["", "Tỉnh", "", 1]]),
        ("areas", [[1, "Tỉnh", "", 1]]),
        ("areas", [["01", "", "", 1]]),
        ("areas", [["01", "Tỉnh\x1b[31m", "", 1]]),
        ("areas", [["01", "Tỉnh", None, 1]]),
        ("areas", [["01", "Tỉnh", "", 5]]),
        ("areas", [["01", "Tỉnh", "", "1"]]),
        ("areas", [["01", "Tỉnh", "", True]]),
        ("areas", [["01", "Tỉnh", "", 1], ["01", "Xã", "", 1]]),
        ("areas", [["01", "Tỉnh", "02", 1]]),
        ("areas", [["01", "Tỉnh", "01", 1]]),
        ("areas", [["01", "Tỉnh", "", 1], ["02", "Xã", "01", 1], ["03", "Xã", "02", 1]]),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(field, value):
    with pytest.raises(TrustError, match=f"cannot be used: {field}") as caught:
        SignedAreas.verify(resigned(claims_of(AREAS.sign(KEY)) | {field: value}), KEY.public_key())
    check_one_line(caught.value)


def test_a_list_no_device_could_use_is_not_signed():
    with pytest.raises(TrustError, match="code 01 is that of another area"):
        dataclasses.replace(AREAS, areas=(AREAS.areas[0], AREAS.areas[0])).sign(KEY)
    long = tuple(Area(f"{number:05}", "a name of the usual length") for number in range(12_000))
    with pytest.raises(TrustError, match=f"larger than {MAX_AREAS_BYTES} bytes"):
        dataclasses.replace(AREAS, areas=long).sign(KEY)


@pytest.mark.parametrize("name", ["vi", "en"])
def test_a_level_has_a_name_in_both_languages(name):
    with pytest.raises(InvalidValue, match=f"{name} must be one line"):
        AreaLevel(**({"vi": "thấp", "en": "low"} | {name: ""}))


# As many of the smallest values as fit the bound, and the deepest nesting.
@pytest.mark.parametrize(
    "filler",
    ["[],", "{},", '["0","a","",0],', '{"a":[]},', "0,"],
    ids=["arrays", "objects", "areas", "fields", "numbers"],
)
def test_the_largest_list_takes_bounded_memory(filler):
    count = (MAX_AREAS_BYTES * 3 // 4 - 1_000) // len(filler)
    areas = json.loads(f"[{(filler * count)[:-1]}]")
    claims = claims_of(AREAS.sign(KEY)) | {"areas": areas}
    document = sign_document(claims, TYPE, KEY, most_bytes=MAX_AREAS_BYTES)
    del areas, claims
    tracemalloc.start()
    try:
        with pytest.raises(TrustError) as caught:
            SignedAreas.verify(document, KEY.public_key())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    check_one_line(caught.value)
    assert peak < MOST_BYTES_READ


def test_a_million_areas_are_refused_before_they_are_read():
    document = jwt.PyJWS().encode(b"[" * 40_000_000, KEY, "ES256", headers={"typ": TYPE})
    with pytest.raises(TrustError, match="larger than 524288 bytes"):
        SignedAreas.verify(document, KEY.public_key())
    nested = jwt.PyJWS().encode(b"[" * 390_000, KEY, "ES256", headers={"typ": TYPE})
    with pytest.raises(TrustError, match="not JSON"):
        SignedAreas.verify(nested, KEY.public_key())


@given(st.data())
def test_any_signed_claims_are_read_or_refused(data):
    claims = claims_of(AREAS.sign(KEY))
    change = st.dictionaries(st.sampled_from(sorted(claims)), json_values, max_size=3)
    changed = data.draw(change.map(lambda change: claims | change) | json_values)
    with may_refuse(TrustError):
        SignedAreas.verify(resigned(changed), KEY.public_key())
