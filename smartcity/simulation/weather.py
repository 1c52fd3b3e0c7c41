"""One weather over the country, for every car and camera: a field in place and time that drifts with the wind.

Conditions are the Met Office's significant weather types. Air quality is the Daily Air Quality Index of the UK, 1 (low)
to 10 (very high). Rain: light up to 2, moderate up to 4, heavy above (Met Office fact sheet 3, mm/h).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.daytime import DEGREES_PER_DAY, sun_height_sin, year_day
from smartcity.simulation.exact import cos_deg
from smartcity.simulation.noise import BoolArray, FloatArray, IntArray

CONDITIONS = (
    "Clear night",
    "Sunny day",
    "Partly cloudy",
    "Mist",
    "Fog",
    "Cloudy",
    "Overcast",
    "Drizzle",
    "Light rain",
    "Heavy rain",
    "Sleet",
    "Light snow",
    "Heavy snow",
    "Thunder",
)
(
    _NIGHT,
    _SUN,
    _PARTLY,
    _MIST,
    _FOG,
    _CLOUDY,
    _OVERCAST,
    _DRIZZLE,
    _LIGHT,
    _HEAVY,
    _SLEET,
    _SNOW,
    _HEAVY_SNOW,
    _THUNDER,
) = range(14)

#: Fronts cross England from the west at about this speed.
DRIFT_KMH = 35.0
#: Centres of the cities whose air is worse: latitude, longitude.
CITIES = ((51.51, -0.13), (52.48, -1.89))


@dataclass(frozen=True)
class Sky:
    """Weather at some places and times; arrays of one length."""

    condition: IntArray
    temperature_c: FloatArray
    rain_mm_h: FloatArray
    wind_kmh: FloatArray
    humidity_pct: FloatArray
    visibility_m: FloatArray
    air_quality: IntArray
    sun_sin: FloatArray

    @property
    def snowing(self) -> BoolArray:
        """Whether what falls is snow."""
        return np.isin(self.condition, (_SNOW, _HEAVY_SNOW))


@dataclass(frozen=True)
class _Spots:
    """Places in the air that drifts, and times: kilometres, hours and day of the year."""

    east_km: FloatArray
    north_km: FloatArray
    hours: FloatArray
    year_day: FloatArray

    @classmethod
    def of(cls, epoch_s: IntArray, lat: FloatArray, lon: FloatArray) -> _Spots:
        hours = epoch_s.astype(np.float64) / 3600.0
        return cls((lon + 2.0) * 68.5 - hours * DRIFT_KMH, (lat - 52.0) * 111.2, hours, year_day(epoch_s))


class Weather:
    """The field of one seed."""

    def __init__(self, seed: int) -> None:
        self._keys = {
            name: noise.key(seed, "weather", name)
            for name in ("front", "shower", "cloud", "warm", "wind", "fog", "air")
        }

    def at(self, epoch_s: IntArray, lat: FloatArray, lon: FloatArray) -> Sky:
        """The weather at these places and times."""
        spots = _Spots.of(epoch_s, lat, lon)
        sun = sun_height_sin(epoch_s, lat, lon)
        front = self._field("front", spots, 130.0, 9.0)
        rain = self._rain(front, self._field("shower", spots, 26.0, 1.5))
        cloud = np.clip(1.6 * (0.65 * front + 0.35 * self._field("cloud", spots, 40.0, 3.0)) - 0.3, 0.0, 1.0)
        wind = 6.0 + 46.0 * self._square("wind", spots)
        temperature = self._temperature(spots, sun, cloud, rain)
        humidity = np.clip(58.0 + 24.0 * cloud + 7.0 * rain - 9.0 * np.maximum(sun, 0.0), 30.0, 100.0)
        fog = self._fog(spots, sun, wind)
        humidity = np.where(fog > 0.0, np.maximum(humidity, 96.0), humidity)
        visibility = 42_000.0 / (1.0 + 0.9 * rain + 0.6 * cloud)
        visibility = np.where(fog > 0.0, np.minimum(visibility, 1_900.0 - 1_780.0 * fog), visibility)
        visibility = np.where((temperature < 1.5) & (rain > 0.1), visibility * 0.35, visibility)
        condition = _condition(cloud, rain, temperature, visibility=visibility, sun=sun)
        return Sky(
            condition, temperature, rain, wind, humidity, visibility, self._air(lat, lon, spots.hours, wind), sun
        )

    def _field(self, name: str, at: _Spots, km: float, hours: float) -> FloatArray:
        return noise.smooth3(self._keys[name], at.east_km / km, at.north_km / km, at.hours / hours)

    def _square(self, name: str, at: _Spots) -> FloatArray:
        value = self._field(name, at, 160.0, 7.0)
        return value * value

    @staticmethod
    def _rain(front: FloatArray, shower: FloatArray) -> FloatArray:
        """Millimetres an hour: none below a threshold, steep above it, 12 at most."""
        excess = np.maximum(0.72 * front + 0.28 * shower - 0.56, 0.0) / 0.44
        return 16.0 * excess * np.sqrt(excess) * (0.6 + 0.4 * shower)

    def _temperature(self, at: _Spots, sun: FloatArray, cloud: FloatArray, rain: FloatArray) -> FloatArray:
        """Midlands climate 1991-2020: monthly means of 4.5 °C in January and 17.5 °C in July."""
        season = 11.0 - 6.5 * cos_deg((at.year_day - 20.0) * DEGREES_PER_DAY)
        air_mass = 9.0 * (self._field("warm", at, 300.0, 30.0) - 0.5)
        return season + air_mass + 5.5 * sun * (1.0 - 0.55 * cloud) - 0.25 * rain

    def _fog(self, at: _Spots, sun: FloatArray, wind: FloatArray) -> FloatArray:
        """Density 0 to 1 of radiation fog: calm air, low sun."""
        patch = self._field("fog", at, 22.0, 2.0)
        calm = np.clip((16.0 - wind) / 8.0, 0.0, 1.0)
        dark = np.clip((0.25 - sun) / 0.3, 0.0, 1.0)
        return np.clip((patch * calm * dark - 0.45) / 0.4, 0.0, 1.0)

    def _air(self, lat: FloatArray, lon: FloatArray, hours: FloatArray, wind: FloatArray) -> IntArray:
        city = np.zeros_like(lat)
        for city_lat, city_lon in CITIES:
            north, east = (lat - city_lat) * 111.2, (lon - city_lon) * 68.5
            city = np.maximum(city, 1.0 - (north * north + east * east) / 225.0)
        drift = noise.smooth3(self._keys["air"], lat * 3.0, lon * 3.0, hours / 8.0)
        index = 1.2 + 2.2 * city + 3.0 * drift + np.clip((18.0 - wind) / 12.0, 0.0, 1.3)
        return np.clip(index, 1.0, 10.0).astype(np.int64)


def _condition(
    cloud: FloatArray, rain: FloatArray, temperature: FloatArray, *, visibility: FloatArray, sun: FloatArray
) -> IntArray:
    dry = np.where(sun > 0.0, _SUN, _NIGHT)
    dry = np.where(cloud > 0.3, _PARTLY, dry)
    dry = np.where(cloud > 0.55, _CLOUDY, dry)
    dry = np.where(cloud > 0.8, _OVERCAST, dry)
    dry = np.where(visibility < 1_900.0, _MIST, dry)
    dry = np.where(visibility < 1_000.0, _FOG, dry)
    wet = np.where(rain < 0.4, _DRIZZLE, np.where(rain < 4.0, _LIGHT, np.where(rain < 9.5, _HEAVY, _THUNDER)))
    cold = np.where(temperature < 0.5, np.where(rain < 2.0, _SNOW, _HEAVY_SNOW), _SLEET)
    falling = np.where(temperature < 2.0, cold, wet)
    return np.where(rain > 0.1, falling, dry).astype(np.int64)
