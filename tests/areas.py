"""Invented areas: as many provinces and communes as a country has, with made-up names."""

from __future__ import annotations

from collections.abc import Sequence

from tracing_core.trust.signed_areas import Area, AreaLevel

__all__ = ["LEVELS", "csv_of", "invented_areas"]

LEVELS = (
    AreaLevel("Cấp 1: nguy cơ thấp", "Level 1: low"),
    AreaLevel("Cấp 2: nguy cơ trung bình", "Level 2: medium"),
    AreaLevel("Cấp 3: nguy cơ cao", "Level 3: high"),
    AreaLevel("Cấp 4: nguy cơ rất cao", "Level 4: very high"),
)

_FIRST = [
    "Sông",
    "Đồi",
    "Bến",
    "Rừng",
    "Núi",
    "Suối",
    "Đầm",
    "Gò",
    "Bãi",
    "Hồ",
    "Đảo",
    "Đèo",
    "Vịnh",
    "Cồn",
    "Khe",
    "Nương",
]
_SECOND = [
    "Trăng",
    "Mây",
    "Sương",
    "Nắng",
    "Gió",
    "Lửa",
    "Đá",
    "Sen",
    "Trúc",
    "Mai",
    "Đào",
    "Quế",
    "Tùng",
    "Hạc",
    "Ngọc",
]
_THIRD = [
    "Xanh",
    "Vàng",
    "Đỏ",
    "Trắng",
    "Biếc",
    "Thắm",
    "Sáng",
    "Êm",
    "Cao",
    "Dài",
    "Sâu",
    "Rộng",
    "Mới",
    "Lớn",
]


def _names(kind: str) -> list[str]:
    return [f"{kind} {a} {b} {c}" for c in _THIRD for b in _SECOND for a in _FIRST]


def invented_areas(provinces: int = 34, communes: int = 3_321) -> list[Area]:
    """Return provinces and communes; codes, lengths and numbers are like the real ones."""
    names = [*_names("Xã"), *_names("Phường")]
    areas = [
        Area(f"{number + 1:02}", f"Tỉnh {name.removeprefix('Xã ')}", "", 1 + number % 4)
        for number, name in enumerate(names[:provinces])
    ]
    areas += [
        Area(f"{number * 7 + 4:05}", names[number], areas[number % provinces].code, 1 + number % 4)
        for number in range(communes)
    ]
    return areas


def csv_of(areas: Sequence[Area], separator: str = ",") -> str:
    """Return areas as an operator's file, as a spreadsheet writes it."""
    rows = [("code", "name", "parent", "level")]
    rows += [(area.code, area.name, area.parent, str(area.level or "")) for area in areas]
    return "".join(separator.join(row) + "\r\n" for row in rows)
