"""Ask Athena: start a statement, wait for its end, read the rows page by page.

The same code asks local AWS and an account. A result of any size passes in flat memory: pages of 1,000 rows are fetched
as the caller takes them, the next one while the caller is busy with the last.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from smartcity.errors import Interrupted, ServiceError, UsageError

FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
MIN_BILLED_BYTES = 10_000_000  #: Athena bills at least 10 MB for a statement that scans anything (Athena pricing)
_TB = 1e12
_FIRST_POLL_S, _LONGEST_POLL_S = 0.01, 1.0
_USER = 2  # ErrorCategory of a fault in the statement or the data
_PLACE = re.compile(r"line (\d+):(\d+)")

Row = tuple[Any, ...]
Execution = Mapping[str, Any]


class QueryRefused(UsageError):
    """The statement itself is at fault: its syntax, a name, a type, a permission, or the data it read."""


class QueryFailed(ServiceError):
    """Athena or its engine failed."""


class QueryCancelled(ServiceError):
    """Somebody stopped the query, or it scanned more than its workgroup allows."""


class QueryTimeout(ServiceError):
    """The query was not done by its deadline; it has been stopped."""


@dataclass(frozen=True)
class Column:
    """A column of a result, with Athena's name of its type."""

    name: str
    type: str


@dataclass(frozen=True)
class QueryResult:
    """An answered query. `rows` may be taken once; `cost_usd` is what an account would pay for the scan.

    `types` are Athena's names of the columns' types.
    """

    id: str
    sql: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[Row]
    seconds: float
    bytes_scanned: int
    cost_usd: float
    update_count: int
    statement_type: str


def ensure_workgroup(athena: Any, name: str, output_location: str) -> None:
    """Create the workgroup, or point the existing one's results at this location."""
    configuration = {"ResultConfiguration": {"OutputLocation": output_location}, "EnforceWorkGroupConfiguration": False}
    try:
        athena.create_work_group(Name=name, Configuration=configuration)
    except athena.exceptions.InvalidRequestException as error:
        if "already" not in str(error):
            raise
        found = athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
        if found.get("ResultConfiguration", {}).get("OutputLocation") != output_location:
            updates = {"ResultConfigurationUpdates": {"OutputLocation": output_location}}
            athena.update_work_group(WorkGroup=name, ConfigurationUpdates=updates)


def start_query(
    athena: Any,
    sql: str,
    *,
    workgroup: str,
    database: str | None = None,
    parameters: Sequence[str] = (),
) -> str:
    """Start a statement; `parameters` are SQL literals for its question marks. Returns the query's id."""
    request: dict[str, Any] = {"QueryString": sql, "WorkGroup": workgroup}
    if database is not None:
        request["QueryExecutionContext"] = {"Database": database, "Catalog": "AwsDataCatalog"}
    if parameters:
        request["ExecutionParameters"] = list(parameters)
    id_: str = athena.start_query_execution(**request)["QueryExecutionId"]
    return id_


def stop_query(athena: Any, query_id: str) -> None:
    """Stop a query; one that is done stays done."""
    athena.stop_query_execution(QueryExecutionId=query_id)


def wait_for(
    athena: Any,
    query_id: str,
    *,
    timeout_s: float = 1800.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    on_state: Callable[[str], None] = lambda _state: None,
) -> Execution:
    """Wait until the query has succeeded and return its execution.

    Raises `QueryRefused`, `QueryFailed`, `QueryCancelled` or `QueryTimeout`. Ctrl-C stops the query and raises
    `Interrupted`.
    """
    deadline = clock() + timeout_s
    pause = _FIRST_POLL_S
    try:
        while True:
            execution: Execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            state = execution["Status"]["State"]
            on_state(state)
            if state in FINAL_STATES:
                return _require_success(execution)
            if clock() > deadline:
                stop_query(athena, query_id)
                raise QueryTimeout(f"The query was not done after {timeout_s:.0f} s and has been stopped.", "")
            sleep(pause)
            pause = min(pause * 1.2, _LONGEST_POLL_S)
    except KeyboardInterrupt:
        stop_query(athena, query_id)
        raise Interrupted("Interrupted; the query has been stopped.", "") from None


def _require_success(execution: Execution) -> Execution:
    status = execution["Status"]
    reason = status.get("StateChangeReason", "no reason given")
    if status["State"] == "SUCCEEDED":
        return execution
    if status["State"] == "CANCELLED":
        hint = "Scan less (name the day: dt = '…'), or raise the workgroup's limit." if "scanned" in reason else ""
        raise QueryCancelled(f"The query was cancelled: {reason}", hint)
    if status.get("AthenaError", {}).get("ErrorCategory") == _USER:
        raise QueryRefused(reason, f"{_pointer(execution['Query'], reason)}\n{_remedy(reason)}".strip("\n"))
    raise QueryFailed(f"The query failed: {reason}", "See the engine's log with: smartcity logs trino")


#: The beginning of a reason, and what to do about it.
_REMEDIES = {
    "TABLE_NOT_FOUND": 'See the tables with: smartcity query "SHOW TABLES"; bring in new ones with: smartcity crawl',
    "SCHEMA_NOT_FOUND": 'See the databases with: smartcity query "SHOW DATABASES"',
    "COLUMN_NOT_FOUND": 'See the columns with: smartcity query "DESCRIBE <table>"',
    "SYNTAX_ERROR": "Mend the statement at the mark; the dialect is that of Athena engine version 3.",
}


def _remedy(reason: str) -> str:
    return next((remedy for code, remedy in _REMEDIES.items() if reason.startswith(code)), "Change the statement.")


