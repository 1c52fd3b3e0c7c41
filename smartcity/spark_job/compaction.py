"""The record of one day's compaction: which small files which large ones replace, and how far it has come.

building   the large files are being written; nobody reads them
switched   the catalog's partition points to the large files; the small ones still lie in the lake
retired    the small files are being, or have been, deleted
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Literal

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
    sources: tuple[str, ...]  #: keys of the lake's files whose rows it has
    files: tuple[DataFile, ...]
    switched_at: float = 0.0  #: Unix seconds
    gone: tuple[str, ...] = ()  #: those of the sources that may have been deleted
    base: Compaction | None = None  #: while building: the generation that is live until the switch

    @property
    def key(self) -> str:
        """Where this record lies."""
        return layout.compaction_key(self.table, self.dt)

    @property
    def prefix(self) -> str:
        """Where the large files lie, and where files that come later for this day are copied to."""
        return layout.compacted_prefix(self.table, self.dt, self.generation)

    @property
    def homes(self) -> tuple[str, ...]:
        """Where a late file must be copied to."""
        return (self.prefix, self.base.prefix) if self.base else (self.prefix,)

    @property
    def live(self) -> Compaction | None:
        """The generation whose files hold the day's rows, if the catalog was ever switched."""
        return self.base if self.state == "building" else self

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
        return cls._of(json.loads(body))

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Compaction:
        base = data.pop("base")
        files = tuple(DataFile(**file) for file in data.pop("files"))
        sources, gone = tuple(data.pop("sources")), tuple(data.pop("gone"))
        return cls(**data, sources=sources, gone=gone, files=files, base=cls._of(base) if base else None)


def read_compaction(bucket: Bucket, table: str, dt: str) -> tuple[Compaction, Stored] | None:
    """The record of a day and its version, or None if the day was never compacted."""
    stored = bucket.get(layout.compaction_key(table, dt))
    return None if stored is None else (Compaction.from_json(stored.body), stored)


def is_closed(dt: str, today: date) -> bool:
    """Whether a day may have been compacted: two midnights have passed, so that clocks may differ by a day."""
    return dt < (today - timedelta(days=1)).isoformat()


def copy_late(bucket: Bucket, key: str, compaction: Compaction) -> None:
    """Bring a file that came after the compaction of its day to where the day's rows are read."""
    for home in compaction.homes:
        bucket.copy(key, home + key.rpartition("/")[2])


def read_compactions(bucket: Bucket) -> Iterator[Compaction]:
    """Every day that was ever compacted."""
    for entry in bucket.entries(layout.COMPACTIONS):
        stored = bucket.get(entry.key)
        if stored is not None:
            yield Compaction.from_json(stored.body)
