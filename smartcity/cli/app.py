"""The command `smartcity`: its root options, its commands, and the one place that prints errors and exits."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from smartcity import __version__
from smartcity.cli import register
from smartcity.cli.context import Context
from smartcity.cli.sdk_errors import as_user_error
from smartcity.errors import ExitCode, Interrupted, SmartCityError, UsageError

app = typer.Typer(
    name="smartcity",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"smartcity {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    data_dir: Annotated[Path | None, typer.Option(help="All state lives here.", show_default=False)] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting, such as kafka.port=9092.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A smart-city data pipeline, from a car's sensors to a dashboard, on this machine or in the cloud."""
    ours: Context = context.obj
    ours.debug = debug
    ours.override("data_dir", data_dir.absolute() if data_dir else None)
    for setting in settings or []:
        name, separator, value = setting.partition("=")
        if not separator or not name:
            raise UsageError(f"--set takes NAME=VALUE, not {setting!r}.", "Example: --set kafka.partitions=6")
        ours.override(name, value)


register.commands(app)


def run(arguments: list[str] | None = None, ours: Context | None = None) -> int:
    """Run one command line and return its exit code; every error is printed here and nowhere else."""
    ours = ours or Context()
    try:
        result: Any = app(args=arguments, standalone_mode=False, obj=ours)
    except TyperException as error:
        return _misused(error, ours)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(ours)
    except Exception as error:
        return _fail(error, ours)
    if result == ExitCode.INTERRUPTED:  # typer turns Ctrl-C into this code without a word
        return _interrupted(ours)
    return result if isinstance(result, int) else ExitCode.OK


def _misused(error: Any, ours: Context) -> int:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "smartcity"
    if type(error).__name__ == "NoArgsIsHelpError":
        ours.console.text(error.format_message())
        return int(error.exit_code)
    return _fail(UsageError(error.format_message(), f"See: {command} --help"), ours)


def _interrupted(ours: Context) -> int:
    return _fail(Interrupted("Interrupted.", "What was acknowledged is kept; services go on running."), ours)


def _fail(error: Exception, ours: Context) -> int:
    known = as_user_error(error)
    if ours.debug:
        traceback.print_exception(error, file=ours.console.err)
    shown = known or SmartCityError(
        f"A bug: {type(error).__name__}: {error}.", "Run it again with --debug and report what it prints."
    )
    ours.console.error(shown)
    return shown.exit_code


def main() -> NoReturn:
    """Entry point of the console script. What libraries log is for --debug: errors are ours to tell."""
    if "--debug" not in sys.argv:
        logging.getLogger().addHandler(logging.NullHandler())
    sys.exit(run())
