"""A streaming process that kills itself at a named point of a named batch. Product code, except for its bucket.

python -m tests.chaos.driver --stream main --kill after-files --batch 1
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, replace
from urllib.parse import urlsplit

from smartcity import layout, settings
from smartcity.clients import Clients
from smartcity.pipeline import stream
from smartcity.services.spark import start_spark, stop_spark
from smartcity.spark_job.query import Progress, open_stream
from smartcity.spark_job.source import KafkaBroker
from smartcity.spark_job.store import Bucket, Entry, Stored

POINTS = ("before-write", "mid-write", "between-files", "before-commit", "after-commit")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DeadlyBucket(Bucket):
    """A bucket that kills its process at a point of the protocol, `skip` batches after the start."""

    def __init__(self, inner: Bucket, point: str, skip: int) -> None:
        super().__init__(inner.s3, inner.name)
        self.point, self.skip = point, skip
        self._lock = threading.Lock()
        self._written = 0
        self._one_written = threading.Event()

    def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
        is_commit = key.startswith(layout.COMMITS) and key.endswith(".json") and key[-14:-5].isdigit()
        armed = self.skip == 0
        if armed and key.startswith(layout.LAKE):
            self._before_file(key, body)
        if armed and is_commit and self.point == "before-commit":
            die()
        tag = super().put(key, body, absent=absent, etag=etag)
        if key.startswith(layout.LAKE):
            self._one_written.set()
        if is_commit:
            if armed and self.point == "after-commit":
                die()
            self.skip, self._written = self.skip - 1, 0
            self._one_written.clear()
        return tag

    def _before_file(self, key: str, body: bytes) -> None:
        with self._lock:
            self._written += 1
            number = self._written
        if self.point == "before-write":
            die()
        if self.point == "mid-write" and number == 2:
            self._send_half(key, body)
            die()
        if self.point == "between-files" and number > 1:
            self._one_written.wait(10)
            die()

    def _send_half(self, key: str, body: bytes) -> None:
        """Half of a PUT's body, as a process that dies while sending leaves it."""
        url = self.s3.generate_presigned_url("put_object", Params={"Bucket": self.name, "Key": key})
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        connection.putrequest("PUT", f"{parts.path}?{parts.query}")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[: len(body) // 2])
        time.sleep(0.2)


class NaiveBucket(DeadlyBucket):
    """What everybody writes first: append files with random names, and look back at nothing."""

    def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
        if key.startswith(layout.LAKE):
            key = f"{key.removesuffix('.parquet')}-{uuid.uuid4().hex[:8]}.parquet"
        return super().put(key, body, absent=absent, etag=etag)

    def entries(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        return iter(()) if prefix == layout.LAKE else super().entries(prefix, start_after)


class SlowBucket(Bucket):
    """Waits a little before each file, so that a kill at a random time meets something."""

    def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
        time.sleep(0.02)
        return super().put(key, body, absent=absent, etag=etag)

    def get(self, key: str) -> Stored | None:
        return super().get(key)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stream", default="main")
    parser.add_argument("--kill", choices=POINTS)
    parser.add_argument("--batch", type=int, default=0, help="how many batches to finish before")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--follow", action="store_true", help="run until killed")
    given = parser.parse_args()
    ours = settings.load()
    clients = Clients(ours)
    bucket = Bucket(clients.aws("s3"), ours.aws.bucket)
    if given.naive:
        bucket = NaiveBucket(bucket, given.kill or "", given.batch)
    elif given.kill:
        bucket = DeadlyBucket(bucket, given.kill, given.batch)
    elif given.slow:
        bucket = SlowBucket(bucket.s3, bucket.name)
    config = stream.stream_config(ours, name=given.stream, once=not given.follow)
    config = replace(config, max_rows_per_batch=given.rows, trigger="100 milliseconds" if given.follow else None)
    spark = start_spark(ours, "chaos", stream.spark_options())
    try:
        running = open_stream(spark, bucket, KafkaBroker(clients.kafka_admin), config, on_batch=_tell)
        try:
            running.wait()
        finally:
            running.stop()
    finally:
        stop_spark(spark)
    return 0


def _tell(progress: Progress) -> None:
    sys.stdout.write(json.dumps({"batch": progress.batch_id, **asdict(progress.commit.total)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
