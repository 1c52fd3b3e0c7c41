"""A recorded track driven again: where and when the recording says, with all sensors of a simulated car.

Between two recorded points the car moves evenly; samples are one second apart and pass through every point at its own
time.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from smartcity.errors import UsageError
from smartcity.simulation.batch import EventBatch
from smartcity.simulation.city import City
from smartcity.simulation.drive import Motion
from smartcity.simulation.exact import interpolate
from smartcity.simulation.fleet import WINDOW_S
from smartcity.simulation.footage import FrameTaker
from smartcity.simulation.noise import FloatArray
from smartcity.simulation.routes import (
    DEFAULT_LIMIT_MPH,
    KMH_PER_MPH,
    Point,
    Route,
    checked_start,
    distances_m,
    read_text,
    route_name,
)
from smartcity.simulation.sensors import Sensors

#: No car moves faster than this between two points of a recording, in km/h.
FASTEST_KMH = 400.0
LONGEST_S = 7 * 86_400
_TIMES = ("time", "timestamp", "ts", "datetime")


@dataclass(frozen=True)
class Track:
    """A recording: its line, and when the car was how far along it (epoch seconds, metres)."""

    route: Route
    epoch_s: FloatArray
    distance_m: FloatArray


def load(path: Path) -> Track:
    """The track in a GPX or CSV file. Raises `UsageError` naming the point at fault."""
    text = read_text(path)
    gpx = path.suffix.lower() == ".gpx" or text.lstrip().startswith("<")
    samples = list(_gpx(text, str(path)) if gpx else _csv(text, str(path)))
    if len(samples) < 2:
        raise UsageError(f"{path} holds {len(samples)} recorded points.", "A track needs at least two.")
    return _track(route_name(path, hashlib.sha256(text.encode()).hexdigest()), samples, str(path))


def _gpx(text: str, source: str) -> Iterator[tuple[datetime, float, float]]:
    from smartcity.simulation.gpx import line_of

    for number, point in enumerate(line_of(text, source), start=1):
        if point.time is None:
            raise UsageError(f"{source}: point {number} has no time.", "Drive it as a route instead: --route FILE")
        when = point.time if point.time.tzinfo else point.time.replace(tzinfo=UTC)
        yield when, point.latitude, point.longitude


def _csv(text: str, source: str) -> Iterator[tuple[datetime, float, float]]:
    reader = csv.DictReader(io.StringIO(text))
    fields = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    time_field = next((fields[name] for name in _TIMES if name in fields), None)
    if time_field is None or "lat" not in fields or "lon" not in fields:
        raise UsageError(f"{source} needs the columns time, lat and lon.", "The first line names the columns.")
    for number, row in enumerate(reader, start=2):
        try:
            when = datetime.fromisoformat(row[time_field] or "")
            yield (
                when if when.tzinfo else when.replace(tzinfo=UTC),
                float(row[fields["lat"]]),
                float(row[fields["lon"]]),
            )
        except (TypeError, ValueError):
            raise UsageError(
                f"{source}, line {number}: not a time and two degrees.", "Write: 2026-03-02T07:00:00Z,51.5074,-0.1278"
            ) from None


def _track(name: str, samples: list[tuple[datetime, float, float]], source: str) -> Track:
    times = np.array([when.timestamp() for when, _, _ in samples])
    lat, lon = (np.array([sample[index] for sample in samples], dtype=np.float64) for index in (1, 2))
    if not (np.all(np.abs(lat) < 90.0) and np.all(np.abs(lon) <= 180.0)):
        raise UsageError(f"{source} has points that are not on Earth.", "Use WGS 84 degrees.")
    for moment in (samples[0][0], samples[-1][0]):
        checked_start(moment)
    steps, seconds = distances_m(lat, lon), times[1:] - times[:-1]
    _check(steps, seconds, source)
    if times[-1] - times[0] > LONGEST_S:
        raise UsageError(f"{source} spans more than a week.", "Split the recording.")
    moved = np.concatenate(([True], steps > 0.0))
    limit = DEFAULT_LIMIT_MPH * KMH_PER_MPH
    points = [Point(a, b, "unnamed road", limit) for a, b in zip(lat[moved].tolist(), lon[moved].tolist(), strict=True)]
    if len(points) < 2:
        raise UsageError(f"{source} never leaves its first point.", "A track needs two different points.")
    distance = np.concatenate(([0.0], np.cumsum(steps)))
    return Track(Route(name, tuple(points)), times, distance)


def _check(steps: FloatArray, seconds: FloatArray, source: str) -> None:
    if back := np.flatnonzero(seconds < 0.0).tolist():
        raise UsageError(
            f"{source}: the clock goes back by {-seconds[back[0]]:.0f} s at point {back[0] + 2}.",
            "Sort the points by time.",
        )
    speed = steps * 3.6 / np.maximum(seconds, 1e-3)
    if fast := np.flatnonzero((speed > FASTEST_KMH) & (steps > 1.0)).tolist():
        raise UsageError(
            f"{source}: the track jumps {steps[fast[0]]:.0f} m within {seconds[fast[0]]:.1f} s at point {fast[0] + 2}.",
            "Remove the outlier.",
        )


class Replay:
    """A car that drives a track again."""

    def __init__(self, track: Track, seed: int, frames: FrameTaker | None = None, window_s: int = WINDOW_S) -> None:
        self._track, self._window_s = track, max(window_s // 10, 1) * 10
        self._first, self._last = int(np.ceil(track.epoch_s[0])), int(np.floor(track.epoch_s[-1]))
        city = City(track.route, seed)
        self.car = city.car(1, self._first)
        self._sensors = Sensors(city, frames)

    def batches(self) -> Iterator[EventBatch]:
        """All events, each topic's in order."""
        for window in self.windows():
            yield from window

    def windows(self) -> Iterator[list[EventBatch]]:
        """All events, window by window."""
        for begin in range(self._first // 10 * 10, self._last + 1, self._window_s):
            yield list(self._sensors.observe([self.car], self._motion(begin)))

    def _motion(self, begin_s: int) -> Motion:
        seconds = begin_s + np.arange(-2, self._window_s)
        times, where = np.unique(self._track.epoch_s, return_index=True)
        distance = interpolate(seconds.astype(np.float64), times, self._track.distance_m[where])
        speed = distance[1:] - distance[:-1]
        inside = (seconds[2:] >= self._first) & (seconds[2:] <= self._last)
        accel = speed[1:] - speed[:-1]
        return Motion(begin_s, distance[np.newaxis, 2:], speed[np.newaxis, 1:], accel[np.newaxis], inside[np.newaxis])
