"""What a satellite receiver makes of the truth.

The error of a receiver wanders, it does not jump: multipath and ionosphere keep it for tens of seconds, so it is smooth
noise on two time scales (45 s and 8 s) instead of white noise. Between tall houses it grows and satellites are lost;
under ground there is no fix and the receiver reckons from the last one. Open sky: about 1.3 m (CEP of a consumer
receiver with SBAS), street canyon: 6 to 12 m (Groves, "Shadow matching", 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.exact import cos_deg
from smartcity.simulation.noise import FloatArray, IntArray, KeyArray
from smartcity.simulation.road import Road
from smartcity.simulation.routes import METRES_PER_DEGREE

FIXES = ("none", "2d", "3d")
SKY_STEP_M = 50.0
#: Centres of dense building and its reach in km.
CANYONS = ((51.5115, -0.1400, 3.6), (51.5205, -0.1750, 1.6), (52.4830, -1.8930, 2.2))
#: Half the length of an underpass, and how far the first poor fixes reach beyond it, in metres.
UNDERPASS_M, RECOVERY_M = 140.0, 60.0
#: Dilution of precision that receivers show without a fix.
NO_FIX_HDOP = 99.99


class SkyView:
    """How much of the sky a road sees: 0 open, 1 a street canyon, 2 beneath it."""

    def __init__(self, road: Road) -> None:
        places = np.minimum(np.arange(int(road.length_m // SKY_STEP_M) + 2) * SKY_STEP_M, road.length_m)
        segment = road.segment(places)
        lat, lon = road.position(places, segment)
        view = np.zeros_like(places)
        for centre_lat, centre_lon, reach_km in CANYONS:
            north = (lat - centre_lat) * 111.195
            east = (lon - centre_lon) * 111.195 * cos_deg(lat)
            view = np.maximum(
                view, np.clip(1.4 - 1.4 * (north * north + east * east) / (reach_km * reach_km), 0.0, 1.0)
            )
        raised = np.array(["Westway" in point.name for point in road.route.points[:-1]])
        view = np.where(raised[segment], view * 0.25, view)
        for point, place in zip(road.route.points, road.start_m, strict=True):
            if "underpass" in point.name.lower() or "tunnel" in point.name.lower():
                away = np.abs(places - place)
                view = np.where(away <= UNDERPASS_M, 2.0, np.where(away <= UNDERPASS_M + RECOVERY_M, 1.5, view))
        self._view: FloatArray = view

    def at(self, distance_m: FloatArray) -> FloatArray:
        """The view at a distance."""
        view: FloatArray = self._view[(distance_m * (1.0 / SKY_STEP_M)).astype(np.int64)]
        return view


@dataclass(frozen=True)
class Fixes:
    """What receivers report; matrices with one row per car."""

    lat: FloatArray
    lon: FloatArray
    altitude_m: FloatArray
    speed_ms: FloatArray
    heading_deg: FloatArray
    hdop: FloatArray
    satellites: IntArray
    fix: IntArray


def receive(
    keys: KeyArray,
    epoch_s: FloatArray,
    *,
    view: FloatArray,
    lat: FloatArray,
    lon: FloatArray,
    height_m: FloatArray,
    speed_ms: FloatArray,
    heading_deg: FloatArray,
) -> Fixes:
    """The receivers' reports at these seconds (one row per car and key)."""
    slow = [noise.smooth_rows(keys + np.uint64(n), epoch_s * (1.0 / 45.0)) for n in range(4)]
    fast = [noise.smooth_rows(keys + np.uint64(16 + n), epoch_s * (1.0 / 8.0)) for n in range(4)]
    spread = 1.0 + 6.0 * view + np.where(view >= 2.0, 8.0, 0.0)
    east, north, up = (spread * (0.85 * slow[n] + 0.4 * fast[n]) for n in range(3))
    satellites = np.clip(np.floor(15.5 + 1.6 * slow[3] + 0.6 * fast[3] - 7.5 * np.minimum(view, 1.5)), 3.0, 24.0)
    fix = np.where(view >= 2.0, 0, np.where(satellites < 5.0, 1, 2))
    satellites = np.where(view >= 2.0, 0.0, satellites)
    hdop = 0.28 + 6.6 / np.maximum(satellites, 1.0) + 0.9 * np.minimum(view, 1.5) * (1.0 + 0.3 * fast[0])
    wander = fast[1] * (1.5 + 8.0 * np.minimum(view, 1.0)) / (1.0 + speed_ms)
    heading = heading_deg + wander
    return Fixes(
        lat=lat + north * (1.0 / METRES_PER_DEGREE),
        lon=lon + east / (METRES_PER_DEGREE * cos_deg(lat)),
        altitude_m=height_m + 1.6 * up,
        speed_ms=np.maximum(speed_ms + np.where(speed_ms > 0.0, 0.06 * fast[2] * (1.0 + view), 0.0), 0.0),
        heading_deg=heading - 360.0 * np.floor(heading * (1.0 / 360.0)),
        hdop=np.where(fix == 0, NO_FIX_HDOP, np.clip(hdop, 0.5, 25.0)),
        satellites=satellites.astype(np.int64),
        fix=fix.astype(np.int64),
    )
