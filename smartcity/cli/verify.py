"""`smartcity verify`: is what was produced what is stored?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcity.cli.context import Context, of
from smartcity.errors import UsageError

if TYPE_CHECKING:
    from smartcity.pipeline.verify import Verification
    from smartcity.spark_job.store import Bucket

_COLUMNS = ("topic", "produced", "stored", "quarantined", "duplicates", "waiting", "lost", "unledgered")


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    context: typer.Context,
    trip: Annotated[str | None, typer.Option(help="Compare this trip's events only.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="First finish what a crash left half done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compare the producers' ledger with brokers, commit objects, files and rows, event by event.

    Example: smartcity verify
    """
    ours = of(context)
    ours.console.json_errors = as_json
    bucket = bucket_of(ours)
    if repair:
        for done in _repair(ours, bucket):
            ours.console.say(done)
    found = _verified(ours, bucket, trip)
    if trip and not any(check.produced for check in found.topics):
        raise UsageError(f"The ledger knows no trip {trip}.", "Leave --trip away to compare everything.")
    if as_json:
        ours.console.json({"ok": found.ok, **asdict(found)})
    else:
        _show(ours, found)
    found.require()


def bucket_of(ours: Context) -> Bucket:
    """The lake's bucket."""
    from smartcity.spark_job.store import Bucket

    return Bucket(ours.clients.aws("s3"), ours.settings.aws.bucket)


def _verified(ours: Context, bucket: Bucket, trip: str | None) -> Verification:
    from smartcity import ledger
    from smartcity.events import TOPICS
    from smartcity.pipeline import verify as stop
    from smartcity.spark_job.source import KafkaBroker

    broker = KafkaBroker(ours.clients.kafka_admin)
    broker.topic_ids(tuple(TOPICS))
    rows = ledger.read(ours.settings.folder.ledger)
    return stop.verify(bucket, rows, ends=broker.ends(tuple(TOPICS)), trip_id=trip)


def _repair(ours: Context, bucket: Bucket) -> Any:
    from smartcity.cli.stream import registrar
    from smartcity.pipeline import verify as stop

    yield from stop.repair(bucket, registrar(ours))


def _show(ours: Context, found: Verification) -> None:
    ours.console.rows(_COLUMNS, [tuple(asdict(check)[name] for name in _COLUMNS) for check in found.topics])
    for difference in found.differences:
        ours.console.say(difference, "bold red")
    ours.console.say(
        f"{found.rows:,} rows in {found.files:,} files of {found.commits:,} batches compared [{found.seconds:.1f}s]"
    )
