"""Logs against published keys: what matched, and how much it counts.

``matcher.match`` goes from files to a result, ``match_keys`` and ``assess`` are its two halves for
whoever holds the objects. Neither needs numpy.
"""

from matcher.definition import KeyMatch
from matcher.join import match_keys
from matcher.matching import match
from matcher.report import MatchResult
from matcher.risk import Assessment, DailySummary, ExposureSummary, assess, load_configuration
from matcher.sightings import SightingIndex, read_log

__all__ = [
    "Assessment",
    "DailySummary",
    "ExposureSummary",
    "KeyMatch",
    "MatchResult",
    "SightingIndex",
    "assess",
    "load_configuration",
    "match",
    "match_keys",
    "read_log",
]
