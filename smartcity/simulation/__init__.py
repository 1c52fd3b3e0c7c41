"""A city in numbers: routes, cars, sensors, events. Pure: seed and clock are arguments, nothing is read or sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcity.simulation.batch import EventBatch
    from smartcity.simulation.footage import FrameTaker

__all__ = ["Trip", "trip"]


@dataclass(frozen=True)
class Trip:
    """One car's trip, by name; `batches` drives it."""

    route: str
    seed: int
    start: datetime
    vehicle: int
    trip_id: str
    vehicle_id: str

    def batches(self, frames: FrameTaker | None = None) -> Iterator[EventBatch]:
        """The trip's events in about 300 seconds of simulated time at once, each topic's in order."""
        from smartcity.simulation.fleet import Fleet, Plan
        from smartcity.simulation.routes import find

        plan = Plan(find(self.route), self.seed, int(self.start.timestamp()), first_vehicle=self.vehicle)
        return Fleet(plan, frames).batches()


def trip(route: str, seed: int, start: datetime, vehicle: int = 1) -> Trip:
    """The trip of car `vehicle` on a route (shipped name or file). Raises `UsageError` if it cannot be driven."""
    from smartcity.simulation.car import trip_id
    from smartcity.simulation.routes import checked_start, find

    name = find(route).name
    epoch_s = checked_start(start)
    return Trip(route, seed, start, vehicle, trip_id(name, epoch_s, seed, vehicle), f"car-{vehicle:04d}")
