"""The cars' motion, second by second, all cars at once.

A sample stands for the second that ends at its time stamp: its speed is the distance covered since the sample before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.car import Car
from smartcity.simulation.city import City
from smartcity.simulation.driver import STYLES, drive_second
from smartcity.simulation.noise import FloatArray, IntArray
from smartcity.simulation.road import CELL_M
from smartcity.simulation.traffic import BRAKING_MS2, SLAB_S, STEP_M

#: From here on a driver who wants to rest slows down for the exit, in metres.
REST_AHEAD_M = 700.0
#: Time scale of a driver's changing attention, in seconds, and its effect on speed.
ATTENTION_S, ATTENTION = 40.0, 0.012
FASTEST = 0.997
#: Cars that have arrived are kept within the tables until the window ends, in metres.
ROLL_OUT_M = 3.0
#: A car this close to its parking place has reached it, in metres.
PARKED_M = 0.05


@dataclass
class State:
    """Where the cars are at the beginning of a window; one entry per car, in the order of `cars`."""

    cars: list[Car]
    distance_m: FloatArray
    speed_ms: FloatArray
    previous_ms: FloatArray
    rest_s: IntArray

    @classmethod
    def of(cls, cars: list[Car]) -> State:
        """Cars at the start line."""
        zeros = np.zeros(len(cars))
        rest = np.array([car.rest[1] if car.rest else 0 for car in cars], dtype=np.int64)
        return cls(list(cars), zeros, zeros.copy(), zeros.copy(), rest)

    def joined(self, cars: list[Car]) -> State:
        """With further cars at the start line."""
        new = State.of(cars)
        return State(
            self.cars + new.cars,
            np.concatenate((self.distance_m, new.distance_m)),
            np.concatenate((self.speed_ms, new.speed_ms)),
            np.concatenate((self.previous_ms, new.previous_ms)),
            np.concatenate((self.rest_s, new.rest_s)),
        )

    def without(self, gone: set[int]) -> State:
        """Without the cars of these numbers."""
        stay = [index for index, car in enumerate(self.cars) if car.number not in gone]
        return State(
            [self.cars[index] for index in stay],
            self.distance_m[stay],
            self.speed_ms[stay],
            self.previous_ms[stay],
            self.rest_s[stay],
        )


@dataclass(frozen=True)
class Motion:
    """A window of motion: matrices with a row per car and a column per second from `begin_s` on."""

    begin_s: int
    distance_m: FloatArray
    speed_ms: FloatArray
    accel_ms2: FloatArray
    on_road: np.ndarray[tuple[int, int], np.dtype[np.bool_]]

    def of_cars(self, rows: slice) -> Motion:
        """Some of the cars."""
        return replace(
            self,
            distance_m=self.distance_m[rows],
            speed_ms=self.speed_ms[rows],
            accel_ms2=self.accel_ms2[rows],
            on_road=self.on_road[rows],
        )


class Drive:
    """Moves cars over a city's road."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._legal = city.envelopes.ravel()
        self._cells = city.envelopes.shape[1]

    def window(self, state: State, begin_s: int, seconds: int) -> tuple[Motion, State]:
        """The motion of `seconds` seconds from `begin_s` (both multiples of ten) and the state after it."""
        cars = len(state.cars)
        distance, speed = np.empty((seconds, cars)), np.empty((seconds, cars))
        pace = self._pace(state.cars, begin_s, seconds)
        group = _Group.of(state.cars, self._cells)
        s, v, rest = state.distance_m, state.speed_ms, state.rest_s.copy()
        for second in range(seconds):
            if second % SLAB_S == 0:
                traffic = self._city.traffic.ceiling(begin_s + second)
                resting = bool(((rest > 0) & (group.rest_m - s < REST_AHEAD_M)).any())
            distance[second], speed[second] = s, v
            ceiling = traffic[(s * (1.0 / STEP_M)).astype(np.int64)]
            if resting:
                ceiling = np.minimum(ceiling, _rest_ceiling(s, group.rest_m, rest))
            legal = self._legal[(s * (1.0 / CELL_M)).astype(np.int64) + group.offset] * pace[second]
            v = drive_second(v, legal, ceiling, group.start_ms2, group.keep)
            s = np.minimum(s + v, self._city.road.length_m + ROLL_OUT_M)
        after = State(state.cars, s, v, speed[-1], rest)
        return self._motion(state, distance, speed, begin_s), after

    def _motion(self, state: State, distance: FloatArray, speed: FloatArray, begin_s: int) -> Motion:
        """Rows per car, cut off at the finishing line, with accelerations."""
        end = self._city.road.length_m
        s, v = np.ascontiguousarray(distance.T), np.ascontiguousarray(speed.T)
        arrived = s >= end
        v = np.where(arrived, np.maximum(v - (s - end), 0.0), v)
        seconds = begin_s + np.arange(s.shape[1])
        departs = np.array([car.depart_s for car in state.cars])[:, np.newaxis]
        before = np.zeros_like(arrived)
        before[:, 1:] = arrived[:, :-1]
        previous = np.concatenate((state.previous_ms[:, np.newaxis], v[:, :-1]), axis=1)
        return Motion(begin_s, np.minimum(s, end), v, v - previous, (seconds >= departs) & ~before)

    @staticmethod
    def _pace(cars: list[Car], begin_s: int, seconds: int) -> FloatArray:
        """Share of the legal speed that each driver takes in each second; zero before departure. A row per second."""
        at = begin_s + np.arange(seconds)
        attention = noise.smooth_rows(noise.keys([car.key for car in cars]), at / ATTENTION_S)
        pace = np.array([car.pace for car in cars])[:, np.newaxis] - ATTENTION * (1.0 + 0.5 * attention)
        departs = np.array([car.depart_s for car in cars])[:, np.newaxis]
        return np.ascontiguousarray(np.where(at >= departs, np.minimum(pace, FASTEST), 0.0).T)


@dataclass(frozen=True)
class _Group:
    """What drivers of a window do not change: a column per trait."""

    offset: IntArray
    start_ms2: FloatArray
    keep: FloatArray
    rest_m: FloatArray

    @classmethod
    def of(cls, cars: list[Car], cells: int) -> _Group:
        styles = [STYLES[car.style] for car in cars]
        return cls(
            np.array([car.style * cells for car in cars], dtype=np.int64),
            np.array([style.start_ms2 for style in styles]),
            np.array([1.0 - style.fall for style in styles]),
            np.array([car.rest[0] if car.rest else np.inf for car in cars]),
        )


def _rest_ceiling(distance: FloatArray, rest_m: FloatArray, left_s: IntArray) -> FloatArray:
    """Ceiling of cars that are about to rest or resting; counts their rest down."""
    ahead = np.maximum(rest_m - distance, 0.0)
    ahead = np.where(ahead < PARKED_M, 0.0, ahead)
    wants = left_s > 0
    left_s -= wants & (ahead == 0.0)
    approach = np.minimum(np.sqrt(2.0 * BRAKING_MS2 * ahead), ahead)
    return np.where(wants, approach, np.inf)
