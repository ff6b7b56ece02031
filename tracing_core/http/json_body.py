"""Bodies of HTTP requests and responses: frozen dataclasses whose fields state their JSON names.

They follow Google's servers: a missing field or null is the type's zero, names are matched without
regard to case, an unknown field is an error in a request, and fields that may be missing are left
out when writing, unless the body says otherwise. Unlike there, a field that is given twice in
different cases is an error, since one of the two would be passed over silently.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self, TypeVar, get_args, get_origin, get_type_hints

from tracing_core.errors import InvalidValue
from tracing_core.json_object import check_known, is_unicode, parse_json, read_object

__all__ = ["JSONBody"]

_WORDS: dict[Any, str] = {
    str: "text",
    int: "an integer of 64 bits",
    float: "a number",
    bool: "true or false",
}


_Body = TypeVar("_Body", bound="JSONBody")


class JSONBody:
    """Base of the bodies. Fields are annotated with their JSON names; in JSON all are optional.

    Types are str, int, float, bool, and tuples of str or of bodies.
    """

    __slots__ = ()

    _ignores_unknown_fields: ClassVar[bool] = False
    _writes_all_fields: ClassVar[bool] = False
    """Whether fields are written that reading would fill in; other servers have other defaults."""

    @classmethod
    def from_json(cls, fields: Any, *, longest_list: int = sys.maxsize) -> Self:
        """Read what a JSON parser returned.

        Parameters
        ----------
        fields
            The object.
        longest_list
            Most items in a list. A longer list is refused before its items are read.

        Raises
        ------
        InvalidValue
            When a field is unknown or has the wrong type; the text names the field.
        """
        return _Reader(longest_list).body(cls, fields, "")

    @classmethod
    def from_bytes(cls, data: bytes | str, *, longest_list: int = sys.maxsize) -> Self:
        """Read one JSON object and nothing after it, as `from_json` does.

        Raises
        ------
        InvalidValue
            When the data is not a JSON object, or a field is wrong.
        """
        try:
            fields = parse_json(data)
        except (ValueError, RecursionError) as error:
            raise InvalidValue("the body must be one JSON object in UTF-8") from error
        return cls.from_json(fields, longest_list=longest_list)

    def to_json(self) -> dict[str, Any]:
        """Return what a JSON writer takes; fields that reading would fill in are left out."""
        fields: dict[str, Any] = {}
        for field in _fields(type(self)):
            value = getattr(self, field.attribute)
            if value == field.absent and not self._writes_all_fields:
                continue
            if isinstance(value, tuple):
                value = [x.to_json() if isinstance(x, JSONBody) else x for x in value]
            fields[field.name] = value
        return fields


class _Field(NamedTuple):
    name: str
    """The field's name in JSON."""
    attribute: str
    kind: Any
    absent: Any
    """The attribute's value when JSON lacks the field."""


_CACHE: dict[type, tuple[_Field, ...]] = {}


def _fields(cls: type[JSONBody]) -> tuple[_Field, ...]:
    if cls not in _CACHE:
        hints = get_type_hints(cls, include_extras=True)
        found = []
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            kind, name = get_args(hints[field.name])
            required = field.default is dataclasses.MISSING
            absent = (get_origin(kind) or kind)() if required else field.default
            found.append(_Field(name, field.name, kind, absent))
        _CACHE[cls] = tuple(found)
    return _CACHE[cls]


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader:
    longest_list: int

    def body(self, cls: type[_Body], fields: Any, where: str) -> _Body:
        given = _by_known_name(cls, read_object(fields, where.rstrip(".") or "the body"), where)
        values = {}
        for field in _fields(cls):
            value = given.get(field.name)
            values[field.attribute] = (
                field.absent
                if value is None
                else self.value(field.kind, value, f"{where}{field.name}")
            )
        return cls(**values)

    def value(self, kind: Any, value: Any, where: str) -> Any:
        if get_origin(kind) is tuple:
            if not isinstance(value, list):
                raise InvalidValue(f"{where} must be a list")
            if len(value) > self.longest_list:
                raise InvalidValue(
                    f"{where} has {len(value)} items, but at most {self.longest_list} are accepted"
                )
            item = get_args(kind)[0]
            return tuple(self.value(item, each, f"{where}[{at}]") for at, each in enumerate(value))
        if kind not in _WORDS:
            return self.body(kind, value, f"{where}.")
        if kind is float and type(value) is int:
            # Compared as integers, because a large one does not convert.
            value = float(value) if abs(value) < 2**63 else math.inf
        if type(value) is not kind or not _in_range(value):
            raise InvalidValue(f"{where} must be {_WORDS[kind]}")
        return value


def _by_known_name(cls: type[JSONBody], given: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the fields under the names that the body states, whatever the case of their letters.

    Raises
    ------
    InvalidValue
        When a field is given twice, or is unknown and must not be.
    """
    names = {field.name for field in _fields(cls)}
    if given.keys() <= names:
        return given
    by_case = {name.casefold(): name for name in names}
    found: dict[str, Any] = {}
    for name, value in given.items():
        known = by_case.get(name.casefold())
        if known is None:
            if not cls._ignores_unknown_fields:
                check_known({name: value}, names, where, of="this request")
        elif known in found:
            raise InvalidValue(f"{where}{known} is given twice")
        else:
            found[known] = value
    return found


def _in_range(value: str | float) -> bool:
    if isinstance(value, str):
        return is_unicode(value)
    return math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63
