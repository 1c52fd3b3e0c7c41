"""The streaming query: one for all topics, its batches published by `publish.py`.

Spark plans (offset log, replay, back pressure) and reads; the rows of a batch come to this process as Arrow, where
parsing runs in threads. On a cluster the executors parse (`parse_on="executors"`), and this process only publishes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from smartcity.errors import ServiceError, SmartCityError
from smartcity.events import TOPICS
from smartcity.spark_job.checkpoint import Checkpoint, Ends, ranges_between
from smartcity.spark_job.commits import Commit, list_batches, read_commit
from smartcity.spark_job.identity import check_offsets, ends_of, establish, missing_topics
from smartcity.spark_job.idlog import IdLog, recall
from smartcity.spark_job.lease import Lease
from smartcity.spark_job.parse import Parsed, parse_records
from smartcity.spark_job.publish import Batch, Publisher, Register, new_memory
from smartcity.spark_job.remote import parse_on_executors
from smartcity.spark_job.source import Broker, read_stream
from smartcity.spark_job.store import Bucket

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

#: Rows parsed by one thread at a time: enough to make Arrow's overhead small, few enough to keep every core busy.
_CHUNK_ROWS = 20_000
_POLL_S = 0.05


@dataclass(frozen=True)
class StreamConfig:
    """Everything that a stream needs to know."""

    name: str
    checkpoint: str  #: folder URI that Hadoop understands, such as s3a://bucket/checkpoints/main
    kafka_options: Mapping[str, str] = field(repr=False)  #: Spark's: "kafka.bootstrap.servers", …
    topics: tuple[str, ...] = tuple(TOPICS)
    trigger: str | None = "1s"  #: time between batches; None: read what is there and end
    max_rows_per_batch: int = 200_000
    horizon_s: float = 86_400.0
    parse_on: Literal["driver", "executors"] = "driver"
    threads: int = 2


@dataclass(frozen=True)
class Progress:
    """One batch, as it is shown."""

    batch_id: int
    commit: Commit
    seconds: float
    replayed: bool  #: an earlier attempt had committed it already

    @property
    def rows_per_s(self) -> float:
        """Records read per second of this batch's own time."""
        return self.commit.total.read / self.seconds if self.seconds else 0.0


class Stream:
    """A running stream. Made by `open_stream`; ends by `stop`, or by itself with `trigger=None`."""

    def __init__(
        self, config: StreamConfig, checkpoint: Checkpoint, publisher: Publisher, lease: Lease, query_id: str
    ) -> None:
        self.config = config
        self.query_id = query_id
        self.last: Commit | None = publisher.last
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._lease = lease
        self._on_batch: Callable[[Progress], None] = lambda _: None
        self._before: tuple[int, Ends] | None = None
        self._failure: BaseException | None = None
        self._query: StreamingQuery | None = None
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="parse")
        self._busy = threading.Lock()
        self._news = threading.Condition()
        self._stopping = False

    def start(self, frame: DataFrame, on_batch: Callable[[Progress], None]) -> None:
        """Begin to run batches; `on_batch` is called after each, from Spark's thread."""
        self._on_batch = on_batch
        writer = frame.writeStream.queryName(self.config.name).foreachBatch(self._run)
        writer = writer.option("checkpointLocation", self._checkpoint.uri)
        trigger = self.config.trigger
        writer = writer.trigger(processingTime=trigger) if trigger else writer.trigger(availableNow=True)
        self._query = writer.start()

    def _run(self, frame: DataFrame, batch_id: int) -> None:
        with self._busy:
            if self._stopping:
                raise InterruptedError("the stream is stopping; this batch is run again next time")
            try:
                self._one_batch(frame, batch_id)
            except BaseException as error:
                self._failure = error
                raise

    def _one_batch(self, frame: DataFrame, batch_id: int) -> None:
        self._lease.check()
        began = time.monotonic()
        batch = self._batch(batch_id)
        known = self._publisher.already(batch)
        commit = known or self._publisher.publish(batch, self._parse(frame))
        seconds = time.monotonic() - began
        with self._news:
            self.last = commit
            self._news.notify_all()
        self._on_batch(Progress(batch_id, commit, seconds, known is not None))

    def _batch(self, batch_id: int) -> Batch:
        """The batch as Spark's offset log has it."""
        planned = self._checkpoint.planned(batch_id)
        if self._before is None or self._before[0] != batch_id - 1:
            ends = self._checkpoint.planned(batch_id - 1).ends if batch_id else self._checkpoint.initial()
            self._before = (batch_id - 1, ends)
        ranges = ranges_between(self._before[1], planned.ends)
        self._before = (batch_id, planned.ends)
        return Batch(self.query_id, batch_id, planned.timestamp_ms, ranges)

    def _parse(self, frame: DataFrame) -> Iterable[Parsed]:
        if self.config.parse_on == "executors":
            return parse_on_executors(frame)
        chunks = list(_chunks(frame.toArrow()))
        return [parsed for some in self._pool.map(parse_records, chunks) for parsed in some]

    @property
    def running(self) -> bool:
        """Whether Spark still runs batches."""
        return self._query is not None and bool(self._query.isActive)

    def process_available(self, timeout_s: float | None = None) -> None:
        """Wait until everything that the brokers had at the time of the call is committed."""
        waiter = threading.Thread(target=self._drain, daemon=True)
        waiter.start()
        waiter.join(timeout_s)
        self._raise_failure()

    def _drain(self) -> None:
        if self._query is not None:
            try:
                self._query.processAllAvailable()
            except Exception as error:
                self._failure = self._failure or error

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False if it still runs. Raises what made it fail, in a sentence where we know one."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.running:
            if deadline is not None and time.monotonic() >= deadline:
                self._raise_failure()
                return False
            time.sleep(_POLL_S)
        if self._query is not None and self._failure is None and not self._stopping:
            self._failure = self._query.exception()
        self._raise_failure()
        return True

    def committed(self, wanted: Ends) -> bool:
        """Whether every one of these offsets is in a committed batch."""
        done = ends_of(self.last)
        return all(done.get(t, {}).get(p, 0) >= end for t, parts in wanted.items() for p, end in parts.items())

    def wait_committed(self, wanted: Ends, timeout_s: float) -> bool:
        """Wait until `committed(wanted)`; False when time is up. Raises what made the stream fail meanwhile."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while not self.committed(wanted):
                self._raise_failure()
                if not self.running or time.monotonic() > deadline:
                    break
                self._news.wait(_POLL_S)
        self.wait(0)
        return self.committed(wanted)

    def stop(self) -> None:
        """End after the batch at hand and let the lease go. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        with self._busy:
            if self._query is not None:
                self._query.stop()
        self._pool.shutdown()
        self._publisher.close()
        self._lease.release()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise explain(self._failure) from self._failure


