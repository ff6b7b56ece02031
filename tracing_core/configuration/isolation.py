"""Rules of isolation: how long an authority asks people to keep apart, and from what.

The server's file ``isolation.json`` and the signed configuration have the same form; each rule may
be missing::

    {"exposure": {"days": 7, "negative_test_after": 5},
     "onset": {"days": 10},
     "positive_test": {"days": 10, "negative_test_after": 7}}
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracing_core.errors import InvalidValue
from tracing_core.json_object import check_known, read_integer, read_object

__all__ = ["MOST_DAYS", "IsolationCause", "IsolationRule", "IsolationRules"]

MOST_DAYS = 18
"""The longest isolation that a rule may ask for.

A device keeps its diary for 21 days, and a sign is the first of an illness if there was none on the
three days before. So on the oldest three days it cannot know the onset.
"""

_FIELDS = ("days", "negative_test_after")


class IsolationCause(enum.Enum):
    """What isolation is counted from; the value is the name of its rule."""

    EXPOSURE = "exposure"
    """The last day near a person who tested positive."""
    ONSET = "onset"
    """The day on which symptoms began."""
    POSITIVE_TEST = "positive_test"
    """The day of the owner's own positive test."""


@dataclass(frozen=True, slots=True)
class IsolationRule:
    """How long isolation lasts after one cause.

    Raises
    ------
    InvalidValue
        When a number is out of bounds.
    """

    days: int
    """Isolation lasts through this many days after the day of the cause, 1 to 18."""
    negative_test_after: int | None = None
    """A negative test so many days after the cause or later ends it that day; None if none does."""

    def __post_init__(self) -> None:
        read_integer(self.days, "days", 1, MOST_DAYS)
        if self.negative_test_after is not None:
            read_integer(self.negative_test_after, "negative_test_after", 0, self.days)

    @classmethod
    def from_json(cls, value: Any, name: str) -> IsolationRule:
        """Read the JSON form of the rule with a name; unknown fields are ignored.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        fields = read_object(value, name)
        if "days" not in fields:
            raise InvalidValue(f"{name}.days is missing")
        try:
            return cls(fields["days"], fields.get("negative_test_after"))
        except InvalidValue as error:
            raise InvalidValue(f"{name}.{error}") from error

    def to_json(self) -> dict[str, int]:
        """Return the JSON form."""
        if self.negative_test_after is None:
            return {"days": self.days}
        return {"days": self.days, "negative_test_after": self.negative_test_after}


@dataclass(frozen=True, slots=True)
class IsolationRules:
    """All rules of an authority.

    Raises
    ------
    InvalidValue
        When there is no rule.
    """

    by_cause: Mapping[IsolationCause, IsolationRule]

    def __post_init__(self) -> None:
        if not self.by_cause:
            names = ", ".join(cause.value for cause in IsolationCause)
            raise InvalidValue(f"isolation must have a rule for one of {names}")

    @classmethod
    def from_json(cls, value: Any, *, is_strict: bool = False) -> IsolationRules:
        """Read the JSON form.

        Parameters
        ----------
        value
            What a JSON parser returned.
        is_strict
            Whether an unknown field is an error, as in an operator's file. A device ignores what a
            later version has added.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        fields = read_object(value, "isolation")
        if is_strict:
            check_known(fields, {cause.value for cause in IsolationCause}, "", of="isolation")
            for name, each in fields.items():
                check_known(read_object(each, name), _FIELDS, f"{name}.", of="a rule")
        return cls(
            {
                cause: IsolationRule.from_json(fields[cause.value], cause.value)
                for cause in IsolationCause
                if cause.value in fields
            }
        )

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return the JSON form."""
        return {cause.value: rule.to_json() for cause, rule in self.by_cause.items()}
