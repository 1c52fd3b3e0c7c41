"""Queries through the (scripted) engine: states, results, failures, permissions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from smartcity.localaws.api import AwsError

from .rig import ANALYST, ROOT, Rig

SQL = "SELECT road, n FROM vehicle"


def test_rows_are_answered_and_stored(rig: Rig) -> None:
    rig.trino.rows(
        SQL, [("road", "varchar"), ("n", "bigint")], [["M40", 1], [None, 2]], [['a "b"', 3]], physicalInputBytes=77
    )
    execution = rig.run(SQL)
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["StatementType"] == "DML"
    assert execution["Statistics"]["DataScannedInBytes"] == 77
    id_ = execution["QueryExecutionId"]
    assert execution["ResultConfiguration"]["OutputLocation"] == f"s3://results/out/{id_}.csv"
    assert rig.s3.objects["results", f"out/{id_}.csv"] == b'"road","n"\n"M40","1"\n,"2"\n"a ""b""","3"\n'
    assert b"varchar" in rig.s3.objects["results", f"out/{id_}.csv.metadata"]
    result = rig.call("GetQueryResults", QueryExecutionId=id_)["ResultSet"]
    assert result["Rows"][0] == {"Data": [{"VarCharValue": "road"}, {"VarCharValue": "n"}]}
    assert result["Rows"][2] == {"Data": [{}, {"VarCharValue": "2"}]}
    assert [info["Type"] for info in result["ResultSetMetadata"]["ColumnInfo"]] == ["varchar", "bigint"]


def test_pages_hold_the_rows_once_each_and_in_order(rig: Rig) -> None:
    numbers = [[number] for number in range(2500)]
    rig.trino.rows(SQL, [("n", "integer")], numbers[:700], numbers[700:])
    id_ = rig.run(SQL)["QueryExecutionId"]
    for size in (1000, 333, 1):
        seen: list[str] = []
        token: dict[str, Any] = {}
        while len(seen) < (2501 if size > 1 else 20):
            answer = rig.call("GetQueryResults", QueryExecutionId=id_, MaxResults=size, **token)
            rows = answer["ResultSet"]["Rows"]
            assert len(rows) <= size
            seen += [row["Data"][0]["VarCharValue"] for row in rows]
            if "NextToken" not in answer:
                break
            token = {"NextToken": answer["NextToken"]}
        assert seen == ["n", *map(str, range(2500))][: len(seen)]
    assert rig.s3.reads == 0, "a small result that was just written is not read back"


def test_big_results_go_up_in_parts_and_are_read_by_ranges(rig: Rig) -> None:
    text = "x" * 1000
    rig.trino.rows(SQL, [("t", "varchar")], *[[[text]] * 5000] * 4)
    id_ = rig.run(SQL)["QueryExecutionId"]
    assert len(rig.s3.objects["results", f"out/{id_}.csv"]) == 4 + 20_000 * 1003
    token = rig.call("GetQueryResults", QueryExecutionId=id_)["NextToken"]
    second = rig.call("GetQueryResults", QueryExecutionId=id_, NextToken=token)
    assert len(second["ResultSet"]["Rows"]) == 1000
    assert rig.s3.reads == 1, "the second page was read ahead with the first"


def test_the_engines_error_is_the_reason(rig: Rig) -> None:
    rig.trino.fails(SQL, "COLUMN_NOT_FOUND", "line 1:8: Column 'road' cannot be resolved")
    execution = rig.run(SQL)
    assert execution["Status"]["StateChangeReason"] == "COLUMN_NOT_FOUND: line 1:8: Column 'road' cannot be resolved"
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    with pytest.raises(AwsError, match="Final query state: FAILED"):
        rig.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])


def test_a_failure_of_the_engine_itself_is_the_systems(rig: Rig) -> None:
    rig.trino.fails(SQL, "GENERIC_INTERNAL_ERROR", "boom", "INTERNAL_ERROR")
    error = rig.run(SQL)["Status"]["AthenaError"]
    assert (error["ErrorCategory"], error["Retryable"]) == (1, True)


