"""The clock is kept, and lateness is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smartcity.errors import UsageError
from smartcity.simulation.batch import EventBatch
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.pacing import Lateness, Pace

from .conftest import START_S, small_route


class Clock:
    """A clock that goes on by being slept on; `drag` seconds pass with each look at it."""

    def __init__(self, drag: float = 0.0) -> None:
        self.now, self.drag, self.slept = 50.0, drag, 0.0

    def __call__(self) -> float:
        self.now += self.drag
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
        self.slept += seconds


def _fleet(vehicles: int = 2) -> Fleet:
    return Fleet(Plan(small_route(), 1, START_S, vehicles=vehicles, depart_every_s=3, duration_s=60), window_s=20)


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_events_leave_at_their_time_and_in_order(speed: float) -> None:
    clock, late = Clock(), Lateness()
    paced = Pace(speed=speed, clock=clock, sleep=clock.sleep).keep(_fleet(), late)
    left = [(clock.now, int(batch.epoch_ms[0]) // 1000) for batch in paced]
    assert [when for _, when in left] == sorted(when for _, when in left)
    for now, when in left:
        assert now - 50.0 == pytest.approx((when - START_S) / speed, abs=1e-6)
    assert late.events == 0


def test_nothing_is_lost_by_keeping_time() -> None:
    clock = Clock()
    paced = list(Pace(speed=1, rate=50, clock=clock, sleep=clock.sleep).keep(_fleet(), Lateness()))
    assert sorted(v for b in paced for v in b.values) == sorted(v for b in _fleet().batches() for v in b.values)
    assert all(len(batch.ids) == 16 * len(batch) == 16 * len(batch.epoch_ms) for batch in paced)


def test_late_events_are_told() -> None:
    clock, late = Clock(drag=1.0), Lateness()
    total = sum(len(batch) for batch in Pace(speed=60, clock=clock, sleep=clock.sleep).keep(_fleet(), late))
    assert 0 < late.events <= total
    assert late.worst_s > 30


def test_the_rate_is_kept() -> None:
    clock = Clock()
    total = sum(len(batch) for batch in Pace(rate=100, clock=clock, sleep=clock.sleep).keep(_fleet(), Lateness()))
    assert clock.slept == pytest.approx(total / 100, rel=0.1)


def test_a_clock_that_goes_back_stops_nothing() -> None:
    readings = iter([1_000.0] + [10.0] * 10_000)

    def clock() -> float:
        return next(readings)

    slept: list[float] = []
    batches: Iterator[EventBatch] = Pace(speed=60, clock=clock, sleep=slept.append).keep(_fleet(), Lateness())
    assert sum(len(batch) for batch in batches) > 100
    assert max(slept[1:]) <= 1.0


@pytest.mark.parametrize("wrong", [{"speed": 0.0}, {"speed": -1.0}, {"rate": 0.0}])
def test_impossible_paces_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Pace(**wrong)  # type: ignore[arg-type]
