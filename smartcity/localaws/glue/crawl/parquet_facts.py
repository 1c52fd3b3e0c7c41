"""A Parquet file's columns and rows from its footer alone: one ranged GET, a second one for very wide files."""

from __future__ import annotations

from collections.abc import Callable

from smartcity.localaws.glue.crawl.facts import PARQUET, UNKNOWN_FORMAT, Facts
from smartcity.localaws.glue.crawl.types import of_arrow

#: Enough for the footer of some dozens of columns and row groups.
TAIL_BYTES = 32 * 1024

_MAGIC = b"PAR1"
_TRAILER_BYTES = 8


def is_parquet(tail: bytes) -> bool:
    """The last bytes say so."""
    return len(tail) >= _TRAILER_BYTES and tail.endswith(_MAGIC)


def from_tail(tail: bytes, read_tail: Callable[[int], bytes]) -> Facts:
    """Facts from the last bytes of a file; `read_tail(n)` fetches more if the footer is longer.

    A footer that cannot be read makes the file unknown: a half-written or foreign file must not stop a crawl.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = int.from_bytes(tail[-_TRAILER_BYTES:-4], "little") + _TRAILER_BYTES
    if wanted > len(tail):
        tail = read_tail(wanted)
    try:
        metadata = pq.read_metadata(pa.BufferReader(_MAGIC + tail[-wanted:]))
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError):
        return Facts(UNKNOWN_FORMAT)
    columns = tuple((field.name.lower(), of_arrow(field.type)) for field in schema)
    return Facts(PARQUET, columns, metadata.num_rows)
