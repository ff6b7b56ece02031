"""Scenario files: what they say, and what is said about wrong ones."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.virtual_air.scenario import AirMode, Pair, Place, Scenario, Waypoint
from tracing_core.errors import InvalidValue

EVERYTHING = """
[air]
mode = "extended"
transmit_dbm = 4
path_loss_exponent = 2.5
path_loss_at_1m_db = 41.5
noise_db = 3.0
loss = 0.1
sensitivity_dbm = -95
seed = 42
start = 1700000000

[[controller]]
name = "an"
port = 9001

[[controller]]
name = "binh"
path = [[0, 0, 0], [600, 30.0, 40.0], [600, 1, 0]]

[[pair]]
between = ["binh", "an"]
rssi_dbm = -61.5
"""


TWO = "[[controller]]\nname = 'a'\n[[controller]]\nname = 'b'\n"


def test_every_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(EVERYTHING)
    scenario = Scenario.read(path)
    assert scenario.mode is AirMode.EXTENDED
    assert (scenario.transmit_dbm, scenario.path_loss_exponent) == (4, 2.5)
    assert (scenario.path_loss_at_1m_db, scenario.noise_db) == (41.5, 3.0)
    assert (scenario.loss, scenario.sensitivity_dbm, scenario.seed) == (0.1, -95, 42)
    assert scenario.start == 1_700_000_000
    an, binh = scenario.places
    assert (an.port, binh.port) == (9001, 0)
    assert an.at(1e9) == (0, 0)
    assert binh.at(-5) == (0, 0)
    assert binh.at(300) == (15.0, 20.0)
    assert binh.at(600) == (1, 0)
    assert binh.at(1e9) == (1, 0)
    assert scenario.pairs == (Pair(("binh", "an"), -61.5),)


def test_the_document_says_what_is_read() -> None:
    text = (Path(__file__).parents[3] / "docs" / "virtual-air.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    scenario = Scenario.from_table(tomllib.loads(example))
    assert [place.name for place in scenario.places] == ["an", "binh", "chi"]
    plain = Scenario((Place("a"),))
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    assert rows.keys() == {field.name for field in fields(Scenario)} - {"places", "pairs"}
    assert rows.pop("start") == "when the air starts"
    assert rows.pop("mode") == f'`"{plain.mode.value}"`'
    for name, value in rows.items():
        assert float(value.replace("−", "-")) == getattr(plain, name)


def test_the_shortest_scenario() -> None:
    scenario = Scenario.from_table({"controller": [{"name": "an"}]})
    assert scenario.mode is AirMode.LEGACY
    assert scenario.signal_dbm(1.0) == -40.0
    assert scenario.signal_dbm(10.0) == -60.0
    assert math.isfinite(scenario.signal_dbm(0.0))


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("[air]\n", "1 to 256 controllers"),
        ("controller = 3\n", "table"),
        ("air = 3\n", "table"),
        ("[weather]\n", "unknown section 'weather'"),
        ("[air]\nmood = 1\n[[controller]]\nname='a'\n", "[air]: unknown field 'mood'"),
        ("[air]\nmode = 'fast'\n[[controller]]\nname='a'\n", "legacy, extended, both"),
        ("[air]\nloss = 2\n[[controller]]\nname='a'\n", "loss must be 0 to 1"),
        ("[air]\nloss = 'x'\n[[controller]]\nname='a'\n", "loss must be a number"),
        ("[air]\nloss = nan\n[[controller]]\nname='a'\n", "finite"),
        ("[air]\nseed = 1.5\n[[controller]]\nname='a'\n", "seed must be an integer"),
        ("[air]\nplaces = 1\n[[controller]]\nname='a'\n", "[air]: unknown field 'places'"),
        ("[[controller]]\n", "needs a name"),
        ("[[controller]]\nname = 3\n", "needs a name"),
        ("[[controller]]\nname = ''\n", "1 to 40"),
        ("[[controller]]\nname = 'a'\n[[controller]]\nname = 'a'\n", "share a name"),
        ("[[controller]]\nname = 'a'\nport = 70000\n", "port must be 0 to 65535"),
        ("[[controller]]\nname = 'a'\nport = '1'\n", "port must be an integer"),
        ("[[controller]]\nname = 'a'\nway = 1\n", "unknown field 'way'"),
        ("[[controller]]\nname = 'a'\npath = []\n", "needs a waypoint"),
        ("[[controller]]\nname = 'a'\npath = [[0, 1]]\n", "list of [seconds, x, y]"),
        ("[[controller]]\nname = 'a'\npath = [[0, 1, true]]\n", "must be a number"),
        ("[[controller]]\nname = 'a'\npath = [[5, 0, 0], [4, 0, 0]]\n", "order of time"),
        (TWO + "[[pair]]\nbetween = ['a', 'b']\n", "needs between and rssi_dbm"),
        (TWO + "[[pair]]\nbetween = ['a']\nrssi_dbm = -60\n", "list of two names"),
        (TWO + "[[pair]]\nbetween = ['a', 'a']\nrssi_dbm = -60\n", "must name two controllers"),
        (TWO + "[[pair]]\nbetween = ['a', 'c']\nrssi_dbm = -60\n", "unknown controller 'c'"),
        (TWO + "[[pair]]\nbetween = ['a', 'b']\nrssi_dbm = 60\n", "rssi_dbm must be -127 to 20"),
        (TWO + 2 * "[[pair]]\nbetween = ['a', 'b']\nrssi_dbm = -60\n", "the same controllers"),
        ("pair = 3\n" + TWO, "table"),
        ("[[controller]\n", "scenario.toml: "),
        ("\xff", "scenario.toml: "),
    ],
)
def test_wrong_scenarios_are_refused_in_one_line(document: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_bytes(document.encode("latin-1"))
    with pytest.raises(InvalidValue) as caught:
        Scenario.read(path)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_scenario(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="cannot read"):
        Scenario.read(tmp_path / "absent.toml")


JSONLIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(
    ["air", "controller", "pair", "mode", "loss", "seed", "start", "name", "path"]
)


@given(st.dictionaries(NAMES, JSONLIKE | st.dictionaries(NAMES, JSONLIKE)))
def test_any_document_is_read_or_refused(document: dict[str, object]) -> None:
    try:
        scenario = Scenario.from_table(document)
    except InvalidValue:
        return
    assert scenario.places


@given(
    st.lists(
        st.tuples(*[st.floats(-1e6, 1e6)] * 3).map(lambda point: Waypoint(*point)),
        min_size=1,
        max_size=5,
    ),
    st.floats(-2e6, 2e6),
)
def test_a_controller_stays_between_its_waypoints(path: list[Waypoint], moment: float) -> None:
    place = Place("a", tuple(sorted(path, key=lambda waypoint: waypoint.seconds)))
    x, y = place.at(moment)
    xs, ys = [point.x_m for point in path], [point.y_m for point in path]
    assert min(xs) - 1e-3 <= x <= max(xs) + 1e-3
    assert min(ys) - 1e-3 <= y <= max(ys) + 1e-3
