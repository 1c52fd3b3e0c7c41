"""The laws that every drive obeys, whatever its seed and start."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartcity.events import TOPICS
from smartcity.simulation.road import Road
from smartcity.simulation.routes import SHIPPED, find

from .conftest import START_S, Event, Events, bearing, metres, small_route

Drive = Callable[..., Events]
#: From 2000 to 2099.
starts = st.integers(946_684_800, 4_099_766_400)
seeds = st.integers(0, 2**63)
lawful = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event["ts"]).timestamp()


def _obeys_the_laws(samples: list[Event]) -> None:
    for before, here in itertools.pairwise(samples):
        assert _seconds(here) - _seconds(before) == 1.0
        moved = metres(before, here)
        assert moved * 3.6 == pytest.approx(here["speed_kmh"], abs=0.15)
        assert here["speed_kmh"] <= here["limit_kmh"] + 0.05
        assert (
            -3.6 <= (here["speed_kmh"] - before["speed_kmh"]) / 3.6 <= 3.0
            or before["heading_deg"] != here["heading_deg"]
        )
        assert here["odometer_km"] >= before["odometer_km"]
        assert here["odometer_km"] - before["odometer_km"] >= moved / 1000 - 0.002
        assert here["fuel_pct"] <= before["fuel_pct"]
        if moved > 1.0:
            assert abs((bearing(before, here) - here["heading_deg"] + 180) % 360 - 180) < 2.0


def _within_the_contract(events: Events) -> None:
    for topic, found in events.items():
        for event in found:
            assert list(event) == [column.name for column in TOPICS[topic].columns]
            for column in TOPICS[topic].columns:
                value = event[column.name]
                if value is None:
                    assert column.nullable, column.name
                elif column.type in {"double", "int"}:
                    assert isinstance(value, int if column.type == "int" else float), column.name
                    assert column.minimum is not None and column.maximum is not None
                    assert column.minimum <= value <= column.maximum, column.name
                else:
                    assert isinstance(value, str) and value


@lawful
@given(seed=seeds, start_s=starts)
def test_any_small_drive_obeys_the_laws_and_arrives(drive: Drive, seed: int, start_s: int) -> None:
    events = drive(seed, start_s)
    _obeys_the_laws(events["vehicle"])
    _within_the_contract(events)
    last = small_route().points[-1]
    assert metres(events["vehicle"][-1], {"latitude": last.lat, "longitude": last.lon}) < 1.0
    assert events["vehicle"][0]["speed_kmh"] == 0.0


def test_the_default_trip_obeys_the_laws(trip: Events) -> None:
    _obeys_the_laws(trip["vehicle"])
    _within_the_contract(trip)


def test_the_default_trip_is_as_long_as_promised(trip: Events) -> None:
    assert set(trip) == set(TOPICS)
    assert sum(map(len, trip.values())) >= 15_000
    assert 130 <= len(trip["vehicle"]) / 60 <= 160
    end = {"latitude": 52.4862, "longitude": -1.8904}
    assert metres(trip["vehicle"][-1], end) < 1.0
    assert metres(trip["vehicle"][0], {"latitude": 51.5074, "longitude": -0.1278}) < 1.0


def test_engine_and_temperature_agree_with_the_motion(trip: Events) -> None:
    samples = trip["vehicle"]
    assert samples[0]["fuel_type"] == "electric"
    assert all(s["engine_rpm"] == pytest.approx(s["speed_kmh"] * 88, abs=350) for s in samples)
    assert samples[0]["coolant_c"] < samples[-1]["coolant_c"] <= 36.5
    used = samples[0]["fuel_pct"] - samples[-1]["fuel_pct"]
    kwh_per_100km = used / 100 * 75 / 2.01
    assert 12 < kwh_per_100km < 26


@pytest.mark.parametrize("name", SHIPPED)
def test_every_position_lies_on_the_road(name: str, drive: Drive) -> None:
    route = find(name)
    road = Road(route)
    samples = drive(7, START_S, route=route, duration_s=900)["vehicle"]
    base = samples[0]["odometer_km"]
    for sample in samples[::7]:
        at = min((sample["odometer_km"] - base) * 1000, road.length_m)
        import numpy as np

        place = np.array([at])
        lat, lon = road.position(place, road.segment(place))
        assert metres(sample, {"latitude": float(lat[0]), "longitude": float(lon[0])}) < 1.0


def test_a_car_that_rests_stands_still_for_minutes_and_goes_on() -> None:
    from smartcity.simulation.city import City
    from smartcity.simulation.fleet import Fleet, Plan

    from .conftest import parsed

    city = City(find("london-birmingham"), 5)
    number, car = next((n, c) for n in range(1, 60) if (c := city.car(n, START_S)).rest)
    samples = parsed(Fleet(Plan(find("london-birmingham"), 5, START_S, first_vehicle=number)).batches())["vehicle"]
    assert car.rest is not None
    stood = [
        s
        for s in samples
        if s["speed_kmh"] == 0.0 and abs(s["odometer_km"] - car.odometer_km - car.rest[0] / 1000) < 0.01
    ]
    assert len(stood) >= car.rest[1] - 1
    assert samples[-1]["odometer_km"] - car.odometer_km > 200
