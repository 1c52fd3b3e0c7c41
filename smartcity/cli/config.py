"""`smartcity config`: what is set, by whom, and a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smartcity.cli.context import of
from smartcity.errors import UsageError

group = typer.Typer(no_args_is_help=True, help="Show the settings and where each comes from, or write a file.")


def add(app: typer.Typer) -> None:
    """Add `config show` and `config init`."""
    app.add_typer(group, name="config")


@group.command()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object by setting name.")] = False,
) -> None:
    """Every setting, its value and its source; secrets stay hidden.

    Example: smartcity config show
    """
    from smartcity.settings import explain

    ours = of(context)
    ours.console.json_errors = as_json
    values = explain(ours.settings, ours.flags)
    if as_json:
        ours.console.json({value.name: {"value": value.value, "source": value.source} for value in values})
        return
    ours.console.rows(("setting", "value", "source"), [(value.name, value.value, value.source) for value in values])


@group.command()
def init(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write smartcity.toml into this folder: every setting with its default, commented out.

    Example: smartcity config init
    """
    from smartcity.settings import CONFIG_FILE, template

    ours = of(context)
    target = Path(CONFIG_FILE)
    if target.exists() and not force:
        raise UsageError(f"{CONFIG_FILE} exists already.", "Replace it with: smartcity config init --force")
    target.write_text(template())
    ours.console.say(f"Wrote {CONFIG_FILE}. Take away the # before what you want to change.")
