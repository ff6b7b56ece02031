"""The interface of a risk model, which weighs exposure windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from matcher.risk.windows import WindowMapping
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.protocol.exposure_window import ExposureWindow

__all__ = [
    "NO_LEVEL",
    "Assessment",
    "DayAssessment",
    "DayDetail",
    "RiskModel",
    "RiskParameters",
]


class RiskParameters(WindowMapping, Protocol):
    """The parameters of a model: a configuration of the health authority."""

    @property
    def name(self) -> str:
        """The name of this configuration."""

    def to_json(self) -> dict[str, Any]:
        """Return the configuration in the form it is read from."""


class DayDetail(Protocol):
    """The figures of a day that only one model has."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the day in JSON, after ``date`` and ``level``."""

    def to_row(self) -> dict[str, Any]:
        """Return the columns of the day in a table, after ``date`` and ``level``."""


@dataclass(frozen=True, slots=True)
class DayAssessment:
    """The exposure of one UTC day."""

    date: int
    """UTC day, in days since the Unix epoch."""
    level: str
    """The name of the level that the day reaches; ``none`` if it reaches none."""
    score: float
    """The model's score, in the model's own unit."""
    minutes: float
    """Minutes near, not weighted."""
    detail: DayDetail
    """The model's own figures."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The exposure found in one log: windows, and a level and score per day.

    It holds no keys and no times of day.
    """

    windows: tuple[ExposureWindow, ...]
    """Every window, shuffled unless asked otherwise, so that none shows which key it belongs to."""
    days: tuple[DayAssessment, ...]
    """One per UTC day that counts, by date."""
    level: str
    """The worst level of any day; ``none`` if no day reaches a level."""
    score: float
    """The highest score of any day; 0 without a day."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of windows that count for no day, by reason: ``too_old``, ``too_weak`` (below the
    least score) or ``report_type``. Stated only if no day counts."""


Parameters = TypeVar("Parameters", bound=RiskParameters, contravariant=True)


class RiskModel(Protocol[Parameters]):
    """A way to weigh exposure windows.

    A model has no state. It is picklable, and equal to a copy of itself.
    """

    @property
    def name(self) -> str:
        """The name of the model in the registry and in signed configurations."""

    @property
    def days_name(self) -> str:
        """The name of its days: a field of JSON results, and a table of many logs."""

    def assess(
        self, windows: Sequence[ExposureWindow], parameters: Parameters, today: int
    ) -> Assessment:
        """Weigh windows; their order must not change the days.

        Parameters
        ----------
        today
            The UTC day, in days since the Unix epoch, that ages are counted back from.
        """

    def parameters(self, value: Any) -> RiskParameters:
        """Read parameters from their JSON form.

        Raises
        ------
        InvalidValue
            When the value is not a configuration of this model.
        """

    def default_parameters(self) -> RiskParameters:
        """Return the parameters used when none are given."""

    def levels(self, parameters: Parameters) -> tuple[str, ...]:
        """Return the names of the levels, worst first, without ``none``."""

    def score_text(self, score: float) -> str:
        """Return a score as tables print it, in `score_unit`."""

    @property
    def score_unit(self) -> str:
        """The unit of printed scores, in the plural."""

    def table_columns(self) -> list[tuple[str, Any]]:
        """Return the Arrow columns of `DayDetail.to_row`, in order."""
