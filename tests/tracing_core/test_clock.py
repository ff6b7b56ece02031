import asyncio
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.clock import Clock, ManualClock, ScaledClock, clock_from_environment
from tracing_core.errors import InvalidValue

moments = st.floats(-1e12, 1e12)
rates = st.floats(1e-6, 1e6)


def test_the_systems_clock():
    clock = Clock()
    assert time.time() <= clock.now() <= time.time()
    assert clock.monotonic() <= clock.monotonic()


@given(moments, moments, rates)
def test_the_text_of_a_clock_is_the_clock(shown, real, rate):
    text = str(ScaledClock(shown=shown, real=real, rate=rate))
    again = ScaledClock.parse(text)
    assert str(again) == text
    assert (again.shown, again.real, again.rate) == (shown, real, rate)


def test_a_clock_of_elsewhere(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1030.0)
    assert ScaledClock(shown=5e9, real=1000.0, rate=60).now() == 5e9 + 1800
    assert ScaledClock(shown=5e9, real=1060.0, rate=60).now() == 5e9 - 1800
    assert ScaledClock.parse("5e9").now() == 5e9
    assert ScaledClock.parse("1600000000@1000x2").now() == 1600000060


def test_a_scaled_clock_runs_evenly(monkeypatch):
    monkeypatch.setattr(time, "clock_gettime", lambda which: 7.0)
    assert ScaledClock(shown=0, real=0, rate=100).monotonic() == 700.0


async def test_sleep_is_scaled(monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await ScaledClock(shown=0, real=0, rate=600).sleep(1200)
    await Clock().sleep(3)
    await Clock().sleep(-3)
    assert waited == [2.0, 3, 0.0]


@pytest.mark.parametrize("rate", [0, -1, 1e7, float("nan"), float("inf")])
def test_rates_that_no_clock_has(rate):
    with pytest.raises(InvalidValue, match="rate"):
        ScaledClock(shown=0, real=0, rate=rate)


@pytest.mark.parametrize(
    "text", ["", "now", "1@2", "1x2", "1@2x0", "1@2x-1", "1@2x3 ", "nan@1x1", "1e400"]
)
def test_texts_that_are_no_clock(text):
    with pytest.raises(InvalidValue):
        ScaledClock.parse(text)


@pytest.mark.parametrize("text", ["1e300", "-1", "2.1e11", "0@1e300x1"])
def test_a_moment_that_no_calendar_has_is_one_line(text, monkeypatch):
    monkeypatch.setenv("TRUYVET_CLOCK", text)
    with pytest.raises(InvalidValue, match="TRUYVET_CLOCK must name a moment from 1970 to 8307"):
        clock_from_environment()


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        ScaledClock.parse(text)
    except InvalidValue:
        return
    assert text[0] in "-0123456789"


def test_processes_given_the_same_clock_agree(monkeypatch):
    monkeypatch.delenv("TRUYVET_CLOCK", raising=False)
    assert type(clock_from_environment()) is Clock
    clock = ScaledClock(shown=2e9, real=time.time(), rate=0.001)
    monkeypatch.setenv("TRUYVET_CLOCK", str(clock))
    assert str(clock_from_environment()) == str(clock)
    code = "from tracing_core.clock import *; print(clock_from_environment().now())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert clock.now() - 10 < float(shown) <= clock.now()
    monkeypatch.setenv("TRUYVET_CLOCK", "tomorrow")
    with pytest.raises(InvalidValue, match="TRUYVET_CLOCK must be SHOWN or"):
        clock_from_environment()


async def test_a_manual_clock_wakes_sleepers_in_order():
    clock = ManualClock(1000.0)
    woken = []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (30, 10, 20, 0, -5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == [0, -5]
    clock.advance(9)
    await asyncio.sleep(0)
    assert woken == [0, -5]
    clock.advance(11)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == [0, -5, 10, 20]
    clock.advance(10)
    await asyncio.gather(*tasks)
    assert clock.now() == 1030.0


async def test_a_cancelled_sleeper_does_no_harm():
    clock = ManualClock(0)
    task = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.advance(10)


def test_a_jump_passes_no_time():
    clock = ManualClock(1000.0)
    clock.advance(5)
    clock.jump(50.0)
    assert clock.now() == 50.0
    assert clock.monotonic() == 5


def test_no_variable_is_read_when_it_is_empty(monkeypatch):
    monkeypatch.setitem(os.environ, "TRUYVET_CLOCK", "")
    assert type(clock_from_environment()) is Clock
