"""The interactive shell: history, completion of tables, columns and functions, timing, \\G and \\watch.

A statement ends with `;` (rows as a table) or `\\G` (one field per line); a line that begins with `\\` is a command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from smartcity.cli.sdk_errors import as_user_error
from smartcity.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer

    from smartcity.cli.ask import Asker
    from smartcity.cli.context import Context
    from smartcity.cli.query import Format

_HELP = r"""
A statement ends with ;  (or with \G for one field per line).
  \dt            tables              \d TABLE       columns of a table
  \l             databases           \c DATABASE    use another database
  \list          saved queries       \named NAME [name=value …]   run one
  \watch [S]     repeat the last statement every S seconds, until Ctrl-C
  \timing        show time and data scanned, or not
  \format FORMAT table, csv, json or vertical
  \q             leave
""".strip()

_KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "OFFSET", "DISTINCT", "UNION ALL", "WITH"),
    *("LEFT JOIN", "CROSS JOIN", "JOIN", "UNNEST", "ON", "USING", "AS", "CASE", "WHEN", "THEN", "ELSE", "END", "AND"),
    *("OR", "NOT", "IN", "IS NULL", "BETWEEN", "LIKE", "EXISTS", "OVER", "PARTITION BY", "CAST", "INTERVAL", "DATE"),
    *("TIMESTAMP", "EXPLAIN", "ANALYZE", "SHOW TABLES", "DESCRIBE", "CREATE TABLE", "CREATE VIEW", "INSERT INTO"),
)

_FORMATS: dict[str, Format] = {"table": "table", "csv": "csv", "json": "json", "vertical": "vertical"}


class Shell:
    """Reads, asks, shows, until the end. `read` gives one input or raises EOFError."""

    def __init__(
        self,
        ours: Context,
        asker: Asker,
        read: Callable[[str], str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ours = ours
        self._asker = asker
        self._read = read
        self._sleep = sleep
        self._last: tuple[str, bool] | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "dt": lambda _rest: self._ask("SHOW TABLES"),
            "d": lambda rest: self._ask(f"DESCRIBE {rest}") if rest else self._ask("SHOW TABLES"),
            "l": lambda _rest: self._ask("SHOW DATABASES"),
            "c": self._use,
            "list": self._list,
            "named": self._named,
            "watch": self._watch,
            "format": self._format,
            "timing": self._timing,
            "?": lambda _rest: self._ours.console.text(_HELP),
            "h": lambda _rest: self._ours.console.text(_HELP),
        }

    def run(self) -> None:
        """The loop. Errors are shown and the shell goes on; Ctrl-D leaves."""
        read = self._read or self._prompt()
        self._ours.console.say(r"Statements end with ; — \? for help, \q or Ctrl-D to leave.")
        while True:
            try:
                text = read(f"{self._asker.ask.database}> ").strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text in {r"\q", "quit", "exit", "quit;", "exit;"}:
                return
            self.handle(text)

    def handle(self, text: str) -> None:
        """One input; its error is shown."""
        try:
            self._dispatch(text)
        except KeyboardInterrupt:
            self._ours.console.error(Interrupted("Interrupted."))
        except Exception as error:
            known = as_user_error(error)
            if known is None:
                raise
            self._ours.console.error(known)

    def _dispatch(self, text: str) -> None:
        if text.startswith("\\"):
            name, _, rest = text[1:].partition(" ")
            command = self._commands.get(name)
            if command is None:
                raise UsageError(f"There is no command \\{name}.", r"\? lists them.")
            command(rest.strip().rstrip(";"))
        elif text.endswith(r"\G"):
            self._ask(text[:-2], vertical=True)
        elif text.strip(";"):
            self._ask(text)

    def _ask(self, sql: str, vertical: bool = False) -> None:
        self._last = (sql, vertical)
        asker = self._asker
        if vertical:
            from smartcity.queries import statements

            for part in statements(sql):
                asker.one(part, [], asker.vertical())
        else:
            asker.run(sql)

    def _use(self, database: str) -> None:
        if not database:
            raise UsageError(r"\c takes a database.", r"\l lists them.")
        from dataclasses import replace

        self._asker.ask = replace(self._asker.ask, database=database)

    def _format(self, name: str) -> None:
        from dataclasses import replace

        chosen = _FORMATS.get(name)
        if chosen is None:
            raise UsageError(f"There is no format {name!r}.", f"There are {', '.join(_FORMATS)}.")
        self._asker.ask = replace(self._asker.ask, format=chosen)

    def _timing(self, _rest: str) -> None:
        from dataclasses import replace

        self._asker.ask = replace(self._asker.ask, timing=not self._asker.ask.timing)

    def _list(self, _rest: str) -> None:
        from smartcity.queries import saved_queries

        rows = [(saved.name, saved.title, ", ".join(saved.parameters)) for saved in saved_queries().values()]
        self._ours.console.rows(("name", "title", "parameters"), rows)

    def _named(self, rest: str) -> None:
        from smartcity.cli.query import _values
        from smartcity.queries import saved_query

        name, *given = rest.split()
        self._asker.run(saved_query(name).sql, _values(given))

    def _watch(self, rest: str) -> None:
        if self._last is None:
            raise UsageError("There is nothing to repeat.", "Run a statement first.")
        pause_s = float(rest) if rest.replace(".", "", 1).isdigit() else 2.0
        sql, vertical = self._last
        while True:
            self._ours.console.text(time.strftime("%H:%M:%S"))
            self._ask(sql, vertical)
            self._sleep(pause_s)

    def _prompt(self) -> Callable[[str], str]:
        session = prompt_session(self._ours, self._asker)
        return lambda text: str(session.prompt(text))


def prompt_session(ours: Context, asker: Asker) -> PromptSession[str]:
    """A prompt with history in the data folder, completion, and Enter that runs only what is finished."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @Condition
    def finished() -> bool:
        text = get_app().current_buffer.text.strip()
        return not text or text.startswith("\\") or text.endswith((";", r"\G")) or text in {"quit", "exit"}

    @keys.add("enter", filter=finished)
    def _(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    history = ours.settings.data_dir / "query-history"
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch(mode=0o600)
    return PromptSession(
        history=FileHistory(str(history)),
        completer=completer(lambda: names(ours, asker)),
        key_bindings=keys,
        multiline=True,
        complete_in_thread=True,
        prompt_continuation="... ",
    )


def completer(known: Callable[[], Iterable[tuple[str, str]]]) -> Completer:
    """Completes keywords and what `known` gives as (name, kind), asked once, on first use."""
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.document import Document

    class Names(Completer):
        def __init__(self) -> None:
            self._all: list[tuple[str, str]] | None = None

        def get_completions(self, document: Document, complete_event: Any) -> Iterator[Completion]:  # noqa: ARG002
            word = document.get_word_before_cursor()
            if not word:
                return
            if self._all is None:
                self._all = [*known(), *((keyword, "keyword") for keyword in _KEYWORDS)]
            for name, kind in self._all:
                if name.lower().startswith(word.lower()):
                    yield Completion(name, start_position=-len(word), display_meta=kind)

    return Names()


def names(ours: Context, asker: Asker) -> list[tuple[str, str]]:
    """Tables, columns, functions and saved queries; nothing if Athena does not answer: completion is a courtesy."""
    from smartcity.pipeline import query
    from smartcity.queries import saved_queries

    found = dict.fromkeys(saved_queries(), "saved query")
    database = asker.ask.database
    try:
        athena = ours.clients.aws("athena")
        pages = athena.get_paginator("list_table_metadata").paginate(
            CatalogName="AwsDataCatalog", DatabaseName=database
        )
        for page in pages:
            for table in page["TableMetadataList"]:
                columns = [*table.get("Columns", ()), *table.get("PartitionKeys", ())]
                found |= {column["Name"]: column["Type"] for column in columns} | {table["Name"]: "table"}
        shown = query.run_query(
            athena, "SHOW FUNCTIONS", workgroup=ours.settings.aws.workgroup, database=database, timeout_s=20
        )
        found |= {str(row[0]): "function" for row in shown.rows if str(row[0]) not in found}
    except Exception as error:
        if as_user_error(error) is None:
            raise
    return sorted(found.items())
