"""Roadside cameras of the road authority, and the dash camera of each car: where they are and what they count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.noise import BoolArray, FloatArray, IntArray
from smartcity.simulation.road import Road
from smartcity.simulation.traffic import COARSE_M, Traffic, demand

#: A dash camera reports this often, in seconds.
DASH_S = 10
#: Length of road in view: of a mast beside the road, and through a windscreen, in km.
ROADSIDE_KM, DASH_KM = 0.22, 0.11
#: Distance between roadside cameras on motorways and elsewhere, in metres (motorways are covered every 1.6 km or so).
SPACING_M = (1_600.0, 2_400.0)
#: Names of the share of speed lost.
CONGESTION = ("free", "moderate", "heavy", "queueing")
_CONGESTION_FROM = np.array([0.15, 0.35, 0.6])


class Cameras:
    """The roadside cameras of a road, in the order of driving."""

    def __init__(self, road: Road) -> None:
        places: list[float] = []
        place = 400.0
        base = noise.key("cameras", road.route.name)
        while place < road.length_m - 100.0:
            places.append(place)
            segment = road.segment(np.array([place]))
            spacing = SPACING_M[0] if road.lanes(segment)[0] == 3 else SPACING_M[1]
            place += spacing * (0.8 + 0.4 * float(noise.uniform(base, len(places))[0]))
        self.places_m = np.array(places)
        self._road = road
        segment = road.segment(self.places_m) if places else np.zeros(0, dtype=np.int64)
        self.lat, self.lon = road.position(self.places_m, segment)
        names = [road.road_names[index] for index in road.road_index[segment]]
        self.ids = tuple(
            f"CAM-{''.join(c for c in name.split()[0].upper() if c.isalnum())[:8]}-{place / 100.0:04.0f}"
            for name, place in zip(names, places, strict=True)
        )

    def passed(self, distance_m: FloatArray, speed_ms: FloatArray) -> IntArray:
        """Number of the camera passed in the second that ends at each sample, or -1."""
        now = np.searchsorted(self.places_m, distance_m, side="right")
        before = np.searchsorted(self.places_m, distance_m - speed_ms, side="right")
        return np.where(now > before, now - 1, -1)


@dataclass(frozen=True)
class View:
    """What cameras count: vehicles, their mean speed, and how congested that is (index into `CONGESTION`)."""

    vehicles: IntArray
    flow_kmh: FloatArray
    congestion: IntArray

    def of(self, rows: IntArray) -> View:
        """Some of the views."""
        return View(self.vehicles[rows], self.flow_kmh[rows], self.congestion[rows])


def look(
    traffic: Traffic,
    road: Road,
    epoch_s: IntArray,
    distance_m: FloatArray,
    *,
    roadside: BoolArray,
    keys: noise.KeyArray,
) -> View:
    """What each camera sees at these times and places."""
    flow, loss = np.empty(len(epoch_s)), np.empty(len(epoch_s))
    load = np.empty(len(epoch_s))
    cells = (distance_m * (1.0 / COARSE_M)).astype(np.int64)
    minutes = epoch_s // 60
    for minute in np.unique(minutes):
        rows = minutes == minute
        speeds, losses = traffic.flow(int(minute) * 60)
        flow[rows], loss[rows] = speeds[cells[rows]], losses[cells[rows]]
        load[rows] = demand(int(minute) * 60)
    lanes = road.lanes(road.segment(distance_m))
    expected = traffic.vehicles_per_km(loss, lanes, load) * np.where(roadside, ROADSIDE_KM, DASH_KM)
    draw = noise.normal(keys, epoch_s)
    vehicles = np.maximum(np.rint(expected + draw * np.sqrt(expected + 0.3)), 0.0).astype(np.int64)
    return View(
        vehicles, np.maximum(flow * 3.6 + 2.0 * draw, 1.0), np.searchsorted(_CONGESTION_FROM, loss, side="right")
    )
