"""Asking Athena, against an Athena that is a script."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.errors import ExitCode, Interrupted, UsageError
from smartcity.events import LAKE_COLUMNS, TOPICS
from smartcity.pipeline import query
from smartcity.queries import bind, literal, placeholders, saved_queries, saved_query, statements


class Athena:
    """Answers with the states and pages it was given."""

    exceptions = SimpleNamespace(InvalidRequestException=ValueError)

    def __init__(self, *states: str, pages: list[dict[str, Any]] | None = None, **status: Any) -> None:
        self.states = list(states)
        self.pages = pages or []
        self.status = status
        self.stopped: list[str] = []
        self.started: list[dict[str, Any]] = []

    def start_query_execution(self, **request: Any) -> dict[str, Any]:
        self.started.append(request)
        return {"QueryExecutionId": "q1"}

    def get_query_execution(self, **_: str) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "CTRL-C":
            raise KeyboardInterrupt
        status = {"State": state, **self.status}
        statistics = {"DataScannedInBytes": 20_000_000}
        return {"QueryExecution": {"Query": "SELECT\n  x", "Status": status, "Statistics": statistics}}

    def stop_query_execution(self, QueryExecutionId: str) -> None:
        self.stopped.append(QueryExecutionId)

    def get_query_results(self, NextToken: str = "0", **_: str) -> dict[str, Any]:
        return self.pages[int(NextToken)]


def page(rows: list[list[str | None]], columns: list[tuple[str, str]], token: str | None = None) -> dict[str, Any]:
    data = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
    info = [{"Name": name, "Type": type_} for name, type_ in columns]
    result = {"Rows": data, "ResultSetMetadata": {"ColumnInfo": info}}
    return {"ResultSet": result, "UpdateCount": 0, **({"NextToken": token} if token else {})}


def test_states_are_waited_for_with_growing_pauses() -> None:
    pauses: list[float] = []
    seen: list[str] = []
    athena = Athena("QUEUED", "RUNNING", "RUNNING", "SUCCEEDED")
    query.wait_for(athena, "q1", sleep=pauses.append, on_state=seen.append)
    assert seen == ["QUEUED", "RUNNING", "RUNNING", "SUCCEEDED"]
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_a_bad_statement_is_the_users_fault_and_is_pointed_at() -> None:
    athena = Athena(
        "FAILED",
        StateChangeReason="COLUMN_NOT_FOUND: line 2:3: Column 'x' cannot be resolved",
        AthenaError={"ErrorCategory": 2},
    )
    with pytest.raises(query.QueryRefused) as refused:
        query.wait_for(athena, "q1")
    assert refused.value.exit_code == ExitCode.USAGE
    assert refused.value.hint == '  x\n  ^\nSee the columns with: smartcity query "DESCRIBE <table>"'


def test_a_failed_engine_is_a_failed_service() -> None:
    athena = Athena("FAILED", StateChangeReason="boom", AthenaError={"ErrorCategory": 1})
    with pytest.raises(query.QueryFailed, match="boom") as failed:
        query.wait_for(athena, "q1")
    assert failed.value.exit_code == ExitCode.SERVICE


def test_cancelled_differs_from_failed() -> None:
    with pytest.raises(query.QueryCancelled, match="stopped"):
        query.wait_for(Athena("CANCELLED", StateChangeReason="stopped"), "q1")


def test_the_deadline_and_the_user_stop_the_query() -> None:
    athena = Athena("RUNNING")
    now = iter(range(0, 1000, 10))
    with pytest.raises(query.QueryTimeout, match="after 25 s"):
        query.wait_for(athena, "q1", timeout_s=25, sleep=lambda _s: None, clock=lambda: next(now))
    assert athena.stopped == ["q1"]
    athena = Athena("RUNNING", "CTRL-C")
    with pytest.raises(Interrupted):
        query.wait_for(athena, "q1", sleep=lambda _s: None)
    assert athena.stopped == ["q1"]


def test_rows_are_typed_and_pages_come_in_order() -> None:
    columns = [
        *(("s", "varchar"), ("i", "bigint"), ("d", "double"), ("b", "boolean"), ("n", "decimal")),
        *(("t", "timestamp"), ("day", "date"), ("a", "array")),
    ]
    header: list[str | None] = [name for name, _ in columns]
    first: list[str | None] = ["x", "1", "NaN", "true", "1.50", "2026-03-01 07:00:00.000", "2026-03-01", "[1]"]
    pages = [page([header, first], columns, "1"), page([[None] * 8], columns, "2"), page([["s", *first[1:]]], columns)]
    found, _, rows = query.fetch(Athena("SUCCEEDED", pages=pages), "q1")
    one, two, three = list(rows)
    assert [column.name for column in found] == header
    assert one[0:2] == ("x", 1)
    assert one[2] != one[2]
    assert one[3:] == (True, Decimal("1.50"), datetime(2026, 3, 1, 7), date(2026, 3, 1), "[1]")
    assert two == (None,) * 8
    assert three[0] == "s", "only the first page can begin with a header"


def test_lines_of_describe_stay_whole() -> None:
    columns = [("col_name", "varchar"), ("data_type", "varchar"), ("comment", "varchar")]
    _, _, rows = query.fetch(Athena("SUCCEEDED", pages=[page([["a\tint\t"]], columns)]), "q1")
    assert list(rows) == [("a\tint\t",)]


def test_a_run_tells_time_bytes_and_price() -> None:
    athena = Athena("SUCCEEDED", pages=[page([["n"], ["1"]], [("n", "integer")])])
    result = query.run_query(athena, "SELECT ?", workgroup="w", database="smartcity", parameters=["'a'"])
    assert list(result.rows) == [(1,)]
    assert result.bytes_scanned == 20_000_000
    assert result.cost_usd == pytest.approx(0.0001)
    assert athena.started == [
        {
            "QueryString": "SELECT ?",
            "WorkGroup": "w",
            "QueryExecutionContext": {"Database": "smartcity", "Catalog": "AwsDataCatalog"},
            "ExecutionParameters": ["'a'"],
        }
    ]


@pytest.mark.parametrize(("scanned", "usd"), [(0, 0.0), (1, 0.00005), (10_000_000, 0.00005), (10**12, 5.0)])
def test_price(scanned: int, usd: float) -> None:
    assert query.scan_cost_usd(scanned, 5.0) == pytest.approx(usd)


def test_parameters_are_found_outside_texts_and_comments() -> None:
    sql = "SELECT ':no' -- :no\n, \":no\" /* :no */ WHERE a = :yes AND b > :other AND c = :yes"
    assert placeholders(sql) == ["yes", "other", "yes"]
    bound, values = bind(sql, {"yes": "it's", "other": 1.5})
    assert bound.endswith("WHERE a = ? AND b > ? AND c = ?")
    assert values == ["'it''s'", "1.5", "'it''s'"]


def test_a_file_is_cut_at_its_semicolons() -> None:
    text = "SELECT ';' AS a; -- it; is\nSELECT 2 /* ; */;;\n-- only a comment\n"
    assert statements(text) == ["SELECT ';' AS a", "-- it; is\nSELECT 2 /* ; */"]


def test_the_largest_scan_is_all_files_of_the_named_tables() -> None:
    sizes = {"lake/vehicle/": [10, 20], "lake/gps/": [5]}

    class Missing(Exception):
        pass

    def get_table(DatabaseName: str, Name: str) -> dict[str, Any]:
        if (DatabaseName, Name) not in {("smartcity", "vehicle"), ("smartcity", "gps")}:
            raise Missing
        return {"Table": {"StorageDescriptor": {"Location": f"s3://bucket/lake/{Name}"}}}

    def paginate(Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        assert Bucket == "bucket"
        return [{"Contents": [{"Size": size} for size in sizes[Prefix]]}, {}]

    glue = SimpleNamespace(get_table=get_table, exceptions=SimpleNamespace(EntityNotFoundException=Missing))
    s3 = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=paginate))
    sql = "WITH t AS (SELECT * FROM vehicle) SELECT * FROM t JOIN smartcity.gps g ON true JOIN nosuch ON true"
    assert query.largest_scan_bytes(glue, s3, sql, "smartcity") == 35
    assert query.largest_scan_bytes(glue, s3, "SELEC 1 FROM", "smartcity") == 0


def test_missing_and_unknown_parameters_are_named() -> None:
    with pytest.raises(UsageError, match="needs trip_id"):
        bind("SELECT :trip_id", {})
    with pytest.raises(UsageError, match="no parameter trip"):
        bind("SELECT 1", {"trip": "x"})


@given(st.text())
def test_a_text_cannot_leave_its_quotes(text: str) -> None:
    quoted = literal(text)
    assert quoted[0] == quoted[-1] == "'"
    assert quoted[1:-1].replace("''", "").count("'") == 0


def test_saved_queries_have_titles_and_know_the_columns() -> None:
    queries = saved_queries()
    assert len(queries) >= 20
    assert {"trip-roads", "trip-incidents", "trip-weather"} <= set(queries)
    for saved in queries.values():
        assert saved.title and not saved.title.endswith("."), saved.name
        assert ";" not in saved.sql
        assert any(topic in saved.sql for topic in TOPICS), saved.name
    assert saved_query("trip-roads").parameters == ("trip_id",)
    assert {column.name for column in LAKE_COLUMNS} >= {"ingested_at"}
    with pytest.raises(UsageError, match="no saved query") as error:
        saved_query("trip-road")
    assert "trip-roads" in error.value.hint
