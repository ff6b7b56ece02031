"""The story of the demo: its people, their paths, and the air between them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from ble_agent.virtual_air.scenario import Place, Waypoint

__all__ = ["AFFECTED", "NAMES", "RATE", "SECONDS", "TRANSMIT_DBM", "Story"]

AFFECTED = "an"
"""The person who will test positive."""

NAMES: Mapping[str, str] = {"an": "An", "binh": "Bình", "chi": "Chi", "dung": "Dung"}
"""All people, by the name of their controller."""

RATE = 60.0
"""Speed of the story's clock while people meet, as a multiple of real time."""

SECONDS = 2520
"""How long people are out, in seconds of the story's clock."""

TRANSMIT_DBM = 0
"""Transmit power of every agent, also in its metadata."""

# Path loss is 40 dB at 1 m and 61 dB at 5 m; beyond 100 m nothing is heard.
_AIR = """[air]
mode = "legacy"
transmit_dbm = {transmit_dbm}
path_loss_at_1m_db = 40
path_loss_exponent = 3.0
sensitivity_dbm = -100
noise_db = 3.0
loss = 0.05
seed = {seed}
start = {start}
"""
_FAR_M = 300.0
_WALK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Story:
    """The paths of all people.

    An stays in a café, and Bình sits at the same table for some 35 minutes. Chi and Dung sit on a
    bench far away. Chi goes to the café, sits at another table for ten minutes, and returns. Dung
    never goes there.
    """

    seed: int
    paths: Mapping[str, tuple[Waypoint, ...]]
    """By the names of `NAMES`, each ordered by time."""

    @classmethod
    def tell(cls, seed: int) -> Story:
        """Make the story of a seed; seeds vary times and places, not who meets whom."""
        chance = random.Random(seed)  # noqa: S311 (a story, not a secret)

        def about(value: float, spread: float) -> float:
            return round(value + chance.uniform(-spread, spread), 2)

        arrives, leaves = about(180, 20), about(2300, 20)
        table = about(0.9, 0.1), about(0.0, 0.3)
        comes = about(780, 60)
        goes = comes + about(600, 10)
        other_table = about(4.0, 0.1), about(3.0, 0.1)
        bench = _FAR_M, 0.0
        beside = _FAR_M + about(1.3, 0.2), about(0.5, 0.2)
        return cls(
            seed,
            {
                "an": (Waypoint(0, 0, 0),),
                "binh": (
                    Waypoint(arrives - _WALK_SECONDS, -_FAR_M, 0),
                    Waypoint(arrives, *table),
                    Waypoint(leaves, *table),
                    Waypoint(leaves + _WALK_SECONDS, -_FAR_M, 0),
                ),
                "chi": (
                    Waypoint(comes - _WALK_SECONDS, *bench),
                    Waypoint(comes, *other_table),
                    Waypoint(goes, *other_table),
                    Waypoint(goes + _WALK_SECONDS, *bench),
                ),
                "dung": (Waypoint(0, *beside),),
            },
        )

    @classmethod
    def apart(cls, seed: int) -> Story:
        """Make the story of a day on which all people stay at home."""
        homes = {name: (Waypoint(0, number * _FAR_M, 0),) for number, name in enumerate(NAMES)}
        return cls(seed, homes)

    def place(self, name: str, seconds: float) -> tuple[float, float]:
        """Return a person's position, in metres."""
        return Place(name, self.paths[name]).at(seconds)

    def distance_m(self, one: str, other: str, seconds: float) -> float:
        """Return the distance between two people, in metres."""
        return math.dist(self.place(one, seconds), self.place(other, seconds))

    def scenario(self, start: float) -> str:
        """Return the text of the file that `truyvet air` plays.

        Parameters
        ----------
        start
            Start of the story (UTC Unix seconds of its clock).
        """
        controllers = (
            f'[[controller]]\nname = "{name}"\npath = '
            + str([[step.seconds, step.x_m, step.y_m] for step in path])
            for name, path in self.paths.items()
        )
        air = _AIR.format(transmit_dbm=TRANSMIT_DBM, seed=self.seed, start=start)
        return "\n".join([air, *controllers]) + "\n"
