"""Registry of risk models; a model is imported when it is first asked for."""

from __future__ import annotations

import importlib
from typing import Any

from matcher.risk.model import RiskModel
from tracing_core.errors import InvalidValue

__all__ = ["DEFAULT_MODEL", "load_model", "model_names"]

DEFAULT_MODEL = "env2"
"""The model of the protocol's own daily summaries."""

# Each module has a constant MODEL.
_MODULES = {"env2": "matcher.risk.models.env2.model"}


def model_names() -> list[str]:
    """Return the names of the models that come with the package, sorted."""
    return sorted(_MODULES)


def load_model(name: str = DEFAULT_MODEL) -> RiskModel[Any]:
    """Return a model by name.

    Raises
    ------
    InvalidValue
        When no model has this name.
    """
    if name not in _MODULES:
        raise InvalidValue(
            f"unknown risk model {name!r:.40}: use one of {', '.join(model_names())}"
        )
    model: RiskModel[Any] = importlib.import_module(_MODULES[name]).MODEL
    return model
