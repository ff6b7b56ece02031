"""Risk model of a configuration: its name, and its parameters as JSON.

It accompanies the ENv2 configuration, which every device understands. The server's setting and
the signed configuration have the same JSON form::

    {"name": "env2", "parameters": {…}}

`PARAMETER_FORMATS` has a reader for the parameters of each model that this version knows. The
parameters of other models are kept unread, so that a device can skip a newer model.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidValue
from tracing_core.json_object import JSONObject, is_unicode, read_object

__all__ = ["MAX_PARAMETERS_BYTES", "PARAMETER_FORMATS", "RiskModelConfiguration"]

MAX_PARAMETERS_BYTES = 32 << 10
"""The largest parameters, as JSON in UTF-8: half of the largest signed document."""

PARAMETER_FORMATS: Mapping[str, Callable[[Any], Any]] = {"env2": ExposureConfiguration.from_json}
"""The reader of each model's parameters, by the model's name; it raises `InvalidValue`."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST_NAME = 64
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class RiskModelConfiguration:
    """A risk model and its parameters.

    Raises
    ------
    InvalidValue
        When the name is not lower-case words, or the parameters are too large, nested too deep, or
        not JSON.
    """

    name: str
    """Lower-case letters, digits, and single hyphens or underscores between them."""
    parameters: Mapping[str, Any]
    """As `json.loads` returns them; `check` checks them if the model is known."""

    def __post_init__(self) -> None:
        if (
            not isinstance(self.name, str)
            or len(self.name) > _LONGEST_NAME
            or not _NAME.fullmatch(self.name)
        ):
            raise InvalidValue(
                f"a risk model's name must be lower-case words of at most {_LONGEST_NAME} letters"
            )
        copied = _copied(read_object(self.parameters, "parameters"), 1)
        size = len(json.dumps(copied, ensure_ascii=False, separators=(",", ":")).encode())
        if size > MAX_PARAMETERS_BYTES:
            raise InvalidValue(f"parameters must be at most {MAX_PARAMETERS_BYTES} bytes of JSON")
        object.__setattr__(self, "parameters", copied)

    @property
    def is_known(self) -> bool:
        """Whether this version can read the parameters."""
        return self.name in PARAMETER_FORMATS

    def parsed(self) -> Any:
        """Return the parameters as the model's own type, an `ExposureConfiguration` for ``env2``.

        Raises
        ------
        InvalidValue
            When this version does not know the model, or the parameters are not in its form.
        """
        if not self.is_known:
            known = ", ".join(sorted(PARAMETER_FORMATS))
            raise InvalidValue(f"the risk model {self.name} is unknown: choose from {known}")
        return PARAMETER_FORMATS[self.name](dict(self.parameters))

    def check(self) -> None:
        """Check the parameters if this version knows the model.

        Raises
        ------
        InvalidValue
            When the parameters are not in the model's form.
        """
        if self.is_known:
            self.parsed()

    @classmethod
    def from_json(cls, value: Any) -> RiskModelConfiguration:
        """Read the JSON form; unknown fields are ignored.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        fields = JSONObject(value, "risk_model", where="risk_model: ")
        return cls(fields["name"], fields["parameters"])

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which `from_json` reads back as an equal object."""
        return {"name": self.name, "parameters": dict(self.parameters)}


def _copied(value: Any, depth: int) -> Any:
    """Return a deep copy of JSON values."""
    if depth > _DEEPEST:
        raise InvalidValue(f"parameters must not be nested more than {_DEEPEST} levels deep")
    if isinstance(value, dict):
        return {_copied_key(key): _copied(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(each, depth + 1) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and is_unicode(value):
        return value
    # JSON parsers disagree about integers beyond 64 bits.
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidValue("parameters must be JSON values only, with finite numbers of 64 bits")


def _copied_key(key: Any) -> str:
    if not isinstance(key, str) or not is_unicode(key):
        raise InvalidValue("names of parameters must be valid Unicode strings")
    return key
