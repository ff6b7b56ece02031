"""The truth of the demo: what a trace means, and which answers it lets pass."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ble_agent.demo.picture import Card, Picture
from ble_agent.demo.play import Outcome
from ble_agent.demo.story import AFFECTED, NAMES, SECONDS, Story
from ble_agent.demo.table import answer_in_words, truth_in_words
from ble_agent.demo.texts import DEMO_TEXTS
from ble_agent.demo.truth import Truth, fault, scans, truth
from ble_agent.virtual_air.scenario import Scenario
from ble_agent.virtual_air.trace import HeardRun, SentRun, Trace, read_trace
from tracing_core.configuration.env2 import ExposureConfiguration

BEGAN = 1_795_226_400.0
CONFIGURATION = ExposureConfiguration.default()


def heard(
    minute: float, rssi: float, *, by: str = "binh", of: str = "an", count: int = 16
) -> HeardRun:
    first = BEGAN + minute * 60
    return HeardRun(of, by, first, first + 4, count, rssi - 2, rssi, rssi + 2)


def truth_of(*runs: HeardRun, of: str = "binh") -> Truth:
    return truth(Trace((), runs), of, "an", transmit_dbm=0, configuration=CONFIGURATION)


def test_who_never_heard_the_affected_person_has_nothing_to_be_told() -> None:
    assert truth_of(heard(1, -40, of="chi"), heard(1, -40, by="chi")) == Truth(None)


def test_minutes_are_counted_from_scan_to_scan() -> None:
    # Heard at 0:30, 4:30 and 8:30: four minutes each but for the first, whose scan before is lost.
    found = truth_of(*(heard(0.5 + 4 * number, -60) for number in range(3)))
    assert (found.least_minutes, found.most_minutes) == (2 + 8, 5 + 8)
    assert (found.least_seconds, found.most_seconds) == (600, 780)
    assert found.levels == {"low"}
    assert found.day == "2026-11-21"


def test_a_scan_that_heard_others_tells_when_the_one_before_was() -> None:
    found = truth_of(heard(0.5, -40, of="chi"), heard(4.5, -60))
    assert (found.least_minutes, found.most_minutes) == (4, 4)


def test_a_scan_missing_in_between_was_three_to_five_minutes_before() -> None:
    found = truth_of(heard(0.5, -40, of="chi"), heard(9.5, -60))
    assert (found.least_minutes, found.most_minutes) == (3, 5)


def test_two_identifiers_of_one_person_in_a_scan_are_one_scan() -> None:
    found = scans([heard(1, -50, count=4), heard(1.1, -60, count=12)])
    assert len(found) == 1
    assert found[0].rssi_mean == -57.5
    assert (found[0].rssi_min, found[0].rssi_max, found[0].count) == (-62, -48, 16)


def test_near_a_threshold_either_weight_is_true() -> None:
    near, clear = (truth_of(heard(0.5, -40, of="chi"), heard(4.5, rssi)) for rssi in (-67.5, -71))
    assert (near.least_seconds, near.most_seconds) == (240 * 0.33, 240)
    assert (clear.least_seconds, clear.most_seconds) == (240 * 0.33, 240 * 0.33)


def test_a_scan_of_a_packet_or_two_may_be_missing_in_the_log() -> None:
    found = truth_of(heard(0.5, -40, of="chi"), heard(4.5, -60, count=2))
    assert (found.least_minutes, found.most_minutes) == (0, 4)


TRUE = Truth("2026-11-21", 3, 600, 780, 10, 13, frozenset({"low"}))


def answer(**changes: Any) -> dict[str, Any]:
    day = {"date": "2026-11-21", "level": "low", "score_seconds": 660.0, "minutes": 11}
    day |= {name: value for name, value in changes.items() if name in day}
    return {"recorded": True, "days": [day], "level": day["level"]}


def test_a_true_answer_passes() -> None:
    assert fault(TRUE, answer()) is None
    assert fault(Truth(None), {"recorded": False, "days": [], "level": "none"}) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"recorded": False, "days": [], "level": "none"}, "did not report the exposure"),
        (answer(date="2026-11-20"), "reported 2026-11-20"),
        (answer(level="high"), "reported the level high"),
        (answer(minutes=9), "reported 9 minutes"),
        (answer(score_seconds=781.0), "reported 781 weighted seconds"),
        ({**answer(), "level": "high"}, "reported the level low"),
        ({**answer(), "days": answer()["days"] * 2}, "reported 2026-11-21, 2026-11-21"),
    ],
)
def test_every_wrong_answer_is_found(wrong: dict[str, Any], said: str) -> None:
    found = fault(TRUE, wrong)
    assert found is not None
    assert found.en.startswith(said)


def test_an_exposure_that_never_was_is_wrong() -> None:
    found = fault(Truth(None), answer())
    assert found is not None
    assert found.en == "reported an exposure that never happened"


def test_the_trace_of_the_air_is_read(tmp_path: Path) -> None:
    who = {"sender": "an", "address": "a", "data": "00", "first": 1.0, "last": 2.0, "count": 3}
    signal = {"receiver": "binh", "rssi_min": -62, "rssi_mean": -60.5, "rssi_max": -58}
    lines = [{"kind": "sent"} | who, {"kind": "heard"} | who | signal]
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    trace = read_trace(path)
    assert trace.sent == (SentRun("an", "a", "00", 1.0, 2.0, 3),)
    assert trace.heard == (HeardRun("an", "binh", 1.0, 2.0, 3, -62, -60.5, -58),)


@pytest.mark.parametrize("seed", range(20))
def test_every_seed_tells_the_same_story(seed: int, tmp_path: Path) -> None:
    story = Story.tell(seed)
    file = tmp_path / "scenario.toml"
    file.write_text(story.scenario(BEGAN))
    scenario = Scenario.read(file)
    assert {place.name for place in scenario.places} == set(NAMES)
    near: dict[tuple[str, str], int] = {}
    for second in range(0, SECONDS, 10):
        for place in scenario.places:
            x, y = story.place(place.name, second)
            assert (x, y) == pytest.approx(place.at(second))
        for pair in (("binh", "an"), ("chi", "an"), ("dung", "an"), ("dung", "chi")):
            close = story.distance_m(*pair, second) < 6
            near[pair] = near.get(pair, 0) + 10 * close
    assert near["binh", "an"] > 2000
    assert 560 < near["chi", "an"] < 640
    assert near["dung", "an"] == 0
    assert near["dung", "chi"] > 1200


def test_the_picture_says_who_was_told_what_and_what_is_not_true() -> None:
    cards = {
        name: Card("high", ("Risk: high", "on <2026-11-21>"), name != "chi")
        for name in NAMES
        if name != AFFECTED
    }
    picture = Picture(
        Story.tell(1),
        Trace((SentRun("an", "a", "00", BEGAN, BEGAN + 900, 9),), (heard(5, -60),)),
        began=BEGAN,
        cards=cards,
        steps=[("now", "this"), ("later", "that")],
        title="A & B",
        subtitle="C",
    ).svg()
    words = [element.text or "" for element in ElementTree.fromstring(picture).iter()]
    assert "A & B" in words
    assert "on <2026-11-21>" in words
    assert words.count("✓ true: the air agrees") == 2
    assert words.count("✗ not true") == 1
    assert words.count("never heard An") == 2


@pytest.mark.parametrize("name", DEMO_TEXTS)
def test_the_demo_says_the_same_in_both_languages(name: str) -> None:
    text = DEMO_TEXTS[name]
    fields = [
        {field for _, field, _, _ in string.Formatter().parse(words) if field}
        for words in (text.en, text.vi)
    ]
    assert fields[0] == fields[1]
    assert text.en
    assert text.vi


def test_a_vietnamese_owner_gets_a_vietnamese_picture_and_table() -> None:
    picture = Picture(
        Story.tell(1),
        Trace((), (heard(5, -60),)),
        began=BEGAN,
        cards={name: Card("none", ("Không ghi nhận gì",), True) for name in NAMES},
        steps=[("tại nhà", "đối chiếu")],
        title="A",
        subtitle="B",
        language="vi",
    ).svg()
    words = [element.text or "" for element in ElementTree.fromstring(picture).iter()]
    assert "Mã đã phát" in words
    assert words.count("chưa từng thu được An") == 2
    assert not [word for word in words if "heard" in word or "identifier" in word]
    outcome = Outcome(TRUE, answer(minutes=9), fault(TRUE, answer(minutes=9)))
    assert truth_in_words(TRUE).vi == "21/11/2026: thấp, 10 đến 13 phút"
    assert answer_in_words(outcome).vi == "21/11/2026: thấp, 9 phút"
    assert outcome.fault is not None
    assert outcome.fault.vi == "báo 9 phút, không phải 10 đến 13"
