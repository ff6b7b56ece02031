"""The last day in a chain of trust: named once, and never moved."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.errors import InvalidValue, TrustError
from tracing_core.trust.last_day import end_of_day, read_last_day, usual_last_day
from tracing_core.trust.signed_document import fingerprint
from tracing_core.trust.trust_chain import ExportVerificationKey, TrustDocument, verify_trust_chain

PRIVATE = [ec.derive_private_key(number, ec.SECP256R1()) for number in range(3001, 3006)]
PUBLIC = [key.public_key() for key in PRIVATE]
PINNED = fingerprint(PUBLIC[0])
NOW = 1_800_000_000
DAY = datetime.date(2028, 1, 14)
EXPORT_KEY = ExportVerificationKey("452", "v1", PUBLIC[-1])


def chain(*days: datetime.date | None) -> list[str]:
    """A chain whose documents name these days."""
    return [
        TrustDocument(at + 1, "VN", NOW + at, PUBLIC[at], (EXPORT_KEY,), day).sign(
            PRIVATE[max(0, at - 1)]
        )
        for at, day in enumerate(days)
    ]


def accept(documents: list[str], last: TrustDocument | None = None) -> TrustDocument:
    return verify_trust_chain(documents, fingerprint=PINNED, last=last)


def test_the_first_document_names_the_day_for_all() -> None:
    assert accept(chain(DAY)).last_day == DAY
    assert accept(chain(DAY, None, None)).last_day == DAY
    assert accept(chain(DAY, DAY)).last_day == DAY
    assert accept(chain(None, None)).last_day is None


def test_a_chain_without_a_day_gains_one_once() -> None:
    assert accept(chain(None, DAY)).last_day == DAY
    assert accept(chain(None, DAY, None, DAY)).last_day == DAY


@pytest.mark.parametrize("days", [-200, -1, 1, 200])
def test_a_later_document_moves_the_day_neither_way(days: int) -> None:
    moved = DAY + datetime.timedelta(days)
    for documents in (chain(DAY, moved), chain(None, DAY, moved), chain(DAY, None, moved)):
        with pytest.raises(TrustError, match="moved its last day"):
            accept(documents)
        # Nor for a device that has accepted the first documents.
        with pytest.raises(TrustError, match="moved its last day"):
            accept(documents, accept(documents[:-1]))


def test_an_accepted_document_is_not_replaced_by_one_of_another_day() -> None:
    last = accept(chain(DAY, None))
    assert accept(chain(DAY, None), last) == last
    with pytest.raises(TrustError, match="replaced a trust document"):
        accept(chain(DAY, DAY + datetime.timedelta(1)), last)
    with pytest.raises(TrustError, match="replaced a trust document"):
        accept(chain(DAY), accept(chain(None)))


@pytest.mark.parametrize(
    ("day", "fault"),
    [
        (datetime.date(2027, 1, 14), "over already"),
        (datetime.date(2029, 1, 16), "two years"),
        (datetime.date(9999, 12, 31), "two years"),
    ],
)
def test_no_document_names_a_day_that_no_device_could_use(day: datetime.date, fault: str) -> None:
    with pytest.raises(TrustError, match=fault):
        chain(day)


@given(st.integers(0, 2**32 * 600), st.one_of(st.text(max_size=12), st.dates().map(str), st.none()))
def test_whatever_is_named_is_a_day_in_bounds_or_refused(named_at: int, text: str | None) -> None:
    try:
        day = read_last_day(text, named_at)
    except InvalidValue as error:
        said = str(error)
    else:
        said = "last_day must " * (named_at < end_of_day(day) <= named_at + 733 * 86_400)
    assert said.startswith("last_day must ")


def test_a_day_ends_with_its_last_second() -> None:
    assert end_of_day(datetime.date(1970, 1, 1)) == 86_400
    assert usual_last_day(0) == datetime.date(1971, 1, 1)
    assert usual_last_day(86_399.9) == datetime.date(1971, 1, 1)
