"""Matching of logs with published keys, and the risk of what matched.

`match` goes from files to a result; `match_keys` and `assess` are its two halves, for objects in
memory. None of them needs numpy. Names are loaded on first use, so printing ``--help`` or importing
one name loads only what it needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matcher.definition import KeyMatch
    from matcher.matching import match
    from matcher.others.matching import match_bluezone
    from matcher.portable.join import match_keys
    from matcher.portable.sightings import SightingIndex, read_log
    from matcher.result import MatchResult
    from matcher.risk import (
        Assessment,
        DayAssessment,
        assess,
        load_configuration,
        preset_names,
    )
    from matcher.risk.models.env2 import DailySummary, ExposureSummary

__all__ = [
    "Assessment",
    "DailySummary",
    "DayAssessment",
    "ExposureSummary",
    "KeyMatch",
    "MatchResult",
    "SightingIndex",
    "assess",
    "load_configuration",
    "match",
    "match_bluezone",
    "match_keys",
    "preset_names",
    "read_log",
]

_HOMES = {
    "DailySummary": "risk.models.env2",
    "ExposureSummary": "risk.models.env2",
    "KeyMatch": "definition",
    "MatchResult": "result",
    "SightingIndex": "portable.sightings",
    "match": "matching",
    "match_bluezone": "others.matching",
    "match_keys": "portable.join",
    "read_log": "portable.sightings",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"matcher.{_HOMES.get(name, 'risk')}"), name)
    globals()[name] = value
    return value
