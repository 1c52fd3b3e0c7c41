"""A micro-batch becomes files of the lake, in an order that survives a kill at any point.

    1. what an earlier attempt of this batch left beyond the files planned now is deleted (only a first batch has such)
    2. files of the lake and of the quarantine, and the batch's event ids, each with one atomic PUT; files of a day
       that was compacted also where the catalog reads that day
    3. partitions are made known to the catalog
    4. the commit object, only if there is none yet
    5. the ids are remembered

Everything written is a function of the batch's offsets, its planned time and the batches committed before, so a
replay writes the same bytes under the same keys, and nobody who lists the bucket sees a row twice or half a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smartcity import layout
from smartcity.errors import ServiceError
from smartcity.events import TOPICS
from smartcity.spark_job.commits import Commit, Counts, DataFile, Ranges, read_commit
from smartcity.spark_job.compaction import copy_late, is_closed, read_compaction
from smartcity.spark_job.exact import TS_MAX_MS
from smartcity.spark_job.idlog import IdLog, encode
from smartcity.spark_job.ids import IdMemory, Ids, Segment, repeated
from smartcity.spark_job.parse import Parsed, Rows, day_text, lake_schema
from smartcity.spark_job.store import Bucket, Conflict

#: Told which (table, dt) are about to get rows; must make them known to the catalog, again and again if asked.
Register = Callable[[frozenset[tuple[str, str]]], None]

_MS_PER_DAY = 86_400_000
_LAST_DAY = TS_MAX_MS // _MS_PER_DAY


@dataclass(frozen=True)
class Batch:
    """What Spark decided about a micro-batch before it ran."""

    query_id: str
    batch_id: int
    timestamp_ms: int
    offsets: Ranges

    @property
    def file(self) -> str:
        """Name of this batch's files: one per table and day."""
        return layout.batch_file(self.query_id, self.batch_id, 0)


@dataclass
class _Plan:
    """A batch's files before they are written."""

    tables: list[tuple[DataFile, pa.Table]] = field(default_factory=list)
    quarantine: list[tuple[DataFile, pa.Table]] = field(default_factory=list)
    ids: dict[str, Segment] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    newest_day: dict[str, str] = field(default_factory=dict)


