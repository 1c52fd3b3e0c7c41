"""The bytes of an upload on their way in, and of an object on its way out."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from smartcity.localaws.s3.checksums import Digest, encoded, new_digest

#: Uploads up to this size stay in memory until they are stored.
IN_MEMORY_BYTES = 1 << 20
READ_BYTES = 1 << 20


class Upload:
    """A body being received: digests are computed as it passes, what is large goes to a scratch file."""

    def __init__(self, scratch: Path, algorithms: Iterable[str]) -> None:
        self.size = 0
        self.claimed: dict[str, str] = {}  #: checksums that the client gave, by algorithm
        self._scratch = scratch / uuid.uuid4().hex
        self._md5: Digest = hashlib.md5(usedforsecurity=False)
        self._digests = {name: new_digest(name) for name in algorithms}
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Take the next piece. Blocks: call it in a worker thread when it is large."""
        self.size += len(data)
        self._md5.update(data)
        for digest in self._digests.values():
            digest.update(data)
        if self._file is None and self.size <= IN_MEMORY_BYTES:
            self._pieces.append(data)
            return
        if self._file is None:
            self._file = self._scratch.open("xb", buffering=0)
            for piece in self._pieces:
                self._file.write(piece)
            self._pieces = []
        self._file.write(data)

    @property
    def etag(self) -> str:
        """MD5 in hexadecimal."""
        return self._md5.digest().hex()

    @property
    def md5(self) -> str:
        """MD5 in base64, as in Content-MD5."""
        return base64.b64encode(self._md5.digest()).decode()

    @property
    def checksums(self) -> dict[str, str]:
        """Algorithm → base64."""
        return {name: encoded(digest) for name, digest in self._digests.items()}

    def hexdigest(self, algorithm: str) -> str:
        """One of the requested digests in hexadecimal."""
        return self._digests[algorithm].digest().hex()

    def read_all(self) -> bytes:
        """The whole body, for the small XML bodies of S3's other calls."""
        if self._file is None:
            return b"".join(self._pieces)
        return self._scratch.read_bytes()

    def settle(self, target: Path) -> None:
        """Put the bytes at `target`, which must be on the scratch folder's file system."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._scratch.replace(target)
            return
        with target.open("xb", buffering=0) as stream:
            stream.write(b"".join(self._pieces))

    def discard(self) -> None:
        """Forget everything; harmless after `settle`."""
        self._pieces = []
        if self._file is not None:
            self._file.close()
            self._scratch.unlink(missing_ok=True)


@dataclass(frozen=True)
class Segment:
    """One file of an object and its size; an object of a multipart upload has one per part."""

    path: str  #: relative to the store's root
    size: int


class Content:
    """A range of an object, opened: what is deleted or overwritten meanwhile stays readable."""

    def __init__(self, root: Path, segments: Iterable[Segment], start: int, length: int) -> None:
        self.length = length
        self._files = list(_open_range(root, segments, start, length))

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of at most `READ_BYTES`. Blocks."""
        try:
            for file, offset, remaining in self._files:
                yield from _pieces(file, offset, remaining)
        finally:
            self.close()

    def close(self) -> None:
        """Close the files; harmless when repeated."""
        for file, _, _ in self._files:
            file.close()


def _open_range(
    root: Path, segments: Iterable[Segment], start: int, length: int
) -> Iterator[tuple[BinaryIO, int, int]]:
    position, end = 0, start + length
    for segment in segments:
        low, high = max(start, position), min(end, position + segment.size)
        if low < high:
            yield (root / segment.path).open("rb", buffering=0), low - position, high - low
        position += segment.size


def _pieces(file: BinaryIO, offset: int, remaining: int) -> Iterator[bytes]:
    descriptor = file.fileno()
    while remaining > 0:
        piece = os.pread(descriptor, min(READ_BYTES, remaining), offset)
        if not piece:
            raise OSError("an object's file is shorter than its record")
        yield piece
        offset += len(piece)
        remaining -= len(piece)
