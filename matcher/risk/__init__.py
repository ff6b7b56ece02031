"""Risk: from matches to exposure windows, scores and levels."""

from matcher.risk.assessment import assess
from matcher.risk.configuration import load_configuration, preset_names
from matcher.risk.model import Assessment, DayAssessment, RiskModel, RiskParameters
from matcher.risk.models import load_model, model_names

__all__ = [
    "Assessment",
    "DayAssessment",
    "RiskModel",
    "RiskParameters",
    "assess",
    "load_configuration",
    "load_model",
    "model_names",
    "preset_names",
]