def test_a_query_waits_for_the_engine(rig: Rig) -> None:
    rig.trino.down = True
    rig.trino.rows(SQL, [("n", "integer")], [[1]])
    id_ = rig.start(SQL)
    assert rig.wait(id_, "QUEUED")["Status"]["State"] == "QUEUED"
    with pytest.raises(AwsError, match="not yet finished"):
        rig.call("GetQueryResults", QueryExecutionId=id_)
    rig.trino.down = False
    assert rig.wait(id_)["Status"]["State"] == "SUCCEEDED"


def test_an_engine_that_never_comes_fails_the_query(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(engine_wait_s=0.1)
    rig.trino.down = True
    assert "query engine does not answer" in rig.reason(SQL)


def test_stopping_ends_the_work_in_the_engine(rig: Rig) -> None:
    rig.trino.rows(SQL, [("n", "integer")], [[1]])
    rig.trino.hold = threading.Event()
    id_ = rig.start(SQL)
    rig.wait(id_, "RUNNING")
    rig.call("StopQueryExecution", QueryExecutionId=id_)
    assert rig.wait(id_)["Status"]["State"] == "CANCELLED"
    assert rig.trino.deleted == [SQL]
    rig.call("StopQueryExecution", QueryExecutionId=id_)  # once more: nothing happens


def test_a_scan_limit_cancels(rig: Rig) -> None:
    rig.call("CreateWorkGroup", Name="small", Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    rig.trino.rows(SQL, [("n", "integer")], [[1]], physicalInputBytes=10_000_001)
    status = rig.run(SQL, WorkGroup="small")["Status"]
    assert (status["State"], status["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled! : Bytes scanned limit was exceeded",
    )


def test_a_restart_keeps_history_and_fails_what_ran(make_rig: Callable[..., Rig]) -> None:
    first = make_rig()
    first.trino.rows("SELECT 1", [("n", "integer")], [[1]])
    done = first.run("SELECT 1")["QueryExecutionId"]
    first.trino.rows(SQL, [("n", "integer")], [[1]])
    first.trino.hold = threading.Event()
    running = first.start(SQL)
    first.wait(running, "RUNNING")
    second = make_rig()  # as after a kill: the first one has not been stopped
    assert second.call("ListQueryExecutions")["QueryExecutionIds"] == [running, done]
    status = second.call("GetQueryExecution", QueryExecutionId=running)["QueryExecution"]["Status"]
    assert status["State"] == "FAILED"
    assert "restarted" in status["StateChangeReason"]
    assert len(second.call("GetQueryResults", QueryExecutionId=done)["ResultSet"]["Rows"]) == 2


def test_a_request_token_starts_one_query(rig: Rig) -> None:
    token = "t" * 40
    first, second = rig.start(SQL, ClientRequestToken=token), rig.start(SQL, ClientRequestToken=token)
    assert first == second
    rig.wait(first)
    with pytest.raises(AwsError, match="Idempotent parameters do not match"):
        rig.start("SELECT 2", ClientRequestToken=token)


def test_a_result_is_reused_when_asked(rig: Rig) -> None:
    rig.trino.rows(SQL, [("n", "integer")], [[1]])
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}
    first = rig.run(SQL)
    second = rig.run(SQL, ResultReuseConfiguration=reuse)
    assert second["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"] is True
    assert second["ResultConfiguration"] == first["ResultConfiguration"]
    assert rig.trino.asked.count(SQL) == 1
    assert len(rig.call("GetQueryResults", QueryExecutionId=second["QueryExecutionId"])["ResultSet"]["Rows"]) == 2


def test_parameters_become_an_execute(rig: Rig) -> None:
    rig.trino.rows("EXECUTE athena_execution_parameters USING 'M40', 7", [("n", "integer")], [[1]])
    assert rig.lines("SELECT n FROM t WHERE road = ? AND x = ?", ExecutionParameters=["'M40'", "7"])[1] == ["1"]
    assert "x-trino-prepared-statement" in rig.trino.headers[-1]


@pytest.mark.parametrize("value", ["1, 2", "1; SELECT 2", "(1", "1)", "", "-- x"])
def test_a_parameter_is_one_value(rig: Rig, value: str) -> None:
    assert "INVALID_PARAMETER_USAGE" in rig.reason("SELECT ?", ExecutionParameters=[value])
    assert rig.trino.asked == []


def test_prepared_statements_by_sql_and_by_call(rig: Rig) -> None:
    rig.run("PREPARE p1 FROM SELECT ? + 1")
    found = rig.call("GetPreparedStatement", WorkGroup="primary", StatementName="p1")["PreparedStatement"]
    assert found["QueryStatement"] == "SELECT ? + 1"
    rig.trino.rows("EXECUTE p1 USING 1", [("n", "integer")], [[2]])
    assert rig.lines("EXECUTE p1 USING 1") == [["n"], ["2"]]
    rig.run("DEALLOCATE PREPARE p1")
    assert rig.reason("EXECUTE p1 USING 1") == "NOT_FOUND: Prepared statement not found: p1"


@pytest.mark.parametrize(
    "sql",
    [
        "SET SESSION query_max_run_time = '1s'",
        "CALL system.runtime.kill_query('x')",
        "USE smartcity",
        "GRANT SELECT ON t TO u",
        "CREATE CATALOG x USING memory",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "WITH SESSION query_max_memory = '1kB' SELECT 1",
        "EXPLAIN ANALYZE SHOW TABLES",
        "CREATE FUNCTION f() RETURNS int RETURN 1",
        "DROP FUNCTION f()",
        "SHOW SESSION",
        "PREPARE p FROM DROP TABLE t",
    ],
)
def test_what_athena_does_not_take_never_reaches_the_engine(rig: Rig, sql: str) -> None:
    assert rig.reason(sql).startswith("NOT_SUPPORTED: ")
    assert rig.trino.asked == []


def test_other_catalogs_are_out_of_reach_even_for_the_account(rig: Rig) -> None:
    sql = "SELECT * FROM system.runtime.queries"
    rig.explains(sql, ("system/runtime", "queries"))
    assert rig.reason(sql) == "CATALOG_NOT_FOUND: line 1:1: Catalog 'system' not found"
    assert not rig.s3.objects


def _grant(rig: Rig, *grants: tuple[str, str]) -> None:
    rig.access.allowed |= set(grants)


OUTPUT = (("s3:GetBucketLocation", "arn:aws:s3:::results"), ("s3:PutObject", "arn:aws:s3:::results/out/"))
GLUE = "arn:aws:glue:eu-west-2:123456789012:"
READ = (
    *((f"glue:{action}", GLUE) for action in ("GetDatabase", "GetTable", "GetPartitions")),
    ("s3:ListBucket", "arn:aws:s3:::lake"),
    ("s3:GetObject", "arn:aws:s3:::lake/vehicle/"),
)


def test_without_permission_to_write_the_result_nothing_runs(rig: Rig) -> None:
    assert "Access denied when writing output to url: s3://results/out/" in rig.reason(SQL, ANALYST)
    assert rig.trino.asked == []


def test_neither_rows_nor_errors_of_a_denied_query_are_told(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.explains(SQL, ("smartcity", "vehicle"))
    _grant(rig, *OUTPUT)
    rig.trino.fails(SQL, "INVALID_CAST_ARGUMENT", "Cannot cast 'a secret' to INT")
    assert "secret" not in rig.reason(SQL, ANALYST)
    rig.trino.rows(SQL, [("n", "integer")], [[1]], physicalInputBytes=5)
    execution = rig.run(SQL, ANALYST)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Statistics"]["DataScannedInBytes"] == 0


def test_a_statement_that_writes_is_not_begun_before_it_is_permitted(rig: Rig, vehicle: dict[str, Any]) -> None:
    sql = "INSERT INTO vehicle SELECT 'a', 1e0, '2026-03-01'"
    rig.explains(sql, target=("smartcity", "vehicle"))
    _grant(rig, *OUTPUT)
    assert "Insufficient permissions" in rig.reason(sql, ANALYST)
    assert sql not in rig.trino.asked


@pytest.mark.parametrize("missing", READ)
def test_every_permission_to_read_is_needed(rig: Rig, vehicle: dict[str, Any], missing: tuple[str, str]) -> None:
    rig.explains(SQL, ("smartcity", "vehicle"))
    _grant(rig, *OUTPUT, *READ)
    rig.access.allowed.remove(missing)
    reason = rig.reason(SQL, ANALYST)
    assert reason.startswith("Insufficient permissions to execute the query. ")
    assert missing[0] in reason
    assert not any(key.endswith(".csv") for _, key in rig.s3.objects), "nothing of the answer is stored"


def test_with_all_permissions_it_runs(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.explains(SQL, ("smartcity", "vehicle"))
    rig.trino.rows(SQL, [("n", "integer")], [[1]])
    _grant(rig, *OUTPUT, *READ)
    assert rig.run(SQL, ANALYST)["Status"]["State"] == "SUCCEEDED"


def test_a_partition_elsewhere_needs_its_own_permission(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.run("ALTER TABLE vehicle ADD PARTITION (dt = '2026-03-01') LOCATION 's3://lake/secret/'")
    rig.explains(SQL, ("smartcity", "vehicle"))
    _grant(rig, *OUTPUT, *READ)
    assert "lake/secret" in rig.reason(SQL, ANALYST)


def test_an_error_of_the_analysis_points_into_the_users_text(rig: Rig) -> None:
    _grant(rig, *OUTPUT)
    sql = "SELECT\n  x FROM vehicle"
    rig.trino.fails(
        "EXPLAIN (TYPE IO, FORMAT JSON) " + sql, "COLUMN_NOT_FOUND", "line 2:3: Column 'x' cannot be resolved"
    )
    assert rig.reason(sql, ANALYST) == "COLUMN_NOT_FOUND: line 2:3: Column 'x' cannot be resolved"
    rig.trino.fails("EXPLAIN (TYPE IO, FORMAT JSON) SELECT y FROM t", "COLUMN_NOT_FOUND", "line 1:39: Column 'y'")
    assert rig.reason("SELECT y FROM t", ANALYST) == "COLUMN_NOT_FOUND: line 1:8: Column 'y'"


def test_a_query_without_tables_needs_no_analysis(rig: Rig) -> None:
    _grant(rig, *OUTPUT)
    rig.trino.rows("SELECT 1", [("n", "integer")], [[1]])
    assert rig.run("SELECT 1", ANALYST)["Status"]["State"] == "SUCCEEDED"
    assert rig.trino.asked == ["SELECT 1"]
    assert "Insufficient" in rig.reason("SELECT (TABLE vehicle)", ANALYST)


def test_writing_needs_the_target(rig: Rig, vehicle: dict[str, Any]) -> None:
    sql = "INSERT INTO vehicle SELECT 'a', 1e0, '2026-03-01'"
    rig.explains(sql, target=("smartcity", "vehicle"))
    _grant(rig, *OUTPUT, *READ, ("glue:UpdateTable", GLUE), ("glue:BatchCreatePartition", GLUE))
    assert "s3:PutObject" in rig.reason(sql, ANALYST)
    _grant(rig, ("s3:PutObject", "arn:aws:s3:::lake/vehicle/"))
    assert rig.run(sql, ANALYST)["Status"]["State"] == "SUCCEEDED"


def test_results_belong_to_those_who_may_read_them(rig: Rig) -> None:
    rig.trino.rows("SELECT 1", [("n", "integer")], [[1]])
    id_ = rig.run("SELECT 1", ROOT)["QueryExecutionId"]
    with pytest.raises(AwsError) as refused:
        rig.call("GetQueryResults", ANALYST, QueryExecutionId=id_)
    assert refused.value.code == "AccessDeniedException"


def test_table_as_select_goes_below_the_output_location(rig: Rig) -> None:
    sql = "CREATE TABLE t WITH (format = 'ORC', partitioned_by = ARRAY['dt'], write_compression = 'zstd') AS SELECT 1"
    execution = rig.run(sql)
    id_ = execution["QueryExecutionId"]
    place = f"s3://results/out/tables/{id_}/"
    asked = rig.trino.asked[-1]
    assert asked == (
        "CREATE TABLE t WITH (format = 'ORC', "
        f"external_location = '{place}', partitioned_by = ARRAY['dt'])  AS SELECT 1"
    )
    assert rig.trino.headers[-1]["x-trino-session"] == "awsdatacatalog.compression_codec=ZSTD"
    assert execution["Statistics"]["DataManifestLocation"] == f"s3://results/out/tables/{id_}-manifest.csv"


def test_a_chosen_location_must_be_empty(rig: Rig) -> None:
    rig.s3.put_object("lake", "here/file", b"x")
    sql = "CREATE TABLE t WITH (external_location = 's3://lake/here') AS SELECT 1"
    assert rig.reason(sql).startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table 'smartcity.t'")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "local:///x", "/etc", "s3://b/../x", "hdfs://x/y"])
def test_only_s3_is_written_to(rig: Rig, address: str) -> None:
    assert "must be an S3 address" in rig.reason(f"UNLOAD (SELECT 1) TO '{address}' WITH (format = 'JSON')")
    assert "must be an S3 address" in rig.reason(f"CREATE TABLE t WITH (external_location = '{address}') AS SELECT 1")


def test_unload_leaves_no_database_behind(rig: Rig) -> None:
    execution = rig.run("UNLOAD (SELECT 1 AS a) TO 's3://lake/out/' WITH (format = 'PARQUET')")
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert list(rig.glue.databases) == ["smartcity"]
    assert rig.trino.asked[-1].endswith("external_location = 's3://lake/out/')  AS SELECT 1 AS a")


def test_an_unload_that_was_killed_is_cleared_at_the_next_start(make_rig: Callable[..., Rig]) -> None:
    first = make_rig()
    first.trino.rows("x", [("n", "integer")])
    first.trino.hold = threading.Event()
    original = first.trino.handle

    def handle(request: Any) -> Any:
        if request.method == "POST":
            first.trino.rows(request.content.decode(), [("rows", "bigint")], [[1]])
        return original(request)

    first.service._trino._client._transport.handler = handle  # type: ignore[union-attr]
    id_ = first.start("UNLOAD (SELECT 1 AS a) TO 's3://lake/out/' WITH (format = 'PARQUET')")
    first.wait(id_, "RUNNING")
    assert len(first.glue.databases) == 2
    make_rig()
    deadline = time.monotonic() + 10
    while len(first.glue.databases) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.trino.hold.set()


def test_an_error_in_a_rewritten_statement_points_into_the_users_text(rig: Rig) -> None:
    sql = "UNLOAD (SELECT nosuch) TO 's3://lake/out/' WITH (format = 'PARQUET')"
    rig.run(sql)
    asked = rig.trino.asked[-1]
    column = asked.index("nosuch") + 1

    def answer(text: str) -> None:
        rig.trino.fails(text, "COLUMN_NOT_FOUND", f"line 1:{text.index('nosuch') + 1}: Column 'nosuch'")

    assert column > 0
    original = rig.trino.handle

    def handle(request: Any) -> Any:
        if request.method == "POST":
            answer(request.content.decode())
        return original(request)

    rig.service._trino._client._transport.handler = handle  # type: ignore[union-attr]
    assert rig.reason(sql) == f"COLUMN_NOT_FOUND: line 1:{sql.index('nosuch') + 1}: Column 'nosuch'"
