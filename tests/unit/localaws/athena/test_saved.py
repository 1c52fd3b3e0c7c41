"""Workgroups, named queries, prepared statements, tags, catalogs; answers in the shape of botocore's model."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from smartcity.localaws.api import AwsError

from .rig import Rig

MODEL = botocore.session.get_session().get_service_model("athena")


def test_a_workgroup_enforces_its_output(rig: Rig) -> None:
    rig.call(
        "CreateWorkGroup", Name="wg", Configuration={"ResultConfiguration": {"OutputLocation": "s3://forced/here"}}
    )
    execution = rig.run("SHOW TABLES", WorkGroup="wg")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith("s3://forced/here/")
    rig.call(
        "UpdateWorkGroup",
        WorkGroup="wg",
        ConfigurationUpdates={"EnforceWorkGroupConfiguration": False, "BytesScannedCutoffPerQuery": 20_000_000},
    )
    execution = rig.run("SHOW TABLES", WorkGroup="wg")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith("s3://results/out/")
    configuration = rig.call("GetWorkGroup", WorkGroup="wg")["WorkGroup"]["Configuration"]
    assert configuration["BytesScannedCutoffPerQuery"] == 20_000_000


def test_an_enforced_output_refuses_another_place_for_tables(rig: Rig) -> None:
    rig.call(
        "CreateWorkGroup", Name="wg", Configuration={"ResultConfiguration": {"OutputLocation": "s3://forced/here"}}
    )
    sql = "CREATE TABLE t WITH (external_location = 's3://lake/x') AS SELECT 1"
    assert "enforces a centralized output location" in rig.reason(sql, WorkGroup="wg")


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("StartQueryExecution", {"QueryString": "SELECT 1", "WorkGroup": "nosuch"}, "WorkGroup nosuch is not found"),
        ("StartQueryExecution", {"QueryString": "SELECT 1"}, "No output location provided"),
        (
            "StartQueryExecution",
            {"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": "file:///tmp/"}},
            "outputLocation is not a valid S3 path",
        ),
        (
            "StartQueryExecution",
            {"QueryString": "SELECT 1", "QueryExecutionContext": {"Catalog": "system"}},
            "Catalog system was not found",
        ),
        ("StartQueryExecution", {"QueryString": "x" * 262_145}, "exceeds the maximum length"),
        ("GetQueryExecution", {"QueryExecutionId": "x"}, "QueryExecution x was not found"),
        ("StopQueryExecution", {"QueryExecutionId": "x"}, "QueryExecution x was not found"),
        ("GetQueryResults", {"QueryExecutionId": "x"}, "QueryExecution x was not found"),
        ("DeleteWorkGroup", {"WorkGroup": "primary"}, "cannot be deleted"),
        ("CreateWorkGroup", {"Name": "a b"}, "not valid"),
        ("CreateWorkGroup", {"Name": "primary"}, "already created"),
        ("CreateWorkGroup", {"Name": "w", "Configuration": {"BytesScannedCutoffPerQuery": 5}}, "at least"),
        ("ListQueryExecutions", {"NextToken": "?"}, "pagination token"),
        ("ListWorkGroups", {"NextToken": "InRleHQi"}, "pagination token"),
        ("GetNamedQuery", {"NamedQueryId": "x"}, "was not found"),
        ("GetPreparedStatement", {"WorkGroup": "primary", "StatementName": "x"}, "was not found"),
        ("GetDataCatalog", {"Name": "system"}, "was not found"),
        ("GetTableMetadata", {"CatalogName": "AwsDataCatalog", "DatabaseName": "a", "TableName": "b"}, "Not Found"),
        ("ListTagsForResource", {"ResourceARN": "arn:aws:athena:eu-west-2:1:workgroup/x"}, "was not found"),
    ],
)
def test_refusals(rig: Rig, operation: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError, match=message) as refused:
        rig.call(operation, **params)
    assert refused.value.code in MODEL.shape_names


def test_every_answer_fits_the_model(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.trino.rows("SELECT 1", [("n", "integer")], [[1]])
    query = rig.run("SELECT 1")["QueryExecutionId"]
    failed = rig.run("DROP TABLE nosuch")["QueryExecutionId"]
    arn = "arn:aws:athena:eu-west-2:123456789012:workgroup/wg"
    named: dict[str, Any] = {"Name": "n", "Database": "smartcity", "QueryString": "SELECT 1"}
    catalog = {"CatalogName": "AwsDataCatalog"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateWorkGroup", {"Name": "wg", "Tags": [{"Key": "a", "Value": "b"}]}),
        ("GetWorkGroup", {"WorkGroup": "wg"}),
        ("ListWorkGroups", {"MaxResults": 1}),
        ("UpdateWorkGroup", {"WorkGroup": "wg", "State": "DISABLED", "Description": "d"}),
        ("TagResource", {"ResourceARN": arn, "Tags": [{"Key": "c", "Value": "d"}]}),
        ("UntagResource", {"ResourceARN": arn, "TagKeys": ["a"]}),
        ("ListTagsForResource", {"ResourceARN": arn}),
        ("DeleteWorkGroup", {"WorkGroup": "wg"}),
        ("ListEngineVersions", {}),
        ("CreateNamedQuery", named),
        ("ListNamedQueries", {}),
        ("CreatePreparedStatement", {"StatementName": "s", "WorkGroup": "primary", "QueryStatement": "SELECT ?"}),
        ("GetPreparedStatement", {"StatementName": "s", "WorkGroup": "primary"}),
        ("UpdatePreparedStatement", {"StatementName": "s", "WorkGroup": "primary", "QueryStatement": "SELECT 1"}),
        ("ListPreparedStatements", {"WorkGroup": "primary"}),
        ("BatchGetPreparedStatement", {"WorkGroup": "primary", "PreparedStatementNames": ["s", "t"]}),
        ("DeletePreparedStatement", {"StatementName": "s", "WorkGroup": "primary"}),
        ("GetQueryExecution", {"QueryExecutionId": query}),
        ("BatchGetQueryExecution", {"QueryExecutionIds": [query, failed, "x"]}),
        ("GetQueryResults", {"QueryExecutionId": query}),
        ("GetQueryRuntimeStatistics", {"QueryExecutionId": query}),
        ("ListQueryExecutions", {"MaxResults": 1}),
        ("ListDataCatalogs", {}),
        ("GetDataCatalog", {"Name": "AwsDataCatalog"}),
        ("ListDatabases", catalog),
        ("GetDatabase", {**catalog, "DatabaseName": "smartcity"}),
        ("ListTableMetadata", {**catalog, "DatabaseName": "smartcity", "Expression": "v.*"}),
        ("GetTableMetadata", {**catalog, "DatabaseName": "smartcity", "TableName": "vehicle"}),
    ]
    for operation, params in calls:
        _fits(operation, rig.call(operation, **params))
        assert isinstance(rig.service.resource_arns(operation, params), list)
    id_ = rig.call("ListNamedQueries")["NamedQueryIds"][0]
    _fits("GetNamedQuery", rig.call("GetNamedQuery", NamedQueryId=id_))
    _fits("BatchGetNamedQuery", rig.call("BatchGetNamedQuery", NamedQueryIds=[id_, "x"]))
    rig.call("UpdateNamedQuery", NamedQueryId=id_, Name="m", QueryString="SELECT 2")
    rig.call("DeleteNamedQuery", NamedQueryId=id_)
    assert rig.call("ListNamedQueries") == {"NamedQueryIds": []}


def _fits(operation: str, answer: dict[str, Any]) -> None:
    shape = MODEL.operation_model(operation).output_shape
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), f"{operation}: {report.generate_report()}"
    unknown = set(answer) - set(shape.members)
    assert not unknown, f"{operation}: {unknown}"


def test_every_operation_is_in_the_model(rig: Rig) -> None:
    assert set(rig.service.operations) <= set(MODEL.operation_names)


def test_permissions_are_asked_on_the_querys_workgroup(rig: Rig) -> None:
    rig.call("CreateWorkGroup", Name="wg")
    id_ = rig.run("SHOW TABLES", WorkGroup="wg")["QueryExecutionId"]
    arn = "arn:aws:athena:eu-west-2:123456789012:workgroup/wg"
    assert rig.service.resource_arns("GetQueryResults", {"QueryExecutionId": id_}) == [arn]
    assert rig.service.resource_arns("StartQueryExecution", {"WorkGroup": "wg"}) == [arn]
    assert rig.service.resource_arns("CreateWorkGroup", {"Name": "wg"}) == [arn]
    assert rig.service.resource_arns("ListWorkGroups", {}) == []


def test_a_used_workgroup_is_deleted_only_with_its_contents(rig: Rig) -> None:
    rig.call("CreateWorkGroup", Name="wg")
    rig.run("SHOW TABLES", WorkGroup="wg")
    with pytest.raises(AwsError, match="not empty"):
        rig.call("DeleteWorkGroup", WorkGroup="wg")
    rig.call("DeleteWorkGroup", WorkGroup="wg", RecursiveDeleteOption=True)
    with pytest.raises(AwsError, match="not found"):
        rig.call("GetWorkGroup", WorkGroup="wg")


def test_the_history_is_listed_in_pages(rig: Rig) -> None:
    ids = [rig.run("SHOW TABLES")["QueryExecutionId"] for _ in range(5)]
    seen: list[str] = []
    token: dict[str, Any] = {}
    while True:
        answer = rig.call("ListQueryExecutions", MaxResults=2, **token)
        seen += answer["QueryExecutionIds"]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert seen == ids[::-1]
