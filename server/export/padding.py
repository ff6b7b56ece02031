"""Padding: invented keys that no reader of a key file can distinguish from real ones."""

# A key file shows how many keys it has. If it held only real ones, its size would reveal how many
# people reported in those hours, and in a small region whether anyone did at all.
#
# The naive way is to fill each file up to a fixed size with random keys. It fails three times.
# Above that size every further key is visible again. A random key has no shape: real ones come as
# uploads with one report type, one onset and one key per day, so a reader who groups the keys of a
# file can set the padding aside. And copies of real keys, slightly changed, reveal those keys.
#
# How many keys are added is drawn before anything is known of the real ones. It is a mean plus
# two-sided geometric noise (the discrete Laplace distribution). One upload of `k` keys therefore
# changes the odds of any size of a file by at most ``exp(k / spread)``: the definition of
# differential privacy, with 1 / spread per key. Windows without a report get as many.
#
# What the keys look like is drawn from a fixed model of how people report. Whole uploads are
# invented: each has one report type, one onset of symptoms and one key per day. Its last key is
# still in use and leaves in a later window, as a real one does. Some change their report type days
# later, as real ones do. The rows are stored with the window, so that a window that is exported
# again has the same padding.
#
# Drawing alone is not enough, because the fields of a key are read together. A real upload with
# an onset that few people have would be the only one of its kind in its file, although each of its
# fields also appears in some padding. So a part of the padding is one whole upload for each report
# type and each delay from onset to upload, likeliest first. Then every key published on time has
# a made-up twin: report type, onset, age, period and risk are equal. That part is the same in every
# window. If it grew with the number drawn, the rarest kind in a file would reveal that number.
#
# The rest is drawn as people report, and gives the number of each kind its noise. With the same
# likelihoods in every window that noise is too small: the kinds would fluctuate less than one
# upload adds, while an epidemic changes from hour to hour. So each window varies the likelihoods.
#
# Two things are not covered. A key that another client started or ended within a day has no twin,
# and neither has every revised key. Also, uploads of many hours by the same people can be
# estimated once they are added up over weeks: the noise hides one upload, not an epidemic.

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypeVar

from server.export.windows import Window
from tracing_core.configuration.transmission_risk import transmission_risk
from tracing_core.protocol.diagnosis_key import (
    MAX_TRANSMISSION_RISK,
    DiagnosisKey,
    ReportType,
    is_allowed_transition,
)
from tracing_core.protocol.interval import (
    TEK_ROLLING_PERIOD,
    ENIntervalNumber,
    interval_number,
    interval_start,
    rolling_start,
    utc_day,
)
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH

__all__ = ["PaddingKey", "UploadModel", "draw_count", "draw_padding"]

_Choice = TypeVar("_Choice")

_DAY_SECONDS = 86_400

# The shape of an upload. Devices keep 14 past days; most people have had the app for longer.
_PAST_DAYS = 14
_LONG_INSTALLED = 0.75
_WITH_TODAY = 0.85
_TODAY_CUT_SHORT = 0.1
# Other clients may set a risk, start a key within a day, or end it early.
_ODD_UPLOAD = 0.03
_ODD_KEY = 0.01
_ONSET_UNKNOWN = 0.3
# Relative frequency of 0 … 28 days from onset to upload. Some people have a rapid test and report
# on the same day or soon after, and without symptoms the day of the test counts as the onset. The
# others seek a test after some days. The tail covers everything the server accepts. In each window
# these are multiplied by draws from a gamma distribution of mean 1 and this shape.
_ONSET_DELAY = (13, 14, 15, 11, 11, 10, 8, 5, 4, 3, 2, 2, 1, 1, 1) + (0.1,) * 14
_ONSET_DELAY_SHAPE = 2.0
_REVISED = 0.5
_REVISION_DELAY_SECONDS = (_DAY_SECONDS, 4 * _DAY_SECONDS)
_REVISED_TO = {
    ReportType.CONFIRMED_TEST: 0.65,
    ReportType.REVOKED: 0.3,
    ReportType.CONFIRMED_CLINICAL_DIAGNOSIS: 0.05,
}


