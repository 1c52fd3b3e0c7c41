"""What a picture costs: CPU time and bytes, for the scenes of a drive by day and one by night.

python bench/frames.py [--pictures 200]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.footage import FrameTaker, Shot
from smartcity.simulation.frames import draw
from smartcity.simulation.routes import find
from smartcity.simulation.scene import Scene

STARTS = {"by day": 1_782_900_000, "by night": 1_772_414_400}


class _Collector(FrameTaker):
    """Keeps the scenes instead of drawing them."""

    scenes: list[Scene] = []  # noqa: RUF012  one collector per process

    def take(self, scenes: Sequence[tuple[str, Scene]]) -> list[Shot]:
        """Remember the scenes."""
        self.scenes.extend(scene for _, scene in scenes)
        return [Shot("s3://none", "0" * 64, 1) for _ in scenes]


class _Nowhere:
    def uri(self, key: str) -> str:
        return key

    def put(self, frames: Sequence[tuple[str, bytes]]) -> None:
        """Keep nothing."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    asked = parser.parse_args()
    print(f"{'':12}{'pictures':>10}{'CPU ms':>10}{'worst ms':>10}{'KB':>8}{'least KB':>10}{'most KB':>10}")
    for name, start_s in STARTS.items():
        _Collector.scenes = []
        for _ in Fleet(Plan(find("london-birmingham"), 7, start_s), _Collector(_Nowhere())).batches():
            if len(_Collector.scenes) >= asked.pictures:
                break
        times, sizes = [], []
        draw(_Collector.scenes[0])
        for scene in _Collector.scenes[: asked.pictures]:
            began = time.process_time()
            sizes.append(len(draw(scene)) / 1000)
            times.append((time.process_time() - began) * 1000)
        print(
            f"{name:12}{len(times):10}{statistics.mean(times):10.1f}{max(times):10.1f}"
            f"{statistics.mean(sizes):8.1f}{min(sizes):10.1f}{max(sizes):10.1f}"
        )


if __name__ == "__main__":
    main()
