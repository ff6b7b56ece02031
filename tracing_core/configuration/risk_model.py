"""Risk model of a configuration: its name, and its parameters as JSON.

It stands beside the ENv2 configuration, which every device understands. The JSON form is that of
the server's setting and of the signed configuration::

    {"name": "env2", "parameters": {…}}

`PARAMETER_FORMATS` holds the readers of the parameters that this version knows. Those of another
model are kept as they are, so that a device can pass over a model that came after it.
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
"""By the name of a model, what reads its parameters; it raises `InvalidValue`."""

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
    """As `json.loads` returns them; whether a known model takes them is asked by `check`."""

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
            raise InvalidValue(f"the risk model {self.name} is not known here; known are {known}")
        return PARAMETER_FORMATS[self.name](dict(self.parameters))

    def check(self) -> None:
        """Check the parameters if this version knows the model.

        Raises
        ------
        InvalidValue
            When they are not in its form.
        """
        if self.is_known:
            self.parsed()

    @classmethod
    def from_json(cls, value: Any) -> RiskModelConfiguration:
        """Read the JSON form; unknown fields are ignored.

        Raises
        ------
        InvalidValue
            When it is another; the text names the field.
        """
        fields = JSONObject(value, "risk_model", where="risk_model: ")
        return cls(fields["name"], fields["parameters"])

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which `from_json` reads back equal."""
        return {"name": self.name, "parameters": dict(self.parameters)}


def _copied(value: Any, depth: int) -> Any:
    """Return a copy of JSON values that nothing else holds."""
    if depth > _DEEPEST:
        raise InvalidValue(f"parameters must be nested at most {_DEEPEST} deep")
    if isinstance(value, dict):
        return {_copied_key(key): _copied(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(each, depth + 1) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and is_unicode(value):
        return value
    # Beyond 64 bits readers of JSON disagree.
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidValue("parameters must hold JSON values alone, with finite numbers of 64 bits")


def _copied_key(key: Any) -> str:
    if not isinstance(key, str) or not is_unicode(key):
        raise InvalidValue("parameters must have names that are text")
    return key
