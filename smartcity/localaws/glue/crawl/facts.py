"""What a crawler knows of one object: its format, columns and rows. Remembered by ETag, so nothing is read twice."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from smartcity.localaws.glue.crawl.listing import S3Object
from smartcity.localaws.glue.crawl.types import GlueType

if TYPE_CHECKING:
    from smartcity.localaws.glue.crawl.reader import Reader

PARQUET, CSV, JSON, UNKNOWN_FORMAT = "parquet", "csv", "json", "unknown"

#: Bytes of a text file that are read to classify it, as AWS's classifiers do.
SAMPLE_BYTES = 1 << 20

Columns = tuple[tuple[str, GlueType], ...]


@dataclass(frozen=True)
class Facts:
    """`rows` is exact for Parquet and for texts read to their end, else estimated. `options` belong to the format."""

    format: str
    columns: Columns = ()
    rows: int = 0
    compression: str = "none"
    options: tuple[tuple[str, str], ...] = field(default=())

    @property
    def signature(self) -> tuple[Any, ...]:
        """What must be equal in all files of a table: the way they are read."""
        return self.format, self.compression, self.options

    def to_json(self) -> dict[str, Any]:
        """As stored in the crawler's memory."""
        return asdict(self)

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> Facts:
        """As read from the crawler's memory."""
        return cls(
            doc["format"],
            tuple((name, kind) for name, kind in doc["columns"]),
            doc["rows"],
            doc["compression"],
            tuple((name, value) for name, value in doc["options"]),
        )


def read_facts(reader: Reader, item: S3Object) -> Facts:
    """Look into an object: its name decides what is tried first, its content what it is.

    Raises botocore's `ClientError` as S3 answers it. What no classifier knows is UNKNOWN.
    """
    from smartcity.localaws.glue.crawl import parquet_facts, text_facts

    if not item.key.endswith((".csv", ".json", ".jsonl", ".ndjson", ".txt", ".tsv", ".gz")):
        tail = reader.read(item, f"bytes=-{parquet_facts.TAIL_BYTES}")
        if parquet_facts.is_parquet(tail):
            return parquet_facts.from_tail(tail, lambda size: reader.read(item, f"bytes=-{size}"))
    return text_facts.from_sample(reader.read(item, f"bytes=0-{SAMPLE_BYTES - 1}"), item.size)
