"""`smartcity doctor`: each thing this machine must offer, whether it does, and the remedy."""

from __future__ import annotations

from typing import Annotated

import typer

from smartcity.cli.context import of
from smartcity.errors import ExitCode


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per check.")] = False,
) -> None:
    """Check this machine: Python, Java, jars, disk, ports, services, credentials.

    Example: smartcity doctor
    """
    from smartcity.doctor import examine

    ours = of(context)
    ours.console.json_errors = as_json
    checks = list(examine(ours.settings, ours.runtime))
    ours.console.rows(
        ("check", "state", "found", "remedy"),
        [(check.name, check.state, check.found, check.remedy) for check in checks],
        "json" if as_json else "table",
    )
    if any(check.state == "missing" for check in checks):
        raise typer.Exit(ExitCode.PREREQUISITE)
