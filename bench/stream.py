"""The stream: rows per second against Spark's own ceiling and against the usual job, and its latency.

Run with: python -m bench.stream [--events 400000] [--rounds 2]. It starts a Kafka and a local AWS of its own in a
temporary folder, and one Spark session for all candidates, so that what is compared shares machine, data and JVM.

    ceiling   Spark reads all topics in one query, parses JSON with from_json, and drops the rows (noop sink)
    usual     five queries, each from_json to Parquet on S3, default settings, checkpoints on S3
    ours      the product: strict parse, exactly once, Parquet on S3

CPU seconds are those of this process and of Spark's JVM; the brokers and local AWS are left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from smartcity.events import TOPICS, Topic, event_id
from smartcity.pipeline import stream
from smartcity.services.spark import jvm_pid, start_spark, stop_spark
from smartcity.spark_job.query import Progress, open_stream
from smartcity.spark_job.source import KafkaBroker
from tests.chaos.world import World
from tests.unit.spark_job.records import event

LATENCY_RATE = 1000
LATENCY_WARM_UP, LATENCY_SECONDS = 20, 25


def produce(world: World, events: int) -> None:
    """The same events for every candidate: as many per topic, keyed by 50 vehicles."""
    producer = world.clients.producer()
    plain = {topic: event(topic) for topic in TOPICS}
    for number in range(events // len(TOPICS)):
        for topic in TOPICS:
            name = event_id("bench", topic, number)
            value = json.dumps({**plain[topic], "event_id": name, "latitude": 51 + number % 1000 / 1000}).encode()
            headers = [("ce_type", TOPICS[topic].event_type.encode()), ("ce_id", name.encode())]
            producer.produce(topic, value, key=f"car-{number % 50}", headers=headers)
        if number % 500 == 0:
            producer.poll(0)
            while len(producer) > 200_000:
                producer.poll(0.05)
    producer.flush(60)


def ddl(topic: Topic) -> str:
    """The topic's columns as Spark writes a schema."""
    return ", ".join(f"{column.name} {column.type}" for column in topic.columns)


def superset() -> str:
    """All topics' columns as one schema, which one query over all topics has to parse with."""
    columns = {column.name: column.type for topic in TOPICS.values() for column in topic.columns}
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


class Candidates:
    """Each runs over everything that the brokers have, and returns how many files it made."""

    def __init__(self, world: World, spark: Any) -> None:
        self.world, self.spark = world, spark
        self.root = f"s3a://{world.settings.aws.bucket}/bench"

    def _read(self, topics: str, rows: int) -> Any:
        options = stream.kafka_options(self.world.settings.kafka_bootstrap)
        reader = self.spark.readStream.format("kafka").options(**options).option("subscribe", topics)
        return reader.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", str(rows)).load()

    def ceiling(self) -> int:
        """Read, parse, drop."""
        frame = self._read(",".join(TOPICS), 200_000)
        parsed = frame.selectExpr("topic", f"from_json(CAST(value AS STRING), '{superset()}') AS e").select(
            "topic", "e.*"
        )
        writer = parsed.writeStream.format("noop").option("checkpointLocation", f"{self.root}/{uuid.uuid4()}")
        writer.trigger(availableNow=True).start().awaitTermination()
        return 0

    def usual(self) -> int:
        """One query per topic, as it is usually written."""
        folder = f"bench/{uuid.uuid4()}"
        queries = []
        for name, topic in TOPICS.items():
            frame = self._read(name, 40_000)
            parsed = frame.selectExpr(f"from_json(CAST(value AS STRING), '{ddl(topic)}') AS e").select("e.*")
            path = f"s3a://{self.world.settings.aws.bucket}/{folder}/{name}"
            writer = parsed.writeStream.format("parquet").option("path", path)
            writer = writer.option("checkpointLocation", f"{self.root}/{uuid.uuid4()}")
            queries.append(writer.trigger(availableNow=True).start())
        for query in queries:
            query.awaitTermination()
        return sum(entry.key.endswith(".parquet") for entry in self.world.bucket.entries(folder))

    def ours(self) -> int:
        """The product. Ids of earlier rounds must not count as duplicates, so their memory is deleted."""
        bucket = self.world.bucket
        bucket.delete([entry.key for entry in bucket.entries("commits/")])
        name = f"bench-{uuid.uuid4().hex[:8]}"
        config = stream.stream_config(self.world.settings, name=name, once=True)
        files: list[int] = []

        def count(progress: Progress) -> None:
            files.append(len(progress.commit.files) + len(progress.commit.quarantine))

        live = open_stream(self.spark, bucket, KafkaBroker(self.world.clients.kafka_admin), config, on_batch=count)
        live.wait()
        live.stop()
        return sum(files)


def cpu_s() -> float:
    """CPU time of this process and of Spark's JVM so far."""
    mine, jvm = psutil.Process(), psutil.Process(jvm_pid())
    return sum(sum(process.cpu_times()[:2]) for process in (mine, jvm))


