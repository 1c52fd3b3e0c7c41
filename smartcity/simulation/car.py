"""One car of the fleet: who drives what, from when, and with which rest on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from smartcity.simulation import engine, noise
from smartcity.simulation.driver import STYLES, Style
from smartcity.simulation.exact import cos_deg
from smartcity.simulation.road import Road

#: Motorway services that routes pass: name, latitude, longitude.
SERVICES = (
    ("Beaconsfield", 51.594, -0.627),
    ("Oxford", 51.740, -1.096),
    ("Cherwell Valley", 51.948, -1.205),
    ("Warwick", 52.215, -1.510),
    ("Toddington", 51.945, -0.504),
    ("Newport Pagnell", 52.083, -0.750),
    ("Watford Gap", 52.306, -1.123),
    ("Corley", 52.468, -1.545),
)
#: Services further from the line than this are not on the route, in km.
SERVICES_REACH_KM = 2.5
#: Nobody rests on shorter routes, in metres.
REST_FROM_M = 80_000.0


@dataclass(frozen=True)
class Car:
    """A car and its trip. `rest` is where it stops at services (metres) and for how long (seconds)."""

    number: int
    vehicle_id: str
    trip_id: str
    plate: str
    model: engine.Model
    year: int
    style: int
    pace: float
    depart_s: int
    odometer_km: float
    fuel_pct: float
    rest: tuple[float, int] | None
    key: int

    @property
    def driver(self) -> Style:
        """The driver's style."""
        return STYLES[self.style]

    @property
    def constants(self) -> dict[str, str | int]:
        """The columns that are the same in every event of the trip."""
        return {
            "trip_id": self.trip_id,
            "vehicle_id": self.vehicle_id,
            "make": self.model.make,
            "model": self.model.model,
            "year": self.year,
            "fuel_type": self.model.fuel_type,
        }


def trip_id(route: str, depart_s: int, seed: int, number: int) -> str:
    """Name of a trip: the same route, start, seed and vehicle give the same."""
    return f"{route}-{datetime.fromtimestamp(depart_s, UTC):%Y%m%dT%H%M%SZ}-{seed}-{number:04d}"


def make_car(road: Road, seed: int, number: int, depart_s: int, styles: int) -> Car:
    """Car `number` of a seed: the same whatever the size of the fleet."""
    key = noise.key(seed, "car", number)
    u = [float(x) for x in noise.uniform(key, np.arange(12))]
    model = engine.pick(u[0])
    first, last = model.years
    year = min(first + int(u[1] * (last - first + 1)), max(datetime.fromtimestamp(depart_s, UTC).year, first))
    style = (number - 1) % styles
    return Car(
        number=number,
        vehicle_id=f"car-{number:04d}",
        trip_id=trip_id(road.route.name, depart_s, seed, number),
        plate=f"SIM {noise.key(key, 'plate') % 10_000:04d}",
        model=model,
        year=year,
        style=style,
        pace=STYLES[style].pace - 0.012 * u[3],
        depart_s=depart_s,
        odometer_km=round(500.0 + u[4] * 11_000.0 * max(datetime.fromtimestamp(depart_s, UTC).year - year + 1, 1), 3),
        fuel_pct=round(62.0 + 37.0 * u[5], 3),
        rest=_rest(road, STYLES[style], u[6], u[7], u[8]),
        key=key,
    )


def _rest(road: Road, style: Style, chance: float, which: float, length: float) -> tuple[float, int] | None:
    if chance >= style.rest_chance or road.length_m < REST_FROM_M:
        return None
    places = services_m(road)
    return (places[int(which * len(places))], 240 + int(180 * length)) if places else None


def services_m(road: Road) -> list[float]:
    """Places of services on the road, between a quarter and four fifths of the way."""
    found = []
    for _, lat, lon in SERVICES:
        north = (road.lat - lat) * 111.2
        east = (road.lon - lon) * 111.2 * cos_deg(road.lat)
        apart = north * north + east * east
        nearest = int(np.argmin(apart))
        place = float(road.start_m[nearest])
        near = apart[nearest] < SERVICES_REACH_KM * SERVICES_REACH_KM
        if near and 0.25 * road.length_m < place < 0.8 * road.length_m:
            found.append(place)
    return sorted(found)
