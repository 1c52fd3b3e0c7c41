"""Kafka → lake: start the stream, watch it, stop it.

The work is in `smartcity.spark_job`, which also runs on a cluster; here it gets its settings, and its progress becomes
something to show.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smartcity.errors import SettingsError
from smartcity.events import TOPICS

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from smartcity.settings import Settings
    from smartcity.spark_job.query import Progress, Stream, StreamConfig
    from smartcity.spark_job.source import Offsets

#: The name of the stream that `smartcity run` and `smartcity stream` use unless told otherwise.
DEFAULT_NAME = "main"

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_CHECKPOINT_MANAGER = "org.apache.spark.internal.io.cloud.AbortableStreamBasedCheckpointFileManager"


def trigger_ms(text: str) -> int:
    """Milliseconds of a duration such as 500ms, 1s or 2m. Raises `SettingsError`."""
    match = re.fullmatch(r"([0-9]{1,9})\s*(ms|s|m|h)", text.strip())
    if not match:
        raise SettingsError(f"{text!r} is not a time between batches.", "Write it like 500ms, 1s or 2m.")
    return int(match[1]) * _UNITS_MS[match[2]]


def stream_config(settings: Settings, *, name: str = DEFAULT_NAME, once: bool = False) -> StreamConfig:
    """What the stream needs of the settings. Raises `SettingsError` for a name or trigger that does not parse."""
    from smartcity import layout
    from smartcity.spark_job.query import StreamConfig

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        raise SettingsError(f"{name!r} is not a name for a stream.", "Use a–z, 0–9 and hyphens, such as main.")
    spark = settings.spark
    return StreamConfig(
        name=name,
        checkpoint=f"s3a://{settings.aws.bucket}/{layout.checkpoint_prefix(name)}".rstrip("/"),
        kafka_options=kafka_options(settings.kafka_bootstrap),
        trigger=None if once else f"{trigger_ms(spark.trigger)} milliseconds",
        max_rows_per_batch=spark.max_rows_per_batch,
        horizon_s=spark.duplicate_horizon_hours * 3600,
        parse_on="driver" if spark.master.startswith("local") else "executors",
    )


def kafka_options(bootstrap_servers: str) -> dict[str, str]:
    """Options of Spark's Kafka source: large fetches, and no waiting for more when there is something."""
    return {
        "kafka.bootstrap.servers": bootstrap_servers,
        "kafka.fetch.max.wait.ms": "50",
        "kafka.fetch.max.bytes": str(50 << 20),
        "kafka.max.partition.fetch.bytes": str(8 << 20),
        "kafka.receive.buffer.bytes": str(1 << 20),
        "fetchOffset.numRetries": "10",
        "fetchOffset.retryIntervalMs": "200",
    }


def spark_options() -> dict[str, str]:
    """Spark configuration of the streaming job, for `start_spark`."""
    return {
        "spark.sql.streaming.checkpointFileManagerClass": _CHECKPOINT_MANAGER,
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
        "spark.sql.streaming.minBatchesToRetain": "10",
        "spark.sql.streaming.numRecentProgressUpdates": "10",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.scheduler.mode": "FIFO",
        "spark.locality.wait": "0",
    }


@dataclass(frozen=True)
class BatchReport:
    """One batch as it is shown: on the terminal, as a JSON line, as metrics."""

    stream: str
    batch: int
    rows: int
    stored: int
    quarantined: int
    duplicates: int
    late: int
    files: int
    bytes: int
    seconds: float
    rows_per_s: float
    lag: Mapping[str, int] = field(default_factory=dict)  #: per topic: events that the brokers have beyond this batch
    replayed: bool = False
    topics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    at: float = 0.0  #: Unix seconds


def report(name: str, progress: Progress, ends: Offsets) -> BatchReport:
    """What to show of a batch, given how far the brokers are."""
    from dataclasses import asdict

    commit, total = progress.commit, progress.commit.total
    files = (*commit.files, *commit.quarantine)
    return BatchReport(
        stream=name,
        batch=progress.batch_id,
        rows=total.read,
        stored=total.stored,
        quarantined=total.quarantined,
        duplicates=total.duplicates,
        late=total.late,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        seconds=round(progress.seconds, 3),
        rows_per_s=round(progress.rows_per_s, 1),
        lag=lag(progress.commit.offsets, ends),
        replayed=progress.replayed,
        topics={topic: asdict(counts) for topic, counts in commit.topics.items()},
        at=round(time.time(), 3),
    )


def lag(offsets: Mapping[str, Mapping[int, tuple[int, int]]], ends: Offsets) -> dict[str, int]:
    """Events per topic beyond these offsets."""
    return {
        topic: sum(max(0, end - offsets.get(topic, {}).get(p, (0, 0))[1]) for p, end in parts.items())
        for topic, parts in ends.items()
    }


def start(
    spark: SparkSession,
    s3: S3Client,
    kafka_admin: AdminClient,
    bucket: str,
    config: StreamConfig,
    *,
    register: Callable[[frozenset[tuple[str, str]]], Any] = lambda _: None,
    on_batch: Callable[[BatchReport], Any] | None = None,
) -> Stream:
    """Start the stream; it runs until `stop()`, or with `once` until it has read what was there.

    `register` is told of (table, dt) before their first rows count, and must make them known to the catalog.
    `on_batch` gets a report of each batch, in a thread of its own. Raises `ServiceError` when it runs already
    elsewhere or cannot go on without losing events.
    """
    from smartcity.spark_job.query import open_stream
    from smartcity.spark_job.source import KafkaBroker
    from smartcity.spark_job.store import Bucket

    broker = KafkaBroker(kafka_admin)

    def show(progress: Progress) -> None:
        if on_batch is not None:
            on_batch(report(config.name, progress, broker.ends(config.topics)))

    def known(partitions: frozenset[tuple[str, str]]) -> None:
        register(partitions)

    return open_stream(spark, Bucket(s3, bucket), broker, config, register=known, on_batch=show)


def empty_counts() -> dict[str, int]:
    """Zero for every topic."""
    return dict.fromkeys(TOPICS, 0)
