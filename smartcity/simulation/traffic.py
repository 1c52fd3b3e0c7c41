"""How fast the other traffic lets a car go: by time of day and week, place, weather, lights and queues.

The answer for ten seconds (a slab) is a table over the route. It is made so that a car which obeys it never has to
brake harder than `BRAKING_MS2`: every slow place is preceded by a braking curve.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.daytime import is_weekend, local_hour
from smartcity.simulation.exact import cos_deg, interpolate
from smartcity.simulation.incidents import Incidents
from smartcity.simulation.noise import FloatArray, IntArray
from smartcity.simulation.road import PAD_CELLS, Road
from smartcity.simulation.weather import Weather

_T = TypeVar("_T")

SLAB_S = 10
STEP_M = 25.0
#: Congestion is computed on coarser cells and changes once a minute.
COARSE_M = 200.0
_COARSE_STEPS = int(COARSE_M / STEP_M)
FLOW_S = 60
#: Weather changes slowly: cells of this length, every five minutes.
WEATHER_M = 4_000.0
WEATHER_S = 300
#: Comfortable deceleration, m/s² (Treiber, Hennecke and Helbing 2000 use 1.67; 2.0 is common for cars).
BRAKING_MS2 = 1.8
#: Traffic lights: cycle and red time in seconds.
CYCLE_S, RED_S = 90, 30
#: Stop-and-go waves travel upstream at about 15 km/h (Treiber and Kesting, Traffic Flow Dynamics, 2013).
WAVE_MS = 15.0 / 3.6
WAVE_M = 2_000.0
#: Vehicles per kilometre and lane in a jam, and at the densest free flow (Treiber and Kesting).
JAM_DENSITY, FREE_DENSITY = 120.0, 22.0

#: Share of the peak's traffic by local hour, working days and weekends (shape of DfT's TRA0307).
_HOURS = np.array([0, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 18, 19, 20, 22, 24], dtype=np.float64)
_WORKDAY = np.array([0.06, 0.12, 0.4, 0.85, 1.0, 0.8, 0.6, 0.58, 0.72, 0.9, 1.0, 0.85, 0.58, 0.4, 0.2, 0.06])
_WEEKEND = np.array([0.1, 0.07, 0.12, 0.22, 0.36, 0.52, 0.66, 0.74, 0.7, 0.7, 0.66, 0.58, 0.46, 0.36, 0.24, 0.1])


@dataclass(frozen=True)
class Hotspot:
    """A place that slows down every day: centre, reach in km, and the share of speed lost at the peak."""

    name: str
    lat: float
    lon: float
    reach_km: float
    loss: float


HOTSPOTS = (
    Hotspot("Hanger Lane", 51.530, -0.2935, 2.2, 0.35),
    Hotspot("M25 J16", 51.5606, -0.5309, 3.5, 0.32),
    Hotspot("M40 J4 Handy Cross", 51.6123, -0.7676, 2.0, 0.15),
    Hotspot("M40 J9", 51.8681, -1.1981, 4.0, 0.34),
    Hotspot("M40 J10", 51.9482, -1.2053, 3.5, 0.30),
    Hotspot("M42 J6", 52.4452, -1.7100, 3.0, 0.34),
    Hotspot("M6 J5", 52.5092, -1.7961, 2.6, 0.36),
    Hotspot("M6 J6", 52.5089, -1.8616, 2.4, 0.38),
    Hotspot("M1 J6A", 51.7163, -0.3854, 3.5, 0.32),
    Hotspot("M1 J10", 51.8541, -0.4240, 3.5, 0.28),
    Hotspot("M1 J13", 52.0264, -0.6034, 3.0, 0.22),
    Hotspot("M1 J19", 52.4006, -1.1656, 3.0, 0.25),
    Hotspot("M6 J3", 52.4634, -1.4952, 3.0, 0.25),
)


def demand(epoch_s: int) -> float:
    """Traffic as a share of the working day's peak."""
    profile = _WEEKEND if is_weekend(epoch_s) else _WORKDAY
    return float(interpolate(np.array([local_hour(epoch_s)]), _HOURS, profile)[0])


