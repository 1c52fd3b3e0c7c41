"""`smartcity routes list | show`: where cars can drive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smartcity.cli.context import of

if TYPE_CHECKING:
    from smartcity.simulation.routes import Route


def add(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Where cars can drive.", no_args_is_help=True)
    group.command("list")(list_routes)
    group.command("show")(show)
    app.add_typer(group, name="routes")


def list_routes(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per route.")] = False,
) -> None:
    """The routes of the package.

    Example: smartcity routes list
    """
    from smartcity.simulation.routes import SHIPPED, shipped

    rows = [_row(shipped(name)) for name in SHIPPED]
    of(context).console.rows(("route", "km", "points", "free_flow", "roads"), rows, "json" if as_json else "table")


def _row(route: Route) -> tuple[str, float, int, str, str]:
    from smartcity.simulation.routes import roads

    minutes = round(route.free_flow_s / 60)
    kilometres = round(route.length_m / 1000, 1)
    return route.name, kilometres, len(route.points), f"{minutes // 60} h {minutes % 60:02d}", " ".join(roads(route))


def show(
    context: typer.Context,
    route: Annotated[str, typer.Argument(help="A route of the package, or a GPX or CSV file.")] = "london-birmingham",
) -> None:
    """Length, limits, time without traffic, and a sketch.

    Example: smartcity routes show london-birmingham-m1-m6
    """
    from smartcity.simulation.routes import find
    from smartcity.simulation.sketch import limits, sketch

    console, found = of(context).console, find(route)
    name, kilometres, points, time, _ = _row(found)
    console.text(f"{name}: {kilometres:g} km, {points} points, {time} at the limits")
    console.text("")
    console.text(sketch(found))
    console.rows(("road", "from_km", "to_km", "limit_mph", "minutes"), limits(found))
