"""Stream for as long as one asks, with a running check: python -m tests.chaos.soak --minutes 60 [--rate 1000].

Every round produces a minute's events while the stream follows, waits until they are stored, and compares the ledger
with the lake, event by event. Prints one line a round: events so far, the driver's memory, seconds of the check.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

from smartcity import ledger
from smartcity.events import TOPICS
from smartcity.pipeline.verify import Verification, verify
from tests.chaos.world import World

_ROUND_S = 60.0


def main() -> int:
    """Run the soak; 0 if nothing was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=1000, help="events per second, all topics together")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="smartcity-soak-") as folder:
        world = World(Path(folder))
        world.up()
        driver = world.driver("--follow", "--rows", "200000")
        try:
            return soak(world, psutil.Process(driver.pid), given.minutes, given.rate)
        finally:
            driver.kill()
            driver.wait()
            world.down()


def soak(world: World, driver: psutil.Process, minutes: float, rate: int) -> int:
    """Rounds until the time is up or a difference is found."""
    began, first = time.monotonic(), 0
    while (passed := time.monotonic() - began) < minutes * 60:
        second = max(1, rate // len(TOPICS))
        for _ in range(max(1, int(min(_ROUND_S, minutes * 60 - passed)))):
            started = time.monotonic()
            world.produce("soak", first, second, bad_every=997)
            first += second
            time.sleep(max(0.0, 1.0 - (time.monotonic() - started)))
        found = settled(world)
        rss = sum(each.memory_info().rss for each in [driver, *driver.children(recursive=True)]) / 1e6
        produced = sum(check.produced for check in found.topics)
        sys.stdout.write(
            f"{passed / 60:6.1f} min  {produced:,} events  {rss:.0f} MB  checked in {found.seconds:.1f} s\n"
        )
        sys.stdout.flush()
        if not found.ok:
            sys.stdout.write("\n".join(found.differences) + "\n")
            return 1
    return 0


def settled(world: World, within_s: float = 60.0) -> Verification:
    """The comparison once the stream has caught up, or when time is up."""
    deadline = time.monotonic() + within_s
    while True:
        found = verify(world.bucket, ledger.read(world.settings.folder.ledger))
        if found.ok or time.monotonic() > deadline:
            return found
        time.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
