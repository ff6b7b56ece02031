"""Explanation of errors to the owner: one line each, in the owner's language.

A table names the text of every kind of error. English keeps an error's own text where it names a
file, a setting or an adapter. Vietnamese uses the error's own Vietnamese text if it has one, and
otherwise puts the place before the text of the table.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ble_agent.messages.catalogue import MESSAGES, say
from tracing_core.errors import (
    ExportFileError,
    FileIsThere,
    InvalidJoinFile,
    InvalidJoinLine,
    InvalidLog,
    InvalidSetting,
    LogFault,
    MissingExtra,
    NotPossible,
    RadioError,
    RadioFault,
    SchemaMismatch,
    ServerRefused,
    ServerUnreachable,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreSealed,
    TracingError,
    TrustError,
)

__all__ = ["explain"]


def _no_place(_error: Any, _language: str) -> str:
    return ""


def _path(error: StoreError, _language: str) -> str:
    return error.path


def _setting(error: InvalidSetting | InvalidJoinFile, _language: str) -> str:
    return error.place


def _line(error: InvalidLog, language: str) -> str:
    if error.line:
        return say("place_line", language, path=error.path, line=error.line)
    return error.path


def _named(name: str) -> Callable[[Any, str], str]:
    return lambda _error, language: say(name, language)


def _by_code(error: ServerRefused | NotPossible, language: str) -> str:
    return _if_known(f"error_{error.code}", language)


def _by_log_fault(error: InvalidLog, language: str) -> str:
    return "" if error.fault is None else _if_known(f"error_log_{error.fault.name}", language)


def _by_radio_fault(error: RadioError, language: str) -> str:
    return _if_known(f"error_{RadioFault(error.reason).name}", language)


def _if_known(name: str, language: str) -> str:
    return say(name.lower(), language) if name.lower() in MESSAGES else ""


def _with_reason(error: StoreError, language: str) -> str:
    """Return the text with the system's reason, if the system gave one that has a text."""
    cause = error.__cause__
    name = errno.errorcode.get(cause.errno or 0, "") if isinstance(cause, OSError) else ""
    reason = _if_known(f"reason_{name}", language)
    return say("store_reason", language, reason=reason) if reason else say("error_store", language)


def _with_extra(error: MissingExtra, language: str) -> str:
    return say("missing_extra", language, library=error.library, extra=error.extra)


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one kind of error is explained."""

    kind: type[TracingError]
    text: Callable[[Any, str], str]
    """What to do, in a language; "" where only the error's own text is known."""
    place: Callable[[Any, str], str] = _no_place
    """Where the fault is, in a language; "" if nowhere."""
    keeps_english: bool = False
    """Whether the error's own English text says more than the catalogue's."""


# The first rule whose kind fits counts.
_RULES = (
    _Rule(ServerRefused, _by_code),
    _Rule(NotPossible, _by_code),
    _Rule(ServerUnreachable, _named("error_server_unreachable")),
    _Rule(ExportFileError, _named("error_batch")),
    _Rule(InvalidJoinFile, _named("error_join_file"), _setting, keeps_english=True),
    _Rule(InvalidJoinLine, _named("error_join_line"), keeps_english=True),
    _Rule(TrustError, _named("error_trust"), keeps_english=True),
    _Rule(FileIsThere, _named("error_file_is_there"), _path, keeps_english=True),
    _Rule(StoreBusy, _named("error_store_busy"), _path, keeps_english=True),
    _Rule(StoreReadOnly, _named("error_store_read_only"), _path, keeps_english=True),
    _Rule(StoreFull, _named("error_store_full"), _path, keeps_english=True),
    _Rule(StoreDamaged, _named("error_store_damaged"), _path, keeps_english=True),
    _Rule(StoreSealed, _named("error_store_sealed"), _path, keeps_english=True),
    _Rule(SchemaMismatch, _named("error_newer_version"), _path, keeps_english=True),
    _Rule(StoreError, _with_reason, _path, keeps_english=True),
    _Rule(InvalidSetting, _named("error_settings"), _setting, keeps_english=True),
    _Rule(InvalidLog, _by_log_fault, _line, keeps_english=True),
    _Rule(RadioError, _by_radio_fault, keeps_english=True),
    _Rule(MissingExtra, _with_extra),
)


def explain(error: TracingError, language: str) -> str:
    """Return what an error means and what to do, in one line."""
    if language == "vi" and error.vi:
        return error.vi
    rule = next((rule for rule in _RULES if isinstance(error, rule.kind)), None)
    text = "" if rule is None else rule.text(error, language)
    if rule is None or not text:
        return str(error)
    if language == "en" and rule.keeps_english:
        is_line = isinstance(error, InvalidLog) and error.fault is LogFault.LINE
        return f"{error}; {text}" if is_line else str(error)
    place = rule.place(error, language)
    return f"{place}: {text}" if place else text
