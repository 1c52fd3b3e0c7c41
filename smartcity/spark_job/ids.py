"""Event ids as pairs of 64-bit numbers, and the memory of those already stored.

A UUID's text is 36 bytes; a million of them as Python strings take 85 MB. Here an id is 16 bytes in two numpy
columns, decoded without a Python object per row.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]

UUID_CHARS = 36
_DASHES = np.array([8, 13, 18, 23])
_HEX = np.array([i for i in range(UUID_CHARS) if i not in (8, 13, 18, 23)])
_INVALID = 255
_NIBBLE = np.full(256, _INVALID, dtype=np.uint8)
for _value, _char in enumerate(b"0123456789abcdef"):
    _NIBBLE[_char] = _value


@dataclass(frozen=True)
class Ids:
    """Event ids, big-endian: `hi` holds the first 8 bytes of each UUID, `lo` the last 8."""

    hi: U64
    lo: U64

    def __len__(self) -> int:
        return len(self.hi)

    def take(self, which: Any) -> Ids:
        """The ids at these positions or under this mask."""
        return Ids(self.hi[which], self.lo[which])

    def checksum(self) -> str:
        """32 hex digits that depend on the multiset of ids, not on their order: both halves summed modulo 2^64."""
        hi, lo = (int(np.add.reduce(half, dtype=np.uint64)) for half in (self.hi, self.lo))
        return f"{hi:016x}{lo:016x}"

    @classmethod
    def empty(cls) -> Ids:
        """No ids."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint64))

    @classmethod
    def concat(cls, parts: list[Ids]) -> Ids:
        """All ids of `parts`, in order."""
        if not parts:
            return cls.empty()
        return cls(np.concatenate([p.hi for p in parts]), np.concatenate([p.lo for p in parts]))

    @classmethod
    def of_bytes(cls, sixteen: NDArray[np.uint8]) -> Ids:
        """From an (n, 16) array of UUID bytes."""
        halves = np.ascontiguousarray(sixteen).view(">u8").astype(np.uint64)
        return cls(np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]))

    @classmethod
    def of_column(cls, column: pa.Array | pa.ChunkedArray) -> Ids:
        """From an Arrow column of UUID texts that are known to be good, or of 16-byte binaries."""
        if isinstance(column, pa.ChunkedArray):
            return cls.concat([cls.of_column(chunk) for chunk in column.chunks])
        if pa.types.is_fixed_size_binary(column.type):
            raw = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.empty(0, np.uint8)
            start = column.offset * 16
            return cls.of_bytes(raw[start : start + len(column) * 16].reshape(-1, 16))
        ids, good = decode_uuids(column)
        if not good.all():
            raise ValueError(f"not a UUID: {column[int(np.argmin(good))].as_py()!r}")
        return ids


def char_matrix(column: pa.StringArray, width: int) -> NDArray[np.uint8] | None:
    """The column's texts as an (n, width) array of bytes, or None unless all are exactly `width` bytes and not null."""
    if len(column) == 0:
        return np.empty((0, width), np.uint8)
    if column.null_count:
        return None
    buffers = column.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)[column.offset : column.offset + len(column) + 1]
    if not (np.diff(offsets) == width).all():
        return None
    data = np.frombuffer(buffers[2], np.uint8)
    return data[offsets[0] : offsets[-1]].reshape(-1, width)


def decode_uuids(column: pa.StringArray) -> tuple[Ids, Mask]:
    """Ids of a text column and which of them are UUIDs in the canonical form (lower case, four dashes)."""
    chars = char_matrix(column, UUID_CHARS)
    if chars is None:
        return _decode_ragged(column)
    nibbles = _NIBBLE[chars[:, _HEX]]
    good: Mask = (nibbles != _INVALID).all(axis=1) & (chars[:, _DASHES] == ord("-")).all(axis=1)
    sixteen: NDArray[np.uint8] = (nibbles[:, 0::2] * np.uint8(16)) | nibbles[:, 1::2]
    return Ids.of_bytes(sixteen), good


def _decode_ragged(column: pa.StringArray) -> tuple[Ids, Mask]:
    """The same where some texts have another length: those are not UUIDs."""
    texts = ["" if text is None else text for text in column.to_pylist()]
    right = np.array([len(text.encode()) == UUID_CHARS for text in texts], dtype=np.bool_)
    blank = "0" * 8 + "-0000-0000-0000-" + "0" * 12
    ids, good = decode_uuids(pa.array([t if ok else blank for t, ok in zip(texts, right, strict=True)], pa.string()))
    return ids, good & right


