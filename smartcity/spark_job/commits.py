"""The commit object of a micro-batch: what it read, what it wrote, what it dropped.

The commit object, not the listing, is the truth about a batch: a file without one belongs to a batch that has not
finished, or was given up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from smartcity import layout
from smartcity.spark_job.store import Bucket

#: topic → partition → (first offset, one past the last)
Ranges = Mapping[str, Mapping[int, tuple[int, int]]]

FORMAT = 1


@dataclass(frozen=True)
class DataFile:
    """One file of a batch. `ids` is the order-free checksum of its event ids (empty for quarantine)."""

    key: str
    table: str
    dt: str
    rows: int
    bytes: int
    ids: str = ""


@dataclass(frozen=True)
class Counts:
    """What became of a topic's records in one batch: read = stored + quarantined + duplicates."""

    read: int = 0
    stored: int = 0
    quarantined: int = 0
    duplicates: int = 0
    late: int = 0  #: among the stored: of an earlier day than one already stored

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in asdict(self)})


@dataclass(frozen=True)
class Commit:
    """One finished micro-batch."""

    query_id: str
    batch_id: int
    timestamp_ms: int  #: when Spark planned the batch; a replay has the same
    offsets: Ranges
    files: tuple[DataFile, ...] = ()
    quarantine: tuple[DataFile, ...] = ()
    topics: Mapping[str, Counts] = field(default_factory=dict)
    newest_day: Mapping[str, str] = field(default_factory=dict)  #: per topic, over all batches so far

    @property
    def key(self) -> str:
        """Where it lies in the bucket."""
        return layout.commit_key(self.query_id, self.batch_id)

    @property
    def total(self) -> Counts:
        """All topics together."""
        return sum(self.topics.values(), Counts())

    def to_json(self) -> bytes:
        """As stored in the bucket."""
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Commit:
        """The reverse. Raises `ValueError` for another format."""
        data: dict[str, Any] = json.loads(body)
        if data.pop("format", None) != FORMAT:
            raise ValueError("not a commit object of this version")
        return cls(
            query_id=data["query_id"],
            batch_id=data["batch_id"],
            timestamp_ms=data["timestamp_ms"],
            offsets={
                topic: {int(partition): (start, end) for partition, (start, end) in ranges.items()}
                for topic, ranges in data["offsets"].items()
            },
            files=tuple(DataFile(**file) for file in data["files"]),
            quarantine=tuple(DataFile(**file) for file in data["quarantine"]),
            topics={topic: Counts(**counts) for topic, counts in data["topics"].items()},
            newest_day=data["newest_day"],
        )


def read_commit(bucket: Bucket, query_id: str, batch_id: int) -> Commit | None:
    """The commit object of a batch, if it has finished."""
    stored = bucket.get(layout.commit_key(query_id, batch_id))
    return None if stored is None else Commit.from_json(stored.body)


def list_queries(bucket: Bucket) -> list[str]:
    """Ids of every streaming query that ever wrote to the bucket."""
    return bucket.folders(layout.COMMITS)


def list_batches(bucket: Bucket, query_id: str, after: int = -1) -> Iterator[int]:
    """Numbers of a query's finished batches beyond `after`, ascending."""
    prefix = layout.commit_prefix(query_id)
    start = layout.commit_key(query_id, after) if after >= 0 else ""
    for entry in bucket.entries(prefix, start):
        name = entry.key[len(prefix) :].removesuffix(".json")
        if not name.isdigit():
            return  # "ids/" and "stream.json" sort after the digits
        yield int(name)


def read_commits(bucket: Bucket, threads: int = 8) -> list[Commit]:
    """Every commit object of the bucket, by query and batch."""
    wanted = [(query, batch) for query in list_queries(bucket) for batch in list_batches(bucket, query)]
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda each: read_commit(bucket, *each), wanted)
        return [commit for commit in found if commit is not None]
