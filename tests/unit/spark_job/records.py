"""Records as Spark hands them over, made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from smartcity.events import TOPICS, Column, event_id
from smartcity.spark_job.parse import RECORD_SCHEMA

TEXT = {"ts": "2026-03-01T07:00:00.000Z", "trip_id": "trip-1", "vehicle_id": "car-1"}


def plain_value(column: Column) -> Any:
    """A value within the column's bounds."""
    if column.type == "string":
        return TEXT.get(column.name, "somewhere")
    middle = ((column.minimum or 0) + (column.maximum or 0)) / 2
    return int(middle) if column.type == "int" else middle


def event(topic: str = "vehicle", sequence: int = 0, **changes: Any) -> dict[str, Any]:
    """A good event of the topic, with some fields changed."""
    fields = {c.name: TEXT["ts"] if c.type == "timestamp" else plain_value(c) for c in TOPICS[topic].columns}
    return {**fields, "event_id": event_id("trip-1", topic, sequence), **changes}


def value(topic: str = "vehicle", sequence: int = 0, **changes: Any) -> bytes:
    """The same as the bytes of a record."""
    return json.dumps(event(topic, sequence, **changes)).encode()


def records(
    values: Sequence[bytes | None],
    topic: str = "vehicle",
    partition: int = 0,
    offset: int = 0,
    event_types: Sequence[str | None] | None = None,
) -> pa.RecordBatch:
    """Records of one topic-partition, one offset after the other."""
    n = len(values)
    return pa.record_batch(
        [
            pa.array([topic] * n, pa.string()),
            pa.array([partition] * n, pa.int32()),
            pa.array(range(offset, offset + n), pa.int64()),
            pa.array([1_790_000_000_000_000] * n, pa.timestamp("us", "UTC")),
            pa.array(values, pa.binary()),
            pa.array(event_types or [None] * n, pa.string()),
        ],
        schema=RECORD_SCHEMA,
    )
