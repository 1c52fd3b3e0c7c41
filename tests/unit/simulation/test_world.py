"""What cars share: weather, incidents, traffic, cameras, receivers."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.simulation import cameras, exact, incidents, noise
from smartcity.simulation.city import City
from smartcity.simulation.daytime import is_weekend, local_hour, sun_height_sin
from smartcity.simulation.road import Road
from smartcity.simulation.routes import find
from smartcity.simulation.traffic import demand
from smartcity.simulation.weather import CONDITIONS, Weather

from .conftest import START_S, Events, metres


def _epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc]


@given(st.floats(-720, 720))
def test_cosine_is_exact_enough(angle: float) -> None:
    assert exact.cos_deg(np.array([angle]))[0] == pytest.approx(np.cos(np.radians(angle)), abs=1e-12)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_bearings_are_those_of_the_c_library(east: float, north: float) -> None:
    found = exact.bearing_deg(np.array([east]), np.array([north]))[0]
    expected = np.degrees(np.arctan2(east, north))
    assert 0.0 <= found < 360.0
    assert abs((found - expected + 180.0) % 360.0 - 180.0) < 1e-6 or abs(east) + abs(north) < 1e-300


def test_noise_is_even_and_bell_shaped() -> None:
    even = noise.uniform(noise.key("even"), np.arange(100_000))
    assert even.min() >= 0.0 and even.max() < 1.0
    assert even.mean() == pytest.approx(0.5, abs=0.005)
    assert np.histogram(even, 20)[0].min() > 4_700
    bell = noise.normal(noise.key("bell"), np.arange(100_000))
    assert (bell.mean(), bell.std()) == (pytest.approx(0.0, abs=0.02), pytest.approx(1.0, abs=0.02))


def test_keys_of_different_parts_differ() -> None:
    parts = [(), (1,), (1, ""), (1, "a"), ("a", 1), ("a1",), (1, "a", 0), (-1,)]
    assert len({noise.key(*part) for part in parts}) == len(parts)


def test_british_summer_time() -> None:
    assert local_hour(_epoch(2026, 3, 29, 0, 59, 59)) == pytest.approx(0.9997, abs=1e-3)
    assert local_hour(_epoch(2026, 3, 29, 1)) == 2.0
    assert local_hour(_epoch(2026, 10, 25, 0, 30)) == 1.5
    assert local_hour(_epoch(2026, 10, 25, 1)) == 1.0
    assert is_weekend(_epoch(2026, 3, 1, 12)) and not is_weekend(_epoch(2026, 3, 2, 12))


def test_the_sun_rises_and_sets_about_when_it_does() -> None:
    place = np.array([52.0]), np.array([-1.0])
    for moment, up in (((2026, 6, 21, 4), True), ((2026, 12, 21, 7, 30), False), ((2026, 12, 21, 12), True)):
        assert (sun_height_sin(np.array([_epoch(*moment)]), *place)[0] > 0) == up
    noon = sun_height_sin(np.array([_epoch(2026, 6, 21, 12)]), *place)[0]
    assert noon == pytest.approx(np.sin(np.radians(90 - 52 + 23.4)), abs=0.01)


def test_demand_peaks_on_working_mornings() -> None:
    assert demand(_epoch(2026, 3, 2, 8)) == pytest.approx(1.0)
    assert demand(_epoch(2026, 3, 2, 3)) < 0.2
    assert demand(_epoch(2026, 3, 1, 8)) < 0.5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**40), epoch=st.integers(946_684_800, 4_000_000_000))
def test_weather_is_within_what_england_has(seed: int, epoch: int) -> None:
    lat, lon = (part.ravel() for part in np.meshgrid(np.linspace(51, 53, 9), np.linspace(-3, 0.5, 9)))
    sky = Weather(seed).at(np.full(len(lat), epoch), lat, lon)
    assert sky.temperature_c.min() > -18 and sky.temperature_c.max() < 36
    assert sky.rain_mm_h.min() >= 0.0 and sky.rain_mm_h.max() < 30
    assert sky.visibility_m.min() >= 40 and sky.visibility_m.max() <= 42_000
    assert set(sky.air_quality.tolist()) <= set(range(1, 11))
    fog = sky.condition == CONDITIONS.index("Fog")
    assert np.all(sky.visibility_m[fog] < 1_000)
    dry = np.isin(sky.condition, [CONDITIONS.index(name) for name in ("Sunny day", "Clear night", "Cloudy")])
    assert np.all(sky.rain_mm_h[dry] <= 0.1)


def test_weather_moves_and_is_smooth() -> None:
    weather = Weather(3)
    place = np.array([52.0]), np.array([-1.0])
    hours = [float(weather.at(np.array([START_S + 600 * n]), *place).temperature_c[0]) for n in range(300)]
    assert max(abs(a - b) for a, b in itertools.pairwise(hours)) < 1.0
    assert max(hours) - min(hours) > 3.0
    here = weather.at(np.array([START_S]), *place).temperature_c[0]
    near = weather.at(np.array([START_S]), place[0] + 0.001, place[1]).temperature_c[0]
    assert here == pytest.approx(near, abs=0.05)


def test_two_cars_at_one_place_see_the_same_weather() -> None:
    route = find("london-birmingham")
    one, other = City(route, 5).weather, City(find("london-birmingham-m1-m6"), 5).weather
    spot = np.array([START_S]), np.array([52.1]), np.array([-1.3])
    assert one.at(*spot) is not other.at(*spot)
    assert one.at(*spot).temperature_c[0] == other.at(*spot).temperature_c[0]


def test_incidents_live_through_four_states_and_close_lanes() -> None:
    road = Road(find("london-birmingham"))
    found = incidents.Incidents(1, road).alive(START_S + 7_200)
    assert len(found) > 3
    for one in found:
        assert list(one.moments) == sorted(one.moments)
        states = [one.status(moment) for moment in one.moments]
        assert states == [0, 1, 2, 3] and one.status(one.moments[0] - 1) == -1
        assert one.lanes_closed(0) == one.lanes_closed(3) == 0
        assert one.severity in {"none", "slight", "serious", "fatal"}
        assert (one.severity == "none") or one.kind == "collision"


def test_queues_grow_while_lanes_are_closed_and_dissolve_from_their_head() -> None:
    road = Road(find("london-birmingham"))
    all_found = incidents.Incidents(1, road).alive(START_S + 7_200)
    one = next(incident for incident in all_found if incident.lanes > 0)
    assert one.queue(one.moments[1] - 1) is None
    early, late = one.queue(one.moments[1] + 120), one.queue(one.moments[3])
    assert early is not None and late is not None
    assert late[0] < early[0] < early[1] == late[1] == one.place_m
    after = one.queue(one.moments[3] + 30)
    assert after is not None and after[1] < one.place_m
    assert one.queue(one.moments[3] + 3_600) is None


def test_cars_crawl_through_a_queue() -> None:
    city = City(find("london-birmingham"), 1)
    one = next(i for i in city.incidents.alive(START_S + 7_200) if i.lanes > 0)
    queue = one.queue(one.moments[3] - 1)
    assert queue is not None
    ceiling = city.traffic.ceiling((one.moments[3] - 1) // 10 * 10)
    assert ceiling[int(queue[0] / 25) + 2] <= 5.5


def test_one_incident_is_seen_by_several_cars_in_the_order_of_its_life(trip: Events) -> None:
    from smartcity.simulation.fleet import Fleet, Plan

    from .conftest import parsed

    plan = Plan(find("london-birmingham"), 42, START_S, vehicles=3, duration_s=5_400)
    news = parsed(Fleet(plan).batches())["emergency"]
    seen: dict[tuple[str, str], list[str]] = {}
    for event in news:
        seen.setdefault((event["incident_id"], event["vehicle_id"]), []).append(event["status"])
    order = incidents.STATUSES
    assert all([order.index(s) for s in states] == sorted({order.index(s) for s in states}) for states in seen.values())
    assert all(states[0] != "cleared" for states in seen.values())
    shared = {incident for incident, car in seen if car == "car-0001"} & {i for i, car in seen if car == "car-0003"}
    assert shared
    assert any(len(states) > 1 for states in seen.values())


def test_receivers_err_as_receivers_do(trip: Events) -> None:
    truth, fixes = trip["vehicle"], trip["gps"]
    errors = np.array([metres(a, b) for a, b in zip(truth, fixes, strict=True)])
    rural = errors[5_000:6_500]
    assert 0.5 < rural.mean() < 2.5
    assert errors[30:240].mean() > 2 * rural.mean()
    steps = np.abs(np.diff(rural))
    assert steps.mean() < 0.25 * rural.mean()  # it wanders, it does not jump
    lost = [fix for fix in fixes if fix["fix"] == "none"]
    assert lost and all(fix["satellites"] == 0 and fix["hdop"] > 90 for fix in lost)
    assert all(metres(fix, {"latitude": 51.530, "longitude": -0.2935}) < 400 for fix in lost)
    good = [fix for fix in fixes if fix["fix"] == "3d"]
    assert np.corrcoef([f["hdop"] for f in good], [f["satellites"] for f in good])[0, 1] < -0.5


def test_cameras_count_what_the_traffic_is(trip: Events) -> None:
    seen = trip["camera"]
    masts = [event for event in seen if event["camera_id"].startswith("CAM-")]
    assert len({event["camera_id"] for event in masts}) == len(masts) > 80
    assert len(seen) - len(masts) >= len(trip["vehicle"]) // cameras.DASH_S
    assert all(event["plate"] is None or event["plate"].startswith("SIM ") for event in seen)
    assert {event["congestion"] for event in seen} <= set(cameras.CONGESTION)
    slow = [e["avg_flow_kmh"] for e in masts if e["road"] == "M40" and e["congestion"] == "heavy"]
    free = [e["avg_flow_kmh"] for e in masts if e["road"] == "M40" and e["congestion"] == "free"]
    assert free and min(free) > 80
    assert not slow or max(slow) < min(free)


def test_the_rush_hour_takes_longer_than_the_night() -> None:
    from smartcity.simulation.fleet import Fleet, Plan

    def minutes(start_s: int) -> float:
        batches = Fleet(Plan(find("london-birmingham"), 8, start_s)).batches()
        return sum(len(batch) for batch in batches if batch.topic == "vehicle") / 60

    assert minutes(_epoch(2026, 3, 3, 7)) > minutes(_epoch(2026, 3, 3, 1)) + 3
