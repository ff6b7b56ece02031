"""Shapes of values: whether a JSON value is as a type of `ble_agent.store.state` describes it."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from tracing_core.json_object import is_unicode
from tracing_core.store.field_values import LATEST_MOMENT

__all__ = ["has_shape"]


def has_shape(value: Any, kind: Any) -> bool:
    """Return whether a value from outside has a type.

    Numbers must be such as the state holds: none is negative, or later than any moment.

    Parameters
    ----------
    value
        What the JSON parser returned.
    kind
        A type of which JSON values can be: a `TypedDict`, a union, a mapping from text, a
        sequence, a plain type, or `Any`.
    """
    if kind is Any:
        return True
    if is_typeddict(kind):
        return _has_fields(value, kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(has_shape(value, each) for each in inner)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            is_unicode(name) and has_shape(each, inner[1]) for name, each in value.items()
        )
    if origin in (list, Sequence):
        return isinstance(value, list) and all(has_shape(each, inner[0]) for each in value)
    return _is_plain(value, kind)


def _has_fields(value: Any, kind: Any) -> bool:
    if not isinstance(value, dict):
        return False
    hints = get_type_hints(kind, include_extras=True)
    # `__required_keys__` is wrong where annotations are texts (docs of typing.TypedDict).
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    required = set(hints) - optional if kind.__total__ else set()
    return required <= set(value) <= set(hints) and all(
        has_shape(each, get_args(hints[name])[0] if name in optional else hints[name])
        for name, each in value.items()
    )


def _is_plain(value: Any, kind: Any) -> bool:
    if kind in (None, type(None)):
        return value is None
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind is int:
        return isinstance(value, int) and 0 <= value < LATEST_MOMENT
    if kind is float:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, kind) and (not isinstance(value, str) or is_unicode(value))
