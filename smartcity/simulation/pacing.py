"""Time: events as fast as the machine can, at the speed of the clock, or so many a second.

Events that come later than their time are sent at once and reported, never bunched silently. The clock is monotonic, so
a wall clock that is set back does not stop a drive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np

from smartcity.errors import UsageError
from smartcity.simulation.batch import EventBatch
from smartcity.simulation.noise import IntArray

#: An event this much behind its time is late, in seconds.
LATE_S = 1.0
#: With a limited rate, events leave in portions of about this many seconds.
PORTION_S = 0.1


class Source(Protocol):
    """Where events come from: a fleet or a replay."""

    def batches(self) -> Iterator[EventBatch]:
        """All events, each car's in order."""
        ...

    def windows(self) -> Iterator[list[EventBatch]]:
        """All events, in lists of one stretch of time."""
        ...


@dataclass
class Lateness:
    """How well the clock was kept."""

    events: int = 0
    worst_s: float = 0.0

    def note(self, events: int, late_s: float) -> None:
        """Events that left this late."""
        self.worst_s = max(self.worst_s, late_s)
        if late_s > LATE_S:
            self.events += events


@dataclass(frozen=True)
class Pace:
    """`speed` is simulated seconds per real one (None: as fast as possible), `rate` events per second at most."""

    speed: float | None = None
    rate: float | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        if self.speed is not None and self.speed <= 0:
            raise UsageError(f"A speed of {self.speed:g} never arrives.", "Use --speed 1, 60 or max.")
        if self.rate is not None and self.rate <= 0:
            raise UsageError(f"A rate of {self.rate:g} sends nothing.", "Use --rate 1 or more.")

    @property
    def window_s(self) -> int:
        """How much simulated time to make at once: little when the clock matters."""
        return 300 if self.speed is None else int(min(max(10, self.speed / 2), 300))

    def keep(self, source: Source, late: Lateness) -> Iterator[EventBatch]:
        """The source's events at their time: in order of time across all cars if the clock matters."""
        batches = source.batches() if self.speed is None else self._by_clock(source.windows(), self.speed, late)
        return batches if self.rate is None else self._limited(batches, self.rate)

    def _by_clock(self, windows: Iterable[list[EventBatch]], speed: float, late: Lateness) -> Iterator[EventBatch]:
        started, first = self.clock(), None
        before = 0
        for window in windows:
            for second, batches in _by_second(window):
                first = second if first is None else first
                wait = started + (second - first) / speed - self.clock()
                if wait > 0:
                    self.sleep(min(wait, (second - before) / speed) if before else wait)
                late.note(sum(len(batch) for batch in batches), -wait)
                before = second
                yield from batches

    def _limited(self, batches: Iterator[EventBatch], rate: float) -> Iterator[EventBatch]:
        portion = max(int(rate * PORTION_S), 1)
        due = self.clock()
        for batch in batches:
            for start in range(0, len(batch), portion):
                part = part_of(batch, start, min(start + portion, len(batch)))
                wait = due - self.clock()
                if wait > 0:
                    self.sleep(wait)
                due = max(due, self.clock() - 1.0) + len(part) / rate
                yield part


def part_of(batch: EventBatch, start: int, stop: int) -> EventBatch:
    """Some consecutive events of a batch."""
    return replace(
        batch,
        first=batch.first + start,
        values=batch.values[start:stop],
        ids=batch.ids[16 * start : 16 * stop],
        epoch_ms=batch.epoch_ms[start:stop],
    )


def _by_second(window: list[EventBatch]) -> Iterator[tuple[int, list[EventBatch]]]:
    """The events of a window second by second."""
    parts: dict[int, list[EventBatch]] = {}
    for batch in window:
        for second, start, stop in _seconds(batch.epoch_ms):
            parts.setdefault(second, []).append(part_of(batch, start, stop))
    yield from sorted(parts.items())


def _seconds(epoch_ms: IntArray) -> Iterator[tuple[int, int, int]]:
    seconds = epoch_ms // 1000
    starts = np.concatenate(([0], np.flatnonzero(seconds[1:] != seconds[:-1]) + 1, [len(seconds)])).tolist()
    for start, stop in pairwise(starts):
        yield int(seconds[start]), start, stop
