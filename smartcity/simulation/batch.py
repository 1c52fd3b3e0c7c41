"""Some events of one topic and one trip, ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass

from smartcity.simulation.noise import IntArray


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Consecutive events of a trip in a topic: `values` are JSON, `ids` the 16 bytes of each event id in a row."""

    topic: str
    key: str
    trip_id: str
    first: int
    values: list[bytes]
    ids: bytes
    epoch_ms: IntArray

    def __len__(self) -> int:
        return len(self.values)
