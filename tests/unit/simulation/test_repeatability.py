"""The same seed, route and start give the same bytes, however the drive is cut into windows and fleets."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.events import event_id
from smartcity.simulation.fleet import Fleet, Plan

from .conftest import START_S, small_route

#: SHA-256 of the default trip's events.
GOLDEN = "855777e48c9b132781f1a7b2f22dfb49bdfc6a6dafb53bf693706f9e644ea7e4"
HASH_A_TRIP = """
import hashlib
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.routes import find
digest = hashlib.sha256()
for batch in Fleet(Plan(find("london-birmingham"), 42, 1772434800)).batches():
    digest.update(b"\\n".join(batch.values))
print(digest.hexdigest())
"""


def _lines(plan: Plan, window_s: int = 300) -> dict[tuple[str, str], list[bytes]]:
    found: dict[tuple[str, str], list[bytes]] = {}
    for batch in Fleet(plan, window_s=window_s).batches():
        assert batch.first == len(found.get((batch.key, batch.topic), []))
        found.setdefault((batch.key, batch.topic), []).extend(batch.values)
    return found


@pytest.mark.parametrize("processor", ["as it is", "without its vector units"])
def test_the_default_trip_is_the_same_on_every_machine(processor: str) -> None:
    """The hash was made on x86-64; a platform, a processor or a numpy that rounds otherwise shows here."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    units = " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name])
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": units if processor != "as it is" else ""}
    made = subprocess.run(
        [sys.executable, "-c", HASH_A_TRIP], env=environment, capture_output=True, text=True, check=True
    )
    assert made.stdout.strip() == GOLDEN


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**40), window=st.integers(1, 90), shift=st.integers(0, 86_400))
def test_windows_do_not_matter(seed: int, window: int, shift: int) -> None:
    plan = Plan(small_route(), seed, START_S + shift, vehicles=3, depart_every_s=7)
    assert _lines(plan, 10 * window) == _lines(plan, 300)


def test_a_car_does_not_depend_on_the_fleet() -> None:
    fleet = _lines(Plan(small_route(), 9, START_S, vehicles=30, depart_every_s=11))
    alone = _lines(Plan(small_route(), 9, START_S + 22 * 11, first_vehicle=23))
    assert {where: lines for where, lines in fleet.items() if where[0] == "car-0023"} == alone


def test_seeds_and_cars_differ() -> None:
    one, other = _lines(Plan(small_route(), 1, START_S)), _lines(Plan(small_route(), 2, START_S))
    assert one[("car-0001", "vehicle")] != other[("car-0001", "vehicle")]
    fleet = _lines(Plan(small_route(), 1, START_S, vehicles=12))
    makes = {lines[0].split(b'"make":')[1].split(b",")[0] for (_, topic), lines in fleet.items() if topic == "vehicle"}
    assert len(makes) > 3


def test_ids_are_those_of_the_contract() -> None:
    for batch in Fleet(Plan(small_route(), 4, START_S), window_s=100).batches():
        for offset, value in enumerate(batch.values):
            expected = event_id(batch.trip_id, batch.topic, batch.first + offset)
            assert value.startswith(b'{"event_id":"' + expected.encode() + b'"')
            assert batch.ids[16 * offset : 16 * offset + 16] == UUID(expected).bytes


def test_duration_ends_early() -> None:
    lines = _lines(Plan(small_route(), 4, START_S, duration_s=60))
    assert len(lines[("car-0001", "vehicle")]) == 60


@pytest.mark.parametrize(
    "wrong", [{"vehicles": 0}, {"vehicles": 10_000}, {"depart_every_s": -1}, {"styles": 5}, {"styles": 0}]
)
def test_impossible_fleets_are_refused(wrong: dict[str, int]) -> None:
    from smartcity.errors import UsageError

    with pytest.raises(UsageError) as refused:
        Plan(small_route(), 1, START_S, **wrong)
    assert refused.value.hint
