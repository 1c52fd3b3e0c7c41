"""Small worlds, and their events as Python objects."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from smartcity.simulation.batch import EventBatch
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.routes import Point, Route, find

Event = dict[str, Any]
Events = dict[str, list[Event]]

#: Monday morning.
START_S = int(datetime(2026, 3, 2, 7, tzinfo=UTC).timestamp())


def parsed(batches: Iterable[EventBatch]) -> Events:
    """Events by topic, in the order of sending."""
    found: Events = {}
    for batch in batches:
        found.setdefault(batch.topic, []).extend(json.loads(value) for value in batch.values)
    return found


def metres(a: Event, b: Event) -> float:
    """Great-circle distance between two events, by the haversine formula and the C library's functions."""
    lat1, lat2 = math.radians(a["latitude"]), math.radians(b["latitude"])
    half = math.sin(math.radians(b["longitude"] - a["longitude"]) / 2) ** 2
    square = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * half
    return 2 * 6_371_008.8 * math.asin(math.sqrt(square))


def bearing(a: Event, b: Event) -> float:
    """Initial compass bearing between two events."""
    lat1, lat2 = math.radians(a["latitude"]), math.radians(b["latitude"])
    east = math.radians(b["longitude"] - a["longitude"])
    y = math.sin(east) * math.cos(lat2)
    x = math.cos(lat1) * math.sin(lat2) - math.sin(lat1) * math.cos(lat2) * math.cos(east)
    return math.degrees(math.atan2(y, x)) % 360


def small_route() -> Route:
    """Five kilometres with a corner, a motorway and a town."""
    return Route(
        "small",
        (
            Point(52.000, -1.000, "A1", 48.3),
            Point(52.006, -1.000, "A1", 48.3),
            Point(52.006, -0.985, "M9", 112.7),
            Point(52.010, -0.950, "M9", 112.7),
            Point(52.012, -0.940, "A2", 32.2),
            Point(52.013, -0.935, "A2", 32.2),
        ),
    )


@pytest.fixture(scope="session")
def trip() -> Events:
    """The whole default trip of seed 42 on a Monday morning."""
    return parsed(Fleet(Plan(find("london-birmingham"), 42, START_S)).batches())


@pytest.fixture(scope="session")
def drive() -> Callable[..., Events]:
    """Drive the small route; arguments as of `Plan`."""

    def run(seed: int = 1, start_s: int = START_S, window_s: int = 300, **more: Any) -> Events:
        return parsed(Fleet(Plan(more.pop("route", small_route()), seed, start_s, **more), window_s=window_s).batches())

    return run
