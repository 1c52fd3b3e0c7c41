"""`smartcity quarantine list | show | replay`: records that were refused."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from smartcity.cli.context import of
from smartcity.cli.verify import bucket_of

Topic = Annotated[str | None, typer.Option(help="Only of this topic.")]
Code = Annotated[str | None, typer.Option(help="Only of this kind, such as not_json.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


def add(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Records that were refused: list, show, replay.")
    group.command("list")(list_kinds)
    group.command()(show)
    group.command()(replay)
    app.add_typer(group, name="quarantine")


def list_kinds(context: typer.Context, topic: Topic = None, code: Code = None, as_json: Json = False) -> None:
    """How many records were refused, by topic, day and kind.

    Example: smartcity quarantine list
    """
    from smartcity.pipeline import quarantine

    ours = of(context)
    found = quarantine.summarise(quarantine.read(bucket_of(ours), topic=topic, code=code))
    columns = ("topic", "dt", "code", "records", "example")
    rows = [(each.topic, each.dt, each.code, each.records, each.example) for each in found]
    ours.console.rows(columns, rows, "json" if as_json else "table")


def show(
    context: typer.Context,
    topic: Topic = None,
    code: Code = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many records.")] = 20,
    as_json: Json = False,
) -> None:
    """Refused records one by one: where they stood, why, and what they hold.

    Example: smartcity quarantine show --topic gps --limit 5
    """
    from smartcity.pipeline import quarantine

    ours = of(context)
    columns = ("topic", "partition", "offset", "kafka_timestamp", "reason", "value")
    found = islice(quarantine.read(bucket_of(ours), topic=topic, code=code), limit)
    rows = [(r.topic, r.partition, r.offset, r.kafka_timestamp, r.reason, _text(r.value)) for r in found]
    ours.console.rows(columns, rows, "json" if as_json else "vertical")


def _text(value: bytes | None) -> Any:
    return None if value is None else value[:2000].decode("utf-8", "backslashreplace")


def replay(
    context: typer.Context,
    topic: Topic = None,
    code: Code = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent.")] = False,
) -> None:
    """Send again what today's contract accepts; nothing is sent twice.

    Example: smartcity quarantine replay --code unknown_version --dry-run
    """
    from smartcity.pipeline import quarantine

    ours = of(context)
    bucket = bucket_of(ours)
    records = quarantine.read(bucket, topic=topic, code=code)
    done = quarantine.replay(bucket, ours.clients.producer(), records, dry_run=dry_run)
    ours.console.say(
        f"{done.sent:,} records {'would be ' if dry_run else ''}sent, {done.still_bad:,} are still bad, "
        f"{done.sent_before:,} had been sent before"
    )
