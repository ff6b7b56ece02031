"""Bluetooth contact tracing: match logs of sightings with published keys, and weigh the matches.

>>> import truyvet
>>> result = truyvet.match([], [truyvet.ExportFile(0, 600, "VN", keys=[])])
>>> result.assessment.level
'none'

A log is a path, a DataFrame, an Arrow table, or `Sighting` objects; key files are paths or
`ExportFile` objects. ``docs/matching.md`` says what a match is and what each figure means.

Every name is loaded when it is first used. Every error that this project raises on purpose is a
`TracingError`; its text gives the cause, then what to do.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matcher import load_configuration, match, preset_names, read_log
    from matcher.many.matching import match_many
    from matcher.result import MatchResult
    from tracing_core.clock import Clock
    from tracing_core.errors import TracingError
    from tracing_core.export_file import ExportFile
    from tracing_core.export_file import read_export as read_key_file
    from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
    from tracing_core.store.sighting import Sighting

    __version__: str
    """The installed version."""

__all__ = [
    "Clock",
    "DiagnosisKey",
    "ExportFile",
    "MatchResult",
    "ReportType",
    "Sighting",
    "TracingError",
    "__version__",
    "load_configuration",
    "match",
    "match_many",
    "preset_names",
    "read_key_file",
    "read_log",
]

_HOMES = {
    "Clock": "tracing_core.clock",
    "DiagnosisKey": "tracing_core.protocol.diagnosis_key",
    "ExportFile": "tracing_core.export_file",
    "MatchResult": "matcher.result",
    "ReportType": "tracing_core.protocol.diagnosis_key",
    "Sighting": "tracing_core.store.sighting",
    "TracingError": "tracing_core.errors",
    "load_configuration": "matcher",
    "match": "matcher",
    "match_many": "matcher.many.matching",
    "preset_names": "matcher",
    "read_key_file": "tracing_core.export_file",
    "read_log": "matcher",
}
_NAMES_THERE = {"read_key_file": "read_export"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = importlib.import_module("importlib.metadata").version("truyvet")
    elif name in _HOMES:
        module = _HOMES[name]
        _check_not_hidden(module.partition(".")[0])
        value = getattr(importlib.import_module(module), _NAMES_THERE.get(name, name))
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _check_not_hidden(package: str) -> None:
    """Raise ImportError if a module of the user's own hides our package of the same name."""
    hiding_file = importlib.import_module("tracing_core.process.import_path").hiding_file
    if file := hiding_file(package):
        raise ImportError(f"{file} hides truyvet's package {package}: rename that file")
