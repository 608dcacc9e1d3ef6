from __future__ import annotations

import asyncio
import time

import pytest

from drainwatch.lab.exchange.timeline import Timeline, wall_clock_ms


def test_it_stands_until_it_runs() -> None:
    clock = Timeline(5_000)
    assert (clock.now_ms(), clock.now_ns()) == (5_000, 5_000_000_000)
    clock.stand(9_000)
    assert clock.now_ms() == 9_000


def test_it_runs_faster_and_sleeps_shorter() -> None:
    clock = Timeline(0)
    clock.run(10_000, 1_000.0)
    started = time.monotonic()
    asyncio.run(clock.sleep(20.0))
    assert time.monotonic() - started < 10.0
    assert clock.now_ms() >= 30_000
    assert clock.now_ns() >= 30_000_000_000
    assert clock.due_in(clock.now_ms() + 60_000) == pytest.approx(0.06, abs=0.02)
    assert clock.due_in(0) < 0.0
    clock.stand(7)
    assert clock.now_ms() == 7
    clock.go_on()
    assert clock.now_ms() >= 30_000


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_it_does_not_run_backwards(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Timeline(0).run(0, speed)


def test_the_machines_clock_is_in_milliseconds() -> None:
    assert abs(wall_clock_ms() - time.time() * 1000.0) < 1_000.0
