"""Clock and sun of Great Britain: local time with British Summer Time, week days, and how high the sun stands."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from smartcity.simulation.exact import cos_deg, sin_deg
from smartcity.simulation.noise import FloatArray, IntArray

DAY_S = 86_400
YEAR_DAYS = 365.2425
DEGREES_PER_DAY = 360.0 / YEAR_DAYS


def uk_local_s(epoch_s: int) -> int:
    """Seconds of a wall clock in London: an hour ahead from the last Sunday of March to that of October, 01:00 UTC."""
    year = datetime.fromtimestamp(epoch_s, UTC).year
    summer = _last_sunday(year, 3) <= epoch_s < _last_sunday(year, 10)
    return epoch_s + 3600 * summer


def _last_sunday(year: int, month: int) -> int:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return int(last.timestamp()) - (last.weekday() + 1) % 7 * DAY_S


def local_hour(epoch_s: int) -> float:
    """Hour of the local day, 0 to 24."""
    return uk_local_s(epoch_s) % DAY_S / 3600.0


def is_weekend(epoch_s: int) -> bool:
    """Whether it is Saturday or Sunday in London (1 January 1970 was a Thursday)."""
    return (uk_local_s(epoch_s) // DAY_S + 3) % 7 >= 5


def year_day(epoch_s: IntArray) -> FloatArray:
    """Days since the turn of the year, 0 to 365.24, the same for every calendar (1970 began at 0)."""
    days = epoch_s / DAY_S
    return days - YEAR_DAYS * np.floor(days / YEAR_DAYS)


def sun_height_sin(epoch_s: IntArray, lat: FloatArray, lon: FloatArray) -> FloatArray:
    """Sine of the sun's height above the horizon (Cooper 1969 for the declination; equation of time left out)."""
    tilt = -23.44 * cos_deg((year_day(epoch_s) + 10.0) * DEGREES_PER_DAY)
    hour_angle = (epoch_s % DAY_S) / 240.0 - 180.0 + lon
    hour_angle = hour_angle - 360.0 * np.floor((hour_angle + 180.0) / 360.0)
    return sin_deg(lat) * sin_deg(tilt) + cos_deg(lat) * cos_deg(tilt) * cos_deg(hour_angle)
