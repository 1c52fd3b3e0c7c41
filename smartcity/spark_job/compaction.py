"""The record of one day's compaction: which small files which large ones replace, and how far it has come.

building   the large files are being written; nobody reads them
switched   the catalog's partition points to the large files; the small ones still lie in the lake
retired    the small files are being, or have been, deleted
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from smartcity import layout
from smartcity.spark_job.commits import DataFile
from smartcity.spark_job.store import Bucket, Stored

State = Literal["building", "switched", "retired"]


@dataclass(frozen=True)
class Compaction:
    """One generation of a closed day of a table."""

    table: str
    dt: str
    generation: str
    state: State
    sources: tuple[str, ...]  #: keys of the files it was made of
    files: tuple[DataFile, ...]
    switched_at: float = 0.0  #: Unix seconds

    @property
    def key(self) -> str:
        """Where this record lies."""
        return layout.compaction_key(self.table, self.dt)

    @property
    def prefix(self) -> str:
        """Where the large files lie, and where files that come later for this day are copied to."""
        return layout.compacted_prefix(self.table, self.dt, self.generation)

    @property
    def rows(self) -> int:
        """Rows of the large files."""
        return sum(file.rows for file in self.files)

    def to_json(self) -> bytes:
        """As stored."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Compaction:
        """The reverse."""
        data = json.loads(body)
        files = tuple(DataFile(**file) for file in data.pop("files"))
        return cls(**{**data, "sources": tuple(data["sources"]), "files": files})


def read_compaction(bucket: Bucket, table: str, dt: str) -> tuple[Compaction, Stored] | None:
    """The record of a day and its version, or None if the day was never compacted."""
    stored = bucket.get(layout.compaction_key(table, dt))
    return None if stored is None else (Compaction.from_json(stored.body), stored)


def read_compactions(bucket: Bucket) -> Iterator[Compaction]:
    """Every day that was ever compacted."""
    for entry in bucket.entries(layout.COMPACTIONS):
        stored = bucket.get(entry.key)
        if stored is not None:
            yield Compaction.from_json(stored.body)
