"""`smartcity stream`: Kafka → lake, until Ctrl-C or, with --once, until everything there is read."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcity.cli.context import Context, of

if TYPE_CHECKING:
    from smartcity.pipeline.stream import BatchReport
    from smartcity.spark_job.query import Stream


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(stream)


def stream(  # noqa: PLR0917  options of a command
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Read what is there, then end.")] = False,
    trigger: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time between batches, such as 500ms or 1s.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the stream; each has its own checkpoint.")] = "main",
    master: Annotated[str | None, typer.Option(help="Spark master: local[N], spark://… or k8s://….")] = None,
    metrics: Annotated[
        int | None, typer.Option(metavar="PORT", help="Answer Prometheus on this port of 127.0.0.1.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per batch.")] = False,
) -> None:
    """Read every topic, and store each event exactly once in the lake.

    Example: smartcity stream --once
    """
    ours = of(context)
    ours.console.json_errors = as_json
    ours.override("spark.trigger", trigger)
    ours.override("spark.master", master)
    with (
        ours.console.activity("Starting Spark") as now,
        _told(ours, name, metrics, as_json, now) as tell,
        running(ours, name, once, tell) as live,
        stop_asked() as asked,
    ):
        now("Streaming; Ctrl-C ends it")
        while live.running and not asked.wait(0.2):
            pass
        if not asked.is_set():
            live.wait()


@contextmanager
def running(ours: Context, name: str, once: bool, on_batch: Callable[[BatchReport], Any]) -> Iterator[Stream]:
    """Topics and bucket made sure of, Spark started, the stream running; all of it stopped at the end."""
    from smartcity.pipeline import broker, lake
    from smartcity.pipeline import stream as stop
    from smartcity.services.spark import start_spark, stop_spark

    settings, clients = ours.settings, ours.clients
    config = stop.stream_config(settings, name=name, once=once)
    s3, bucket = clients.aws("s3"), settings.aws.bucket
    lake.ensure_bucket(s3, bucket, settings.aws.region)
    broker.ensure_topics(clients.kafka_admin, settings.kafka)
    spark = start_spark(settings, f"{settings.project}-stream", stop.spark_options())
    try:
        live = stop.start(spark, s3, clients.kafka_admin, bucket, config, register=registrar(ours), on_batch=on_batch)
        try:
            yield live
        finally:
            live.stop()
    finally:
        stop_spark(spark)


def _send_job(spark: Any) -> None:
    """Let the executors import the parser."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from smartcity.pipeline.job_package import build_job_zip

    with TemporaryDirectory(prefix="smartcity-job-") as folder:
        spark.sparkContext.addPyFile(str(build_job_zip(Path(folder))))


def registrar(ours: Context) -> Callable[[frozenset[tuple[str, str]]], Any]:
    """Makes partitions known to Glue."""
    from smartcity.pipeline import catalog

    settings, glue = ours.settings, ours.clients.aws("glue")
    return lambda found: catalog.register_partitions(glue, settings.aws.database, settings.aws.bucket, set(found))


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the batch at hand is finished first."""
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: asked.set())
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told(
    ours: Context, name: str, port: int | None, as_json: bool, now: Callable[[str], None]
) -> Iterator[Callable[[BatchReport], None]]:
    """Where batches are told: stdout, and Prometheus if asked for."""
    from smartcity.pipeline.metrics import Metrics, MetricsServer

    figures = Metrics(name)
    server = MetricsServer(figures, port) if port is not None else None
    if server is not None:
        ours.console.say(f"Metrics at {server.address}")

    def tell(report: BatchReport) -> None:
        figures.add(report)
        if as_json:
            ours.console.json(asdict(report))
        else:
            ours.console.text(line(report))
        now(f"Streaming; {sum(report.lag.values()):,} events wait; Ctrl-C ends it")

    try:
        yield tell
    finally:
        if server is not None:
            server.close()


def line(report: BatchReport) -> str:
    """A batch as one line."""
    lag = " ".join(f"{topic} {number:,}" for topic, number in report.lag.items() if number) or "none"
    again = " (committed before)" if report.replayed else ""
    return (
        f"batch {report.batch}{again}: {report.rows:,} rows, {report.rows_per_s:,.0f} rows/s, {report.files} files, "
        f"{report.quarantined:,} quarantined, {report.duplicates:,} duplicates, {report.late:,} late, "
        f"lag {lag} [{report.seconds:.2f}s]"
    )
