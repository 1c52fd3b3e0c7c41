"""What the bucket holds, by its commit objects and by its listing, and the rows behind them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smartcity import layout
from smartcity.spark_job.commits import Commit, DataFile, read_commits
from smartcity.spark_job.compaction import Compaction, read_compactions
from smartcity.spark_job.ids import Ids
from smartcity.spark_job.store import Bucket

_THREADS = 8
_OFFSET_BITS = 48


def place(partition: NDArray[np.int64], offset: NDArray[np.int64]) -> NDArray[np.int64]:
    """Partition and offset of a record as one sortable number."""
    return (partition.astype(np.int64) << _OFFSET_BITS) | offset.astype(np.int64)


@dataclass(frozen=True)
class FileRows:
    """Ids (none for quarantined records) and places of a file's rows."""

    file: DataFile
    ids: Ids
    places: NDArray[np.int64]


@dataclass
class Inventory:
    """Commit objects, listing and compactions of one bucket, read once."""

    commits: list[Commit]
    sizes: dict[str, int]  #: key → bytes, below lake/ and quarantine/
    compactions: list[Compaction] = field(default_factory=list)

    @classmethod
    def read(cls, bucket: Bucket) -> Inventory:
        """Read everything but the rows."""
        with ThreadPoolExecutor(_THREADS) as pool:
            commits = pool.submit(read_commits, bucket)
            listings = [pool.submit(_sizes, bucket, prefix) for prefix in (layout.LAKE, layout.QUARANTINE)]
            compactions = list(read_compactions(bucket))
            sizes = {key: size for listing in listings for key, size in listing.result().items()}
            return cls(commits.result(), sizes, compactions)

    @property
    def gone(self) -> set[str]:
        """Small files that may be missing, as large ones have their rows."""
        return {key for each in self._live() for key in each.gone}

    def _live(self) -> list[Compaction]:
        return [live for each in self.compactions if (live := each.live) is not None]

    def lake_files(self, commits: Iterable[Commit]) -> list[DataFile]:
        """Files that hold these commits' rows: large ones where any of the small ones they replace may be gone."""
        replaced = {key: each for each in self._live() if each.gone for key in each.sources}
        found: dict[str, DataFile] = {}
        for commit in commits:
            for file in commit.files:
                for now in replaced[file.key].files if file.key in replaced else (file,):
                    found[now.key] = now
        return list(found.values())

    def leftovers(self) -> list[str]:
        """Files in the listing that no commit object names: of a batch that has not finished or was given up."""
        named = {file.key for commit in self.commits for file in (*commit.files, *commit.quarantine)}
        return sorted(key for key in self.sizes if key not in named)


def _sizes(bucket: Bucket, prefix: str) -> dict[str, int]:
    return {entry.key: entry.size for entry in bucket.entries(prefix)}


def read_rows(bucket: Bucket, files: Iterable[DataFile]) -> Iterator[FileRows]:
    """Ids and places of the rows of lake files, several files at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(lambda file: _rows(bucket, file), files)


def _rows(bucket: Bucket, file: DataFile) -> FileRows:
    stored = bucket.get(file.key)
    if stored is None:
        return FileRows(file, Ids.empty(), np.empty(0, np.int64))
    quarantined = file.key.startswith(layout.QUARANTINE)
    names = ["partition", "offset"] if quarantined else ["kafka_partition", "kafka_offset", "event_id"]
    table = pq.read_table(io.BytesIO(stored.body), columns=names, use_threads=False)
    places = place(table.column(0).to_numpy(), table.column(1).to_numpy())
    return FileRows(file, Ids.empty() if quarantined else Ids.of_column(table.column(2)), places)
