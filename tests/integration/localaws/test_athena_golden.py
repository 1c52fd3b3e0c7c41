"""The recorded queries, asked through StartQueryExecution and fetched through GetQueryResults.

Values and types must be what Trino recorded, written the way Athena writes them; what must fail must fail with the same
name, category and place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from smartcity.localaws.athena.values import Column, Type, formatter
from smartcity.pipeline import query as athena_query
from tests.golden.compare import comparable, first_difference, split_arguments
from tests.golden.loader import load
from tests.golden.queries import Query, all_queries

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration

WORKGROUP, BUCKET = "golden", "golden-lake"


class Athena:
    """Asks in one workgroup."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, sql: str) -> Any:
        """The execution in its final state."""
        id_ = athena_query.start_query(self._client, sql, workgroup=WORKGROUP, database="smartcity")
        try:
            return athena_query.wait_for(self._client, id_, timeout_s=120)
        except (athena_query.QueryRefused, athena_query.QueryFailed):
            return self._client.get_query_execution(QueryExecutionId=id_)["QueryExecution"]

    def succeed(self, sql: str) -> Any:
        """The execution of what must succeed."""
        execution = self.run(sql)
        assert execution["Status"]["State"] == "SUCCEEDED", f"{sql}: {execution['Status']}"
        return execution

    def fetch(self, execution: Any) -> tuple[list[dict[str, Any]], list[list[str | None]], int]:
        """Columns, all rows as texts without the header, and the update count."""
        columns: list[dict[str, Any]] = []
        rows: list[list[str | None]] = []
        count = 0
        for page in self._client.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution["QueryExecutionId"]
        ):
            columns, count = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"], page["UpdateCount"]
            rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
        if execution["StatementType"] == "DML" and rows:
            assert rows.pop(0) == [column["Name"] for column in columns]
        return columns, rows, count


@pytest.fixture(scope="module")
def golden(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Athena]:
    """The five tables, and Athena."""
    clients = stack.clients
    load(clients.aws("s3"), clients.aws("glue"), BUCKET, tmp_path_factory.mktemp("golden"))
    clients.aws("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    athena_query.ensure_workgroup(clients.aws("athena"), WORKGROUP, f"s3://{BUCKET}/results/")
    yield Athena(clients.aws("athena"))
    athena = Athena(clients.aws("athena"))
    for database in ("smartcity", "scratch"):
        athena.run(f"DROP DATABASE {database} CASCADE")


QUERIES = all_queries()


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if query.oracle and query.error is None])
def test_answers(golden: Athena, name: str) -> None:
    query = QUERIES[name]
    try:
        for step in query.steps:
            golden.succeed(step)
        columns, rows, count = golden.fetch(golden.succeed(query.sql))
    finally:
        for step in query.cleanup:
            golden.run(step)
    if query.update_count is not None:
        assert count == query.update_count
    elif query.shape_only:
        assert rows
    else:
        assert _difference(query, columns, rows) == ""


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if query.error is not None])
def test_errors(golden: Athena, name: str) -> None:
    query = QUERIES[name]
    try:
        for step in query.steps:
            golden.succeed(step)
        status = golden.run(query.sql)["Status"]
    finally:
        for step in query.cleanup:
            golden.run(step)
    assert status["State"] == "FAILED"
    place = re.match(r"line \d+:\d+: ", query.error_message or "")
    assert status["StateChangeReason"].startswith(f"{query.error}: {place[0] if place else ''}"), status
    assert status["AthenaError"]["ErrorCategory"] == (2 if query.error_type == "USER_ERROR" else 1)
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]


def test_statements_that_only_athena_has(golden: Athena) -> None:
    for name in ("ddl__hive_create_database", "ddl__hive_external", "ddl__unload"):
        golden.succeed(QUERIES[name].sql)
    _, rows, _ = golden.fetch(golden.succeed(QUERIES["meta__show_partitions"].sql))
    assert len(rows) == 32
    assert ["dt=2026-03-27/hour=00"] in rows
    golden.succeed(QUERIES["ddl__hive_drop_partition"].sql)
    golden.succeed("DROP TABLE smartcity.ext1")
    golden.succeed("DROP DATABASE other")


def _difference(query: Query, columns: list[dict[str, Any]], rows: list[list[str | None]]) -> str:
    """What differs first from the record, in types or in values."""
    shown = not query.sql.upper().startswith("SHOW")  # SHOW's columns have names of Athena's own
    for (name, type_), column in zip(query.columns, columns, strict=True):
        wanted = Column(name, parsed(type_)).info
        for key in ("Name", "Type", "Scale") if shown else ("Type",):
            if wanted[key] != column[key]:
                return f"column {name}: {key} {wanted[key]!r} expected, {column[key]!r} found"
    types = [type_ for _, type_ in query.columns]
    return first_difference(
        [[_expected(value, type_) for value, type_ in zip(row, types, strict=True)] for row in query.rows],
        [[_found(text, type_) for text, type_ in zip(row, types, strict=True)] for row in rows],
        ordered=query.ordered,
        tolerance=query.tolerance,
    )


def parsed(text: str) -> Type:
    """A recorded type such as `map(varchar(1), integer)`."""
    text = text.strip()
    with_zone = " with time zone"
    if text.endswith(with_zone):
        inner = parsed(text.removesuffix(with_zone))
        return Type(inner.name + with_zone, inner.numbers)
    name, _, rest = text.partition("(")
    if not rest:
        return Type(name)
    arguments = split_arguments(rest.removesuffix(")"))
    if name == "row":
        fields = [re.fullmatch(r'("[^"]+"|\w+) (\S.*)', argument) for argument in arguments]
        parts = [parsed(field[2] if field else argument) for field, argument in zip(fields, arguments, strict=True)]
        return Type(name, (), tuple(parts), tuple(field[1].strip('"') if field else None for field in fields))
    if all(argument.isdigit() for argument in arguments):
        return Type(name, tuple(int(argument) for argument in arguments))
    return Type(name, (), tuple(parsed(argument) for argument in arguments))


_NESTED = ("array", "map", "row")


def _expected(value: Any, type_: str) -> Any:
    if value is None or not type_.startswith(_NESTED):
        return comparable(value, type_)
    return _sorted_map(formatter(parsed(type_))(_as_sent(value, parsed(type_))), type_)


def _as_sent(value: Any, type_: Type) -> Any:
    """Maps were recorded as pairs; the engine sends objects."""
    if value is None:
        return None
    if type_.name == "map":
        return {str(key): _as_sent(item, type_.parts[1]) for key, item in value}
    if type_.name == "array":
        return [_as_sent(item, type_.parts[0]) for item in value]
    if type_.name == "row":
        return [_as_sent(item, part) for item, part in zip(value, type_.parts, strict=True)]
    return value


def _found(text: str | None, type_: str) -> Any:
    if text is None:
        return None
    if type_.startswith(_NESTED):
        return _sorted_map(text, type_)
    kind = type_.partition("(")[0]
    if kind in {"bigint", "integer", "smallint", "tinyint"}:
        return int(text)
    if kind == "boolean":
        return {"true": True, "false": False}[text]
    return comparable("0x" + text.replace(" ", "") if kind == "varbinary" else text, type_)


def _sorted_map(text: str, type_: str) -> Any:
    """Maps have no order: their text is compared as the set of its entries. Doubles are compared as numbers."""
    if type_ == "array(double)":
        return [None if part == "null" else float(part) for part in text[1:-1].split(", ")]
    return ("entries", sorted(text[1:-1].split(", "))) if type_.startswith("map") else text
