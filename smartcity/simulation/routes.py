"""Where a car goes: routes that ship with the package, and files of the user's own.

A route is a line of points; the road and limit of a point hold until the next one. Own files are CSV (columns `lat`
and `lon`, and `road`, `name`, `limit_mph` or `limit_kmh` where known) or GPX. What cannot be driven is refused with
the line and the fault.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from smartcity.errors import UsageError
from smartcity.simulation.exact import cos_deg
from smartcity.simulation.gpx import line_of
from smartcity.simulation.noise import FloatArray

DEFAULT_ROUTE = "london-birmingham"
SHIPPED = (DEFAULT_ROUTE, "london-birmingham-m1-m6", "london-birmingham-a34")
ALIASES = {"london-birmingham-m40": DEFAULT_ROUTE}

EARTH_RADIUS_M = 6_371_008.8
METRES_PER_DEGREE = EARTH_RADIUS_M * 3.141592653589793 / 180.0
KMH_PER_MPH = 1.609344

#: Two neighbouring points further apart than this are a gap, not a road.
MAX_GAP_KM = 25.0
MIN_LENGTH_M = 100.0
MAX_LENGTH_KM = 3_000.0
MAX_POINTS = 200_000
#: A drive may begin between these, so that it ends within the years that events may have.
FIRST_START, LAST_START = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 1, tzinfo=UTC)
#: National limit of a single carriageway, for files that name none (Highway Code, rule 124).
DEFAULT_LIMIT_MPH = 60.0


@dataclass(frozen=True)
class Point:
    """A point of a route; `road` and `limit_kmh` hold from here to the next point."""

    lat: float
    lon: float
    road: str
    limit_kmh: float
    name: str = ""


@dataclass(frozen=True)
class Route:
    """A line of points with a name that is safe in keys and ids."""

    name: str
    points: tuple[Point, ...]

    @property
    def lat(self) -> FloatArray:
        """Latitudes in degrees."""
        return np.array([point.lat for point in self.points])

    @property
    def lon(self) -> FloatArray:
        """Longitudes in degrees."""
        return np.array([point.lon for point in self.points])

    @property
    def segment_m(self) -> FloatArray:
        """Length of each segment in metres, one fewer than points."""
        return distances_m(self.lat, self.lon)

    @property
    def length_m(self) -> float:
        """Length of the whole line."""
        return float(np.cumsum(self.segment_m)[-1])

    @property
    def free_flow_s(self) -> float:
        """Seconds at the posted limits, without a single stop."""
        limits = np.array([point.limit_kmh for point in self.points[:-1]]) / 3.6
        return float(np.cumsum(self.segment_m / limits)[-1])


def distances_m(lat: FloatArray, lon: FloatArray) -> FloatArray:
    """Distance between neighbouring points on the mean sphere, in the plane of their middle latitude.

    (Below a millimetre from the great circle for segments of a few kilometres, and exact on every platform.)
    """
    north = (lat[1:] - lat[:-1]) * METRES_PER_DEGREE
    east = (lon[1:] - lon[:-1]) * METRES_PER_DEGREE * cos_deg((lat[1:] + lat[:-1]) * 0.5)
    return np.sqrt(north * north + east * east)


def find(route: str) -> Route:
    """The shipped route of this name, or the route in the file of this name.

    Raises `UsageError` for an unknown name and for a file that cannot be driven.
    """
    name = ALIASES.get(route, route)
    if name in SHIPPED:
        return shipped(name)
    path = Path(route).expanduser()
    if path.is_file():
        return from_file(path)
    if path.suffix.lower() in {".csv", ".gpx"} or "/" in route:
        raise UsageError(f"There is no route file {route}.", "Give a GPX or CSV file that exists.")
    raise UsageError(f"There is no route named {route}.", f"Choose one of: {', '.join(SHIPPED)}; or a GPX or CSV file.")


def shipped(name: str) -> Route:
    """A route of the package."""
    text = resources.files("smartcity.simulation").joinpath(f"routes/{name}.csv").read_text(encoding="utf-8")
    return checked(Route(name, tuple(_csv_points(text, name))))


def from_file(path: Path) -> Route:
    """A route from the user's GPX or CSV file; its name carries a hash of the content.

    Raises `UsageError` when the file is not readable, not GPX or CSV, or cannot be driven.
    """
    text = read_text(path)
    name = route_name(path, hashlib.sha256(text.encode()).hexdigest())
    parse = _gpx_points if path.suffix.lower() == ".gpx" or text.lstrip().startswith("<") else _csv_points
    return checked(Route(name, tuple(parse(text, str(path)))), str(path))


def route_name(path: Path, digest: str) -> str:
    """A name from a file's own and a hash of its content, safe in keys and ids."""
    stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:24] or "route"
    return f"{stem}-{digest[:8]}"


