"""Results in S3: written while rows arrive, read back page by page, both in flat memory.

A result is one CSV object. Beside it we remember at which byte each thousandth line begins, so that a page is one
ranged read. A read fetches some megabytes ahead and keeps them for a few seconds: pages are asked for in a row.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.athena import csvfile
from smartcity.localaws.athena.locations import Location
from smartcity.localaws.athena.values import Column

PAGE_LINES = 1000  #: GetQueryResults returns at most this many rows
_PART_BYTES = 8 << 20  #: size of a part of a multipart upload; S3's minimum is 5 MiB
_AHEAD_BYTES = 4 << 20
_KEEP_S = 5.0
_KEPT_RANGES = 8


@dataclass
class Writer:
    """Writes one result CSV. Call `write` with the engine's rows, then `finish` or `abort`."""

    s3: Any
    target: Location
    columns: Sequence[Column]
    lines: int = 0
    size: int = 0
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    _buffer: bytearray = field(default_factory=bytearray)
    _upload_id: str | None = None
    _parts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._encoder = csvfile.Encoder(self.columns)
        self._add([csvfile.header(self.columns)])

    @property
    def content(self) -> bytes | None:
        """The whole result if it was small enough for one request."""
        return bytes(self._buffer) if self._upload_id is None else None

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows."""
        self._add(self._encoder.lines(rows))
        if len(self._buffer) >= _PART_BYTES:
            self._send_part()

    def _add(self, lines: list[str]) -> None:
        done = 0
        while done < len(lines):
            if self.lines % PAGE_LINES == 0:
                self.offsets.append(self.size)
            count = min(PAGE_LINES - self.lines % PAGE_LINES, len(lines) - done)
            chunk = "".join(lines[done : done + count]).encode()
            self._buffer += chunk
            self.size += len(chunk)
            self.lines += count
            done += count

    def _send_part(self) -> None:
        where = {"Bucket": self.target.bucket, "Key": self.target.key}
        if self._upload_id is None:
            self._upload_id = self.s3.create_multipart_upload(ContentType="text/csv", **where)["UploadId"]
        number = len(self._parts) + 1
        body = bytes(self._buffer)
        answer = self.s3.upload_part(UploadId=self._upload_id, PartNumber=number, Body=body, **where)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._buffer.clear()

    def finish(self) -> None:
        """Make the object appear, whole."""
        where = {"Bucket": self.target.bucket, "Key": self.target.key}
        if self._upload_id is None:
            self.s3.put_object(Body=bytes(self._buffer), ContentType="text/csv", **where)
            return
        if self._buffer:
            self._send_part()
        parts = {"Parts": self._parts}
        self.s3.complete_multipart_upload(UploadId=self._upload_id, MultipartUpload=parts, **where)

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._upload_id is not None:
            where = {"Bucket": self.target.bucket, "Key": self.target.key}
            self.s3.abort_multipart_upload(UploadId=self._upload_id, **where)


@dataclass(frozen=True)
class _Range:
    start: int
    content: bytes
    until: float


class Reader:
    """Reads lines of result CSVs out of S3."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._ranges: OrderedDict[tuple[str, int], _Range] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, target: Location, content: bytes) -> None:
        """Keep a result that has just been written: it will be asked for at once."""
        if len(content) <= _AHEAD_BYTES:
            self._remember(target.url, _Range(0, content, time.monotonic() + _KEEP_S))

    def lines(self, target: Location, offsets: bytes, size: int, first: int, count: int) -> list[list[str | None]]:
        """Lines `first` to `first + count` as cells (fewer at the end); the header is line 0."""
        index = array("Q", offsets)
        page = first // PAGE_LINES
        if page >= len(index):
            return []
        last = -(-(first + count) // PAGE_LINES)
        stop = index[last] if last < len(index) else size
        text = self._bytes(target, index[page], stop, size).decode()
        skip = first - page * PAGE_LINES
        return csvfile.parse(text)[skip : skip + count]

    def text(self, target: Location) -> str:
        """A whole small object."""
        body: bytes = self._s3.get_object(Bucket=target.bucket, Key=target.key)["Body"].read()
        return body.decode()

    def _bytes(self, target: Location, start: int, stop: int, size: int) -> bytes:
        now = time.monotonic()
        with self._lock:
            for (url, begin), kept in list(self._ranges.items()):
                if kept.until < now:
                    del self._ranges[url, begin]
                elif url == target.url and begin <= start and stop <= begin + len(kept.content):
                    return kept.content[start - begin : stop - begin]
        ahead = min(max(stop, start + _AHEAD_BYTES), size)
        if ahead <= start:
            return b""
        answer = self._s3.get_object(Bucket=target.bucket, Key=target.key, Range=f"bytes={start}-{ahead - 1}")
        content: bytes = answer["Body"].read()
        self._remember(target.url, _Range(start, content, now + _KEEP_S))
        return content[: stop - start]

    def _remember(self, url: str, range_: _Range) -> None:
        with self._lock:
            self._ranges[url, range_.start] = range_
            while len(self._ranges) > _KEPT_RANGES:
                self._ranges.popitem(last=False)