@dataclass(frozen=True, slots=True)
class UploadModel:
    """The rules of the server and the habits of its authority that shape an upload."""

    report_types: Mapping[ReportType, float]
    """Relative frequency of each report type."""
    transmission_risk_levels: Mapping[ReportType, int]
    """The levels that the server sets if the client sent none."""
    default_onset_days: int
    """Days before the upload at which an unknown onset is assumed."""
    max_days_since_onset: int
    """Keys further from the onset are dropped."""
    truncate_seconds: int
    """Arrival times are rounded down to this."""
    risk_by_onset: bool = False
    """Whether the levels follow the onset instead, except for keys that were taken back."""

    def risk(self, report_type: ReportType, days_since_onset: int) -> int:
        """Return the transmission risk level of a key."""
        if self.risk_by_onset and report_type is not ReportType.REVOKED:
            return transmission_risk(days_since_onset)
        return self.transmission_risk_levels.get(report_type, 0)


@dataclass(frozen=True, slots=True)
class PaddingKey:
    """An invented key, with the windows in which it leaves."""

    key: DiagnosisKey
    """The key as first published."""
    created_at: int
    """When the key may first leave (UTC Unix seconds)."""
    revised: DiagnosisKey | None = None
    """The key as revised later; None if it never is."""
    revised_at: int | None = None
    """When it is revised (UTC Unix seconds); None if it never is."""


class _Shape(NamedTuple):
    """What the keys of an upload have in common."""

    arrival: int
    report_type: ReportType
    onset_delay: int
    days: Iterable[tuple[int, int]]
    is_odd: bool


def draw_count(mean: int, spread: float, random: Random) -> int:
    """Draw how many keys to add to a window, at least 1.

    Parameters
    ----------
    mean
        The average number of keys.
    spread
        Scale of the noise: a count `k` further from the mean is ``exp(-k / spread)`` times as
        likely.
    random
        Source of chance: `random.SystemRandom` in a server.
    """
    ratio = -1.0 / spread
    first, second = (int(math.log(1.0 - random.random()) / ratio) for _ in range(2))
    return max(1, mean + first - second)


def draw_padding(
    count: int, window: Window, model: UploadModel, random: Random, *, covering: int
) -> list[PaddingKey]:
    """Invent uploads that arrived in a window.

    Parameters
    ----------
    count
        The number of keys, as drawn.
    window, model, random
        The window, what shapes an upload, and the source of chance.
    covering
        At most so many keys are one upload of each kind; the same for every window.

    Returns
    -------
    list of PaddingKey
        `count` keys that leave in this window, and further keys that were still in use at their
        upload and leave in later windows.
    """
    padding: list[PaddingKey] = []
    missing = count
    for upload in _draw_uploads(covering, window, model, random):
        here = [each for each in upload if each.created_at < window.end]
        # The last upload is cut to its newest days: the device of someone new to the app.
        here = here[-missing:]
        missing -= len(here)
        padding += here
        padding += [each for each in upload if each.created_at >= window.end]
        if missing <= 0:
            break
    return padding


def _draw_uploads(
    covering: int, window: Window, model: UploadModel, random: Random
) -> Iterator[list[PaddingKey]]:
    """Draw uploads without end: one of each kind first, then as people report."""
    for report_type, onset_delay in _kinds(model):
        arrival = random.randrange(window.start, window.end)
        days = _all_days(interval_number(arrival))
        shape = _Shape(arrival, report_type, onset_delay, days, is_odd=False)
        upload = list(_draw_upload(shape, window, model, random))
        covering -= len(upload)
        if covering < 0:
            break
        yield upload
    delays = {
        delay: weight * random.gammavariate(_ONSET_DELAY_SHAPE, 1 / _ONSET_DELAY_SHAPE)
        for delay, weight in enumerate(_onset_delays(model))
    }
    while True:
        arrival = random.randrange(window.start, window.end)
        shape = _Shape(
            arrival,
            _choose(model.report_types, random),
            _choose(delays, random),
            _draw_days(interval_number(arrival), random),
            is_odd=random.random() < _ODD_UPLOAD,
        )
        yield list(_draw_upload(shape, window, model, random))


