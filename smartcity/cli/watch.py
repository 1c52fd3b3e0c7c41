"""`smartcity watch`: how fresh the pipeline is, step by step."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from smartcity.cli.context import Context, of
from smartcity.cli.stream import stop_asked
from smartcity.cli.verify import bucket_of

_COLUMNS = ("topic", "broker_s", "batch_s", "file_s", "waiting", "newest_day", "in_catalog")


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)


def watch(
    context: typer.Context,
    every: Annotated[str, typer.Option(metavar="TIME", help="Time between looks, such as 2s.")] = "2s",
    once: Annotated[bool, typer.Option("--once", help="Look once, then end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per topic and look.")] = False,
) -> None:
    """Seconds since the newest event, the last batch and its files, per topic; events waiting; and the catalog.

    Example: smartcity watch --once
    """
    from smartcity.pipeline.stream import trigger_ms

    ours = of(context)
    ours.console.json_errors = as_json
    pause_s = trigger_ms(every) / 1000
    with stop_asked() as asked:
        while True:
            _look(ours, as_json)
            if once or asked.wait(pause_s):
                return


def _look(ours: Context, as_json: bool) -> None:
    from smartcity.events import TOPICS
    from smartcity.pipeline import freshness
    from smartcity.spark_job.source import KafkaBroker

    broker, admin = KafkaBroker(ours.clients.kafka_admin), ours.clients.kafka_admin
    broker.topic_ids(tuple(TOPICS))
    ends = broker.ends(tuple(TOPICS))
    rungs = freshness.ladder(
        bucket_of(ours),
        ends,
        freshness.newest_events(admin, ends),
        glue=ours.clients.aws("glue"),
        database=ours.settings.aws.database,
    )
    rows = [tuple(asdict(rung)[name] for name in _COLUMNS) for rung in rungs]
    ours.console.rows(_COLUMNS, rows, "json" if as_json else "table")