class Publisher:
    """Publishes the batches of one query, one after the other."""

    def __init__(
        self,
        bucket: Bucket,
        log: IdLog,
        memory: Mapping[str, IdMemory],
        *,
        last: Commit | None = None,
        register: Register = lambda _: None,
        threads: int = 6,
    ) -> None:
        self.bucket = bucket
        self.last = last
        self._log = log
        self._memory = memory
        self._register = register
        self._known: set[tuple[str, str]] = set()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="publish")
        self._first = True

    def close(self) -> None:
        """End the upload threads."""
        self._pool.shutdown()

    def already(self, batch: Batch) -> Commit | None:
        """The batch's commit object, if an earlier attempt got that far (only a first batch can have one).

        Raises `ServiceError` when it was written for other offsets: then the checkpoint is not this query's.
        """
        commit = read_commit(self.bucket, batch.query_id, batch.batch_id) if self._first else None
        if commit is not None:
            self._same_offsets(commit, batch)
        return commit

    def publish(self, batch: Batch, parsed: Iterable[Parsed]) -> Commit:
        """Write a batch and commit it. Safe to repeat after any failure."""
        plan = self._plan(batch, parsed)
        ids_body = encode(plan.ids)
        if self._first:
            self._delete_leftovers(batch, {file.key for file, _ in (*plan.tables, *plan.quarantine)})
        files, quarantine = self._write(batch, plan, ids_body)
        self._follow_compactions(files)
        self._make_known({(file.table, file.dt) for file in files})
        commit = Commit(
            query_id=batch.query_id,
            batch_id=batch.batch_id,
            timestamp_ms=batch.timestamp_ms,
            offsets=batch.offsets,
            files=files,
            quarantine=quarantine,
            topics=plan.counts,
            newest_day=plan.newest_day,
        )
        self._commit(commit, batch)
        for topic, segment in plan.ids.items():
            self._memory[topic].add(segment, batch.timestamp_ms / 1000)
        self._log.committed(batch.batch_id, ids_body)
        self.last, self._first = commit, False
        return commit

    def _plan(self, batch: Batch, parsed: Iterable[Parsed]) -> _Plan:
        """Sort rows into files, without those stored before. Pure."""
        plan = _Plan(newest_day=dict(self.last.newest_day) if self.last else {})
        by_topic: dict[str, list[Parsed]] = {}
        for part in parsed:
            by_topic.setdefault(part.topic, []).append(part)
        for topic in sorted(by_topic):
            rejects = _by_place(pa.concat_tables([part.rejects for part in by_topic[topic]]), "partition", "offset")
            rows = [part.rows for part in by_topic[topic] if part.rows is not None and len(part.rows)]
            read = sum(len(some) for some in rows) + rejects.num_rows
            stored, late = self._plan_rows(plan, batch, topic, rows) if rows else (0, 0)
            plan.counts[topic] = Counts(read, stored, rejects.num_rows, read - rejects.num_rows - stored, late)
            _plan_rejects(plan, batch, topic, rejects)
        return plan

    def _plan_rows(self, plan: _Plan, batch: Batch, topic: str, parts: list[Rows]) -> tuple[int, int]:
        """Plan a topic's files: (rows stored, late among them)."""
        rows = _joined(parts)
        now_s = batch.timestamp_ms / 1000
        duplicate = repeated(rows.ids) | self._memory[topic].seen(rows.ids, now_s)
        if duplicate.any():
            rows = rows.take(~duplicate)
        if not len(rows):
            return 0, 0
        plan.ids[topic] = Segment.of(rows.ids, int(now_s))
        schema = lake_schema(topic)
        stamp = pa.scalar(batch.timestamp_ms, pa.int64()).cast(schema.field("ingested_at").type)
        days = np.unique(rows.day)
        for day in days:
            some = rows if len(days) == 1 else rows.take(rows.day == day)
            table = some.table.append_column("ingested_at", pa.repeat(stamp, len(some))).cast(schema)
            dt = day_text(day)
            key = layout.data_key(topic, dt, batch.file)
            plan.tables.append((DataFile(key, topic, dt, len(some), 0, some.ids.checksum()), table))
        newest = max(plan.newest_day.get(topic, ""), day_text(days[-1]))
        plan.newest_day[topic] = newest
        return len(rows), int(np.count_nonzero(rows.day < np.datetime64(newest, "D").astype(np.int32)))

    def _delete_leftovers(self, batch: Batch, planned: set[str]) -> None:
        """Delete what an earlier attempt of this batch wrote and this one will not."""
        mine = layout.batch_stem(batch.query_id, batch.batch_id)
        for prefix in (layout.LAKE, layout.QUARANTINE, layout.COMPACTED):
            found = [
                entry.key for entry in self.bucket.entries(prefix) if entry.key.rpartition("/")[2].startswith(mine)
            ]
            self.bucket.delete(key for key in found if prefix == layout.COMPACTED or key not in planned)

    def _write(self, batch: Batch, plan: _Plan, ids_body: bytes) -> tuple[tuple[DataFile, ...], tuple[DataFile, ...]]:
        """PUT everything side by side; raises the first failure after all have ended."""

        def each(file: DataFile, table: pa.Table) -> DataFile:
            body = to_parquet(table)
            self.bucket.put(file.key, body)
            return DataFile(**{**file.__dict__, "bytes": len(body)})

        files = [self._pool.submit(each, *planned) for planned in plan.tables]
        quarantine = [self._pool.submit(each, *planned) for planned in plan.quarantine]
        ids = [self._pool.submit(self.bucket.put, self._log.key(batch.batch_id), ids_body)] if plan.ids else []
        _all([*files, *quarantine, *ids])
        return tuple(f.result() for f in files), tuple(f.result() for f in quarantine)

    def _follow_compactions(self, files: tuple[DataFile, ...]) -> None:
        """Copy files of days that were compacted to where the catalog reads those days."""
        today = datetime.now(UTC).date()

        def follow(file: DataFile) -> None:
            found = read_compaction(self.bucket, file.table, file.dt)
            if found is not None:
                copy_late(self.bucket, file.key, found[0])

        _all([self._pool.submit(follow, file) for file in files if is_closed(file.dt, today)])

    def _make_known(self, partitions: set[tuple[str, str]]) -> None:
        new = frozenset(partitions - self._known)
        if new:
            self._register(new)
            self._known |= new

    def _commit(self, commit: Commit, batch: Batch) -> None:
        """Write the commit object unless another attempt of the same batch already did."""
        try:
            self.bucket.put(commit.key, commit.to_json(), absent=True)
        except Conflict:
            other = read_commit(self.bucket, batch.query_id, batch.batch_id)
            if other is not None:
                self._same_offsets(other, batch)

    @staticmethod
    def _same_offsets(commit: Commit, batch: Batch) -> None:
        if {t: dict(r) for t, r in commit.offsets.items()} != {t: dict(r) for t, r in batch.offsets.items()}:
            raise ServiceError(
                f"Batch {batch.batch_id} was committed for other offsets than this stream has: "
                "its checkpoint was restored or is used by a second stream.",
                "Start a stream with a new name; duplicates are dropped by event id.",
            )


