"""A route as tables over the distance driven, so that a question about a place is one look-up.

Distances are metres from the start; `CELL_M` is the step of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.exact import bearing_deg, cos_deg
from smartcity.simulation.noise import FloatArray, IntArray
from smartcity.simulation.routes import KMH_PER_MPH, METRES_PER_DEGREE, Route
from smartcity.simulation.terrain import altitude_m

CELL_M = 5.0
#: Cells beyond the end, so that a look-ahead needs no bounds check.
PAD_CELLS = 40
#: A car rolls over the finishing line at a walking pace, in metres per second.
ARRIVAL_MS = 2.0
#: Sideways acceleration that a driver accepts in a bend, m/s² (AASHTO Green Book: 0.20-0.25 g on low-speed roads).
LATERAL_MS2 = 2.0
#: A turn sharper than this at one point is a junction; it is taken at 15 to 30 km/h.
JUNCTION_DEG = 35.0
#: Metres of heights between two points of the height table.
HEIGHT_STEP_M = 100.0


@dataclass(frozen=True)
class Light:
    """A set of traffic lights: place in metres, and its own shift of the cycle in seconds."""

    place_m: float
    offset_s: int


class Road:
    """Geometry, limits, heights and traffic lights of a route."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.lat, self.lon = route.lat, route.lon
        self.segments_m = route.segment_m
        self.start_m: FloatArray = np.concatenate(([0.0], np.cumsum(self.segments_m)))
        self.length_m = float(self.start_m[-1])
        self.cells = int(self.length_m // CELL_M) + 1
        self.limits_kmh = np.array([point.limit_kmh for point in route.points[:-1]])
        self.road_names = tuple(dict.fromkeys(point.road for point in route.points[:-1]))
        self.road_index = np.array([self.road_names.index(point.road) for point in route.points[:-1]])

    def segment(self, distance_m: FloatArray) -> IntArray:
        """Number of the segment at a distance."""
        found = np.searchsorted(self.start_m, distance_m, side="right") - 1
        return np.minimum(found, len(self.segments_m) - 1)

    def position(self, distance_m: FloatArray, segment: IntArray) -> tuple[FloatArray, FloatArray]:
        """Latitude and longitude at a distance within its segment."""
        share = (distance_m - self.start_m[segment]) / self.segments_m[segment]
        lat = self.lat[segment] + self._lat_step[segment] * share
        return lat, self.lon[segment] + self._lon_step[segment] * share

    @cached_property
    def _lat_step(self) -> FloatArray:
        return self.lat[1:] - self.lat[:-1]

    @cached_property
    def _lon_step(self) -> FloatArray:
        return self.lon[1:] - self.lon[:-1]

    @cached_property
    def bearings_deg(self) -> FloatArray:
        """Compass bearing of each segment."""
        middle = (self.lat[1:] + self.lat[:-1]) * 0.5
        return bearing_deg(self._lon_step * cos_deg(middle), self._lat_step)

    @cached_property
    def turns_deg(self) -> FloatArray:
        """Change of bearing at each inner point, -180 to 180, right is positive."""
        change = self.bearings_deg[1:] - self.bearings_deg[:-1]
        return change - 360.0 * np.floor((change + 180.0) / 360.0)

    def movement(
        self, distance_m: FloatArray, covered_m: FloatArray, segment: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Straight-line distance and compass direction of the last `covered_m` metres before each distance.

        They differ from the way covered and the segment's bearing only where a point of the route was passed.
        """
        straight, heading = covered_m.copy(), self.bearings_deg[segment]
        before = np.maximum(distance_m - covered_m, 0.0)
        turned = np.flatnonzero(before < self.start_m[segment])
        if len(turned):
            lat, lon = self.position(distance_m[turned], segment[turned])
            old_lat, old_lon = self.position(before[turned], self.segment(before[turned]))
            north = (lat - old_lat) * METRES_PER_DEGREE
            east = (lon - old_lon) * METRES_PER_DEGREE * cos_deg((lat + old_lat) * 0.5)
            straight[turned] = np.sqrt(north * north + east * east)
            heading[turned] = bearing_deg(east, north)
        return straight, heading

    def bend(self, place_m: float) -> float:
        """Change of bearing over the next 250 m in degrees, right is positive."""
        ahead = np.array([place_m, min(place_m + 250.0, self.length_m)])
        here, there = self.bearings_deg[self.segment(ahead)].tolist()
        return float((there - here + 180.0) % 360.0 - 180.0)

    @cached_property
    def heights_m(self) -> FloatArray:
        """Height above the sea every `HEIGHT_STEP_M`."""
        places = np.arange(int(self.length_m // HEIGHT_STEP_M) + 2) * HEIGHT_STEP_M
        places = np.minimum(places, self.length_m)
        return altitude_m(*self.position(places, self.segment(places)))

    def height(self, distance_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Height in metres and slope (rise per metre) at a distance."""
        cell = (distance_m * (1.0 / HEIGHT_STEP_M)).astype(np.int64)
        slope = (self.heights_m[cell + 1] - self.heights_m[cell]) * (1.0 / HEIGHT_STEP_M)
        return self.heights_m[cell] + slope * (distance_m - cell * HEIGHT_STEP_M), slope

    @cached_property
    def allowed_ms(self) -> FloatArray:
        """What limits and bends allow in each cell, in m/s: the lowest that touches it; padded beyond the end."""
        allowed = np.full(self.cells + PAD_CELLS, ARRIVAL_MS)
        allowed[: self.cells] = np.inf
        first = (self.start_m[:-1] // CELL_M).astype(np.int64)
        last = np.minimum((self.start_m[1:] // CELL_M).astype(np.int64), self.cells - 1)
        for begin, end, limit in zip(first, last, self.limits_kmh / 3.6, strict=True):
            np.minimum(allowed[begin : end + 1], limit, out=allowed[begin : end + 1])
        for place, speed, reach in zip(self.start_m[1:-1], self._bend_ms, self._bend_reach_m, strict=True):
            begin, end = max(int((place - reach) // CELL_M), 0), min(int((place + reach) // CELL_M), self.cells - 1)
            np.minimum(allowed[begin : end + 1], speed, out=allowed[begin : end + 1])
        allowed[self.cells - 1] = ARRIVAL_MS
        return allowed

    @property
    def _bend_reach_m(self) -> FloatArray:
        return np.minimum(20.0, 0.4 * np.minimum(self.segments_m[1:], self.segments_m[:-1]))

    @property
    def _bend_ms(self) -> FloatArray:
        """Speed at each inner point: by the radius that the chords suggest, or as at a junction."""
        turn = np.abs(self.turns_deg)
        radius = (self.segments_m[1:] + self.segments_m[:-1]) * 0.5 / np.maximum(turn * 0.017453292519943295, 1e-6)
        bend = np.sqrt(LATERAL_MS2 * radius)
        junction = np.maximum(15.0, 38.0 - 0.25 * turn) / 3.6
        return np.maximum(np.where(turn > JUNCTION_DEG, np.minimum(bend, junction), bend), 3.0)

    @cached_property
    def lights(self) -> tuple[Light, ...]:
        """Traffic lights: about every 450 m on roads of up to 30 mph, none on motorways and elevated roads."""
        found: list[Light] = []
        base = noise.key("lights", self.route.name)
        place = 150.0
        while place < self.length_m - 100.0:
            draw = noise.uniform(base, np.array([2 * len(found), 2 * len(found) + 1, int(place)]))
            if self._may_have_lights(place) and draw[2] < 0.9:
                found.append(Light(place, int(draw[0] * 90)))
            place += 350.0 + 200.0 * float(draw[1])
        return tuple(found)

    def _may_have_lights(self, place_m: float) -> bool:
        point = self.route.points[int(self.segment(np.array([place_m]))[0])]
        free = any(word in point.name for word in ("Westway", "Flyover", "flyover", "underpass"))
        return point.limit_kmh < 31 * KMH_PER_MPH and not free and "(M)" not in point.road and point.road[:1] != "M"

    def lanes(self, segment: IntArray) -> IntArray:
        """Lanes of the carriageway: three on motorways, two elsewhere."""
        fast = np.array([name[:1] == "M" or "(M)" in name for name in self.road_names])
        return np.where(fast[self.road_index[segment]], 3, 2).astype(np.int64)
