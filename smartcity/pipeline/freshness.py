"""How fresh each step of the pipeline is: broker, batch, file, catalog, one rung after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartcity import layout
from smartcity.spark_job.commits import Commit, list_batches, list_queries, read_commit

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from smartcity.spark_job.source import Offsets
    from smartcity.spark_job.store import Bucket


@dataclass(frozen=True)
class Rungs:
    """One topic's ladder; ages in seconds, None where there is nothing yet."""

    topic: str
    broker_s: float | None  #: since the newest event was stamped
    batch_s: float | None  #: since the last batch was planned
    file_s: float | None  #: since that batch was committed
    waiting: int  #: events at the brokers beyond it
    newest_day: str | None
    in_catalog: bool | None  #: whether SQL sees that day; None if the catalog was not asked


def ladder(
    bucket: Bucket,
    ends: Offsets,
    newest_ms: Mapping[str, int],
    *,
    glue: Any = None,
    database: str = "",
    now_s: float | None = None,
) -> list[Rungs]:
    """The ladder of every topic in `ends`."""
    now = time.time() if now_s is None else now_s
    last, committed_s = last_commit(bucket)
    done = last.offsets if last else {}
    return [
        Rungs(
            topic=topic,
            broker_s=round(now - newest_ms[topic] / 1000, 3) if topic in newest_ms else None,
            batch_s=round(now - last.timestamp_ms / 1000, 3) if last else None,
            file_s=round(now - committed_s, 3) if last else None,
            waiting=sum(max(0, end - done.get(topic, {}).get(p, (0, 0))[1]) for p, end in parts.items()),
            newest_day=last.newest_day.get(topic) if last else None,
            in_catalog=_in_catalog(glue, database, topic, last.newest_day.get(topic) if last else None),
        )
        for topic, parts in sorted(ends.items())
    ]


def last_commit(bucket: Bucket) -> tuple[Commit | None, float]:
    """The newest commit of all streams, and when it was written (Unix seconds)."""
    newest: Commit | None = None
    for query in list_queries(bucket):
        batch = max(list_batches(bucket, query), default=None)
        commit = None if batch is None else read_commit(bucket, query, batch)
        if commit is not None and (newest is None or commit.timestamp_ms > newest.timestamp_ms):
            newest = commit
    if newest is None:
        return None, 0.0
    stored = bucket.get(layout.commit_key(newest.query_id, newest.batch_id))
    return newest, stored.modified.timestamp() if stored else 0.0


def _in_catalog(glue: Any, database: str, table: str, dt: str | None) -> bool | None:
    if glue is None or dt is None:
        return None
    try:
        glue.get_partition(DatabaseName=database, TableName=table, PartitionValues=[dt])
    except glue.exceptions.EntityNotFoundException:
        return False
    return True


def newest_events(
    admin: AdminClient, topics: Mapping[str, Mapping[int, int]], timeout_s: float = 15.0
) -> dict[str, int]:
    """When the newest event of each topic was stamped, in epoch milliseconds; topics without events are left out."""
    from confluent_kafka import TopicPartition
    from confluent_kafka import admin as kafka_admin

    spec: Any = kafka_admin.OffsetSpec.max_timestamp()  # type: ignore[attr-defined, no-untyped-call]
    wanted = {TopicPartition(topic, partition): spec for topic, parts in topics.items() for partition in parts}
    found: dict[str, int] = {}
    for place, future in admin.list_offsets(wanted, request_timeout=timeout_s).items():
        stamp = future.result(timeout=timeout_s).timestamp
        if stamp >= 0:
            found[place.topic] = max(stamp, found.get(place.topic, 0))
    return found
