"""Nonsense in, AWS's errors out: never an error of our own, never a hang."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartcity.localaws.api import AwsError

from .rig import Rig

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)

words = st.sampled_from(
    [
        *("SELECT", "FROM", "CREATE", "EXTERNAL", "TABLE", "VIEW", "AS", "WITH", "(", ")", ",", "=", "'s3://lake/x/'"),
        *("'a'", '"q"', "`b`", "t", "vehicle", "PARTITION", "ADD", "DROP", "ALTER", "SHOW", "DESCRIBE", "EXPLAIN"),
        *("ANALYZE", "UNLOAD", "TO", "INSERT", "INTO", "MSCK", "REPAIR", "PREPARE", "EXECUTE", "USING", "?", "1", ";"),
        *("DEALLOCATE", ".", "[", "]", "<", ">", "DATABASE", "IF", "NOT", "EXISTS", "LOCATION", "STORED", "PARQUET"),
        *("array<int>", "struct<a:int>", "TBLPROPERTIES", "SET", "COLUMNS", "FORMATTED", "LIKE", "IN"),
    ]
)
statements = st.one_of(st.text(max_size=80), st.lists(words, max_size=14).map(" ".join))


@shared
@given(sql=statements)
def test_any_text_ends_in_a_state_with_a_reason_of_its_own(rig: Rig, sql: str) -> None:
    execution = rig.run(sql)
    reason = execution["Status"].get("StateChangeReason", "")
    assert "GENERIC_INTERNAL_ERROR" not in reason, reason


@shared
@given(token=st.text(max_size=40), size=st.integers(1, 1000))
def test_any_token_is_refused_or_understood(rig: Rig, token: str, size: int) -> None:
    rig.trino.rows("SELECT 1", [("n", "integer")], [[1]])
    id_ = rig.run("SELECT 1")["QueryExecutionId"]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("GetQueryResults", {"QueryExecutionId": id_}),
        ("ListQueryExecutions", {}),
        ("ListWorkGroups", {}),
        ("ListNamedQueries", {}),
    ]
    for operation, params in calls:
        try:
            rig.call(operation, NextToken=token, MaxResults=size, **params)
        except AwsError as error:
            assert error.code == "InvalidRequestException"


@shared
@given(text=st.text(min_size=1, max_size=30))
def test_any_name_is_refused_or_found_again(rig: Rig, text: str) -> None:
    try:
        rig.call("CreateWorkGroup", Name=text)
    except AwsError as error:
        assert error.code == "InvalidRequestException"
    else:
        assert rig.call("GetWorkGroup", WorkGroup=text)["WorkGroup"]["Name"] == text
        rig.call("DeleteWorkGroup", WorkGroup=text)
