"""The event ids that batches stored, kept in the bucket, so that a restarted stream knows its duplicates.

Each batch writes one object before its commit object; an object without a commit does not count. Every `ROLL` batches
one object takes the place of theirs, so that a start reads hundreds of objects for a day, not tens of thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from smartcity import layout
from smartcity.spark_job.commits import list_batches, list_queries
from smartcity.spark_job.ids import IdMemory, Ids, Segment
from smartcity.spark_job.store import Bucket, Entry

ROLL = 256
_SCHEMA = pa.schema([("topic", pa.string()), ("hi", pa.uint64()), ("lo", pa.uint64()), ("at", pa.uint32())])

#: The ids of some batches, by topic.
TopicIds = Mapping[str, Segment]


def encode(stored: TopicIds) -> bytes:
    """As an Arrow stream with one record batch per topic."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        for topic, segment in sorted(stored.items()):
            if len(segment.at):
                names = pa.repeat(pa.scalar(topic), len(segment.at))
                columns = [names, pa.array(segment.ids.hi), pa.array(segment.ids.lo), pa.array(segment.at)]
                writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
    return bytes(sink.getvalue())


def decode(body: bytes) -> dict[str, Segment]:
    """The reverse."""
    found: dict[str, Segment] = {}
    for batch in pa.ipc.open_stream(body):
        _, hi, lo, at = (batch.column(name) for name in _SCHEMA.names)
        found[batch.column("topic")[0].as_py()] = Segment(Ids(hi.to_numpy(), lo.to_numpy()), at.to_numpy())
    return found


class IdLog:
    """One query's ids in the bucket."""

    def __init__(self, bucket: Bucket, query_id: str) -> None:
        self.bucket = bucket
        self.query_id = query_id
        self._unrolled: dict[int, bytes] = {}

    def key(self, batch_id: int) -> str:
        """Key of one batch's object."""
        return layout.ids_key(self.query_id, batch_id, batch_id)

    def committed(self, batch_id: int, body: bytes) -> None:
        """A batch's object counts from now on; roll up when enough have gathered."""
        self._unrolled[batch_id] = body
        if len(self._unrolled) >= ROLL:
            self._roll()

    def _roll(self) -> None:
        """One object for many; only then the many are deleted. Readers prefer the wider range."""
        numbers = sorted(self._unrolled)
        parts: dict[str, list[Segment]] = {}
        for number in numbers:
            for topic, segment in decode(self._unrolled[number]).items():
                parts.setdefault(topic, []).append(segment)
        joined = {topic: _join(segments) for topic, segments in parts.items()}
        self.bucket.put(layout.ids_key(self.query_id, numbers[0], numbers[-1]), encode(joined))
        self.bucket.delete([self.key(number) for number in numbers])
        self._unrolled.clear()

    def forget_older_than(self, horizon_s: float) -> int:
        """Delete objects that no lookup can need any more."""
        limit = datetime.now(UTC) - timedelta(seconds=2 * horizon_s)
        old = [e.key for e in self.bucket.entries(layout.ids_prefix(self.query_id)) if e.modified < limit]
        return self.bucket.delete(old)


def _join(segments: list[Segment]) -> Segment:
    ids = Ids.concat([segment.ids for segment in segments])
    return Segment.of(ids, np.concatenate([segment.at for segment in segments]))


def recall(bucket: Bucket, horizon_s: float, now_s: float, into: Mapping[str, IdMemory], log: IdLog) -> int:
    """Load what every query of this bucket stored within the horizon before `now_s`; how many ids that were.

    `now_s` is the time of the last batch that finished, not the clock's: the batch that comes next may have been
    planned long ago, before a crash, and must find what it would have found then.
    `log` gets the objects of its own query that are not rolled up yet.
    """
    wanted: list[tuple[str, int, int, str]] = []
    for query_id in list_queries(bucket):
        recent = [e for e in bucket.entries(layout.ids_prefix(query_id)) if e.modified.timestamp() >= now_s - horizon_s]
        wanted += [(query_id, *each) for each in _cover(bucket, query_id, recent)]
    with ThreadPoolExecutor(8) as pool:
        objects = pool.map(lambda each: bucket.get(each[3]), wanted)
        for (query_id, first, last, _), stored in zip(wanted, objects, strict=True):
            if stored is None:
                continue
            if query_id == log.query_id and first == last:
                log._unrolled[first] = stored.body
            for topic, segment in decode(stored.body).items():
                if topic in into:
                    into[topic].add(segment.newer_than(now_s - horizon_s), now_s)
    return sum(len(memory) for memory in into.values())


def _cover(bucket: Bucket, query_id: str, entries: list[Entry]) -> list[tuple[int, int, str]]:
    """Objects that cover every finished batch once: a roll-up hides what it holds, an unfinished batch is left out."""
    prefix = layout.ids_prefix(query_id)
    ranges = []
    for entry in entries:
        begin, end = entry.key[len(prefix) :].removesuffix(".arrow").split("-")
        ranges.append((int(begin), int(end), entry.key))
    rolled = max((last for first, last, _ in ranges if last > first), default=-1)
    finished = set(list_batches(bucket, query_id, rolled))
    covered = -1
    chosen: list[tuple[int, int, str]] = []
    for first, last, key in sorted(ranges, key=lambda each: (each[0], -each[1])):
        if last > covered and (last > first or last <= rolled or last in finished):
            chosen.append((first, last, key))
            covered = last
    return chosen
