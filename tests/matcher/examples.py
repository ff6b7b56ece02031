"""Keys, and sightings of what they send, made on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_aemk, derive_rpik
from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, insert_sightings
from tracing_core.store.sqlite import open_database, transaction

START = 2_650_032
"""The first interval of 2020-05-21, UTC."""


def key(
    name: str = "an",
    *,
    start: int = START,
    period: int = 144,
    report_type: ReportType = ReportType.CONFIRMED_TEST,
    onset: int | None = 0,
) -> DiagnosisKey:
    return DiagnosisKey(
        hashlib.sha256(name.encode()).digest()[:16], start, period, report_type, onset
    )


def heard(
    of: DiagnosisKey,
    interval: int,
    *,
    at: int | None = None,
    rssi: int | Sequence[int] = -60,
    previous: int | None = None,
    power: int = -10,
    metadata: Metadata | None = None,
    suspect: bool = False,
) -> Sighting:
    """What a device logs that hears the identifier of an interval, in or out of the period."""
    rpi = derive_rpis(derive_rpik(of.key_data), interval, 1)[0]
    plain = metadata or Metadata(power)
    return Sighting(
        rpi,
        encrypt_aem(derive_aemk(of.key_data), rpi, plain),
        (rssi,) if isinstance(rssi, int) else tuple(rssi),
        interval * 600 + 300 if at is None else at,
        previous,
        suspect,
    )


def write_database(path: Path, sightings: Iterable[Sighting]) -> Path:
    db = open_database(path, [SIGHTING_TABLE])
    with transaction(db):
        insert_sightings(db, sightings)
    db.close()
    return path


NAMES = ("an", "binh", "chi")
STARTS = (START, START + 5)
PERIODS = (1, 3, 144)


@st.composite
def keys(draw: st.DrawFn) -> DiagnosisKey:
    return key(
        draw(st.sampled_from(NAMES)),
        start=draw(st.sampled_from(STARTS)),
        period=draw(st.sampled_from(PERIODS)),
        report_type=draw(st.sampled_from(ReportType)),
        onset=draw(st.sampled_from([None, -20, -14, 0, 3, 14])),
    )


@st.composite
def sightings(draw: st.DrawFn) -> list[Sighting]:
    """Sightings of one identifier, near the edges of every rule."""
    of = key(draw(st.sampled_from(NAMES)))
    interval = START + draw(st.sampled_from([-1, 0, 1, 2, 3, 5, 7, 8, 143, 144]))
    drift = draw(st.sampled_from([-13, -12, -1, 0, 1, 12, 13]))
    first = (interval + drift) * 600 + draw(st.sampled_from([0, 1, 300, 599]))
    later = draw(st.lists(st.sampled_from([0, 5, 26, 600, 1199, 1200, 1201, 9000]), max_size=3))
    return [
        heard(
            of,
            interval,
            at=at,
            rssi=draw(st.lists(st.integers(-100, -20), min_size=1, max_size=3)),
            previous=draw(st.sampled_from([None, 0, at - 300, at - 61, at + 100])),
            power=draw(st.sampled_from([-128, -51, -50, -10, 20, 21, 127])),
            suspect=draw(st.sampled_from([False, False, False, True])),
        )
        for at in (first, *(first + seconds for seconds in later))
    ]


logs = st.lists(sightings(), max_size=6).map(lambda groups: [s for group in groups for s in group])
shuffled_logs = logs.flatmap(st.permutations)
