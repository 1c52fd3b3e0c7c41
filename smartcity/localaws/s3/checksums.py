"""The checksums that S3 accepts, fed piece by piece."""

from __future__ import annotations

import base64
import hashlib
import importlib
from collections.abc import Callable
from typing import Any, Protocol

#: Names as in `x-amz-checksum-<name>`.
_CYCLIC = {"crc32": ("CRC32", 4), "crc32c": ("CRC32C", 4), "crc64nvme": ("CRC64-NVME", 8)}
ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5")


class Digest(Protocol):
    """What hashlib's objects offer and we use."""

    def update(self, data: Any, /) -> None:
        """Take the next piece."""

    def digest(self) -> bytes:
        """The checksum of everything so far, big-endian."""
        ...


class _Cyclic:
    """A CRC behind hashlib's interface; `step` takes a piece and the value so far."""

    def __init__(self, step: Callable[[Any, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: Any, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def new_digest(algorithm: str) -> Digest:
    """An empty digest; raises `ValueError` for what S3 does not know."""
    if algorithm in _CYCLIC:
        anycrc: Any = importlib.import_module("anycrc")  # it declares no exports, so a plain import has no types
        model, size = _CYCLIC[algorithm]
        return _Cyclic(anycrc.Model(model).calc, size)
    if algorithm in ("sha1", "sha256", "sha512", "md5"):
        return hashlib.new(algorithm, usedforsecurity=False)
    raise ValueError(algorithm)


def encoded(digest: Digest) -> str:
    """As S3 writes checksums: base64."""
    return base64.b64encode(digest.digest()).decode()
