"""What producers sent and brokers acknowledged, as a file of their own: the one side of the balance `verify` draws.

Each run of a producer has a folder with `acknowledged.bin`, and `unacknowledged.bin` if events failed (those may or
may not be in Kafka). A file is a sequence of runs: consecutive offsets of one partition, written after the broker
confirmed them, each guarded by a checksum, so that a file cut off by a crash is read up to the cut. An event costs
16 bytes, and reading needs the memory of one batch.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from smartcity.errors import PrerequisiteError

if TYPE_CHECKING:
    import pyarrow as pa

ACKNOWLEDGED = "acknowledged.bin"
UNACKNOWLEDGED = "unacknowledged.bin"
#: Offset of an event that was acknowledged after a retry which the broker knew already: stored, but where is unknown.
UNKNOWN_OFFSET = -1
ID_BYTES = 16

#: Mark, length of topic and trip id, partition, first offset, events, checksum of all that follows the head.
_HEAD = struct.Struct("<4sHHiqII")
_MARK = b"SCL1"
_LONGEST_RUN = 1_000_000


@dataclass(frozen=True)
class Run:
    """Events of a trip at consecutive offsets; all have the offset `UNKNOWN_OFFSET` if the first one has."""

    topic: str
    partition: int
    first_offset: int
    ids: bytes
    trip_id: str

    def __len__(self) -> int:
        return len(self.ids) // ID_BYTES


class LedgerWriter:
    """Appends to the ledger of one run of a producer. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, IO[bytes]] = {}

    @classmethod
    def new(cls, ledger: Path) -> LedgerWriter:
        """A writer in a fresh folder below `ledger`, named after the time and the process."""
        return cls(ledger / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}")

    def acknowledged(self, run: Run) -> None:
        """Record events that the broker confirmed."""
        self._append(ACKNOWLEDGED, run)

    def unacknowledged(self, run: Run) -> None:
        """Record events of which nobody knows whether they arrived."""
        self._append(UNACKNOWLEDGED, run)

    def _append(self, name: str, run: Run) -> None:
        topic, trip = run.topic.encode(), run.trip_id.encode()
        body = topic + trip + run.ids
        head = _HEAD.pack(
            _MARK, len(topic), len(trip), run.partition, run.first_offset, len(run), zlib.crc32(body) & 0xFFFFFFFF
        )
        try:
            self._file(name).write(head + body)
        except OSError as error:
            raise PrerequisiteError(
                f"The ledger in {self.folder} cannot be written: {error.strerror}.",
                "Free some space or set SMARTCITY_DATA_DIR to another folder.",
            ) from None

    def _file(self, name: str) -> IO[bytes]:
        if name not in self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files[name] = (self.folder / name).open("ab")
        return self._files[name]

    def flush(self) -> None:
        """Hand what was recorded to the operating system."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Flush, make durable, and close."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        self._files.clear()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stretches(offsets: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Consecutive offsets as (first offset, start, stop); known and unknown ones apart."""
    start = 0
    size = len(offsets)
    if size and offsets[0] >= 0 and offsets[-1] - offsets[0] == size - 1 and min(offsets) == offsets[0]:
        yield offsets[0], 0, size
        return
    for index in range(1, size + 1):
        here = offsets[index] if index < size else None
        before = offsets[index - 1]
        if here is not None and (here == before + 1 if before >= 0 else here < 0):
            continue
        yield max(offsets[start], UNKNOWN_OFFSET), start, index
        start = index


def folders(ledger: Path) -> list[Path]:
    """The folders of all runs of producers, oldest first."""
    return sorted(path for path in ledger.iterdir() if path.is_dir()) if ledger.is_dir() else []


def runs(file: Path) -> Iterator[Run]:
    """The runs of a file, up to the first one that is incomplete or damaged; none if there is no such file."""
    if not file.is_file():
        return
    with file.open("rb") as stream:
        while run := _read_run(stream):
            yield run


def _read_run(stream: IO[bytes]) -> Run | None:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    mark, topic_length, trip_length, partition, first_offset, events, checksum = _HEAD.unpack(head)
    if mark != _MARK or events > _LONGEST_RUN:
        return None
    body = stream.read(topic_length + trip_length + events * ID_BYTES)
    if len(body) < topic_length + trip_length + events * ID_BYTES or zlib.crc32(body) & 0xFFFFFFFF != checksum:
        return None
    ids_from = topic_length + trip_length
    topic, trip = body[:topic_length].decode(), body[topic_length:ids_from].decode()
    return Run(topic, partition, first_offset, body[ids_from:], trip)


def schema() -> pa.Schema:
    """Columns of what `read` yields."""
    import pyarrow as pa

    return pa.schema(
        [
            ("topic", pa.string()),
            ("partition", pa.int32()),
            ("offset", pa.int64()),
            ("event_id", pa.binary(ID_BYTES)),
            ("trip_id", pa.string()),
        ]
    )


def read(ledger: Path, name: str = ACKNOWLEDGED, rows_per_batch: int = 65_536) -> Iterator[pa.RecordBatch]:
    """Everything that all producers recorded, in record batches of about `rows_per_batch` rows."""
    pending: list[Run] = []
    waiting = 0
    for folder in folders(ledger):
        for run in runs(folder / name):
            pending.append(run)
            waiting += len(run)
            if waiting >= rows_per_batch:
                yield _record_batch(pending)
                pending, waiting = [], 0
    if pending:
        yield _record_batch(pending)


def _record_batch(found: list[Run]) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    lengths = [len(run) for run in found]
    rows = np.repeat(np.arange(len(found), dtype=np.int32), lengths)
    offsets = [
        np.full(len(run), UNKNOWN_OFFSET) if run.first_offset < 0 else run.first_offset + np.arange(len(run))
        for run in found
    ]
    ids = pa.Array.from_buffers(
        pa.binary(ID_BYTES), sum(lengths), [None, pa.py_buffer(b"".join(run.ids for run in found))]
    )
    columns = [
        pa.array([run.topic for run in found]).take(pa.array(rows)),
        pa.array(np.repeat(np.array([run.partition for run in found], dtype=np.int32), lengths)),
        pa.array(np.concatenate(offsets).astype(np.int64)),
        ids,
        pa.array([run.trip_id for run in found]).take(pa.array(rows)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema())


def count(ledger: Path, name: str = ACKNOWLEDGED) -> dict[str, int]:
    """Recorded events per topic, counted without reading their ids into a table."""
    totals: dict[str, int] = {}
    for folder in folders(ledger):
        for run in runs(folder / name):
            totals[run.topic] = totals.get(run.topic, 0) + len(run)
    return totals
