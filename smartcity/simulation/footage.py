"""Pictures and where they are kept: a picture is stored before the event that names it exists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from smartcity.errors import UsageError
from smartcity.simulation.noise import IntArray
from smartcity.simulation.scene import Scene


class FrameStore(Protocol):
    """A place for pictures."""

    def uri(self, key: str) -> str:
        """The address of a picture."""
        ...

    def put(self, frames: Sequence[tuple[str, bytes]]) -> None:
        """Store pictures under their keys; returns when all of them are there."""
        ...


@dataclass(frozen=True)
class Shot:
    """A picture that has been stored."""

    uri: str
    sha256: str
    size: int


@dataclass(frozen=True)
class FrameTaker:
    """Takes pictures into a store: every `every_s` seconds of a dash camera and at each mast, or all (None)."""

    store: FrameStore
    every_s: int | None = None

    def __post_init__(self) -> None:
        if self.every_s is not None and self.every_s < 1:
            raise UsageError("Pictures cannot be taken more often than every second.", "Use --frames every:10s.")

    def wanted(self, since_s: IntArray, passed: IntArray) -> IntArray:
        """Which camera events come with a picture."""
        if self.every_s is None:
            return np.arange(len(since_s))
        return np.flatnonzero((passed >= 0) | (since_s % max(self.every_s // 10 * 10, 10) == 0))

    def take(self, scenes: Sequence[tuple[str, Scene]]) -> list[Shot]:
        """Draw and store pictures."""
        from smartcity.simulation.frames import draw

        frames = [(key, draw(scene)) for key, scene in scenes]
        self.store.put(frames)
        return [Shot(self.store.uri(key), hashlib.sha256(jpeg).hexdigest(), len(jpeg)) for key, jpeg in frames]