class Traffic:
    """The ceilings that the world sets on a road."""

    def __init__(self, seed: int, road: Road, weather: Weather, incidents: Incidents) -> None:
        self.road = road
        self._weather, self._incidents = weather, incidents
        self._key = noise.key(seed, "traffic", road.route.name)
        self.steps = int((road.cells + PAD_CELLS) * 5.0 // STEP_M) + 2
        self._coarse = self.steps // _COARSE_STEPS + 1
        places = np.minimum((np.arange(self._coarse) + 0.5) * COARSE_M, road.length_m)
        segment = road.segment(places)
        lat, lon = road.position(places, segment)
        self._limit = road.limits_kmh[segment] / 3.6
        self._base = np.where(self._limit < 14.0, 0.26, np.where(self._limit < 26.0, 0.16, 0.055))
        self._hot = _hotspot_loss(lat, lon)
        self._braking = np.arange(self.steps) * (2.0 * BRAKING_MS2 * STEP_M)
        self._flows: OrderedDict[int, tuple[FloatArray, FloatArray]] = OrderedDict()
        self._slabs: OrderedDict[int, FloatArray] = OrderedDict()
        self._skies: OrderedDict[int, FloatArray] = OrderedDict()

    def flow(self, epoch_s: int) -> tuple[FloatArray, FloatArray]:
        """Mean speed of the traffic in m/s and share of speed lost (0 free, 1 standing), per coarse cell."""
        return _cached(self._flows, epoch_s // FLOW_S, 12, self._make_flow)

    def ceiling(self, epoch_s: int) -> FloatArray:
        """Highest speed in m/s for each step of `STEP_M` in the ten seconds around this second."""
        return _cached(self._slabs, epoch_s // SLAB_S, 4, self._make_slab)

    def _make_flow(self, minute: int) -> tuple[FloatArray, FloatArray]:
        epoch_s = minute * FLOW_S
        load = demand(epoch_s)
        place = np.arange(self._coarse, dtype=np.float64) * (COARSE_M / 3_000.0)
        ripple = noise.smooth2(self._key, place, np.full(self._coarse, epoch_s / 1_500.0))
        loss = (self._base * (0.45 + 0.55 * load) + self._hot * load * load) * (0.55 + 0.9 * ripple)
        loss = np.minimum(loss + self._weather_loss(epoch_s), 0.82)
        return self._limit * (1.0 - loss), loss

    def _weather_loss(self, epoch_s: int) -> FloatArray:
        period = epoch_s // WEATHER_S
        coarse = _cached(self._skies, period, 4, self._make_weather_loss)
        return np.repeat(coarse, int(WEATHER_M / COARSE_M))[: self._coarse]

    def _make_weather_loss(self, period: int) -> FloatArray:
        """Rain slows free traffic by 2 to 9 %, fog and snow more (Hranac et al., FHWA-HOP-07-073, 2006)."""
        places = np.minimum((np.arange(self.steps * STEP_M // WEATHER_M + 2)) * WEATHER_M, self.road.length_m)
        lat, lon = self.road.position(places, self.road.segment(places))
        sky = self._weather.at(np.full(len(places), period * WEATHER_S, dtype=np.int64), lat, lon)
        rain = np.minimum(0.012 * sky.rain_mm_h, 0.09)
        fog = np.clip((1_000.0 - sky.visibility_m) / 1_000.0, 0.0, 1.0) * 0.3
        return np.maximum(rain, fog) + np.where(sky.snowing, 0.15, 0.0)

    def _make_slab(self, slab: int) -> FloatArray:
        epoch_s = slab * SLAB_S
        speed, loss = self.flow(epoch_s)
        steps = np.repeat(self._with_waves(speed, loss, epoch_s), _COARSE_STEPS)[: self.steps]
        for incident in self._incidents.alive(epoch_s):
            if queue := incident.queue(epoch_s):
                tail, head = (max(int(m / STEP_M), 0) for m in queue)
                steps[tail : head + 1] = np.minimum(steps[tail : head + 1], 5.5)
        for light in self.road.lights:
            if (epoch_s + light.offset_s) % CYCLE_S < RED_S:
                steps[int(light.place_m / STEP_M)] = 0.0
        return self._with_braking_curves(steps)

    def _with_waves(self, speed: FloatArray, loss: FloatArray, epoch_s: int) -> FloatArray:
        """Stop-and-go waves where more than a third of the speed is lost."""
        depth = np.clip((loss - 0.33) / 0.4, 0.0, 0.75)
        phase = (np.arange(self._coarse) * COARSE_M + WAVE_MS * epoch_s) / WAVE_M
        triangle: FloatArray = np.abs(2.0 * (phase - np.floor(phase)) - 1.0)
        speeds: FloatArray = np.maximum(speed * (1.0 - depth * triangle), 1.5)
        return speeds

    def _with_braking_curves(self, steps: FloatArray) -> FloatArray:
        """The lowest speed from which every slower place ahead can be met: v² = v₁² + 2 b d."""
        energy = steps * steps + self._braking
        ahead = np.minimum.accumulate(energy[::-1])[::-1]
        met: FloatArray = np.sqrt(ahead - self._braking)
        return met

    def vehicles_per_km(self, loss: FloatArray, lanes: IntArray, load: FloatArray) -> FloatArray:
        """Density of traffic: proportional to demand while it flows, towards the jam's when speed is lost."""
        free = FREE_DENSITY * (0.12 + 0.88 * load)
        return lanes * (free + (JAM_DENSITY - free) * np.clip((loss - 0.12) / 0.75, 0.0, 1.0))


def _hotspot_loss(lat: FloatArray, lon: FloatArray) -> FloatArray:
    loss = np.zeros_like(lat)
    scale = cos_deg(lat)
    for spot in HOTSPOTS:
        north, east = (lat - spot.lat) * 111.2, (lon - spot.lon) * 111.2 * scale
        nearness = np.clip(1.0 - (north * north + east * east) / (spot.reach_km * spot.reach_km), 0.0, 1.0)
        loss = np.maximum(loss, spot.loss * nearness)
    return loss


def _cached(cache: OrderedDict[int, _T], index: int, size: int, make: Callable[[int], _T]) -> _T:
    if index not in cache:
        cache[index] = make(index)
        while len(cache) > size:
            cache.popitem(last=False)
    return cache[index]
