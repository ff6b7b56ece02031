"""Signed areas: the level of the epidemic in each area, as an authority sees it.

Everyone fetches the same whole list, so no request reveals where its device is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from tracing_core.errors import InvalidValue, TrustError
from tracing_core.json_object import JSONObject, read_array, read_integer, read_name
from tracing_core.trust.signed_document import LATEST_SECONDS, open_document, sign_document

__all__ = [
    "MAX_AREAS_BYTES",
    "MOST_LEVELS",
    "Area",
    "AreaLevel",
    "SignedAreas",
    "area_faults",
]

MAX_AREAS_BYTES = 512 << 10
"""The largest signed list of areas; one of 3,355 areas takes about 190,000 bytes."""

MOST_LEVELS = 10
"""How many levels a list may have."""

_TYPE = "truyvet-areas+jwt"
_CODE = re.compile(r"[0-9A-Za-z-]{1,20}")


@dataclass(frozen=True, slots=True)
class AreaLevel:
    """What the authority calls a level, such as "high", in each language.

    Raises
    ------
    InvalidValue
        When a text is missing, is too long or contains control characters.
    """

    vi: str
    en: str

    def __post_init__(self) -> None:
        read_name(self.vi, "vi")
        read_name(self.en, "en")

    def in_(self, language: str) -> str:
        """Return the text in a language, ``vi`` or ``en``."""
        return self.vi if language == "vi" else self.en


@dataclass(frozen=True, slots=True)
class Area:
    """An area: one at the top, such as a province, or one inside it, such as a commune.

    Raises
    ------
    InvalidValue
        When a field is outside what it may hold; the text names it.
    """

    code: str
    """The authority's code: letters, digits and hyphens, at most 20; zeros in front count."""
    name: str
    """At most 100 letters."""
    parent: str = ""
    """Code of the area that this one is in; "" at the top."""
    level: int = 0
    """Number of the level, counted from 1; 0 if the authority states none."""

    def __post_init__(self) -> None:
        if not isinstance(self.code, str) or not _CODE.fullmatch(self.code):
            raise InvalidValue("code must be 1 to 20 letters, digits and hyphens")
        read_name(self.name, "name")
        if not isinstance(self.parent, str) or (self.parent and not _CODE.fullmatch(self.parent)):
            raise InvalidValue("parent must be the code of an area, or empty")
        read_integer(self.level, "level", 0, MOST_LEVELS)

    def to_json(self) -> list[str | int]:
        """Return the JSON form, short because there are thousands."""
        return [self.code, self.name, self.parent, self.level]


def area_faults(areas: Sequence[Area], levels: int) -> Iterator[tuple[int, str]]:
    """Yield the place in the list, and the fault, of each area that does not fit the others.

    Parameters
    ----------
    areas
        The areas, in any order.
    levels
        How many levels there are.
    """
    first: dict[str, int] = {}
    for place, area in enumerate(areas):
        first.setdefault(area.code, place)
    for place, area in enumerate(areas):
        if first[area.code] != place:
            yield place, f"the code {area.code} is that of another area before it"
        elif area.level > levels:
            yield place, f"level must be at most {levels}, not {area.level}"
        elif area.parent and area.parent not in first:
            yield place, f"there is no area {area.parent} for it to be in"
        elif area.parent and areas[first[area.parent]].parent:
            yield place, f"the area {area.parent} is itself in another one"


@dataclass(frozen=True, slots=True)
class SignedAreas:
    """The areas of a region and their levels."""

    region: str
    sequence: int
    """Rises with every list; a device refuses a lower number than the last it accepted."""
    issued_at: int
    """When the authority set the levels (UTC Unix seconds)."""
    levels: tuple[AreaLevel, ...]
    """The names of the levels, from 1 up."""
    areas: tuple[Area, ...]
    """All areas; none if the authority publishes none now."""

    def find(self, code: str) -> Area | None:
        """Return the area with a code; None if there is none."""
        return next((area for area in self.areas if area.code == code), None)

    def level_text(self, area: Area, language: str) -> str:
        """Return the name of an area's level; "" if the authority states none."""
        return self.levels[area.level - 1].in_(language) if area.level else ""

    def sign(self, private_config_key: EllipticCurvePrivateKey) -> str:
        """Return the list as a JWS.

        Raises
        ------
        TrustError
            When no device could use the list.
        """
        claims = {
            "region": self.region,
            "sequence": self.sequence,
            "issued_at": self.issued_at,
            "levels": [asdict(level) for level in self.levels],
            "areas": [area.to_json() for area in self.areas],
        }
        self._read(claims)
        return sign_document(claims, _TYPE, private_config_key, most_bytes=MAX_AREAS_BYTES)

    @classmethod
    def verify(cls, document: str, config_key: EllipticCurvePublicKey | None) -> SignedAreas:
        """Verify and read a list; unknown fields are ignored.

        Parameters
        ----------
        document
            The JWS.
        config_key
            The configuration key that the newest trust document names; without a key, the list
            must not be trusted.

        Raises
        ------
        TrustError
            When the document is not signed by the key, or cannot be used.
        """
        claims = open_document(document, _TYPE, config_key, most_bytes=MAX_AREAS_BYTES)
        return cls._read(claims)

    @classmethod
    def _read(cls, value: Any) -> SignedAreas:
        try:
            claims = JSONObject(value, "it")
            levels = read_array(claims["levels"], "levels")
            if len(levels) > MOST_LEVELS:
                raise InvalidValue(f"levels must be at most {MOST_LEVELS}")
            rows = read_array(claims["areas"], "areas")
            read = cls(
                region=claims.name("region"),
                sequence=claims.integer("sequence", 1, LATEST_SECONDS),
                issued_at=claims.integer("issued_at", 0, LATEST_SECONDS),
                levels=tuple(_level(each, place) for place, each in enumerate(levels)),
                areas=tuple(_area(each, place) for place, each in enumerate(rows)),
            )
            for place, fault in area_faults(read.areas, len(read.levels)):
                raise InvalidValue(f"areas[{place}]: {fault}")
        except InvalidValue as error:
            raise TrustError(f"the server's list of areas cannot be used: {error}") from error
        return read


def _level(value: Any, place: int) -> AreaLevel:
    fields = JSONObject(value, f"levels[{place}]", where=f"levels[{place}].")
    return AreaLevel(fields.name("vi"), fields.name("en"))


def _area(value: Any, place: int) -> Area:
    row = read_array(value, f"areas[{place}]")
    if len(row) < 4:
        raise InvalidValue(f"areas[{place}] must have a code, a name, a parent and a level")
    try:
        # Newer servers may add columns.
        return Area(*row[:4])
    except InvalidValue as error:
        raise InvalidValue(f"areas[{place}]: {error}") from error
