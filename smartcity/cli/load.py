"""`smartcity load`: the lake's finished batches into the warehouse, then the star."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartcity.cli.context import Context, of
from smartcity.errors import UsageError

if TYPE_CHECKING:
    from smartcity.pipeline.access import Scope
    from smartcity.pipeline.warehouse import Landing, LoadReport, Source, Warehouse


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(load)


def load(
    context: typer.Context,
    table: Annotated[
        str | None, typer.Option(help="Only this table: vehicle, gps, camera, weather, emergency.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only days from this one on, as YYYY-MM-DD.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Delete what is there (of these days) and load it anew.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Load what the warehouse does not have yet; each file of the lake once.

    Example: smartcity load --since 2026-03-01
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    ours.console.json_errors = as_json
    tables = _tables(table)
    _checked_day(since)
    landing = landing_of(ours)
    with ours.console.activity("reading commit objects") as change:
        every = stop.list_sources(landing.s3, landing.bucket)
        wanted = [source for source in every if source.table in tables and (since is None or source.dt >= since)]
        stop.ensure_schema(landing.warehouse, landing.schema)
        stop.ensure_star(landing.warehouse, landing.schema)
        for name in tables if full else ():
            stop.forget(landing.warehouse, landing.schema, name, since)
        report = stop.land(landing, wanted, lambda so_far: change(f"{so_far.rows} rows of {so_far.files} files"))
        change("building the star")
        days = stop.build_star(landing.warehouse, landing.schema)
    _finish(ours, landing, wanted, report, days=days, as_json=as_json)


def _finish(
    ours: Context, landing: Landing, wanted: list[Source], report: LoadReport, *, days: list[str], as_json: bool
) -> None:
    from smartcity.pipeline import warehouse as stop

    refused = {key for key, _ in report.refused}
    compared = [source for source in wanted if source.key not in refused]
    seen = {source.dt for source in wanted}
    tables = sorted({source.table for source in wanted})
    left = [d for d in stop.differences(landing.warehouse, landing.schema, compared, tables) if d.dt in seen]
    checks = stop.check_star(landing.warehouse, landing.schema)
    body: dict[str, Any] = {
        "files": report.files,
        "rows": report.rows,
        "already_there": report.skipped,
        "days": sorted(days),
        "refused": [{"file": key, "error": text} for key, text in report.refused],
        "differences": [vars(item) for item in left],
        "broken_checks": [check.name for check in checks if check.broken],
    }
    if as_json:
        ours.console.json(body)
    else:
        ours.console.text(
            f"{report.rows} rows of {report.files} files loaded, {report.skipped} files were there already; "
            f"star built for {len(days)} days; {len(checks)} checks"
        )
    stop.require_complete(report, left)
    stop.require_sound(checks)


def landing_of(ours: Context) -> Landing:
    """The warehouse and the lake, with the loader's credentials."""
    from smartcity.pipeline import access
    from smartcity.pipeline import warehouse as stop

    settings = ours.settings
    role_arn, scope = ensure_access(ours)
    credentials = access.assume(ours.clients.aws("sts"), scope.role_arn("loader"), "smartcity-load")
    s3, client = ours.clients.aws("s3", **credentials), ours.clients.aws("redshift-data", **credentials)
    return stop.Landing(s3, warehouse_of(ours, client), settings.aws.bucket, settings.redshift.db_schema, role_arn)


def warehouse_of(ours: Context, client: Any = None) -> Warehouse:
    """Where SQL goes, by the settings."""
    from smartcity.pipeline import warehouse as stop

    redshift = ours.settings.redshift
    return stop.Warehouse(
        client or ours.clients.aws("redshift-data"),
        redshift.database,
        None if redshift.cluster else redshift.workgroup,
        redshift.cluster,
        redshift.db_user,
        redshift.timeout_s,
    )


def ensure_access(ours: Context) -> tuple[str, Scope]:
    """The ARN of the role that COPY assumes; local AWS gets its warehouse and roles on first use.

    On an account both must exist: making them costs money or needs an administrator, so it is asked for.
    """
    from smartcity.cli.access import scope_of
    from smartcity.pipeline import access, warehouse

    scope = scope_of(ours)
    arn = scope.role_arn("warehouse")
    if ours.settings.aws.target != "local":
        return arn, scope
    iam, redshift = ours.clients.aws("iam"), ours.settings.redshift
    access.ensure_role(iam, access.ACTORS["warehouse"](scope), scope.project)
    group = warehouse.ensure_serverless(ours.clients.aws("redshift-serverless"), redshift.workgroup, arn, redshift.rpus)
    scope = replace(scope, warehouse_arn=group["workgroupArn"])
    access.ensure_role(iam, access.ACTORS["loader"](scope), scope.project)
    return arn, scope


def _tables(table: str | None) -> list[str]:
    from smartcity.events import TOPICS

    if table is not None and table not in TOPICS:
        raise UsageError(f"There is no table {table}.", f"The tables are: {', '.join(TOPICS)}.")
    return [table] if table else list(TOPICS)


def _checked_day(since: str | None) -> None:
    import datetime as dt

    if since is not None:
        try:
            dt.date.fromisoformat(since)
        except ValueError:
            raise UsageError(f"--since takes a day, not {since!r}.", "Example: --since 2026-03-01") from None
