"""A real Kafka, a real local AWS and a real Spark that can be killed, and the two sides of the balance."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from smartcity import ledger, settings
from smartcity.clients import Clients
from smartcity.events import TOPICS, event_id
from smartcity.ledger import LedgerWriter
from smartcity.pipeline import broker, lake
from smartcity.services import runtime_for
from smartcity.spark_job.store import Bucket
from tests.ports import free_port
from tests.unit.spark_job.records import event

ROOT = Path(__file__).parents[2]
T0_MS = 1_772_348_400_000


@dataclass(frozen=True)
class Events:
    """Consecutive events of one topic, as `broker.send` takes them."""

    topic: str
    key: str
    trip_id: str
    values: list[bytes]
    ids: bytes
    epoch_ms: NDArray[Any]


def make(topic: str, trip: str, first: int, count: int, bad_every: int = 0) -> Events:
    """Events number `first` and up of a trip; every `bad_every`th does not parse. The days go on while they do."""
    values, ids = [], []
    for number in range(first, first + count):
        name = event_id(trip, topic, number)
        day = 1 + number // 2000 % 28
        fields = event(topic, event_id=name, trip_id=trip, ts=f"2026-03-{day:02d}T07:00:00.000Z")
        value = json.dumps(fields).encode()
        values.append(value[:-1] if bad_every and number % bad_every == 0 else value)
        ids.append(uuid.UUID(name).bytes)
    times = T0_MS + 1000 * np.arange(first, first + count)
    return Events(topic, f"car-{trip}-{first // 500}", trip, values, b"".join(ids), times)


def wait_until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Poll a condition until it holds; fail when time is up."""
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s} seconds"
        time.sleep(0.02)


@dataclass
class World:
    """One project's services in a folder of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kafka_port = free_port(2)
        self.environment = {
            "SMARTCITY_DATA_DIR": str(self.folder / "data"),
            "SMARTCITY_KAFKA__PORT": str(kafka_port),
            "SMARTCITY_AWS__PORT": str(free_port()),
            "SMARTCITY_TRINO__PORT": str(free_port()),
            "SMARTCITY_KAFKA__PARTITIONS": "2",
        }
        values: dict[str, Any] = {
            "data_dir": self.folder / "data",
            "kafka": {"port": kafka_port, "partitions": 2, "delivery_timeout_s": 60.0},
            "aws": {"port": int(self.environment["SMARTCITY_AWS__PORT"])},
            "trino": {"port": int(self.environment["SMARTCITY_TRINO__PORT"])},
        }
        self.settings = settings.load(**values)
        self.runtime = runtime_for(self.settings)
        self.clients = Clients(self.settings)
        self._seen: dict[tuple[str, int], list[bytes]] = {}

    def up(self) -> None:
        """Start Kafka and local AWS; topics and bucket are there afterwards."""
        for name in ("kafka", "aws"):
            self.runtime.start(name)
        for name in ("kafka", "aws"):
            self.runtime.wait_ready(name, 90)
        lake.ensure_bucket(self.clients.aws("s3"), self.settings.aws.bucket, self.settings.aws.region)
        broker.ensure_topics(self.clients.kafka_admin, self.settings.kafka)

    def down(self) -> None:
        self.runtime.stop()

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.clients.aws("s3"), self.settings.aws.bucket)

    def pid(self, service: str) -> int:
        found = next(status.pid for status in self.runtime.status() if status.name == service)
        assert found
        return found

    def kill(self, service: str) -> None:
        """kill -9 a service, and wait until it is gone."""
        process = psutil.Process(self.pid(service))
        process.kill()
        psutil.wait_procs([process], timeout=10)

    def restart(self, service: str) -> None:
        self.runtime.start(service)
        self.runtime.wait_ready(service, 90)

    def produce(self, trip: str, first: int, count: int, bad_every: int = 0) -> None:
        """Send `count` events per topic and record them in the ledger."""
        batches = [make(topic, trip, first, count, bad_every) for topic in TOPICS]
        with LedgerWriter.new(self.settings.folder.ledger) as writer:
            broker.send(self.clients.producer(), batches, writer, timeout_s=60)

    def driver(self, *arguments: str, stream: str = "main") -> subprocess.Popen[bytes]:
        """Start a streaming process: `tests/chaos/driver.py`."""
        command = [sys.executable, "-m", "tests.chaos.driver", "--stream", stream, *arguments]
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(ROOT)}
        with (self.folder / f"driver-{stream}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log)

    def run(self, *arguments: str, stream: str = "main", within_s: float = 180) -> int:
        """Run a streaming process to its end; its exit code, negative for a signal."""
        process = self.driver(*arguments, stream=stream)
        try:
            process.communicate(timeout=within_s)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return process.returncode

    def expected(self, bad_every: int = 0) -> Counter[bytes]:
        """Ids of the good events in the ledger, once each: what the lake must hold."""
        wanted: set[bytes] = set()
        for batch in ledger.read(self.settings.folder.ledger):
            wanted.update(batch.column("event_id").to_pylist())
        return Counter(wanted - self._bad(bad_every))

    def _bad(self, every: int) -> set[bytes]:
        trips = {name for batch in ledger.read(self.settings.folder.ledger) for name in _trips(batch)}
        numbers = range(0, 100_000, every) if every else ()
        return {uuid.UUID(event_id(trip, topic, n)).bytes for trip in trips for topic in TOPICS for n in numbers}

    def lake_files(self) -> Iterator[tuple[str, bytes]]:
        """Every file of a plain listing, by somebody who knows nothing of commit objects."""
        bucket = self.bucket
        for entry in bucket.entries("lake/"):
            stored = bucket.get(entry.key)
            if stored is not None:
                yield entry.key, stored.body

    def stored(self) -> Counter[bytes]:
        """How often each event id is in the lake, as DuckDB reads the plain listing."""
        import duckdb

        folder = self.folder / "copy"
        for old in folder.glob("*.parquet"):
            old.unlink()
        folder.mkdir(exist_ok=True)
        paths = []
        for number, (_, body) in enumerate(self.lake_files()):
            paths.append(folder / f"{number}.parquet")
            paths[-1].write_bytes(body)
        if not paths:
            return Counter()
        query = "SELECT event_id, count(*) FROM read_parquet(?, union_by_name => true) GROUP BY event_id"
        rows = duckdb.connect().execute(query, [[str(path) for path in paths]]).fetchall()
        return Counter({uuid.UUID(name).bytes: int(times) for name, times in rows})


def _trips(batch: Any) -> list[str]:
    found: list[str] = batch.column("trip_id").unique().to_pylist()
    return found


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 a driver; its JVM ends by itself."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """The driver's batches as it tells them."""
    assert process.stdout is not None
    for line in iter(process.stdout.readline, b""):
        yield json.loads(line)
