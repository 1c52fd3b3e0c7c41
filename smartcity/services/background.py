"""Making start-up caches when nobody waits for them: `python -m smartcity.services.background`.

After a service was stopped or a run has ended, a process of its own makes the caches that are missing, one after the
other and with the lowest priority, and ends by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from threading import Event, Timer
from typing import TYPE_CHECKING

from smartcity.errors import ServiceError, SmartCityError
from smartcity.services import kafka_training, spark_training
from smartcity.services.disk import exclusive
from smartcity.services.jars import classpath
from smartcity.services.java import find_java
from smartcity.services.kafka import kafka_program
from smartcity.services.spark import spark_cache
from smartcity.settings import load

if TYPE_CHECKING:
    from smartcity.services.aot import AotCache
    from smartcity.settings import Settings

_WHOLE_S = 900.0


def make_spark_cache(settings: Settings) -> bool:
    """Make Spark's start-up cache now, which takes about a minute; False where it exists or could not be made.

    Raises `PrerequisiteError` where Java or jars are missing.
    """
    return spark_training.make_cache(settings, Event())


def missing_caches(settings: Settings) -> list[AotCache]:
    """The caches of Kafka and Spark that this Java could have and that are not there."""
    try:
        caches = [
            kafka_program(settings).cache,
            spark_cache(settings, find_java(settings), classpath(settings, "spark")),
        ]
    except SmartCityError:
        return []
    return [cache for cache in caches if cache.possible and not cache.exists]


def make_caches_in_background(settings: Settings) -> bool:
    """Begin to make what is missing, and return at once; False where there is nothing to do.

    `java.start_caches` = false forbids it, for machines where every second of processor time is counted.
    """
    if not settings.java.start_caches or not missing_caches(settings):
        return False
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "smartcity.services.background"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=settings.cache_dir,
        env={**_without_settings(), **_settings_of_the_cache(settings)},
        start_new_session=True,
    )
    child.returncode = 0  # disowned: it outlives us, and Popen must not warn about that
    return True


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SMARTCITY_")}


def _settings_of_the_cache(settings: Settings) -> dict[str, str]:
    known = {"SMARTCITY_CACHE_DIR": str(settings.cache_dir.absolute())}
    if settings.java.home is not None:
        known["SMARTCITY_JAVA__HOME"] = str(settings.java.home.absolute())
    return known


def main() -> int:
    """Make the caches, Spark's first since it saves most. A second such process ends at once."""
    os.nice(19)
    settings, stop = load(), Event()
    limit = Timer(_WHOLE_S, stop.set)
    limit.daemon = True
    limit.start()
    lock = settings.cache_dir / "aot" / ".lock-background"
    with suppress(ServiceError), exclusive(lock, 0.0, "Another training run"):
        spark_training.make_cache(settings, stop)
        kafka_training.make_cache(settings, stop)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
