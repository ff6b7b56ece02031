"""Rules of uploads, in order, with the limits of Google's key server.

A rule about one key drops that key and reports it. Otherwise one bad key among fourteen good ones
would keep all of them from warning anyone. A rule about the whole upload refuses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from server.config import Settings
from server.store.diagnosis_keys import filled_in_risk
from server.verification.certificate import Claims
from tracing_core.errors import InvalidKey, PublishRejected
from tracing_core.http.publish_request import PublishRequest
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import interval_number, interval_start, utc_day

__all__ = ["REASONS", "RULES", "Candidate", "Rule", "Upload", "apply_rules", "truncated"]

_DAY_SECONDS = 86_400
_FARTHEST_EAST_INTERVALS = 14 * 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key of an upload that no rule has dropped."""

    number: int
    """The key's position in the upload, from 0."""
    key: DiagnosisKey
    created_at: int
    """Start of the window in which the key may first leave (UTC Unix seconds)."""


@dataclass(slots=True)
class Upload:
    """An upload on its way through the rules."""

    request: PublishRequest
    claims: Claims
    settings: Settings
    now: float
    """The time (UTC Unix seconds)."""
    keys: list[Candidate] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    """Reasons for dropped keys, one sentence per key."""
    warnings: list[str] = field(default_factory=list)
    """Reasons for keys left out through no fault of the client."""
    onset_interval: int = 0
    """The interval in which symptoms started, known or assumed."""
    lost: Counter[str] = field(default_factory=Counter)
    """Number of keys that each rule removed, by the rule's name."""

    @property
    def interval(self) -> int:
        """The interval of `now`."""
        return interval_number(self.now)


Rule = Callable[[Upload], None]
"""Changes the upload, or raises `PublishRejected`."""


