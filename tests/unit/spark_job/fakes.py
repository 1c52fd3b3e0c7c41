"""A bucket in memory, that can fail where a test wants it to."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from smartcity.spark_job.store import Bucket, Conflict, Entry, Stored


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


class MemoryBucket(Bucket):
    """The same answers as `Bucket`, out of a dictionary. The write number `die_at` (from 0) kills."""

    def __init__(self) -> None:
        self.name = "memory"
        self.objects: dict[str, tuple[bytes, str, datetime]] = {}
        self.now = datetime(2026, 11, 24, tzinfo=UTC)
        self.writes = 0
        self.die_at: int | None = None
        self.die_after_write = False
        self._tags = 0

    def _write(self) -> bool:
        dying = self.die_at is not None and self.writes >= self.die_at
        self.writes += 1
        if dying and not self.die_after_write:
            raise Killed
        return dying

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def get(self, key: str) -> Stored | None:
        if key not in self.objects:
            return None
        body, etag, modified = self.objects[key]
        return Stored(body, etag, modified, self.now)

    def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
        there = self.objects.get(key)
        if (absent and there) or (etag and (there is None or there[1] != etag)):
            raise Conflict(key)
        dying = self._write()
        self._tags += 1
        self.objects[key] = (bytes(body), str(self._tags), self.now)
        if dying:
            raise Killed
        return str(self._tags)

    def upload(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())

    def copy(self, source: str, target: str) -> None:
        self.put(target, self.objects[source][0])

    def entries(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > start_after:
                yield Entry(key, len(self.objects[key][0]), self.objects[key][2])

    def folders(self, prefix: str) -> list[str]:
        inner = {key[len(prefix) :].partition("/") for key in self.objects if key.startswith(prefix)}
        return sorted({name for name, slash, _ in inner if slash})

    def delete(self, keys: Iterable[str]) -> int:
        keys = list(keys)
        for key in keys:
            self._write()
            self.objects.pop(key, None)
        return len(keys)

    def lake(self) -> Counter[str]:
        """How often each event id is in the lake, for a reader that lists the files and knows nothing else."""
        found: Counter[str] = Counter()
        for entry in self.entries("lake/"):
            found.update(pq.read_table(io.BytesIO(self.objects[entry.key][0])).column("event_id").to_pylist())
        return found
