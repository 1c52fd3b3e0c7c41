"""JDK 25's AOT caches: classes loaded and linked in a training run, so that later starts skip that work (JEP 483, 514).

A cache serves only the very Java, class path and flags that it was made with: its file's name carries a digest of
them, so a stale one is never looked at; a broken one the JVM passes over (a flipped bit crashes it unless it verifies).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcity.services.java import Java
    from smartcity.settings import Settings


@dataclass(frozen=True)
class AotCache:
    """The cache of one program. Without JDK 25 it never exists and its flags are empty."""

    file: Path
    possible: bool

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return self.possible and self.file.exists()

    @property
    def flags(self) -> list[str]:
        """JVM flags that use it; the JVM checks its sums first and starts without it, silently, when they are wrong."""
        if not self.exists:
            return []
        return [f"-XX:AOTCache={self.file}", "-XX:+VerifySharedSpaces", "-Xlog:aot*=off"]

    @property
    def partial(self) -> Path:
        """Where a training run writes, so that nobody sees half a cache."""
        return self.file.with_suffix(".partial")

    @property
    def training_flags(self) -> list[str]:
        """JVM flags of the run that makes it when it exits."""
        return [f"-XX:AOTCacheOutput={self.partial}"]

    def publish(self) -> bool:
        """Put a finished training run's cache in place, and delete those that it replaces."""
        if not self.partial.exists():
            return False
        program = self.file.name.rsplit("-", 1)[0]
        for old in self.file.parent.glob(f"{program}-*.aot"):
            old.unlink(missing_ok=True)
        self.partial.replace(self.file)
        return True


def aot_cache(
    settings: Settings, program: str, java: Java, classpath: Sequence[Path], flags: Sequence[str]
) -> AotCache:
    """The AOT cache of `program` as run by this Java with this class path and these flags."""
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in classpath]
    digest = hashlib.sha256(repr((java.identity, stats, list(flags))).encode()).hexdigest()[:16]
    return AotCache(settings.cache_dir / "aot" / f"{program}-{digest}.aot", java.has_aot_cache)
