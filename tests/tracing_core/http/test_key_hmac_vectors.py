import base64

import pytest

from tests.tracing_core.vectors import load
from tracing_core.errors import InvalidValue
from tracing_core.http.publish_request import PublishedKey, check_key_hmac, key_hmac

VECTORS = load("key_hmac.json")
SECRET = bytes.fromhex(VECTORS["secret"])


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["cleartext"])
def test_published_cases(case):
    keys = [PublishedKey(*key) for key in case["keys"]]
    with_risk = case["with_transmission_risk"]
    mac = key_hmac(keys, SECRET, with_transmission_risk=with_risk)
    assert base64.b64encode(mac).decode() == case["hmac_b64"]
    # In either order of the keys.
    assert key_hmac(keys[::-1], SECRET, with_transmission_risk=with_risk) == mac
    check_key_hmac(keys, SECRET, mac)


def test_the_form_without_risk_counts_only_if_no_key_has_any():
    keys = [PublishedKey(*key) for key in VECTORS["cases"][0]["keys"]]
    mac = key_hmac(keys, SECRET, with_transmission_risk=False)
    with pytest.raises(InvalidValue, match="does not match"):
        check_key_hmac(keys, SECRET, mac)
