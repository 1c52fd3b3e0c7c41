"""Trino's start and appetite: what its flags and start-up cache save, against the JVM's defaults in the same run.

    python bench/trino.py [--rounds 3]

Needs its jars (smartcity up fetches them) and no service: the engine that it starts has a lake that does not answer.
Rounds of the variants alternate; the best of each counts, as other load only adds. The first run makes the cache.
"""

from __future__ import annotations

import argparse
import secrets
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import psutil

from smartcity.services import trino
from smartcity.services.jars import read_lock
from smartcity.services.trino_classes import MAIN_CLASS
from smartcity.services.trino_config import Engine, Lake
from smartcity.services.trino_training import make_cache
from smartcity.settings import load

#: bytes of Maven's archives trino-server-core and trino-hive of this version, which hold the same
ARCHIVES_MB = 194.4 + 257.9
NEEDED = tuple(flag for flag in trino.JVM_FLAGS if not flag.startswith(("-XX:+UseSerialGC", "-XX:Meta")))
WORK = "SELECT sum(sqrt(x * y)) FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 4000)) b(y)"


@dataclass(frozen=True)
class Variant:
    """A way to start it, by its JVM flags."""

    name: str
    flags: Sequence[str]


@dataclass(frozen=True)
class Start:
    """One start: seconds to the first answer, seconds of processor time until then, MB resident, seconds of `WORK`."""

    wall_s: float
    cpu_s: float
    rss_mb: float
    work_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    download()
    settings = load()
    make_cache(settings, Event())
    program = trino.trino_program(settings)
    variants = [
        Variant("JVM's defaults", NEEDED),
        Variant("serial GC", trino.JVM_FLAGS),
        Variant("serial GC, C1 only", (*trino.JVM_FLAGS, trino.QUICK_COMPILER)),
        Variant("serial GC, cache", (*trino.JVM_FLAGS, *program.cache.flags)),
        Variant("the same, C1 only", (*trino.JVM_FLAGS, trino.QUICK_COMPILER, *program.cache.flags)),
    ]
    found: dict[str, list[Start]] = {variant.name: [] for variant in variants}
    for _ in range(rounds):
        for variant in variants:
            found[variant.name].append(start(program, variant))
    report(found)


def download() -> None:
    """How much comes from Maven, against the two archives."""
    groups = read_lock()
    for name in ("trino", "trino-hive", "trino-iceberg"):
        jars = groups[name].jars
        print(f"{name:<22}{len(jars):>5} jars {sum(jar.size for jar in jars) / 1e6:>7.1f} MB")
    distinct = {jar.sha256: jar.size for name in ("trino", "trino-hive") for jar in groups[name].jars}
    total = sum(distinct.values()) / 1e6
    share = total / ARCHIVES_MB
    print(f"{'without iceberg':<22}{len(distinct):>5} jars {total:>7.1f} MB, {share:.2f} of two archives\n")


def start(program: trino.TrinoProgram, variant: Variant) -> Start:
    """Start, ask, work, stop."""
    with TemporaryDirectory(prefix="bench-trino-") as scratch:
        engine = Engine(Path(scratch), free_port(), 640, trino.project_limits(load()))
        program.link_plugins(engine)
        trino.ensure_token(engine)
        engine.write(Lake("http://127.0.0.1:9", "eu-west-2", "s3://nowhere/", "none", "none"), secrets.token_hex(32))
        classes = ":".join(map(str, program.server))
        argv = [str(program.java.executable), *variant.flags, "-Xmx640m", f"-Dconfig={engine.config}"]
        begin = time.perf_counter()
        with (Path(scratch) / "output").open("wb") as output:
            process = subprocess.Popen([*argv, "-cp", classes, MAIN_CLASS], cwd=scratch, stdout=output, stderr=output)
        try:
            while not trino.is_ready(engine, 5.0):
                assert process.poll() is None, (Path(scratch) / "output").read_text()[-2000:]
                time.sleep(0.02)
            wall = time.perf_counter() - begin
            seen = psutil.Process(process.pid)
            cpu = seen.cpu_times()
            rss = seen.memory_info().rss / 1e6
            begin = time.perf_counter()
            assert trino.select(engine, WORK, 120.0)
            return Start(wall, cpu.user + cpu.system, rss, time.perf_counter() - begin)
        finally:
            process.kill()
            process.wait()


def report(found: dict[str, list[Start]]) -> None:
    """A table of the best of each, with ratios to the first variant."""
    print(f"{'':<22}{'first answer':>18}{'processor time':>20}{'resident':>12}{'40 M rows':>16}")
    reference = best(next(iter(found.values())))
    for name, starts in found.items():
        one = best(starts)
        print(
            f"{name:<22}{one.wall_s:>9.1f} s ×{one.wall_s / reference.wall_s:>5.2f}"
            f"{one.cpu_s:>11.1f} s ×{one.cpu_s / reference.cpu_s:>5.2f}{one.rss_mb:>9.0f} MB"
            f"{one.work_s:>8.1f} s ×{one.work_s / reference.work_s:>4.2f}"
        )


def best(starts: Sequence[Start]) -> Start:
    """The best of each figure."""
    return Start(
        min(one.wall_s for one in starts),
        min(one.cpu_s for one in starts),
        min(one.rss_mb for one in starts),
        min(one.work_s for one in starts),
    )


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