def _pointer(sql: str, reason: str) -> str:
    """The line of the statement that the reason names, with a mark below the column."""
    match = _PLACE.search(reason)
    lines = sql.split("\n")
    if match is None or int(match[1]) > len(lines):
        return ""
    column = int(match[2])
    return f"{lines[int(match[1]) - 1]}\n{' ' * (column - 1)}^"


def fetch(athena: Any, query_id: str, *, header: bool = True) -> tuple[tuple[Column, ...], int, Iterator[Row]]:
    """Columns, number of rows written (INSERT, CREATE TABLE AS), and the rows as Python values.

    `header`: the first row may repeat the names of the columns, as it does for queries, not for SHOW and DESCRIBE.
    """
    first = athena.get_query_results(QueryExecutionId=query_id)
    described = first["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", [])
    columns = tuple(Column(info["Name"], info["Type"]) for info in described)
    return columns, int(first.get("UpdateCount", 0)), _rows(athena, query_id, columns, first, header)


def _rows(
    athena: Any, query_id: str, columns: Sequence[Column], first: Mapping[str, Any], header: bool
) -> Iterator[Row]:
    readers = [_READERS.get(column.type, str) for column in columns]
    with ThreadPoolExecutor(1, thread_name_prefix="athena-pages") as ahead:
        page, skip = first, header and _has_header(columns, first)
        while True:
            token = page.get("NextToken")
            coming: Future[Mapping[str, Any]] | None = None
            if token:
                coming = ahead.submit(athena.get_query_results, QueryExecutionId=query_id, NextToken=token)
            for row in page["ResultSet"]["Rows"][skip:]:
                yield _values(readers, row["Data"])
            if coming is None:
                return
            page, skip = coming.result(), 0


def _has_header(columns: Sequence[Column], first: Mapping[str, Any]) -> int:
    """1 if the first row repeats the names of the columns, as it does for SELECT."""
    rows = first["ResultSet"]["Rows"]
    names = [column.name for column in columns]
    return int(bool(rows) and [cell.get("VarCharValue") for cell in rows[0]["Data"]] == names)


def _values(readers: Sequence[Callable[[str], Any]], cells: Sequence[Mapping[str, str]]) -> Row:
    if len(cells) != len(readers):  # DESCRIBE and SHOW answer with whole lines
        return tuple(cell.get("VarCharValue") for cell in cells)
    return tuple(
        read(cell["VarCharValue"]) if "VarCharValue" in cell else None
        for read, cell in zip(readers, cells, strict=True)
    )


def _timestamp(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a year beyond 9999, a zone's name
        return text


def _date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_READERS: Mapping[str, Callable[[str], Any]] = {
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "double": float,
    "float": float,
    "decimal": _decimal,
    "boolean": lambda text: text == "true",
    "timestamp": _timestamp,
    "date": _date,
}


def scan_cost_usd(bytes_scanned: int, price_per_tb_usd: float) -> float:
    """What Athena charges for a scan: at least 10 MB, nothing for a statement that scans nothing (DDL)."""
    return 0.0 if bytes_scanned == 0 else max(bytes_scanned, MIN_BILLED_BYTES) / _TB * price_per_tb_usd


def run_query(
    athena: Any,
    sql: str,
    *,
    workgroup: str,
    database: str | None = None,
    parameters: Sequence[str] = (),
    price_per_tb_usd: float = 5.0,
    timeout_s: float = 1800.0,
    on_state: Callable[[str], None] = lambda _state: None,
) -> QueryResult:
    """Start, wait, and give the result; `seconds` is until the result was ready. Raises as `wait_for` does."""
    began = time.monotonic()
    query_id = start_query(athena, sql, workgroup=workgroup, database=database, parameters=parameters)
    execution = wait_for(athena, query_id, timeout_s=timeout_s, on_state=on_state)
    seconds = time.monotonic() - began
    is_query = execution.get("StatementType", "DML") == "DML"
    columns, update_count, rows = fetch(athena, query_id, header=is_query)
    scanned = int(execution.get("Statistics", {}).get("DataScannedInBytes", 0))
    return QueryResult(
        id=query_id,
        sql=sql,
        columns=tuple(column.name for column in columns),
        types=tuple(column.type for column in columns),
        rows=rows,
        seconds=seconds,
        bytes_scanned=scanned,
        cost_usd=scan_cost_usd(scanned, price_per_tb_usd),
        update_count=update_count,
        statement_type=execution.get("StatementType", ""),
    )


def largest_scan_bytes(glue: Any, s3: Any, sql: str, database: str) -> int:
    """The most that a statement can scan: the size of every file of every table that it names, before any pruning.

    0 if the statement cannot be read here (the engine will say what is wrong) or names no table.
    """
    total = 0
    for owner, name in _named_tables(sql, database):
        try:
            table = glue.get_table(DatabaseName=owner, Name=name)["Table"]
        except glue.exceptions.EntityNotFoundException:
            continue
        location = (table.get("StorageDescriptor") or {}).get("Location") or ""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        if location.startswith("s3://") and bucket:
            total += _bytes_below(s3, bucket, prefix.rstrip("/") + "/")
    return total


def _named_tables(sql: str, database: str) -> set[tuple[str, str]]:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(sql, read="athena")
    except (SqlglotError, RecursionError):
        return set()
    own = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    tables = [table for table in tree.find_all(exp.Table) if table.name]
    named = {((table.db or database).lower(), table.name.lower().partition("$")[0]) for table in tables}
    return {(owner, name) for owner, name in named if name not in own}


def _bytes_below(s3: Any, bucket: str, prefix: str) -> int:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sum(entry["Size"] for page in pages for entry in page.get("Contents") or ())
