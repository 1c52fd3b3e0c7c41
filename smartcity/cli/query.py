"""`smartcity query`: ask Athena; without a statement on a terminal, the interactive shell."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smartcity.cli.context import Context, of
from smartcity.errors import UsageError

if TYPE_CHECKING:
    from smartcity.queries import Value

Format = Literal["table", "csv", "json", "vertical"]


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)


def query(  # noqa: PLR0917  options of a command
    context: typer.Context,
    sql: Annotated[str | None, typer.Argument(help="A statement, or several with semicolons between them.")] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="Read the statements from a file; - is stdin.")
    ] = None,
    named: Annotated[str | None, typer.Option("--named", metavar="NAME", help="A saved query.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the saved queries.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How rows are written.")] = "table",
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A value for :NAME in the statement.")
    ] = None,
    database: Annotated[str | None, typer.Option(help="Database of names without one; else the project's.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Most rows written, 0 for all; 1,000 as a table, else all.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the engine's plan instead of running.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a large scan of an account.")] = False,
) -> None:
    """Ask Athena: rows on stdout, then rows, time, data scanned and what that costs on AWS.

    Example: smartcity query "SELECT road, avg(speed_kmh) FROM vehicle GROUP BY road"
    """
    from smartcity.cli.ask import Ask, Asker
    from smartcity.queries import saved_query

    ours = of(context)
    if list_:
        _list(ours, format_)
        return
    given = [name for name, value in (("SQL", sql), ("-f", file), ("--named", named)) if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were both given.", "Give one: a statement, a file, or a saved query.")
    asker = Asker(ours, Ask(format_, database or ours.settings.aws.database, limit, explain, yes))
    values = _values(param or [])
    if named is not None:
        asker.run(saved_query(named).sql, values)
    elif sql is not None or file is not None:
        asker.run(sql if sql is not None else _read(file or Path("-")), values)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from smartcity.cli.shell import Shell

        Shell(ours, asker).run()
    else:
        asker.run(sys.stdin.read(), values)


def _list(ours: Context, format_: Format) -> None:
    from smartcity.queries import saved_queries

    rows = [(saved.name, saved.title, ", ".join(saved.parameters)) for saved in saved_queries().values()]
    ours.console.rows(("name", "title", "parameters"), rows, format_)


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no file {file}.", "Give a file of SQL, or - for standard input.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Give a file of SQL.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not a text file.", "SQL files are UTF-8.") from None


def _values(given: list[str]) -> dict[str, Value]:
    """`name=value` of the command line: numbers are numbers, anything else (or in single quotes) is a text."""
    values: dict[str, Value] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--param takes NAME=VALUE, not {pair!r}.", "Example: --param trip_id=trip-1")
        values[name] = _value(text)
    return values


def _value(text: str) -> Value:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    for kind in (int, float):
        try:
            number: int | float = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text