def read_text(path: Path) -> str:
    """The text of a route or track. Raises `UsageError` when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8.", "Give a GPX or CSV file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from None


def _csv_points(text: str, source: str) -> Iterable[Point]:
    reader = csv.DictReader(io.StringIO(text))
    fields = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    lat, lon = (next((fields[c] for c in options if c in fields), None) for options in _COORDINATES)
    if lat is None or lon is None:
        raise UsageError(f"{source} has no columns lat and lon.", "The first line of the CSV names its columns.")
    previous_km = float("-inf")
    for number, row in enumerate(reader, start=2):
        where = f"{source}, line {number}"
        if "cum_km" in fields and row[fields["cum_km"]]:
            km = _number(row[fields["cum_km"]], "cum_km", where)
            if km < previous_km:
                raise UsageError(f"{where}: cum_km goes back from {previous_km:g} to {km:g}.", "Sort the points.")
            previous_km = km
        yield Point(
            _number(row[lat], "latitude", where),
            _number(row[lon], "longitude", where),
            _text(row, fields, "road") or "unnamed road",
            _limit_kmh(row, fields, where),
            _text(row, fields, "name"),
        )


_COORDINATES = (("lat", "latitude"), ("lon", "lng", "longitude"))


def _text(row: dict[str, str | None], fields: dict[str, str], column: str) -> str:
    value = row.get(fields[column]) if column in fields else None
    return " ".join("".join(c for c in value if c.isprintable()).split())[:80] if value else ""


def _number(text: str | None, what: str, where: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise UsageError(f"{where}: {what} {text!r} is not a number.", "Write degrees as decimals.") from None


def _limit_kmh(row: dict[str, str | None], fields: dict[str, str], where: str) -> float:
    limit = DEFAULT_LIMIT_MPH * KMH_PER_MPH
    for column, factor in (("limit_kmh", 1.0), ("limit_mph", KMH_PER_MPH)):
        if text := _text(row, fields, column):
            limit = _number(text, column, where) * factor
    if not 5.0 <= limit <= 200.0:
        raise UsageError(f"{where}: a limit of {limit:.0f} km/h is not believable.", "Use 5 to 200 km/h.")
    return limit


def _gpx_points(text: str, source: str) -> Iterable[Point]:
    line = line_of(text, source)
    _check_times([point.time.timestamp() for point in line if point.time is not None], source)
    for point in line:
        yield Point(point.latitude, point.longitude, "unnamed road", DEFAULT_LIMIT_MPH * KMH_PER_MPH, point.name or "")


def _check_times(times: list[float], source: str) -> None:
    for number, (before, after) in enumerate(pairwise(times), start=2):
        if after < before:
            raise UsageError(
                f"{source}: the clock goes back by {before - after:.0f} s at point {number}.",
                "Sort the points by time.",
            )


def checked(route: Route, source: str = "") -> Route:
    """The route without repeated points. Raises `UsageError` if no car could drive it."""
    where = source or route.name
    _check_count(route, where)
    for number, point in enumerate(route.points, start=1):
        if not (-90.0 < point.lat < 90.0 and -180.0 <= point.lon <= 180.0):
            raise UsageError(
                f"{where}: point {number} ({point.lat}, {point.lon}) is not on Earth.", "Use WGS 84 degrees."
            )
    kept = _without(route, lambda previous, here: previous != here)
    _check_count(kept, where)
    _check_lengths(kept, where)
    return kept


def _check_count(route: Route, where: str) -> None:
    if len(route.points) < 2:
        kind = "is empty" if not route.points else "has a single point"
        raise UsageError(f"The route {where} {kind}.", "A route needs at least two different points.")
    if len(route.points) > MAX_POINTS:
        raise UsageError(f"The route {where} has over {MAX_POINTS:,} points.", "Simplify it to a few metres.")


def _without(route: Route, keep: Callable[[tuple[float, float], tuple[float, float]], bool]) -> Route:
    places = [(round(point.lat, 6), round(point.lon, 6)) for point in route.points]
    kept = [p for i, p in enumerate(route.points) if i == 0 or keep(places[i - 1], places[i])]
    return replace(route, points=tuple(kept))


def _check_lengths(route: Route, where: str) -> None:
    lengths = route.segment_m
    longest = int(np.argmax(lengths))
    if lengths[longest] > MAX_GAP_KM * 1000.0:
        raise UsageError(
            f"{where}: {lengths[longest] / 1000.0:.0f} km lie between points {longest + 1} and {longest + 2}.",
            "Points may be out of order or missing; a gap of at most 25 km is driven in a straight line.",
        )
    if route.length_m < MIN_LENGTH_M:
        raise UsageError(f"The route {where} is only {route.length_m:.0f} m long.", "It needs 100 m at least.")
    if route.length_m > MAX_LENGTH_KM * 1000.0:
        raise UsageError(f"The route {where} is {route.length_m / 1000.0:,.0f} km long.", "It may have 3,000 km.")


def checked_start(start: datetime) -> int:
    """A departure as whole epoch seconds. Raises `UsageError` without a time zone or outside the contract's years."""
    if start.tzinfo is None:
        raise UsageError(f"The start {start.isoformat()} has no time zone.", "Add one: 2026-03-02T07:00:00Z")
    if not FIRST_START <= start <= LAST_START:
        raise UsageError(f"The start {start.isoformat()} is not believable.", "Choose one between 2000 and 2099.")
    return int(start.timestamp())


def roads(route: Route) -> list[str]:
    """The roads of a route in their order, each once."""
    return list(dict.fromkeys(point.road for point in route.points[:-1]))