def _kinds(model: UploadModel) -> list[tuple[ReportType, int]]:
    """Return every report type with every delay from onset to upload, likeliest first."""
    kinds = {
        (report_type, delay): type_weight * weight
        for report_type, type_weight in model.report_types.items()
        for delay, weight in enumerate(_ONSET_DELAY)
        if type_weight > 0
    }
    return sorted(kinds, key=lambda kind: -kinds[kind])


def _draw_upload(
    shape: _Shape, window: Window, model: UploadModel, random: Random
) -> Iterator[PaddingKey]:
    arrival, report_type = shape.arrival, shape.report_type
    revised_type, revised_at = _draw_revision(arrival, report_type, model, random)
    onset_day = utc_day(arrival) - shape.onset_delay
    for start, period in shape.days:
        days_since_onset = utc_day(interval_start(start)) - onset_day
        if abs(days_since_onset) > model.max_days_since_onset:
            continue
        risk = model.risk(report_type, days_since_onset)
        key = DiagnosisKey(
            key_data=random.randbytes(KEY_LENGTH),
            rolling_start_interval_number=start,
            rolling_period=period,
            report_type=report_type,
            days_since_onset_of_symptoms=days_since_onset,
            transmission_risk_level=random.randint(1, MAX_TRANSMISSION_RISK)
            if shape.is_odd
            else risk,
        )
        # As `server.publish.rules.keys_in_use_are_held_back` does.
        is_in_use = key.end_interval_number > interval_number(arrival)
        created_at = _cut(key.expires_at + model.truncate_seconds if is_in_use else arrival, model)
        padding = PaddingKey(key, max(created_at, window.start))
        if revised_type is not None:
            level = model.risk(revised_type, days_since_onset)
            revised = replace(key, report_type=revised_type, transmission_risk_level=level)
            padding = replace(padding, revised=revised, revised_at=revised_at)
        yield padding


def _all_days(now: ENIntervalNumber) -> Iterator[tuple[int, int]]:
    """Return the first interval and the length of every key a device can have, oldest first."""
    today = rolling_start(now)
    for days_ago in range(_PAST_DAYS, -1, -1):
        yield today - days_ago * TEK_ROLLING_PERIOD, TEK_ROLLING_PERIOD


def _draw_days(now: ENIntervalNumber, random: Random) -> Iterator[tuple[int, int]]:
    """Draw the first interval and the length of each key of an upload, oldest first."""
    today = rolling_start(now)
    past = _PAST_DAYS if random.random() < _LONG_INSTALLED else random.randrange(_PAST_DAYS)
    for days_ago in range(past, 0, -1):
        start, period = today - days_ago * TEK_ROLLING_PERIOD, TEK_ROLLING_PERIOD
        if random.random() < _ODD_KEY:
            period = random.randrange(1, TEK_ROLLING_PERIOD)
            if random.random() < _ODD_KEY * 10:
                start += TEK_ROLLING_PERIOD - period
        yield start, period
    if random.random() < _WITH_TODAY:
        cut_short = now > today and random.random() < _TODAY_CUT_SHORT
        yield today, now - today if cut_short else TEK_ROLLING_PERIOD


def _onset_delays(model: UploadModel) -> list[float]:
    """Return the relative frequency of each number of days from onset to upload."""
    known = (1 - _ONSET_UNKNOWN) / sum(_ONSET_DELAY)
    weights = [weight * known for weight in _ONSET_DELAY]
    weights[model.default_onset_days] += _ONSET_UNKNOWN
    return weights


def _draw_revision(
    arrival: int, report_type: ReportType, model: UploadModel, random: Random
) -> tuple[ReportType | None, int | None]:
    allowed = {
        new: weight
        for new, weight in _REVISED_TO.items()
        if is_allowed_transition(report_type, new)
    }
    if not allowed or random.random() >= _REVISED:
        return None, None
    delay = random.randint(*_REVISION_DELAY_SECONDS)
    return _choose(allowed, random), _cut(arrival + delay, model)


def _choose(weights: Mapping[_Choice, float], random: Random) -> _Choice:
    return random.choices(list(weights), list(weights.values()))[0]


def _cut(moment: int, model: UploadModel) -> int:
    return moment // model.truncate_seconds * model.truncate_seconds
