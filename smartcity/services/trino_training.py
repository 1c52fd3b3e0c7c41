"""The training run behind Trino's start-up cache, which saves a third of the processor time of every start.

It costs some forty seconds of processor time, too much for a first run to wait for. So it happens after Trino was
first stopped, in a process of its own with the lowest priority, which ends by itself:
`python -m smartcity.services.trino_training`.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Timer
from typing import TYPE_CHECKING

from smartcity.errors import SmartCityError
from smartcity.services import ports
from smartcity.services.disk import exclusive
from smartcity.services.training import running, wait_until
from smartcity.services.trino import QUICK_COMPILER, ensure_token, is_ready, project_limits, select, trino_program
from smartcity.services.trino_config import Engine, Lake
from smartcity.settings import load

if TYPE_CHECKING:
    from smartcity.settings import Settings

_READY_S = 120.0
_WRITE_S = 240.0
_WHOLE_S = 400.0
_HEAP_MB = 640

#: what most queries do, without a lake: its connector's classes lie beyond the cache's reach anyway
_QUERIES = (
    "SELECT count(*), sum(x), avg(y), max(z) FROM (VALUES (1, 2e0, 'a'), (2, NULL, 'b')) t(x, y, z) GROUP BY z",
    "SELECT x, row_number() OVER (PARTITION BY x % 2 ORDER BY x DESC) FROM UNNEST(sequence(1, 100)) t(x) LIMIT 5",
    "WITH a AS (SELECT x FROM UNNEST(sequence(1, 50)) t(x)) SELECT a.x FROM a JOIN a b ON a.x = b.x WHERE a.x > 3",
    "SELECT json_extract_scalar('{\"a\":1}', '$.a'), date_trunc('hour', now()), 'a' LIKE '%a'",
    "SELECT DISTINCT round(x / 3.0, 2) FROM UNNEST(sequence(1, 9)) t(x) UNION ALL SELECT 1 ORDER BY 1",
    "EXPLAIN SELECT 1",
    "SELECT nothing",
)


def make_cache(settings: Settings, stop: Event) -> bool:
    """Make the cache unless it is there or cannot be; False where none was made: `stop` was set, or it failed."""
    program = trino_program(settings)
    cache = program.cache
    if cache.exists or not cache.possible:
        return False
    cache.file.parent.mkdir(parents=True, exist_ok=True)
    with (
        suppress(SmartCityError, OSError),
        exclusive(cache.file.parent / ".lock-trino", 0.0, "Another training run"),
        TemporaryDirectory(dir=cache.file.parent, prefix="training-", ignore_cleanup_errors=True) as scratch,
    ):
        engine = Engine(Path(scratch), _free_port(), _HEAP_MB, project_limits(settings))
        program.link_plugins(engine)
        ensure_token(engine)
        engine.write(Lake("http://127.0.0.1:9", "eu-west-2", "s3://nowhere/", "none", "none"), secrets.token_hex(32))
        with running(program.argv(engine, [*cache.training_flags, QUICK_COMPILER]), engine.folder, stop, _WRITE_S):
            wait_until(lambda: is_ready(engine, 5.0), _READY_S, stop)
            for query in _QUERIES:
                select(engine, query, 30.0)
        return not stop.is_set() and cache.publish()
    return False


def start_in_background(settings: Settings) -> None:
    """Begin a training run in a process of its own, unless there is nothing to do, and return at once."""
    if not settings.java.start_caches:
        return
    try:
        cache = trino_program(settings).cache
    except SmartCityError:
        return
    if cache.exists or not cache.possible:
        return
    known = {"SMARTCITY_CACHE_DIR": str(settings.cache_dir.absolute())}
    if settings.java.home is not None:
        known["SMARTCITY_JAVA__HOME"] = str(settings.java.home.absolute())
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "smartcity.services.trino_training"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=settings.cache_dir,
        env={**_without_settings(), **known},
        start_new_session=True,
    )
    child.returncode = 0  # disowned: it outlives us, and Popen must not warn about that


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SMARTCITY_")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ports.LOOPBACK, 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Make the cache, with the lowest priority and a limit on the whole."""
    os.nice(19)
    stop = Event()
    limit = Timer(_WHOLE_S, stop.set)
    limit.daemon = True
    limit.start()
    make_cache(load(), stop)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