def truncated(moment: float, window: int) -> int:
    """Round a moment down to the start of its window (UTC Unix seconds)."""
    return int(moment // window) * window


def _refuse(message: str) -> PublishRejected:
    return PublishRejected("bad_request", message)


def _lose(upload: Upload, rule: Rule, number: int, why: str, into: list[str]) -> None:
    into.append(f"key {number} {why}")
    upload.lost[rule.__name__] += 1


def _keep(
    upload: Upload, rule: Rule, reason: Callable[[Candidate], str | None], *, into: list[str]
) -> None:
    """Keep the keys that a rule gives no reason to remove; note the others under its name."""
    kept = []
    for each in upload.keys:
        why = reason(each)
        if why is None:
            kept.append(each)
        else:
            _lose(upload, rule, each.number, why, into)
    upload.keys = kept


def has_a_key(upload: Upload) -> None:
    """Refuse an upload without keys."""
    if not upload.request.keys:
        raise _refuse("the upload has no keys")


def has_not_too_many_keys(upload: Upload) -> None:
    """Refuse more keys than a device can have made."""
    limit = upload.settings.max_keys_on_publish
    if len(upload.request.keys) > limit:
        raise _refuse(
            f"the upload has {len(upload.request.keys)} keys, but at most {limit} are accepted"
        )


def keys_are_of_the_protocol(upload: Upload) -> None:
    """Drop keys that are not 16 bytes, 1 to 144 intervals, and risk 0 to 8."""
    created_at = truncated(upload.now, upload.settings.truncate_window_seconds)
    for number, sent in enumerate(upload.request.keys):
        try:
            key = DiagnosisKey(
                sent.key_data,
                sent.rolling_start_interval_number,
                sent.rolling_period,
                upload.claims.report_type,
                transmission_risk_level=sent.transmission_risk_level,
            )
        except InvalidKey as error:
            why = f"cannot be accepted: {error}"
            _lose(upload, keys_are_of_the_protocol, number, why, upload.dropped)
        else:
            upload.keys.append(Candidate(number, key, created_at))


def keys_are_distinct(upload: Upload) -> None:
    """Drop a key whose bytes appear before it in the upload."""
    # A true duplicate loses nothing, and Google's clients take any reported drop for a failure.
    distinct: dict[tuple[bytes, int, int], Candidate] = {}
    for each in upload.keys:
        key = each.key
        same = (key.key_data, key.rolling_start_interval_number, key.rolling_period)
        distinct.setdefault(same, each)
    upload.keys = list(distinct.values())
    seen: set[bytes] = set()

    def reason(each: Candidate) -> str | None:
        if each.key.key_data in seen:
            return "cannot be accepted: the upload has the key with another start or period"
        seen.add(each.key.key_data)
        return None

    _keep(upload, keys_are_distinct, reason, into=upload.dropped)


def keys_are_not_too_old(upload: Upload) -> None:
    """Drop keys whose last use was too long ago, whenever their first use was."""
    oldest = interval_number(upload.now - upload.settings.max_key_age_seconds)

    def reason(each: Candidate) -> str | None:
        return (
            "cannot be accepted: it is too old" if each.key.end_interval_number < oldest else None
        )

    _keep(upload, keys_are_not_too_old, reason, into=upload.dropped)


def keys_are_not_of_the_future(upload: Upload) -> None:
    """Drop keys that start after the current interval."""

    def reason(each: Candidate) -> str | None:
        is_future = each.key.rolling_start_interval_number > upload.interval
        return "cannot be accepted: it starts in the future" if is_future else None

    _keep(upload, keys_are_not_of_the_future, reason, into=upload.dropped)


def a_key_is_left(upload: Upload) -> None:
    """Refuse an upload if every key was dropped."""
    if not upload.keys:
        raise _refuse("no key can be accepted: " + "; ".join(upload.dropped))


def onset_is_known_or_assumed(upload: Upload) -> None:
    """Use the onset in the upload, else in the certificate, if plausible; else assume one."""
    settings = upload.settings
    day = utc_day(upload.now - settings.max_symptom_onset_age_seconds)
    earliest = interval_number(day * _DAY_SECONDS)
    for stated in (upload.request.symptom_onset_interval, upload.claims.symptom_onset_interval):
        # A day is given by its start in UTC, which is in the future where the day starts earlier.
        if earliest <= stated <= upload.interval + _FARTHEST_EAST_INTERVALS:
            upload.onset_interval = min(stated, upload.interval)
            return
    assumed = upload.now - settings.default_symptom_onset_days * _DAY_SECONDS
    upload.onset_interval = interval_number(assumed)


def keys_are_near_the_onset(upload: Upload) -> None:
    """Leave out keys that devices could not use, with a warning, since phones expect no error."""
    onset_day = utc_day(interval_start(upload.onset_interval))
    limit = upload.settings.max_days_since_onset

    def days(each: Candidate) -> int:
        return utc_day(interval_start(each.key.rolling_start_interval_number)) - onset_day

    def reason(each: Candidate) -> str | None:
        is_far = abs(days(each)) > limit
        return f"is more than {limit} days from the onset and was left out" if is_far else None

    _keep(upload, keys_are_near_the_onset, reason, into=upload.warnings)
    upload.keys = [
        replace(each, key=replace(each.key, days_since_onset_of_symptoms=days(each)))
        for each in upload.keys
    ]


def only_keys_of_one_start_overlap(upload: Upload) -> None:
    """Drop as few keys as possible, so that the others overlap only if they start together."""
    # Keys start together after a reset of the device. For any other overlap Google's key server
    # refuses the whole upload (exposure-notifications-server#705).
    kept = _most_without_overlap([each.key for each in upload.keys])

    def reason(each: Candidate) -> str | None:
        is_kept = each.key.rolling_start_interval_number in kept
        return None if is_kept else "cannot be accepted: it overlaps a key with another start"

    _keep(upload, only_keys_of_one_start_overlap, reason, into=upload.dropped)


def _most_without_overlap(keys: Sequence[DiagnosisKey]) -> frozenset[int]:
    """Return the starts of the largest set of keys of which none overlaps one with another start.

    Of equally many keys, those are chosen that cover more time, then those that end earlier. This
    is weighted interval scheduling, with the keys of one start as one interval.
    """
    ends: dict[int, int] = {}
    counts: Counter[int] = Counter()
    for key in keys:
        start = key.rolling_start_interval_number
        ends[start] = max(ends.get(start, 0), key.end_interval_number)
        counts[start] += 1
    # The best choice among the keys that end by each end, as keys, intervals and starts.
    best: list[tuple[int, tuple[int, int], frozenset[int]]] = [(0, (0, 0), frozenset())]
    for start, end in sorted(ends.items(), key=lambda item: item[1]):
        _, (number, covered), chosen = max(
            (each for each in best if each[0] <= start), key=lambda each: each[1]
        )
        value = (number + counts[start], covered + end - start)
        best.append((end, value, chosen | {start}))
    return max(best, key=lambda each: each[1])[2]


def not_too_many_keys_begin_together(upload: Upload) -> None:
    """Refuse more keys with the same start than resets of a device explain."""
    limit = upload.settings.max_same_start_interval_keys
    starts = Counter(each.key.rolling_start_interval_number for each in upload.keys)
    if starts and max(starts.values()) > limit:
        raise _refuse(f"more than {limit} keys start together")


def risk_is_filled_in(upload: Upload) -> None:
    """Set the transmission risk that old devices expect, where the client sent none."""
    upload.keys = [
        replace(each, key=replace(each.key, transmission_risk_level=_level(upload, each.key)))
        if each.key.transmission_risk_level == 0
        else each
        for each in upload.keys
    ]


def _level(upload: Upload, key: DiagnosisKey) -> int:
    return filled_in_risk(
        upload.claims.report_type,
        key.days_since_onset_of_symptoms,
        by_onset=upload.settings.risk_by_onset,
    )


def keys_in_use_are_held_back(upload: Upload) -> None:
    """Move a key that is still in use to the window after its last use."""
    window = upload.settings.truncate_window_seconds
    upload.keys = [
        replace(each, created_at=truncated(each.key.expires_at + window, window))
        if each.key.end_interval_number > upload.interval
        else each
        for each in upload.keys
    ]


REASONS: Mapping[str, str] = {
    "keys_are_of_the_protocol": "invalid",
    "keys_are_distinct": "invalid",
    "keys_are_not_too_old": "too_old",
    "keys_are_not_of_the_future": "future",
    "keys_are_near_the_onset": "far_from_onset",
    "only_keys_of_one_start_overlap": "overlap",
}
"""The word in an answer for each rule that leaves out keys; see `LeftOut.reason`."""

RULES: tuple[Rule, ...] = (
    has_a_key,
    has_not_too_many_keys,
    keys_are_of_the_protocol,
    keys_are_distinct,
    keys_are_not_too_old,
    keys_are_not_of_the_future,
    a_key_is_left,
    onset_is_known_or_assumed,
    keys_are_near_the_onset,
    only_keys_of_one_start_overlap,
    not_too_many_keys_begin_together,
    risk_is_filled_in,
    keys_in_use_are_held_back,
)
"""Every rule, in the order of their application."""


def apply_rules(upload: Upload) -> None:
    """Apply every rule to an upload.

    Raises
    ------
    PublishRejected
        When a rule refuses the whole upload.
    """
    for rule in RULES:
        try:
            rule(upload)
        except PublishRejected:
            upload.lost[rule.__name__] += len(upload.request.keys)
            raise
