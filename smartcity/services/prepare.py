"""Everything on this disk that the services need: Java, jars, unpacked folders, start-up caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from smartcity.services.disk import require_space, writable
from smartcity.services.jars import Progress, jar_store, read_lock
from smartcity.services.java import find_java
from smartcity.services.table import services

if TYPE_CHECKING:
    from smartcity.services.jars import JarStore
    from smartcity.settings import Settings

#: Below this much to fetch there is no waiting time in which a start-up cache would cost nothing.
_WORTH_WARMING_BYTES = 20_000_000


def prepare(settings: Settings, progress: Progress) -> None:
    """Java and all jars present and right. Milliseconds, and no network, when they are.

    Calls `progress(label, done_bytes, total_bytes)` while it fetches. Raises `PrerequisiteError`.
    """
    find_java(settings)
    store = jar_store(settings)
    with writable(settings.cache_dir, "cache_dir"), _beside() as warm_up:
        missing = _missing(settings, store)
        if missing:
            require_space(settings.cache_dir, sum(missing.values()) / 1e6 * 1.2 + 100, "Fetching jars", "cache_dir")
        for spec in services(settings).values():
            for group in spec.jar_groups:
                store.ensure(group, progress, settings.java.download_timeout_s)
                missing.pop(group, None)
            if spec.warm_up is not None and sum(missing.values()) > _WORTH_WARMING_BYTES:
                warm_up(spec.warm_up)
            if spec.prepare is not None:
                spec.prepare(progress)
        store.ensure("spark", progress, settings.java.download_timeout_s)


@contextmanager
def _beside() -> Iterator[Callable[[Callable[[Event], None]], object]]:
    """Run what it is given in a thread: to its end where all goes well, cut short on an error or Ctrl-C."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            yield lambda warm_up: pool.submit(warm_up, stop)
        except BaseException:
            stop.set()
            raise


def missing_jars_mb(settings: Settings) -> float:
    """How much `prepare` would fetch, in MB."""
    return sum(_missing(settings, jar_store(settings)).values()) / 1e6


def needed_groups(settings: Settings) -> list[str]:
    """The groups of jars that these settings need: the services' and Spark's."""
    named = [group for spec in services(settings).values() for group in spec.jar_groups]
    return [group for group in (*named, "spark") if group in read_lock()]


def _missing(settings: Settings, store: JarStore) -> dict[str, int]:
    sizes = {group: store.missing_bytes(group) for group in needed_groups(settings) if store.paths(group) is None}
    return {group: size for group, size in sizes.items() if size}
