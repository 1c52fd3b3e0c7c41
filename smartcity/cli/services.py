"""`smartcity up | down | status | logs`: the services of this machine."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smartcity.cli.context import Context, of
from smartcity.errors import UsageError

if TYPE_CHECKING:
    from smartcity.services import ServiceStatus

SERVICES = ("aws", "kafka", "trino")


def add(app: typer.Typer) -> None:
    """Add the four commands."""
    for command in (up, down, status, logs):
        app.command()(command)


def up(
    context: typer.Context,
    service: Annotated[list[str] | None, typer.Argument(help="aws, kafka, trino; all if none is named.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when all of them answer.")] = True,
) -> None:
    """Start what is not running; nothing happens to what is.

    Example: smartcity up
    """
    from smartcity import start

    ours = of(context)
    names = _checked(service)
    with ours.console.download() as progress:
        start.prepare(ours.settings, progress)
    for event in start.start(ours.runtime, names, wait_s=ours.settings.start_timeout_s if wait else None):
        ours.console.say(event)


def down(
    context: typer.Context,
    service: Annotated[list[str] | None, typer.Argument(help="aws, kafka, trino; all if none is named.")] = None,
    purge: Annotated[bool, typer.Option("--purge", help="Delete all data of this project as well.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.")] = False,
) -> None:
    """Stop the services; data stay unless --purge.

    Example: smartcity down --purge --yes
    """
    ours = of(context)
    if purge and service:
        raise UsageError("--purge deletes the data of all services.", "Leave the service names away.")
    if purge and not yes:
        typer.confirm(f"Delete everything below {ours.settings.data_dir}?", abort=True, err=True)
    for name in ours.runtime.stop(_checked(service)):
        ours.console.say(f"{name} stopped")
    if purge:
        ours.runtime.purge()
        ours.console.say(f"Deleted {ours.settings.data_dir}")


def status(
    context: typer.Context,
    output: Annotated[
        Literal["table", "json", "env"],
        typer.Option("-o", "--output", help="As a table, JSON, or exports for a shell."),
    ] = "table",
) -> None:
    """What runs, where it answers and what it takes.

    Example: eval "$(smartcity status -o env)"; aws s3 ls
    """
    ours = of(context)
    ours.console.json_errors = output == "json"
    if output == "env":
        _env(ours)
        return
    found = ours.runtime.status()
    if output == "json":
        ours.console.json([vars(service) for service in found])
        return
    _table(ours, found)


def logs(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="aws, kafka or trino; all if none is named.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines are added.")] = False,
) -> None:
    """The services' own logs.

    Example: smartcity logs kafka -f
    """
    ours = of(context)
    names = _checked([service] if service else None)
    if follow and len(names) > 1:
        raise UsageError("-f follows one service.", "Example: smartcity logs kafka -f")
    for name in names:
        for line in ours.runtime.logs(name, follow=follow):
            ours.console.text(line if len(names) == 1 else f"{name}: {line}")


def _checked(names: list[str] | None) -> list[str]:
    unknown = sorted(set(names or ()) - set(SERVICES))
    if unknown:
        raise UsageError(f"There is no service {', '.join(unknown)}.", f"The services are: {', '.join(SERVICES)}.")
    return list(names or SERVICES)


def _env(ours: Context) -> None:
    from smartcity.environment import exports

    for name, value in exports(ours.clients).items():
        ours.console.text(f"export {name}={shlex.quote(value)}")


def _table(ours: Context, found: list[ServiceStatus]) -> None:
    ours.console.rows(
        ("service", "state", "pid", "address", "RSS MB", "up s"),
        [(s.name, s.state, s.pid, s.address, _rounded(s.rss_mb), _rounded(s.uptime_s)) for s in found],
    )
    total_mb = sum(s.rss_mb or 0 for s in found)
    ours.console.text(f"{total_mb:.0f} MB in all; data in {ours.settings.data_dir}")


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
