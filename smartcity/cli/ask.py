"""What `smartcity query` and its shell share: ask, write the rows, say what it took."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from smartcity.errors import UsageError

if TYPE_CHECKING:
    from smartcity.cli.context import Context
    from smartcity.cli.query import Format
    from smartcity.pipeline.query import QueryResult, Row
    from smartcity.queries import Value

TABLE_ROWS = 1000  #: rows of a table unless --limit says otherwise: a table is laid out as a whole


@dataclass(frozen=True)
class Ask:
    """How to ask and how to show."""

    format: Format = "table"
    database: str = "smartcity"
    limit: int | None = None
    explain: bool = False
    yes: bool = False
    timing: bool = True  #: say what a statement took


class Asker:
    """Asks one statement after the other."""

    def __init__(self, ours: Context, ask: Ask) -> None:
        self.ours = ours
        self.ask = ask
        self._prepared = False

    def run(self, text: str, values: Mapping[str, Value] | None = None) -> None:
        """Every statement of a text. Raises `UsageError` if there is none, or what asking raises."""
        from smartcity.queries import bind, placeholders, statements

        parts = statements(text)
        if not parts:
            raise UsageError("There is no statement.", 'Example: smartcity query "SELECT count(*) FROM vehicle"')
        used = {name for part in parts for name in placeholders(part)}
        unknown = [name for name in values or {} if name not in used]
        if unknown:
            raise UsageError(f"The query has no parameter {', '.join(unknown)}.")
        for part in parts:
            mine = {name: value for name, value in (values or {}).items() if name in placeholders(part)}
            self.one(*bind(part, mine))

    def one(self, sql: str, parameters: list[str], shown: Ask | None = None) -> None:
        """One statement with the literals for its question marks."""
        ask = shown or self.ask
        self._ensure_ready()
        self._confirm(sql, ask)
        result = self._result("EXPLAIN " + sql if ask.explain else sql, parameters, ask)
        count, more = self._write(result, ask)
        if ask.timing:
            self._say(summary(result, count), ask)
        if more:
            self._say(f"Only the first {count:,} rows are shown. --limit 0 shows all.", ask)

    def _result(self, sql: str, parameters: list[str], ask: Ask) -> QueryResult:
        from smartcity.pipeline.query import run_query

        aws = self.ours.settings.aws
        with self.ours.console.activity("Asking Athena") as say:
            return run_query(
                self.ours.clients.aws("athena"),
                sql,
                workgroup=aws.workgroup,
                database=ask.database,
                parameters=parameters,
                price_per_tb_usd=aws.price_per_tb_usd,
                on_state=lambda state: say(_STATES.get(state, "Asking Athena")),
            )

    def _ensure_ready(self) -> None:
        """Local Athena: the engine is started on demand, the workgroup made if nobody has."""
        settings = self.ours.settings
        if self._prepared or settings.aws.target != "local":
            return
        from smartcity.layout import ATHENA_RESULTS
        from smartcity.pipeline.query import ensure_workgroup

        location = f"s3://{settings.aws.bucket}/{ATHENA_RESULTS}"
        ensure_workgroup(self.ours.clients.aws("athena"), settings.aws.workgroup, location)
        if settings.trino.url is None and settings.runtime != "external":
            self.ours.runtime.start("trino")
        self._prepared = True

    def _confirm(self, sql: str, ask: Ask) -> None:
        aws = self.ours.settings.aws
        if aws.target != "account" or ask.yes or ask.explain:
            return
        from smartcity.pipeline.query import largest_scan_bytes, scan_cost_usd

        clients = self.ours.clients
        largest = largest_scan_bytes(clients.aws("glue"), clients.aws("s3"), sql, ask.database)
        if largest <= aws.confirm_scan_gb * 1e9:
            return
        cost = scan_cost_usd(largest, aws.price_per_tb_usd)
        what = f"The query may scan up to {size(largest)} (${cost:.2f})"
        if not sys.stdin.isatty():
            raise UsageError(f"{what}.", "Add --yes if it shall, name days (dt = '…') to scan less.")
        import typer

        typer.confirm(f"{what}. Run it?", abort=True, err=True)

    def _write(self, result: QueryResult, ask: Ask) -> tuple[int, bool]:
        """Write the rows; returns how many, and whether there are more."""
        if not result.columns:
            return 0, False
        rows: Iterator[Any] = iter(lines_as_cells(result))
        limit = ask.limit if ask.limit is not None else TABLE_ROWS * (ask.format == "table")
        count = 0
        shown = itertools.islice(rows, limit) if limit else rows
        if ask.format != "table":
            count = self.ours.console.rows(result.columns, shown, ask.format)
        else:
            while block := list(itertools.islice(shown, TABLE_ROWS)):
                count += self.ours.console.rows(result.columns, block)
            if count == 0:
                self.ours.console.rows(result.columns, [])
        return count, bool(limit) and next(rows, None) is not None

    def _say(self, text: str, ask: Ask) -> None:
        if ask.format in {"csv", "json"}:
            self.ours.console.say(text)
        else:
            self.ours.console.text(text)

    def vertical(self) -> Ask:
        """The same with one field per line."""
        return replace(self.ask, format="vertical")


_STATES = {"QUEUED": "Waiting for the engine", "RUNNING": "Running"}


def lines_as_cells(result: QueryResult) -> Iterable[Row]:
    """DESCRIBE and its kind answer with lines in which tabs part the columns."""
    width = len(result.columns)
    for row in result.rows:
        if len(row) == 1 < width:
            cells = [cell.strip() for cell in str(row[0]).split("\t", width - 1)]
            yield (*cells, *[""] * (width - len(cells)))
        else:
            yield row


def summary(result: QueryResult, count: int) -> str:
    """`12 rows, 0.34 s, 1.2 MB scanned, $0.00005 on AWS`."""
    rows = f"{result.update_count:,} rows written" if result.update_count else f"{count:,} row{'s' * (count != 1)}"
    parts = [rows, f"{result.seconds:.2f} s"]
    if result.statement_type in {"", "DML"}:
        parts += [f"{size(result.bytes_scanned)} scanned", f"${result.cost_usd:.5f} on AWS"]
    return ", ".join(parts)


def size(count: int) -> str:
    """Bytes in the decimal units of a bill."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