def measured(run: Callable[[], int]) -> tuple[float, float, int]:
    """Seconds, CPU seconds, files."""
    began, cpu = time.monotonic(), cpu_s()
    files = run()
    return time.monotonic() - began, cpu_s() - cpu, files


def throughput(world: World, spark: Any, events: int, rounds: int) -> None:
    """The table of candidates."""
    candidates = Candidates(world, spark)
    runs: dict[str, Callable[[], int]] = {
        "ceiling": candidates.ceiling,
        "usual": candidates.usual,
        "ours": candidates.ours,
    }
    best: dict[str, tuple[float, float, int]] = {}
    for _ in range(rounds + 1):  # the first round warms the JVM
        for name, run in runs.items():
            result = measured(run)
            best[name] = min(best.get(name, (9e9, 9e9, 0)), result) if _ else (9e9, 9e9, 0)
    print(f"{'':10}{'rows/s':>10}{'rows/CPU s':>12}{'files/1M':>10}{'÷ ceiling':>11}{'÷ usual':>9}{'CPU ÷ usual':>13}")
    for name, (seconds, cpu, files) in best.items():
        against = [best["ceiling"][0] / seconds, best["usual"][0] / seconds, best["usual"][1] / cpu]
        figures = f"{events / seconds:>10,.0f}{events / cpu:>12,.0f}{files * 1e6 / events:>10,.0f}"
        print(f"{name:10}{figures}{against[0]:>11.2f}{against[1]:>9.2f}{against[2]:>13.2f}")
    jvm, mine = (psutil.Process(pid).memory_info().rss / 1e6 for pid in (jvm_pid(), None))
    print(f"memory: Spark's JVM {jvm:.0f} MB, this process {mine:.0f} MB")


def latency(world: World, spark: Any) -> None:
    """Produced to committed at 1,000 events/s with a 1 s trigger, and where the time goes."""
    config = replace(stream.stream_config(world.settings, name="latency"), trigger="1 seconds")
    told: list[tuple[float, Progress]] = []
    broker = KafkaBroker(world.clients.kafka_admin)
    live = open_stream(
        spark, world.bucket, broker, config, on_batch=lambda progress: told.append((time.time(), progress))
    )
    broker.topic_ids(config.topics)
    live.wait_committed(broker.ends(config.topics), 120)
    acknowledged: list[tuple[str, int, int, float, float]] = []
    _drive(world, acknowledged, LATENCY_WARM_UP)
    acknowledged.clear()
    _drive(world, acknowledged, LATENCY_SECONDS)
    live.wait_committed(broker.ends(config.topics), 60)
    live.stop()
    rungs: dict[str, list[float]] = {"broker": [], "batch planned": [], "committed": [], "produced → committed": []}
    for topic, partition, offset, sent, acked in acknowledged:
        for at, progress in told:
            start, end = progress.commit.offsets[topic][partition]
            if start <= offset < end:
                planned = progress.commit.timestamp_ms / 1000
                rungs["broker"].append(acked - sent)
                rungs["batch planned"].append(max(0.0, planned - acked))
                rungs["committed"].append(at - max(planned, acked))
                rungs["produced → committed"].append(at - sent)
                break
    print(f"\n{'latency (s)':24}{'median':>8}{'p99':>8}   ({LATENCY_RATE} events/s, 1 s trigger)")
    for name, values in rungs.items():
        cuts = statistics.quantiles(values, n=100)
        print(f"{name:24}{cuts[49]:>8.2f}{cuts[98]:>8.2f}")


def _drive(world: World, acknowledged: list[tuple[str, int, int, float, float]], seconds: int) -> None:
    producer = world.clients.producer(**{"linger.ms": 5})
    stop = threading.Event()
    poller = threading.Thread(target=lambda: [producer.poll(0.05) for _ in iter(stop.is_set, True)])
    poller.start()
    began = time.time()

    def report(sent: float) -> Callable[[Any, Any], None]:
        return lambda _, m: acknowledged.append((m.topic(), m.partition(), m.offset(), sent, time.time()))

    names = list(TOPICS)
    for number in range(LATENCY_RATE * seconds):
        topic, now = names[number % len(names)], time.time()
        value = json.dumps(event(topic, event_id=event_id(f"latency-{began}", topic, number))).encode()
        producer.produce(topic, value, key=f"car-{number % 50}", on_delivery=report(now))
        time.sleep(max(0.0, began + number / LATENCY_RATE - time.time()))
    producer.flush(30)
    stop.set()
    poller.join()


def main() -> None:
    """Start everything, compare, stop everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=("latency", "throughput"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="smartcity-bench-") as folder:
        world = World(Path(folder))
        world.up()
        try:
            spark = start_spark(world.settings, "bench", stream.spark_options())
            if given.only != "throughput":
                latency(world, spark)
            if given.only != "latency":
                produce(world, given.events)
                throughput(world, spark, given.events, given.rounds)
            stop_spark(spark)
        finally:
            world.down()


if __name__ == "__main__":
    main()
