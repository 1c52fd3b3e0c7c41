"""The data contract: five event types, their topics, columns, types and bounds.

One topic is one table. The same definition makes the JSON that cars send, the strict parser in Spark,
the Parquet schema in the lake and the Glue table, so that they cannot drift apart. Standard library only:
this file travels with the Spark job.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal["string", "double", "int", "bigint", "timestamp"]

#: Name space of all event ids; an event id is a UUIDv5 in it.
EVENT_NAMESPACE = uuid.UUID("7f1d9c1e-2f55-5a8b-9f0e-5c6d3b0a4e21")

#: CloudEvents `type` header of an event: `smartcity.<topic>.v1`. Another version is quarantined; no header means v1.
EVENT_VERSION = 1

#: Earliest and latest believable `ts`, as ISO texts; anything outside is quarantined.
TS_MIN = "2000-01-01T00:00:00.000Z"
TS_MAX = "2100-01-01T00:00:00.000Z"

#: A value longer than this many bytes is quarantined unread (Kafka's own default limit is 1 MiB).
MAX_EVENT_BYTES = 1_000_000


@dataclass(frozen=True)
class Column:
    """One field of an event. `minimum` and `maximum` are inclusive; a nullable column may be absent or null."""

    name: str
    type: ColumnType
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False


@dataclass(frozen=True)
class Topic:
    """One event type: the Kafka topic and the lake table have its name."""

    name: str
    columns: tuple[Column, ...] = field(repr=False)

    @property
    def event_type(self) -> str:
        """The CloudEvents `type` of this topic's events."""
        return f"smartcity.{self.name}.v{EVENT_VERSION}"


_COMMON = (
    Column("event_id", "string"),
    Column("trip_id", "string"),
    Column("vehicle_id", "string"),
    Column("ts", "timestamp"),
    Column("latitude", "double", -90.0, 90.0),
    Column("longitude", "double", -180.0, 180.0),
)


def _topic(name: str, *columns: Column) -> Topic:
    return Topic(name, _COMMON + columns)


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        _topic(
            "vehicle",
            Column("road", "string"),
            Column("speed_kmh", "double", 0.0, 400.0),
            Column("limit_kmh", "double", 0.0, 200.0),
            Column("heading_deg", "double", 0.0, 360.0),
            Column("odometer_km", "double", 0.0, 2_000_000.0),
            Column("fuel_pct", "double", 0.0, 100.0),
            Column("engine_rpm", "int", 0, 25_000),
            Column("coolant_c", "double", -60.0, 200.0),
            Column("make", "string"),
            Column("model", "string"),
            Column("year", "int", 1900, 2100),
            Column("fuel_type", "string"),
        ),
        _topic(
            "gps",
            Column("altitude_m", "double", -500.0, 10_000.0),
            Column("speed_kmh", "double", 0.0, 400.0),
            Column("heading_deg", "double", 0.0, 360.0),
            Column("hdop", "double", 0.0, 100.0),
            Column("satellites", "int", 0, 128),
            Column("fix", "string"),
        ),
        _topic(
            "camera",
            Column("camera_id", "string"),
            Column("road", "string"),
            Column("frame_uri", "string", nullable=True),
            Column("frame_sha256", "string", nullable=True),
            Column("frame_bytes", "int", 0, 100_000_000, nullable=True),
            Column("plate", "string", nullable=True),
            Column("vehicles_in_view", "int", 0, 10_000),
            Column("avg_flow_kmh", "double", 0.0, 400.0),
            Column("congestion", "string"),
        ),
        _topic(
            "weather",
            Column("condition", "string"),
            Column("temperature_c", "double", -90.0, 60.0),
            Column("precipitation_mm_h", "double", 0.0, 500.0),
            Column("wind_kmh", "double", 0.0, 500.0),
            Column("humidity_pct", "double", 0.0, 100.0),
            Column("visibility_m", "double", 0.0, 200_000.0),
            Column("air_quality_index", "int", 0, 1_000),
        ),
        _topic(
            "emergency",
            Column("incident_id", "string"),
            Column("road", "string"),
            Column("kind", "string"),
            Column("severity", "string"),
            Column("status", "string"),
            Column("description", "string"),
            Column("lanes_closed", "int", 0, 20),
        ),
    )
}

#: Columns that the stream adds to every row of the lake: where the event stood in Kafka and when it was stored.
LAKE_COLUMNS = (
    Column("kafka_partition", "int"),
    Column("kafka_offset", "bigint"),
    Column("ingested_at", "timestamp"),
)


def event_id(trip_id: str, topic: str, sequence: int) -> str:
    """The id of event number `sequence` (from 0) of `topic` on a trip: the same trip gives the same ids."""
    return str(uuid.uuid5(EVENT_NAMESPACE, f"{trip_id}/{topic}/{sequence}"))
