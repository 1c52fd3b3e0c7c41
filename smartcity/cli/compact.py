"""`smartcity compact`: many small files of closed days become few large ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from smartcity.cli.context import of
from smartcity.cli.verify import bucket_of


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compact)


def compact(
    context: typer.Context,
    target_mb: Annotated[int, typer.Option(min=1, help="Size of the large files.")] = 128,
    min_files: Annotated[int, typer.Option(min=2, help="Leave days with fewer files alone.")] = 2,
    collect: Annotated[bool, typer.Option("--collect", help="Delete replaced files that no query reads.")] = False,
    grace_minutes: Annotated[float, typer.Option(min=0, help="How long replaced files are kept.")] = 60.0,
) -> None:
    """Merge the small files of days that ended more than a day ago; queries see each row once, all the while.

    Example: smartcity compact --collect
    """
    from smartcity.pipeline import compact as stop

    ours = of(context)
    bucket, glue, database = bucket_of(ours), ours.clients.aws("glue"), ours.settings.aws.database

    def tell(day: Any, done: Any) -> None:
        ours.console.say(f"{day.table} {day.dt}: {len(day.read)} files → {len(done.files)}, {done.rows:,} rows")

    today = datetime.now(UTC).date()
    done = stop.compact_all(
        bucket, glue, database, today, min_files=min_files, target_bytes=target_mb << 20, on_day=tell
    )
    if not done:
        ours.console.say("No closed day has files worth merging")
    if collect:
        gone = stop.collect(bucket, glue, database, grace_s=grace_minutes * 60)
        ours.console.say(f"{gone:,} replaced files deleted")