def _chunks(table: pa.Table) -> Iterable[pa.Table]:
    """Pieces of one topic each, of at most `_CHUNK_ROWS`."""
    by_topic: dict[str, list[pa.RecordBatch]] = {}
    for batch in table.to_batches():
        for name, part in _by_topic(batch):
            by_topic.setdefault(name, []).append(part)
    for parts in by_topic.values():
        whole = pa.Table.from_batches(parts)
        for first in range(0, whole.num_rows, _CHUNK_ROWS):
            yield whole.slice(first, _CHUNK_ROWS)


def _by_topic(batch: pa.RecordBatch) -> Iterable[tuple[str, pa.RecordBatch]]:
    """A record batch of Spark holds one partition's rows, so almost always one topic."""
    names = batch.column("topic")
    for name in names.unique().to_pylist():
        mask = pa.compute.equal(names, name)
        yield name, batch if pa.compute.all(mask).as_py() else batch.filter(mask)


def open_stream(
    spark: SparkSession,
    bucket: Bucket,
    broker: Broker,
    config: StreamConfig,
    *,
    register: Register = lambda _: None,
    on_batch: Callable[[Progress], None] = lambda _: None,
) -> Stream:
    """Check that the stream may run, load what it must remember, and start it.

    Raises `ServiceError` when it runs already, or when going on would lose events.
    """
    topic_ids = missing_topics(broker, config.topics)
    lease = Lease(bucket, config.name)
    lease.take()
    try:
        stream = _prepare(spark, bucket, broker, config, topic_ids=topic_ids, register=register, lease=lease)
        frame = read_stream(spark, config.kafka_options, config.topics, config.max_rows_per_batch)
        stream.start(frame, on_batch)
    except BaseException:
        lease.release()
        raise
    return stream


def _prepare(
    spark: SparkSession,
    bucket: Bucket,
    broker: Broker,
    config: StreamConfig,
    *,
    topic_ids: Mapping[str, str],
    register: Register,
    lease: Lease,
) -> Stream:
    checkpoint = Checkpoint(spark, config.checkpoint)
    identity = establish(bucket, checkpoint, config.name, topic_ids)
    last_batch = max(list_batches(bucket, identity.query_id), default=None)
    last = None if last_batch is None else read_commit(bucket, identity.query_id, last_batch)
    planned = checkpoint.last_planned()
    if last is not None and planned < last.batch_id:
        raise ServiceError(
            f"The checkpoint {config.checkpoint} knows batches up to {planned}, "
            f"but batch {last.batch_id} was committed: it was restored from an older copy.",
            "Start a stream with a new --name; duplicates are dropped by event id.",
        )
    check_offsets(ends_of(last), *broker.offsets(config.topics))
    memory, log = new_memory(config.horizon_s), IdLog(bucket, identity.query_id)
    recall(bucket, config.horizon_s, last.timestamp_ms / 1000 if last else time.time(), memory, log)
    publisher = Publisher(bucket, log, memory, last=last, register=register)
    return Stream(config, checkpoint, publisher, lease, identity.query_id)


#: What Spark says, and what it means.
_SENTENCES = (
    ("Some data may have been lost", "Events expired at the brokers before the stream read them."),
    ("OffsetOutOfRange", "Events expired at the brokers before the stream read them."),
    ("UnknownTopicOrPartition", "A topic was deleted while the stream was running."),
    ("No space left on device", "The disk is full."),
)


def explain(failure: BaseException) -> SmartCityError:
    """A failure of the query as an error for people. Our own errors stay what they are."""
    if isinstance(failure, SmartCityError):
        return failure
    text = str(failure)
    for sign, sentence in _SENTENCES:
        if sign in text:
            return ServiceError(sentence, "Nothing committed is affected; see: smartcity verify")
    line = next((line for line in text.splitlines() if line.strip()), type(failure).__name__)
    return ServiceError(
        f"The stream stopped: {line[:300]}",
        "Everything committed is kept; start it again and it goes on where it was.",
    )
