"""`smartcity run`: the whole pipeline, one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smartcity.cli.context import Context, of

if TYPE_CHECKING:
    from smartcity.report import Report


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


def run(
    context: typer.Context,
    route: Annotated[str, typer.Option(help="A route by name (smartcity routes list), or a GPX or CSV file.")] = (
        "london-birmingham"
    ),
    seed: Annotated[int, typer.Option(help="The same seed and start give the same trip.")] = 1,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Departure, such as 2026-03-01T07:00Z; else three hours ago.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """All of it on this machine: start the services, drive a car, stream, crawl, query, verify.

    Example: smartcity run
    """
    from smartcity.cli.times import moment
    from smartcity.journey import STEPS, Options, Run

    ours = of(context)
    ours.console.json_errors = as_json
    options = Options(route, seed, moment(start) if start else None)
    with ours.console.steps(STEPS) as steps:
        report = Run(ours.clients, ours.runtime, options, steps).execute()
    if as_json:
        ours.console.json(report.as_json())
        return
    _summarise(ours, report)


def _summarise(ours: Context, report: Report) -> None:
    from smartcity.console import fitting

    console = ours.console
    for answer in report.answers:
        console.text(f"\n{saved_title(answer.name)}")
        shown = fitting(answer.columns, answer.rows, console.width)
        console.rows(answer.columns[:shown], [row[:shown] for row in answer.rows])
        if shown < len(answer.columns):
            left = ", ".join(answer.columns[shown:])
            console.text(f"Too wide for this terminal: {left}. All: smartcity query --named {answer.name} …")
    console.rows(
        ("topic", "produced", "stored", "quarantined", "sent again"),
        [
            (topic, n, report.stored[topic], report.quarantined[topic], report.duplicates[topic])
            for topic, n in report.produced.items()
        ],
    )
    produced, stored = sum(report.produced.values()), sum(report.stored.values())
    console.text(f"Trip {report.trip_id}: {produced:,} events produced, {stored:,} stored, in {report.seconds:.1f} s.")
    for remark in report.remarks:
        console.say(f"Note: {remark}")
    settings = ours.settings
    console.text(f"\nKafka {settings.kafka_bootstrap}   AWS {settings.aws_endpoint_url or settings.aws.region}")
    console.text("Try next:")
    console.text('  smartcity query "SELECT road, avg(speed_kmh) FROM vehicle GROUP BY road"')
    console.text('  eval "$(smartcity status -o env)" && aws s3 ls --recursive s3://' + settings.aws.bucket + "/lake/")
    console.text("  smartcity down")


def saved_title(name: str) -> str:
    """The title of a saved query."""
    from smartcity.queries import saved_query

    return saved_query(name).title
