"""How fast cars reach Kafka, against the loop that the field uses and against Kafka's own ProducerPerformance.

    python bench/simulate.py [--data-dir DIR] [--port 23600] [--vehicles 100] [--rounds 3] [--cars 1000]

Starts a broker of its own. All figures of a round come from the same broker and records of the same size; the ratio is
between medians of the rounds. `--cars` is the fleet whose memory is measured (0: leave it out).
"""

from __future__ import annotations

import argparse
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smartcity.clients import Clients
from smartcity.ledger import LedgerWriter
from smartcity.pipeline import broker
from smartcity.services import find_java, prepare, runtime_for
from smartcity.services.ivy import Dependency, Request, run_ivy
from smartcity.services.jars import classpath
from smartcity.settings import Settings, load
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.routes import find

START_S = 1_772_434_800
FLUSHED = 3_000
TOOLS = Dependency("org.apache.kafka", "kafka-tools", "4.3.1")
MEMORY = """
import sys
import psutil
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.routes import find
plan = Plan(find("london-birmingham"), 1, 1772434800, int(sys.argv[1]), 0, duration_s=int(sys.argv[2]))
events, peak, me = 0, 0, psutil.Process()
for number, batch in enumerate(Fleet(plan).batches()):
    events += len(batch)
    if number % 20 == 0:
        peak = max(peak, me.memory_info().rss)
print(events, peak // 2**20)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--port", type=int, default=23_600)
    parser.add_argument("--vehicles", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cars", type=int, default=1_000)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the broker is stopped
    with tempfile.TemporaryDirectory() as scratch:
        kafka: Any = {"port": asked.port}
        settings = load(data_dir=asked.data_dir or Path(scratch) / "data", kafka=kafka)
        prepare(settings, lambda _label, _done, _total: None)
        runtime = runtime_for(settings)
        try:
            runtime.start("kafka")
            runtime.wait_ready("kafka", 60)
            compare(settings, asked.vehicles, asked.rounds, Path(scratch))
        finally:
            runtime.stop(["kafka"])
    if asked.cars:
        memory(asked.cars)


def compare(settings: Settings, vehicles: int, rounds: int, scratch: Path) -> None:
    """The table of rates and ratios, and where the time goes."""
    clients = Clients(settings)
    broker.ensure_topics(clients.kafka_admin, settings.kafka)
    tools = fetch_tools(settings)
    bare, whole = record_sizes()
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, measure in {
            "produce + flush per event": lambda: flush_each(clients),
            "simulate, with headers": lambda: simulate(clients, vehicles, scratch, headers=True),
            f"ProducerPerformance, {whole} B": lambda: producer_performance(settings, tools, vehicles, whole),
            "simulate, without headers": lambda: simulate(clients, vehicles, scratch, headers=False),
            f"ProducerPerformance, {bare} B": lambda: producer_performance(settings, tools, vehicles, bare),
            "simulate, made but not sent": lambda: make_only(vehicles),
        }.items():
            rates.setdefault(name, []).append(measure())
    medians = {name: statistics.median(found) for name, found in rates.items()}
    base = medians["produce + flush per event"]
    print(f"\n{'':32}{'events/s':>12}{'× flush each':>14}{'µs/event':>10}")
    for name, rate in medians.items():
        print(f"{name:32}{rate:12,.0f}{rate / base:14.1f}{1e6 / rate:10.2f}")
    for what, size in (("with", whole), ("without", bare)):
        ratio = medians[f"simulate, {what} headers"] / medians[f"ProducerPerformance, {size} B"]
        print(f"simulate {what} headers against ProducerPerformance with records of {size} B: {ratio:.2f}")
    print(f"peak RSS of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def record_sizes() -> tuple[int, int]:
    """Mean length of our records: the value alone, and with the names and values of its headers."""
    batches = list(Fleet(_plan(1, 600)).batches())
    values = [value for batch in batches for value in batch.values]
    bare = sum(map(len, values)) // len(values)
    headers = {**broker.headers_of("vehicle", "car-0001"), "ce_id": b"-" * 36}
    return bare, bare + sum(len(name) + len(value) for name, value in headers.items())


def _plan(vehicles: int, duration_s: int | None = None) -> Plan:
    return Plan(find("london-birmingham"), 1, START_S, vehicles, duration_s=duration_s)


def _timed(count: Callable[[], int]) -> float:
    began = time.perf_counter()
    events = count()
    return events / (time.perf_counter() - began)


def flush_each(clients: Clients) -> float:
    """The loop of the field: one produce and one flush per event, default producer, same bytes and headers."""
    batches = [batch for batch in Fleet(_plan(1, 900)).batches() if batch.topic in {"vehicle", "gps"}]
    producer = clients.producer(**{"linger.ms": 5, "batch.size": 1_000_000, "compression.type": "none"})

    def run() -> int:
        sent = 0
        for batch in batches:
            headers = broker.headers_of(batch.topic, batch.key)
            for value in batch.values:
                if sent == FLUSHED:
                    return sent
                producer.produce(batch.topic, value, batch.key, headers={**headers, "ce_id": value[13:49]})
                producer.flush()
                sent += 1
        return sent

    return _timed(run)


def simulate(clients: Clients, vehicles: int, scratch: Path, *, headers: bool) -> float:
    """What `smartcity simulate --speed max --frames none` does, ledger and all."""
    with LedgerWriter(scratch / str(uuid.uuid4())) as ledger:
        producer = clients.producer(**broker.PRODUCER)
        batches = Fleet(_plan(vehicles)).batches()
        return _timed(lambda: broker.send(producer, batches, ledger, timeout_s=60, headers=headers).events)


def make_only(vehicles: int) -> float:
    """The events without sending them."""
    return _timed(lambda: sum(len(batch) for batch in Fleet(_plan(vehicles)).batches()))


def fetch_tools(settings: Settings) -> Path:
    """The jar with ProducerPerformance, through the same mirror as the others."""
    cache = settings.cache_dir / "bench"
    run_ivy(settings, Request([TOOLS], cache, purpose="ProducerPerformance"))
    return next(cache.rglob(f"{TOOLS.name}-{TOOLS.version}.jar"))


def producer_performance(settings: Settings, tools: Path, vehicles: int, size: int) -> float:
    """Kafka's own load generator, acknowledged by all, with records as long as ours."""
    records = vehicles * 19_000
    jars = ":".join(map(str, [tools, *classpath(settings, "kafka")]))
    command = [str(find_java(settings).executable), "-cp", jars, "org.apache.kafka.tools.ProducerPerformance"]
    command += ["--topic", "vehicle", "--num-records", str(records), "--record-size", str(size), "--throughput", "-1"]
    properties = ["acks=all", f"bootstrap.servers={settings.kafka_bootstrap}", "compression.type=lz4", "linger.ms=50"]
    made = subprocess.run([*command, "--producer-props", *properties], capture_output=True, text=True, check=False)
    told = re.findall(r"^(\d+) records sent, ([\d.]+) records/sec", made.stdout, re.MULTILINE)
    if not told:
        raise SystemExit(f"ProducerPerformance failed: {made.stdout[-300:]} {made.stderr[-800:]}")
    return float(told[-1][1])


def memory(cars: int) -> None:
    """Peak memory of making events, for twice as many events at a time."""
    print(f"\n{cars} cars, all at once{'events':>14}{'peak RSS':>12}")
    for minutes in (10, 20, 40):
        made = subprocess.run(
            [sys.executable, "-c", MEMORY, str(cars), str(minutes * 60)], capture_output=True, text=True, check=True
        )
        events, peak = map(int, made.stdout.split())
        print(f"{minutes:>4} min of driving {events:>18,} {peak:>8} MB")


if __name__ == "__main__":
    main()
