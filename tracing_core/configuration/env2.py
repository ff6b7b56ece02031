"""ENv2 configuration: how an authority weighs exposures with GAEN v2 daily summaries.

One JSON form serves everything: the matcher's presets, ``--risk FILE``, the server's setting
and the signed configuration that devices download::

    {
      "name": "narrow-v2",
      "source": "where the numbers come from",
      "daily_summaries": {
        "attenuation_thresholds_db": [55, 67, 75],
        "attenuation_bucket_weights": [1.75, 1.0, 0.33, 0.0],
        "report_type_weights": {"confirmed_test": 1.0},
        "infectiousness_weights": {"standard": 0.3, "high": 1.0},
        "days_since_exposure_threshold": 14,
        "minimum_window_score": 0.0
      },
      "days_since_onset_to_infectiousness": {"-2": "high", "4": "standard"},
      "infectiousness_when_days_since_onset_missing": "high",
      "report_type_when_missing": "confirmed_test",
      "classifications": [{"name": "high", "per_day_sum_erv_seconds": 900}]
    }

Absent weights and thresholds are 0, absent days of onset ``none``; an unknown field is an error,
so that a misspelt one is never silently 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tracing_core.errors import InvalidValue
from tracing_core.json_object import (
    JSONObject,
    check_known,
    read_array,
    read_integer,
    read_line,
    read_number,
    read_word,
)
from tracing_core.protocol.diagnosis_key import MAX_DAYS_SINCE_ONSET, ReportType
from tracing_core.protocol.exposure_window import Infectiousness

__all__ = [
    "NO_LEVEL",
    "SUMMARISED_REPORT_TYPES",
    "Classification",
    "DailySummariesConfig",
    "ExposureConfiguration",
]

NO_LEVEL = "none"
"""The level of a day, or of the whole result, that meets no classification."""

SUMMARISED_REPORT_TYPES = (
    ReportType.CONFIRMED_TEST,
    ReportType.CONFIRMED_CLINICAL_DIAGNOSIS,
    ReportType.SELF_REPORT,
    ReportType.RECURSIVE,
)
"""The report types that daily summaries count; revoked and unknown are not among them."""

_MAX_THRESHOLD_DB = 255
_MAX_WEIGHT = 2.5
_MAX_CLASSIFICATIONS = 16
_LONGEST_NAME = 100
_LONGEST_SOURCE = 10_000
_ONSET_DAYS = 2 * MAX_DAYS_SINCE_ONSET + 1


def _object(name: str, value: Any, known: frozenset[str]) -> JSONObject:
    fields = JSONObject(value, name, where=f"{name}: ")
    check_known(fields.fields, known, f"{name}: ")
    return fields


@dataclass(frozen=True, slots=True)
class DailySummariesConfig:
    """The weights of a daily summary (GAEN v2 ``DailySummariesConfig``).

    Weights are factors, 0 to 2.5; a score is weighted seconds.

    Raises
    ------
    InvalidValue
        When a value lies outside the protocol; the text names the field.
    """

    attenuation_thresholds_db: tuple[int, ...]
    """Three strictly rising upper bounds, inclusive, 0 to 255: immediate, near, medium. What is
    above the last is "other"."""
    attenuation_bucket_weights: tuple[float, ...]
    """Four weights: immediate, near, medium, other."""
    report_type_weights: Mapping[ReportType, float] = field(default_factory=dict)
    """Weight of each of `SUMMARISED_REPORT_TYPES`; absent is 0."""
    infectiousness_weights: Mapping[Infectiousness, float] = field(default_factory=dict)
    """Weight of STANDARD and HIGH; absent is 0."""
    days_since_exposure_threshold: int = 0
    """Days back from today that are summarised; 0 for all of them."""
    minimum_window_score: float = 0.0
    """Windows that score less are ignored, and so are their durations."""

    def __post_init__(self) -> None:
        thresholds, weights = self.attenuation_thresholds_db, self.attenuation_bucket_weights
        if len(thresholds) != 3:
            raise InvalidValue("attenuation_thresholds_db must have three entries")
        for threshold in thresholds:
            read_integer(threshold, "attenuation_thresholds_db", 0, _MAX_THRESHOLD_DB)
        if not thresholds[0] < thresholds[1] < thresholds[2]:
            raise InvalidValue("attenuation_thresholds_db must rise strictly")
        if len(weights) != 4:
            raise InvalidValue("attenuation_bucket_weights must have four entries")
        for weight in weights:
            read_number(weight, "attenuation_bucket_weights", 0, _MAX_WEIGHT)
        for report_type, weight in self.report_type_weights.items():
            if report_type not in SUMMARISED_REPORT_TYPES:
                raise InvalidValue(
                    f"report_type_weights: {report_type.name.lower()} is never summarised"
                )
            read_number(weight, "report_type_weights", 0, _MAX_WEIGHT)
        for infectiousness, weight in self.infectiousness_weights.items():
            if infectiousness is Infectiousness.NONE:
                raise InvalidValue("infectiousness_weights: none is never summarised")
            read_number(weight, "infectiousness_weights", 0, _MAX_WEIGHT)
        read_integer(
            self.days_since_exposure_threshold, "days_since_exposure_threshold", 0, 2**31 - 1
        )
        read_number(self.minimum_window_score, "minimum_window_score", 0)

    @classmethod
    def from_json(cls, value: Any) -> DailySummariesConfig:
        """Read the JSON form.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        name = "daily_summaries"
        known = _object(name, value, frozenset(part.name for part in fields(cls)))
        kinds = frozenset(kind.name.lower() for kind in SUMMARISED_REPORT_TYPES)
        types = _object("report_type_weights", known.get("report_type_weights", {}), kinds)
        curve = _object(
            "infectiousness_weights",
            known.get("infectiousness_weights", {}),
            frozenset({"standard", "high"}),
        )
        thresholds = known["attenuation_thresholds_db"]
        weights = known["attenuation_bucket_weights"]
        return cls(
            attenuation_thresholds_db=tuple(read_array(thresholds, "attenuation_thresholds_db")),
            attenuation_bucket_weights=tuple(
                read_number(weight, "attenuation_bucket_weights", 0, _MAX_WEIGHT)
                for weight in read_array(weights, "attenuation_bucket_weights")
            ),
            report_type_weights={
                ReportType[key.upper()]: read_number(weight, "report_type_weights", 0, _MAX_WEIGHT)
                for key, weight in types.fields.items()
            },
            infectiousness_weights={
                Infectiousness[key.upper()]: read_number(
                    weight, "infectiousness_weights", 0, _MAX_WEIGHT
                )
                for key, weight in curve.fields.items()
            },
            days_since_exposure_threshold=known.get("days_since_exposure_threshold", 0),
            minimum_window_score=read_number(
                known.get("minimum_window_score", 0.0), "minimum_window_score", 0
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "attenuation_thresholds_db": list(self.attenuation_thresholds_db),
            "attenuation_bucket_weights": list(self.attenuation_bucket_weights),
            "report_type_weights": {
                kind.name.lower(): self.report_type_weights[kind]
                for kind in SUMMARISED_REPORT_TYPES
                if kind in self.report_type_weights
            },
            "infectiousness_weights": {
                kind.name.lower(): self.infectiousness_weights[kind]
                for kind in (Infectiousness.STANDARD, Infectiousness.HIGH)
                if kind in self.infectiousness_weights
            },
            "days_since_exposure_threshold": self.days_since_exposure_threshold,
            "minimum_window_score": self.minimum_window_score,
        }


@dataclass(frozen=True, slots=True)
class Classification:
    """A level, and what a UTC day must reach for it (Exposure Notifications Express).

    A day is of this level when any threshold that is not 0 is met (reached or passed). All are
    weighted seconds: ``erv`` is the exposure risk value, the weighted score of windows; the last
    is weighted by attenuation alone.

    Raises
    ------
    InvalidValue
        When a value lies outside the protocol; the text names the field.
    """

    name: str
    """Any text but ``none``; the first classification of a configuration is the gravest."""
    confirmed_test_per_day_sum_erv_seconds: float = 0.0
    clinical_diagnosis_per_day_sum_erv_seconds: float = 0.0
    self_report_per_day_sum_erv_seconds: float = 0.0
    recursive_per_day_sum_erv_seconds: float = 0.0
    per_day_sum_erv_seconds: float = 0.0
    per_day_max_erv_seconds: float = 0.0
    weighted_duration_at_attenuation_seconds: float = 0.0

    def __post_init__(self) -> None:
        if (
            not read_line(self.name, "a classification's name", _LONGEST_NAME)
            or self.name == NO_LEVEL
        ):
            raise InvalidValue(f"a classification's name must not be empty or {NO_LEVEL!r}")
        for part in fields(self)[1:]:
            read_number(getattr(self, part.name), part.name, 0)

    @classmethod
    def from_json(cls, value: Any) -> Classification:
        """Read the JSON form.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        names = [part.name for part in fields(cls)]
        known = _object("classifications", value, frozenset(names))
        thresholds = {
            name: read_number(known[name], name, 0) for name in names[1:] if name in known.fields
        }
        return cls(known["name"], **thresholds)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the thresholds that are 0."""
        thresholds = {part.name: getattr(self, part.name) for part in fields(self)[1:]}
        return {"name": self.name} | {name: value for name, value in thresholds.items() if value}


@dataclass(frozen=True, slots=True)
class ExposureConfiguration:
    """The settings that turn matched sightings into the level a person reads.

    Raises
    ------
    InvalidValue
        When a value lies outside the protocol; the text names the field.
    """

    daily_summaries: DailySummariesConfig
    days_since_onset_to_infectiousness: tuple[Infectiousness, ...]
    """29 entries, for −14 to +14 days since onset of symptoms."""
    infectiousness_when_days_since_onset_missing: Infectiousness
    """For keys without days since onset, or beyond ±14."""
    report_type_when_missing: ReportType
    """For keys of report type UNKNOWN: CONFIRMED_TEST, CONFIRMED_CLINICAL_DIAGNOSIS or
    SELF_REPORT."""
    classifications: tuple[Classification, ...] = ()
    """The gravest first; the first that a day meets is its level."""
    name: str = "custom"
    """What the results call this configuration."""
    source: str = ""
    """Where its numbers come from."""

    def __post_init__(self) -> None:
        if len(self.days_since_onset_to_infectiousness) != _ONSET_DAYS:
            raise InvalidValue(
                f"days_since_onset_to_infectiousness must have {_ONSET_DAYS} entries"
            )
        if self.report_type_when_missing not in (
            ReportType.CONFIRMED_TEST,
            ReportType.CONFIRMED_CLINICAL_DIAGNOSIS,
            ReportType.SELF_REPORT,
        ):
            raise InvalidValue(
                "report_type_when_missing must be confirmed_test, confirmed_clinical_diagnosis or"
                " self_report"
            )
        if len(self.classifications) > _MAX_CLASSIFICATIONS:
            raise InvalidValue(f"classifications must be at most {_MAX_CLASSIFICATIONS}")
        if len({level.name for level in self.classifications}) != len(self.classifications):
            raise InvalidValue("classifications must have different names")
        read_line(self.name, "name", _LONGEST_NAME)
        read_line(self.source, "source", _LONGEST_SOURCE)

    @classmethod
    def default(cls) -> ExposureConfiguration:
        """Return the configuration used where no other was chosen.

        It is the second "narrow net" of the Risk Score Symposium, which names no infectiousness
        for keys without an onset; here they count in full, as does every report type.
        """
        infectiousness = dict.fromkeys((-4, -3, 4, 5), Infectiousness.STANDARD)
        infectiousness |= dict.fromkeys(range(-2, 4), Infectiousness.HIGH)
        return cls(
            daily_summaries=DailySummariesConfig(
                attenuation_thresholds_db=(55, 67, 75),
                attenuation_bucket_weights=(1.75, 1.0, 0.33, 0.0),
                report_type_weights=dict.fromkeys(SUMMARISED_REPORT_TYPES, 1.0),
                infectiousness_weights={Infectiousness.STANDARD: 0.3, Infectiousness.HIGH: 1.0},
                days_since_exposure_threshold=14,
            ),
            days_since_onset_to_infectiousness=_onset_entries(infectiousness),
            infectiousness_when_days_since_onset_missing=Infectiousness.HIGH,
            report_type_when_missing=ReportType.CONFIRMED_TEST,
            classifications=(
                Classification("high", per_day_sum_erv_seconds=900.0),
                Classification("low", per_day_sum_erv_seconds=300.0),
            ),
            name="narrow-v2",
            source="lfph/gaen-risk-scoring@c52b16b4 risk-scoring.md, v2: Narrow Net v2, v2 symptom"
            " onset map, tiers at 5 and 15 minutes (CC BY 4.0)",
        )

    @classmethod
    def from_json(cls, value: Any) -> ExposureConfiguration:
        """Read the JSON form, as `json.loads` returns it.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        name = "the exposure configuration"
        known = _object(name, value, frozenset(part.name for part in fields(cls)))
        onset = "days_since_onset_to_infectiousness"
        days = {str(day): day for day in range(-MAX_DAYS_SINCE_ONSET, MAX_DAYS_SINCE_ONSET + 1)}
        curve = _object(onset, known[onset], frozenset(days))
        missing = "infectiousness_when_days_since_onset_missing"
        levels = read_array(known.get("classifications", []), "classifications")
        return cls(
            daily_summaries=DailySummariesConfig.from_json(known["daily_summaries"]),
            days_since_onset_to_infectiousness=_onset_entries(
                {
                    days[day]: read_word(word, onset, Infectiousness)
                    for day, word in curve.fields.items()
                }
            ),
            infectiousness_when_days_since_onset_missing=read_word(
                known[missing], missing, Infectiousness
            ),
            report_type_when_missing=read_word(
                known["report_type_when_missing"],
                "report_type_when_missing",
                ReportType,
            ),
            classifications=tuple(Classification.from_json(level) for level in levels),
            name=known.get("name", "custom"),
            source=known.get("source", ""),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which `from_json` reads back as an equal object."""
        curve = enumerate(self.days_since_onset_to_infectiousness, start=-MAX_DAYS_SINCE_ONSET)
        missing = self.infectiousness_when_days_since_onset_missing
        return {
            "name": self.name,
            "source": self.source,
            "daily_summaries": self.daily_summaries.to_json(),
            "days_since_onset_to_infectiousness": {
                str(day): word.name.lower()
                for day, word in curve
                if word is not Infectiousness.NONE
            },
            "infectiousness_when_days_since_onset_missing": missing.name.lower(),
            "report_type_when_missing": self.report_type_when_missing.name.lower(),
            "classifications": [level.to_json() for level in self.classifications],
        }

    def infectiousness(self, days_since_onset: int | None) -> Infectiousness:
        """Return how infectious a key's owner was, by the key's days since onset of symptoms."""
        if days_since_onset is None or abs(days_since_onset) > MAX_DAYS_SINCE_ONSET:
            return self.infectiousness_when_days_since_onset_missing
        return self.days_since_onset_to_infectiousness[days_since_onset + MAX_DAYS_SINCE_ONSET]


def _onset_entries(days: Mapping[int, Infectiousness]) -> tuple[Infectiousness, ...]:
    every = range(-MAX_DAYS_SINCE_ONSET, MAX_DAYS_SINCE_ONSET + 1)
    return tuple(days.get(day, Infectiousness.NONE) for day in every)