def repeated(ids: Ids) -> Mask:
    """Which ids occurred before in the same sequence."""
    order = np.lexsort((ids.lo, ids.hi))
    hi, lo = ids.hi[order], ids.lo[order]
    again = np.zeros(len(ids), np.bool_)
    again[order[1:]] = (hi[1:] == hi[:-1]) & (lo[1:] == lo[:-1])
    return again


@dataclass(frozen=True)
class Segment:
    """Ids sorted by `hi`, with the time each was stored (Unix seconds, 32 bits: until 2106)."""

    ids: Ids
    at: NDArray[np.uint32]

    def stored_at(self, ids: Ids) -> NDArray[np.int64]:
        """When each id was stored, or -1."""
        found = np.full(len(ids), -1, np.int64)
        last = len(self.at) - 1
        if last < 0 or not len(ids):
            return found
        place = np.searchsorted(self.ids.hi, ids.hi)
        pending = np.arange(len(ids))
        while len(pending):  # a second round only where first halves collide
            at = np.minimum(place[pending], last)
            same_hi = (self.ids.hi[at] == ids.hi[pending]) & (place[pending] <= last)
            match = same_hi & (self.ids.lo[at] == ids.lo[pending])
            found[pending[match]] = np.maximum(found[pending[match]], self.at[at[match]])
            pending = pending[same_hi]  # the same id may stand there again with another time
            place[pending] += 1
        return found

    def newer_than(self, limit_s: float) -> Segment:
        """Without the ids stored before `limit_s`."""
        keep = self.at >= max(0, limit_s)
        return self if keep.all() else Segment(self.ids.take(keep), self.at[keep])

    @classmethod
    def of(cls, ids: Ids, at_s: int | NDArray[np.uint32]) -> Segment:
        """Sorts the ids; all get the same time, or each its own."""
        order = np.lexsort((ids.lo, ids.hi))
        times = np.full(len(ids), at_s, np.uint32) if isinstance(at_s, int) else at_s[order]
        return cls(ids.take(order), times)


def merge(a: Segment, b: Segment) -> Segment:
    """Both segments as one: each id of the smaller finds its place in the larger, no new sort."""
    big, small = (a, b) if len(a.at) >= len(b.at) else (b, a)
    slots = np.searchsorted(big.ids.hi, small.ids.hi) + np.arange(len(small.at))
    total = len(big.at) + len(small.at)
    rest = np.ones(total, np.bool_)
    rest[slots] = False

    def weave(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        out = np.empty(total, x.dtype)
        out[slots] = y
        out[rest] = x
        return out

    return Segment(Ids(weave(big.ids.hi, small.ids.hi), weave(big.ids.lo, small.ids.lo)), weave(big.at, small.at))


class IdMemory:
    """The ids stored within the horizon: exact, 20 bytes each, in a handful of sorted segments.

    Segments are merged when they come near each other in size (as in a log-structured merge tree), so that a batch
    looks into a handful of them however many ids there are; what is older than the horizon goes at a merge.
    """

    GROWTH = 4  #: a segment is merged unless its elder is at least this many times larger

    def __init__(self, horizon_s: float) -> None:
        self.horizon_s = horizon_s
        self._segments: list[Segment] = []
        self._salt = np.uint64(secrets.randbits(64) | 1)

    def __len__(self) -> int:
        return sum(len(segment.at) for segment in self._segments)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(s.ids.hi.nbytes + s.ids.lo.nbytes + s.at.nbytes for s in self._segments)

    @property
    def segments(self) -> int:
        """How many arrays a lookup searches."""
        return len(self._segments)

    def seen(self, ids: Ids, now_s: float) -> Mask:
        """Which ids were stored within the horizon before `now_s`; does not remember anything."""
        latest = np.full(len(ids), -1, np.int64)
        ids = self._scrambled(ids)
        for segment in self._segments:
            latest = np.maximum(latest, segment.stored_at(ids))
        return (latest >= 0) & (latest >= now_s - self.horizon_s)

    def add(self, segment: Segment, now_s: float) -> None:
        """Remember what a committed batch stored."""
        if not len(segment.at):
            return
        limit = now_s - self.horizon_s
        segment = Segment.of(self._scrambled(segment.ids), segment.at)
        while self._segments and len(self._segments[-1].at) < self.GROWTH * len(segment.at):
            segment = merge(self._segments.pop().newer_than(limit), segment)
        self._segments.append(segment)

    def _scrambled(self, ids: Ids) -> Ids:
        """A bijection that depends on a secret: nobody can send ids whose first halves all collide here."""
        return Ids(ids.hi ^ (ids.lo * self._salt), ids.lo)
