"""How long services take to start, as ratios to a bare broker start in the same run: `python bench/startup.py`.

Reference: the median of warm starts of Kafka without a start-up cache. "cold" formats the log folder first. Everything
happens in a scratch folder on free ports; jars and caches are the user's own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import psutil

from smartcity.services import kafka_training, prepare, process
from smartcity.services.kafka import kafka_program, kafka_service
from smartcity.services.native import NativeRuntime
from smartcity.services.spec import Command
from smartcity.settings import Settings, load

ROUNDS = 5

Timed = tuple[float, float]  # seconds, and seconds of processor time


def _free_pair() -> int:
    return kafka_training.free_ports()


def _started(settings: Settings, runtime: NativeRuntime) -> Timed:
    """One start of the broker until it answers, and its processor time until then."""
    begin = time.perf_counter()
    runtime.start("kafka")
    runtime.wait_ready("kafka", 120)
    seconds = time.perf_counter() - begin
    record = process.PidFiles(settings.folder.run).read("kafka")
    assert record is not None
    cpu = sum(psutil.Process(record.pid).cpu_times()[:2])
    return seconds, cpu


def _median(times: list[Timed]) -> Timed:
    return statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times)


def _round(settings: Settings, runtime: NativeRuntime) -> Timed:
    timed = _started(settings, runtime)
    runtime.stop()
    return timed


def _without_cache(settings: Settings) -> NativeRuntime:
    """A runtime whose command lines have the cache's flags taken out."""
    spec = kafka_service(settings)
    flags = set(kafka_program(settings).cache.flags)

    def command() -> Command:
        assert spec.command is not None
        made = spec.command()
        return replace(made, argv=[part for part in made.argv if part not in flags])

    return NativeRuntime(settings, {"kafka": replace(spec, command=command)})


def _second_up(settings: Settings) -> Timed:
    """A new Python process that finds everything running, from its start to its end."""
    script = (
        "from smartcity.services import prepare, runtime_for; from smartcity.settings import load; settings = load();"
        "prepare(settings, lambda *_: None); runtime = runtime_for(settings);"
        "runtime.start('kafka'); runtime.wait_ready('kafka', 60)"
    )
    known = {"SMARTCITY_DATA_DIR": str(settings.data_dir), "SMARTCITY_KAFKA__PORT": str(settings.kafka.port)}
    before = os.times()
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], env={**os.environ, **known}, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begin, cpu


def _spark(settings: Settings, cached: bool) -> Timed:
    """Spark's session in a process of its own, up to the first answer."""
    without = "spark.spark_cache = lambda *_: aot.AotCache(pathlib.Path('none'), False);" if not cached else ""
    script = (
        "import pathlib; from smartcity.services import aot, spark; from smartcity.settings import load;"
        f"{without} session = spark.start_spark(load(), 'bench', {{}}); session.range(10).count();"
        "spark.stop_spark(session)"
    )
    before, begin = os.times(), time.perf_counter()
    known = {**os.environ, "SMARTCITY_DATA_DIR": str(settings.data_dir)}
    subprocess.run([sys.executable, "-c", script], env=known, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begin, cpu


def _rows(settings: Settings) -> dict[str, Timed]:
    plain, cached = _without_cache(settings), NativeRuntime(settings, {"kafka": kafka_service(settings)})
    rows = {"kafka cold, formats its folder": _round(settings, plain)}
    turns: list[tuple[Timed, Timed]] = [(_round(settings, plain), _round(settings, cached)) for _ in range(ROUNDS)]
    rows["kafka warm (reference)"] = _median([one for one, _ in turns])
    rows["kafka warm, start-up cache"] = _median([one for _, one in turns])
    _started(settings, cached)
    try:
        rows["second up, everything runs"] = _median([_second_up(settings) for _ in range(3)])
    finally:
        cached.stop()
    spark: dict[str, Callable[[], Timed]] = {
        "spark session": lambda: _spark(settings, cached=False),
        "spark session, start-up cache": lambda: _spark(settings, cached=True),
    }
    for name, measure in spark.items():
        rows[name] = _median([measure() for _ in range(2)])
    return rows


def main() -> int:
    """Print the table."""
    with TemporaryDirectory(prefix="smartcity-bench-") as scratch:
        flags = {"kafka": {"port": _free_pair()}, "java": {"start_caches": False}}
        settings = load(data_dir=Path(scratch), **flags)
        prepare(settings, lambda _label, _done, _total: None)
        kafka_training.make_cache(settings, Event())
        rows = _rows(settings)
    wall, cpu = rows["kafka warm (reference)"]
    print(f"{'':34}{'seconds':>9}{'ratio':>7}{'CPU s':>9}{'ratio':>7}   load {os.getloadavg()[0]:.1f}")
    for name, (seconds, used) in rows.items():
        print(f"{name:34}{seconds:9.2f}{seconds / wall:7.2f}{used:9.2f}{used / cpu:7.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