def to_parquet(table: pa.Table) -> bytes:
    """A table as one Parquet file. Ids do not repeat, so a dictionary would only cost."""
    sink = pa.BufferOutputStream()
    plain = {"event_id", "kafka_offset"}
    repeating = [f.name for f in table.schema if f.name not in plain and pa.types.is_string(f.type)]
    pq.write_table(table, sink, compression="zstd", compression_level=1, use_dictionary=repeating)
    return bytes(sink.getvalue())


def _joined(parts: list[Rows]) -> Rows:
    """All rows of a topic in the order of partition and offset, however Spark's tasks delivered them."""
    if len(parts) == 1:
        rows = parts[0]
    else:
        table = pa.concat_tables([part.table for part in parts]).combine_chunks()
        rows = Rows(table, Ids.concat([p.ids for p in parts]), np.concatenate([p.day for p in parts]))
    order = _order(rows.table, "kafka_partition", "kafka_offset")
    return rows if order is None else rows.take(order)


def _order(table: pa.Table, partition: str, offset: str) -> Any:
    """Positions that sort a table by its place in Kafka, or None if it is sorted."""
    partitions, offsets = table.column(partition).to_numpy(), table.column(offset).to_numpy()
    step, leap = np.diff(offsets), np.diff(partitions)
    if ((leap > 0) | ((leap == 0) & (step > 0))).all():
        return None
    return np.lexsort((offsets, partitions))


def _by_place(table: pa.Table, partition: str, offset: str) -> pa.Table:
    order = _order(table, partition, offset)
    return table if order is None else table.take(pa.array(order))


def _plan_rejects(plan: _Plan, batch: Batch, topic: str, rejects: pa.Table) -> None:
    if not rejects.num_rows:
        return
    stamps = pc.cast(rejects.column("kafka_timestamp"), pa.int64()).to_numpy()
    days = np.clip(stamps // _MS_PER_DAY, 0, _LAST_DAY)  # a producer may have stamped any time at all
    for day in np.unique(days):
        table = rejects.filter(pa.array(days == day))
        key = layout.quarantine_key(topic, day_text(day), batch.file)
        plan.quarantine.append((DataFile(key, topic, day_text(day), table.num_rows, 0), table))


def _all(futures: list[Future[Any]]) -> None:
    """Wait for every upload, so that none outlives a failed batch, then raise the first failure."""
    failures = [error for future in futures if (error := future.exception()) is not None]
    if failures:
        raise failures[0]


def new_memory(horizon_s: float) -> dict[str, IdMemory]:
    """An empty memory for every topic."""
    return {topic: IdMemory(horizon_s) for topic in TOPICS}
