"""The training run behind Spark's start-up cache: it halves the time to the first batch and its processor time.

A small stream as the product's own, from a broker to S3, both of them in a scratch folder. It costs some forty seconds
of processor time, too much for anybody to wait for: see `background.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any

from smartcity.errors import ServiceError, SmartCityError
from smartcity.services import local_aws, spark
from smartcity.services.disk import exclusive
from smartcity.services.jars import classpath
from smartcity.services.java import find_java
from smartcity.services.kafka import is_ready, kafka_program, project_broker
from smartcity.services.kafka_training import free_ports, send_events
from smartcity.services.training import running, wait_until

if TYPE_CHECKING:
    from smartcity.settings import Settings

_READY_S = 120.0
_WRITE_S = 300.0
_BUCKET = "training"
_TOPIC = "training"


def make_cache(settings: Settings, stop: Event) -> bool:
    """Make the cache unless it is there or cannot be; False where none was made: `stop` was set, or it failed.

    Needs a process in which no Spark session runs.
    """
    java = find_java(settings)
    cache = spark.spark_cache(settings, java, classpath(settings, "spark"))
    if cache.exists or not cache.possible:
        return False
    if spark.jvm_pid() is not None:
        raise ServiceError("Spark runs in this process already.", "Stop its session first.")
    cache.file.parent.mkdir(parents=True, exist_ok=True)
    with (
        suppress(SmartCityError, OSError),
        exclusive(cache.file.parent / ".lock-spark", 0.0, "Another training run"),
        TemporaryDirectory(dir=cache.file.parent, prefix="training-", ignore_cleanup_errors=True) as scratch,
    ):
        mine = _scratch_settings(settings, Path(scratch))
        with _services(mine, stop):
            spark.start_jvm(mine, cache.training_flags)
            try:
                _stream(mine, stop)
            finally:
                spark.end_gateway(_WRITE_S)
        return not stop.is_set() and cache.publish()
    return False


def _scratch_settings(settings: Settings, scratch: Path) -> Settings:
    """The same programs, in another folder and on free ports."""
    kafka_port, aws_port = free_ports(), free_ports()
    kafka = settings.kafka.model_copy(update={"port": kafka_port, "bootstrap_servers": None})
    local = {"port": aws_port, "target": "local", "profile": None, "access_key_id": None, "secret_access_key": None}
    aws = settings.aws.model_copy(update={**local, "bucket": _BUCKET})
    master = settings.spark.model_copy(update={"master": "local[2]"})
    return settings.model_copy(update={"data_dir": scratch, "kafka": kafka, "aws": aws, "spark": master})


@contextmanager
def _services(settings: Settings, stop: Event) -> Iterator[None]:
    """A broker and local AWS that end with this process."""
    program, broker = kafka_program(settings), project_broker(settings)
    broker.write_config()
    aws_folder = settings.folder.aws
    aws_folder.mkdir(parents=True)
    with (
        running(program.serve(broker, program.cache.flags), broker.folder, stop),
        running(local_aws.command(settings).argv, aws_folder, stop),
    ):
        wait_until(lambda: is_ready(broker, 1.0), _READY_S, stop)
        wait_until(lambda: local_aws.answers(settings, 1.0), _READY_S, stop)
        yield


def _stream(settings: Settings, stop: Event) -> None:
    """Three micro-batches from Kafka through Arrow to S3, with the checkpoint on S3."""
    send_events(settings.kafka_bootstrap, _TOPIC)
    _make_bucket(settings)
    session = spark.start_spark(settings, "training", spark.S3_CHECKPOINTS)
    source = session.readStream.format("kafka").option("kafka.bootstrap.servers", settings.kafka_bootstrap)
    records = source.option("subscribe", _TOPIC).option("startingOffsets", "earliest").option("includeHeaders", "true")

    def publish(batch: Any, _batch_id: int) -> None:
        batch.select("topic", "partition", "offset", "timestamp", "value", "headers").toArrow()

    writer = records.option("maxOffsetsPerTrigger", 400).load().writeStream.foreachBatch(publish)
    writer = writer.option("checkpointLocation", f"s3a://{_BUCKET}/checkpoint").trigger(processingTime="0 seconds")
    query = writer.start()
    try:
        wait_until(lambda: len(query.recentProgress) >= 4 or not query.isActive, _READY_S, stop)
    finally:
        query.stop()
        session.stop()


def _make_bucket(settings: Settings) -> None:
    import json

    import boto3

    key = json.loads(settings.folder.credentials.read_text())
    client = boto3.client(
        "s3",
        endpoint_url=settings.aws_endpoint_url,
        region_name=settings.aws.region,
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
    )
    where: Any = {"LocationConstraint": settings.aws.region}
    client.create_bucket(
        Bucket=_BUCKET, **({} if settings.aws.region == "us-east-1" else {"CreateBucketConfiguration": where})
    )
