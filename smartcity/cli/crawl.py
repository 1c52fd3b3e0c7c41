"""`smartcity crawl`: bring the catalog up to date with the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smartcity.cli.context import Context, of

if TYPE_CHECKING:
    from smartcity.pipeline.catalog import CrawlReport, TableDescription

_COLUMNS = ("table", "what", "partitions", "rows", "files", "bytes")


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(crawl)


def crawl(
    context: typer.Context,
    timeout: Annotated[float, typer.Option(min=1, help="Give up waiting after this many seconds.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run the crawler over the lake and show, per table, what changed.

    Example: smartcity crawl
    """
    from smartcity.pipeline import catalog

    ours = of(context)
    ours.console.json_errors = as_json
    settings, glue = ours.settings.aws, ours.clients.aws("glue")
    catalog.ensure_database(glue, settings.database)
    catalog.ensure_crawler(glue, settings.crawler, _role(ours), settings.bucket, settings.database)
    before = {table.name: table for table in catalog.describe_tables(glue, settings.database)}
    with ours.console.activity(f"crawler {settings.crawler}") as change:
        report = catalog.run_crawler(
            glue, settings.crawler, timeout, lambda state: change(f"crawler {settings.crawler}: {state}")
        )
    _show(ours, report, before, catalog.describe_tables(glue, settings.database), as_json)


def _role(ours: Context) -> str:
    """The ARN of the crawler's role, made if it does not exist yet."""
    from smartcity.pipeline import access

    settings = ours.settings
    account = ours.clients.aws("sts").get_caller_identity()["Account"]
    scope = access.Scope(settings.project, account, settings.aws.region, settings.aws.bucket, settings.aws.database)
    return access.ensure_role(ours.clients.aws("iam"), access.crawler_role(scope), settings.project)


def _show(
    ours: Context,
    report: CrawlReport,
    before: dict[str, TableDescription],
    after: list[TableDescription],
    as_json: bool,
) -> None:
    if as_json:
        tables = [{**vars(table), "what": what(before.get(table.name), table)} for table in after]
        ours.console.json({**vars(report), "tables": tables})
        return
    rows = [
        (table.name, what(before.get(table.name), table), table.partitions, table.rows, table.files, table.size_bytes)
        for table in after
    ]
    gone = sorted(before.keys() - {table.name for table in after})
    if not rows and not gone:
        ours.console.say(f"{ours.settings.aws.bucket} holds no data to catalog yet.")
        return
    ours.console.rows(_COLUMNS, [*rows, *((name, "deleted", None, None, None, None) for name in gone)])
    ours.console.say(f"Crawled in {report.seconds:.1f}s by {report.crawler}")


def what(before: TableDescription | None, after: TableDescription) -> str:
    """What happened to a table, in a few words."""
    if before is None:
        return "new"
    if before == after:
        return "unchanged"
    changes = []
    added = [name for name, _ in after.columns if name not in dict(before.columns)]
    if added:
        changes.append(f"columns {', '.join(added)}")
    elif before.columns != after.columns:
        changes.append("columns changed")
    if after.partitions != before.partitions:
        changes.append(f"{after.partitions - before.partitions:+d} partitions")
    if (after.rows or 0) != (before.rows or 0):
        changes.append(f"{(after.rows or 0) - (before.rows or 0):+d} rows")
    return ", ".join(changes) or "rewritten"
