"""kill -9 of the streaming process at each point of the protocol; a reader of the plain listing never sees it."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

from smartcity import ledger
from smartcity.pipeline.verify import verify
from tests.chaos.driver import POINTS
from tests.chaos.world import World, kill, lines

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1500)]

#: How many kills per point, and at random times: few in `make test`, many in `make chaos`.
MANY = os.environ.get("SMARTCITY_CHAOS") == "long"
ROUNDS = 7 if MANY else 1
RANDOM_KILLS = 15 if MANY else 1
BAD_EVERY = 97
PER_ROUND = 260


def nobody_sees_a_row_twice(world: World) -> None:
    doubled = {name: times for name, times in world.stored().items() if times > 1}
    assert not doubled, f"{len(doubled)} events are in the lake more than once"


def everything_is_there_once(world: World) -> None:
    assert world.run() == 0
    assert world.stored() == world.expected(BAD_EVERY)
    found = verify(world.bucket, ledger.read(world.settings.folder.ledger))
    assert found.differences == ()


def test_killed_at_each_point_and_started_again(world: World) -> None:
    first = 0
    for number in range(ROUNDS):
        for point in POINTS:
            world.produce("trip-a", first, PER_ROUND, BAD_EVERY)
            first += PER_ROUND
            code = world.run("--kill", point, "--batch", str(number % 2), "--rows", "600")
            assert code == -signal.SIGKILL, f"{point}: the driver was to die, but ended with {code}"
            nobody_sees_a_row_twice(world)
    world.produce("trip-a", 0, PER_ROUND, BAD_EVERY)  # the same trip sent again changes nothing
    everything_is_there_once(world)


def test_killed_at_random_times(world: World) -> None:
    choose = random.Random(7)  # noqa: S311  the same kills every time
    for number in range(RANDOM_KILLS):
        world.produce("trip-b", number * PER_ROUND, PER_ROUND, BAD_EVERY)
        process = world.driver("--slow", "--rows", "150")
        for _, _ in zip(range(choose.randint(1, 3)), lines(process), strict=False):
            pass
        try:
            process.wait(choose.uniform(0.0, 0.6))
        except subprocess.TimeoutExpired:  # it still runs: that is the point
            kill(process)
        assert process.stdout is not None
        process.stdout.close()
        nobody_sees_a_row_twice(world)
    everything_is_there_once(world)


def test_appending_files_would_not_pass(world: World) -> None:
    """The test must be able to fail: the naive way doubles rows under the very same kill."""
    world.produce("trip-n", 0, PER_ROUND)
    naive = ("--naive", "--rows", "1000000")
    assert world.run(*naive, "--kill", "before-commit", stream="naive") == -signal.SIGKILL
    assert world.run(*naive, stream="naive") == 0
    with pytest.raises(AssertionError, match="more than once"):
        nobody_sees_a_row_twice(world)
