"""Trips and fleets: cars that leave one after the other, in one world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from smartcity.errors import UsageError
from smartcity.simulation.batch import EventBatch
from smartcity.simulation.car import Car
from smartcity.simulation.city import City
from smartcity.simulation.drive import Drive, Motion, State
from smartcity.simulation.driver import STYLES
from smartcity.simulation.footage import FrameTaker
from smartcity.simulation.routes import Route
from smartcity.simulation.sensors import Sensors

#: Seconds of simulated time that are made at once, and cars that are encoded at once.
WINDOW_S = 300
BLOCK_CARS = 12


@dataclass(frozen=True)
class Plan:
    """What a fleet is to do. `start_s` is when the first car leaves, in epoch seconds; `duration_s` ends it early."""

    route: Route
    seed: int
    start_s: int
    vehicles: int = 1
    depart_every_s: int = 30
    styles: int = len(STYLES)
    duration_s: int | None = None
    first_vehicle: int = 1

    def __post_init__(self) -> None:
        if self.vehicles < 1:
            raise UsageError(f"A fleet of {self.vehicles} vehicles cannot drive.", "Use --vehicles 1 or more.")
        if self.vehicles > 9_999:
            raise UsageError(f"{self.vehicles:,} vehicles are too many.", "Use --vehicles 9999 or fewer.")
        if self.depart_every_s < 0:
            raise UsageError("Cars cannot leave before the first one.", "Use --depart-every 0s or more.")
        if not 1 <= self.styles <= len(STYLES):
            raise UsageError(f"There are 1 to {len(STYLES)} kinds of drivers.", f"Use --drivers 1 to {len(STYLES)}.")

    def departures(self) -> Iterator[tuple[int, int]]:
        """Number and departure of each car."""
        for index in range(self.vehicles):
            yield self.first_vehicle + index, self.start_s + index * self.depart_every_s


class Fleet:
    """A fleet under way. `window_s` only decides how far ahead of the clock events are made, never what they are."""

    def __init__(self, plan: Plan, frames: FrameTaker | None = None, window_s: int = WINDOW_S) -> None:
        self.plan = plan
        self.city = City(plan.route, plan.seed, plan.styles)
        self._drive = Drive(self.city)
        self._sensors = Sensors(self.city, frames)
        self._window_s = max(window_s // 10, 1) * 10

    def batches(self) -> Iterator[EventBatch]:
        """All events, window by window; within a window by topic and car, each car's in order of time."""
        for motion, cars in self._motions():
            for start in range(0, len(cars), BLOCK_CARS):
                block = slice(start, start + BLOCK_CARS)
                yield from self._sensors.observe(cars[block], motion.of_cars(block))
            self._sensors.forget(self._arrived(motion, cars))

    def windows(self) -> Iterator[list[EventBatch]]:
        """As `batches`, the events of a window at once."""
        for motion, cars in self._motions():
            yield list(self._sensors.observe(cars, motion))
            self._sensors.forget(self._arrived(motion, cars))

    def _arrived(self, motion: Motion, cars: Sequence[Car]) -> set[int]:
        arrived = np.any(motion.distance_m >= self.city.road.length_m, axis=1)
        return {car.number for car, done in zip(cars, arrived.tolist(), strict=True) if done}

    def _motions(self) -> Iterator[tuple[Motion, list[Car]]]:
        """The motion of the cars that are on the road in each window, and which they are."""
        waiting = list(reversed([self.city.car(*departure) for departure in self.plan.departures()]))
        state = State.of([])
        begin = self.plan.start_s // 10 * 10
        end = self.plan.start_s + self.plan.duration_s if self.plan.duration_s is not None else None
        while (waiting or state.cars) and (end is None or begin < end):
            leaving: list[Car] = []
            while waiting and waiting[-1].depart_s < begin + self._window_s:
                leaving.append(waiting.pop())
            state = state.joined(leaving)
            if state.cars:
                motion, after = self._drive.window(state, begin, self._window_s)
                if end is not None:
                    motion.on_road[:, max(end - begin, 0) :] = False
                yield motion, state.cars
                state = after.without(self._arrived(motion, state.cars))
            begin += self._window_s
