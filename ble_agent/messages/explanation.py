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
    InvalidJoinLine,
    InvalidLog,
    InvalidSetting,
    LogFault,
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


def _setting(error: InvalidSetting, _language: str) -> str:
    return error.place


def _line(error: InvalidLog, language: str) -> str:
    if error.line:
        return say("place_line", language, path=error.path, line=error.line)
    return error.path


def _log_name(error: InvalidLog) -> str:
    return "" if error.fault is None else f"error_log_{error.fault.name.lower()}"


def _radio_name(error: RadioError) -> str:
    return f"error_{RadioFault(error.reason).name.lower()}"


def _store_text(error: TracingError, language: str) -> str:
    cause = error.__cause__
    name = errno.errorcode.get(cause.errno or 0, "") if isinstance(cause, OSError) else ""
    if f"reason_{name.lower()}" not in MESSAGES:
        return say("error_store", language)
    reason = say(f"reason_{name.lower()}", language)
    return say("store_reason", language, reason=reason)


def _code_name(error: ServerRefused | NotPossible) -> str:
    return f"error_{error.code}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one kind of error is explained."""

    kind: type[TracingError]
    name: str | Callable[[Any], str]
    """Name of the text, or how the error gives it; a name without a text keeps the error's own."""
    place: Callable[[Any, str], str] = _no_place
    """Where the fault is, in a language; "" if nowhere."""
    keeps_english: bool = False
    """Whether the error's own English text says more than the catalogue's."""


# The first rule whose kind fits counts.
_RULES = (
    _Rule(ServerRefused, _code_name),
    _Rule(NotPossible, _code_name),
    _Rule(ServerUnreachable, "error_server_unreachable"),
    _Rule(ExportFileError, "error_batch"),
    _Rule(InvalidJoinLine, "error_join_line", keeps_english=True),
    _Rule(TrustError, "error_trust", keeps_english=True),
    _Rule(StoreBusy, "error_store_busy", _path, keeps_english=True),
    _Rule(StoreReadOnly, "error_store_read_only", _path, keeps_english=True),
    _Rule(StoreFull, "error_store_full", _path, keeps_english=True),
    _Rule(StoreDamaged, "error_store_damaged", _path, keeps_english=True),
    _Rule(StoreSealed, "error_store_sealed", _path, keeps_english=True),
    _Rule(SchemaMismatch, "error_newer_version", _path, keeps_english=True),
    _Rule(StoreError, "error_store", _path, keeps_english=True),
    _Rule(InvalidSetting, "error_settings", _setting, keeps_english=True),
    _Rule(InvalidLog, _log_name, _line, keeps_english=True),
    _Rule(RadioError, _radio_name, keeps_english=True),
)


def explain(error: TracingError, language: str) -> str:
    """Return what an error means and what to do, in one line."""
    if language == "vi" and error.vi:
        return error.vi
    rule = next((rule for rule in _RULES if isinstance(error, rule.kind)), None)
    if rule is None:
        return str(error)
    name = rule.name if isinstance(rule.name, str) else rule.name(error)
    if name not in MESSAGES:
        return str(error)
    if language == "en" and rule.keeps_english:
        is_line = isinstance(error, InvalidLog) and error.fault is LogFault.LINE
        return f"{error}; {say(name, language)}" if is_line else str(error)
    place = rule.place(error, language)
    text = _store_text(error, language) if rule.kind is StoreError else say(name, language)
    return f"{place}: {text}" if place else text
