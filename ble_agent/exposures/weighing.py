"""Weighing of exposures: the authority's risk model, as far as this agent can use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ble_agent.messages.catalogue import say
from matcher.risk import RiskModel, RiskParameters, load_model, model_names
from tracing_core.errors import InvalidValue
from tracing_core.trust.signed_config import SignedConfig

__all__ = ["Weighing", "choose_weighing"]


@dataclass(frozen=True, slots=True)
class Weighing:
    """A risk model and its parameters."""

    model: RiskModel[Any]
    parameters: RiskParameters
    unusable: str | None
    """The model that the authority names and this agent cannot use; None in the usual case."""

    def note(self, language: str) -> str | None:
        """Return the line for the owner about an unusable model; None if there is none."""
        if self.unusable is None:
            return None
        return say("risk_model_unusable", language, model=self.unusable)


def choose_weighing(config: SignedConfig) -> Weighing:
    """Return the model that a configuration names, or ``risk`` if that model is unusable.

    A model is unusable when it, or one of its parameters, came with a later version of truyvet.
    ``risk`` is always there.
    """
    named = config.risk_model
    if named is None:
        return Weighing(load_model(), config.risk, None)
    if named.name in model_names():
        model = load_model(named.name)
        try:
            return Weighing(model, model.parameters(dict(named.parameters)), None)
        except InvalidValue:
            pass
    return Weighing(load_model(), config.risk, named.name)
