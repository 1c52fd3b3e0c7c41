"""Events as lines of JSON in a file or on a terminal: the event with its topic in front."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from smartcity.simulation.batch import EventBatch


def write(batches: Iterable[EventBatch], out: BinaryIO, counts: dict[str, int]) -> None:
    """Write all events; `counts` tells how many per topic at any time."""
    for batch in batches:
        head = f'{{"topic":"{batch.topic}",'.encode()
        out.write(b"".join([head + value[1:] + b"\n" for value in batch.values]))
        out.flush()
        counts[batch.topic] = counts.get(batch.topic, 0) + len(batch)
