"""kill -9 of the broker, of local AWS, of a producer, and a full disk, all while the stream is at work."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from smartcity.events import TOPICS
from tests.chaos.test_driver_killed import BAD_EVERY, everything_is_there_once, nobody_sees_a_row_twice
from tests.chaos.world import ROOT, World, kill, lines, make

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

IDS = range(0, 20000 * 16, 16)
ROUNDS = 5 if os.environ.get("SMARTCITY_CHAOS") == "long" else 1


PRODUCER = """
from smartcity import settings
from smartcity.clients import Clients
from smartcity.events import TOPICS
from smartcity.ledger import LedgerWriter
from smartcity.pipeline import broker
from tests.chaos.world import make

ours = settings.load()
batches = (make(topic, "trip-p", first, 50) for first in range(0, 20000, 50) for topic in TOPICS)
with LedgerWriter.new(ours.folder.ledger) as ledger:
    tell = lambda events: print(events, flush=True)
    broker.send(Clients(ours).producer(), batches, ledger, timeout_s=60, progress=tell)
"""


def started(world: World) -> subprocess.Popen[bytes]:
    """A driver that has finished its first batch, and follows."""
    process = world.driver("--follow", "--rows", "400")
    next(lines(process))
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """A driver that lost a service ends by itself in a while, or goes on; either is fine, what it stored counts."""
    time.sleep(0.5)
    kill(process)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("service", ["kafka", "aws"])
def test_a_service_killed_while_streaming(world: World, service: str) -> None:
    for number in range(ROUNDS):
        world.produce(f"trip-{service}", number * 500, 500, BAD_EVERY)
        process = started(world)
        world.kill(service)
        world.restart(service)
        nobody_sees_a_row_twice(world)
        ended(process)
    everything_is_there_once(world)


def test_a_producer_killed_and_run_again_sends_nothing_that_counts_twice(world: World) -> None:
    environment = {**os.environ, **world.environment, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) > 300:
                break
        kill(process)
    world.produce("trip-p", 0, 300)
    assert world.run() == 0
    nobody_sees_a_row_twice(world)
    stored, expected = world.stored(), world.expected(BAD_EVERY)
    assert expected <= stored, "an acknowledged event is missing"
    sent = {batch.ids[at : at + 16] for topic in TOPICS for batch in [make(topic, "trip-p", 0, 20000)] for at in IDS}
    assert set(stored - expected) <= sent, "something is in the lake that nobody sent"


def test_a_full_disk_under_local_aws(world: World) -> None:
    """Every write of local AWS fails as on a full disk; the stream says so, and nothing is half done afterwards."""
    world.produce("trip-d", 0, 500)
    server = psutil.Process(world.pid("aws"))
    before = server.rlimit(psutil.RLIMIT_FSIZE)
    server.rlimit(psutil.RLIMIT_FSIZE, (200, before[1]))
    try:
        assert world.run("--rows", "400") not in {0, -9}
    finally:
        server.rlimit(psutil.RLIMIT_FSIZE, before)
    nobody_sees_a_row_twice(world)
    assert world.run() == 0
    nobody_sees_a_row_twice(world)
    assert world.expected(BAD_EVERY) <= world.stored()
