"""`smartcity warehouse`: ask it, see its state, make it, let it rest, delete it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from smartcity.cli.context import Context, of
from smartcity.cli.load import ensure_access, warehouse_of
from smartcity.errors import UsageError

group = typer.Typer(
    no_args_is_help=True, help="The warehouse (Redshift): query, status, create, pause, resume, delete."
)


def add(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="warehouse")


@group.command()
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One statement in Redshift's SQL.")],
    how: Annotated[
        Literal["table", "csv", "json", "vertical"], typer.Option("--format", help="How to show rows.")
    ] = "table",
) -> None:
    """Send a statement to the warehouse and show its rows.

    Example: smartcity warehouse query "SELECT road, SUM(distance_km) FROM smartcity.fact_drive_minute GROUP BY 1"
    """
    ours = of(context)
    ours.console.json_errors = how == "json"
    names, rows = warehouse_of(ours).query(sql)
    count = ours.console.rows(names, rows, how)
    ours.console.say(f"{count} rows")


@group.command()
def status(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Tables and rows, how fresh they are, and the tests of the star.

    Example: smartcity warehouse status
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    ours.console.json_errors = as_json
    warehouse, schema = warehouse_of(ours), ours.settings.redshift.db_schema
    sizes = warehouse.rows(
        'SELECT "table", diststyle, sortkey1, tbl_rows FROM svv_table_info WHERE "schema" = :schema ORDER BY "table"',
        {"schema": schema},
    )
    fresh, checks = stop.freshness(warehouse, schema), stop.check_star(warehouse, schema)
    if as_json:
        tables = [dict(zip(("table", "diststyle", "sortkey", "rows"), row, strict=True)) for row in sizes]
        ours.console.json({"tables": tables, **fresh, "checks": [vars(check) for check in checks]})
        return
    ours.console.rows(("table", "distribution", "sort key", "rows"), sizes)
    ours.console.rows(("check", "rows that break it"), [(check.name, check.broken) for check in checks])
    ours.console.text(f"newest event {fresh['newest_event']}, last load {fresh['last_load']} UTC")
    stop.require_sound(checks)


@group.command()
def link(context: typer.Context) -> None:
    """Make the lake's catalog readable from the warehouse as schema `lake` (Spectrum).

    Example: smartcity warehouse link; smartcity warehouse query "SELECT COUNT(*) FROM lake.vehicle"
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    (role, _), aws = ensure_access(ours), ours.settings.aws
    stop.ensure_external_schema(warehouse_of(ours), "lake", aws.database, role)
    ours.console.say(f"Schema lake shows the catalog's database {aws.database}")


@group.command()
def create(
    context: typer.Context,
    kind: Annotated[Literal["serverless", "provisioned"], typer.Option(help="Which kind.")] = "serverless",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make a warehouse; the price is shown and asked about first.

    Example: smartcity warehouse create --kind serverless
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    redshift, account = ours.settings.redshift, ours.settings.aws.target == "account"
    serverless = kind == "serverless"
    if not account and not serverless:
        raise UsageError("Local AWS has Serverless only.", "Use: smartcity warehouse create --kind serverless")
    price = (
        stop.serverless_price(redshift.rpus, redshift.price_per_rpu_hour_usd)
        if serverless
        else stop.provisioned_price(redshift.node_type, redshift.nodes, redshift.price_per_node_hour_usd)
    )
    if account and not yes:
        typer.confirm(f"{price.sentence()}. Create it?", abort=True, err=True)
    role, _ = ensure_access(ours)
    if serverless:
        found = stop.ensure_serverless(ours.clients.aws("redshift-serverless"), redshift.workgroup, role, redshift.rpus)
        ours.console.say(f"Workgroup {redshift.workgroup} is {found['status']}. Next: smartcity access apply")
        return
    made = stop.create_cluster(ours.clients.aws("redshift"), _cluster(ours), role, redshift.node_type, redshift.nodes)
    ours.console.say(f"Cluster {made['ClusterIdentifier']} is {made['ClusterStatus']}")


@group.command()
def pause(context: typer.Context) -> None:
    """Stop paying for a provisioned cluster; Serverless rests by itself.

    Example: smartcity warehouse pause
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    ours.console.say(stop.pause_cluster(ours.clients.aws("redshift"), _cluster(ours)))


@group.command()
def resume(context: typer.Context) -> None:
    """Start a paused cluster.

    Example: smartcity warehouse resume
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    ours.console.say(stop.resume_cluster(ours.clients.aws("redshift"), _cluster(ours)))


@group.command()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The workgroup's or cluster's name, typed out: there is no --yes.")],
) -> None:
    """Delete the warehouse with its data; a cluster leaves a final snapshot.

    Example: smartcity warehouse delete smartcity
    """
    from smartcity.pipeline import warehouse as stop

    ours = of(context)
    redshift = ours.settings.redshift
    expected = redshift.cluster or redshift.workgroup
    if name != expected:
        raise UsageError(f"The warehouse of these settings is {expected}, not {name}.", "Nothing was deleted.")
    if redshift.cluster:
        ours.console.say(stop.delete_cluster(ours.clients.aws("redshift"), name))
        return
    stop.delete_serverless(ours.clients.aws("redshift-serverless"), name)
    ours.console.say(f"Deleted {name}")


def _cluster(ours: Context) -> str:
    name = ours.settings.redshift.cluster
    if not name:
        raise UsageError("No provisioned cluster is named.", "Name it with: --set redshift.cluster=NAME")
    return name
