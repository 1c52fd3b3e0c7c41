# ruff: noqa: S608  the statements are the test's own
"""The Data API and Serverless behind the gate: results, batches, sessions, tokens, owners, roles, files, kill -9."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from smartcity.pipeline import access
from tests.integration.localaws.local_aws_process import LocalAws
from tests.integration.localaws.redshift_lake import City

pytestmark = pytest.mark.integration
FINAL = {"FINISHED", "FAILED", "ABORTED"}


class Api:
    """Statements of one city's workgroup."""

    def __init__(self, city: City, **credentials: str) -> None:
        self.city = city
        self.data = city.aws.client("redshift-data", **credentials)
        self.role = city.scope.role_arn("warehouse")

    def end(self, statement_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            found: dict[str, Any] = self.data.describe_statement(Id=statement_id)
            if found["Status"] in FINAL:
                return found
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def send(self, sql: str, **more: Any) -> str:
        where = {} if "SessionId" in more else {"WorkgroupName": self.city.name, "Database": "dev"}
        return str(self.data.execute_statement(Sql=sql, **where, **more)["Id"])

    def run(self, sql: str, **more: Any) -> dict[str, Any]:
        found = self.end(self.send(sql, **more))
        assert found["Status"] == "FINISHED", found.get("Error")
        return found

    def fail(self, sql: str, **more: Any) -> str:
        found = self.end(self.send(sql, **more))
        assert found["Status"] == "FAILED"
        return str(found["Error"])

    def rows(self, sql: str, **more: Any) -> list[list[Any]]:
        found = self.data.get_statement_result(Id=self.run(sql, **more)["Id"])
        return [
            [None if "isNull" in cell else next(iter(cell.values())) for cell in record] for record in found["Records"]
        ]

    def batch(self, *sqls: str) -> dict[str, Any]:
        sent = self.data.batch_execute_statement(WorkgroupName=self.city.name, Database="dev", Sqls=list(sqls))
        return self.end(sent["Id"])

    def put(self, key: str, body: bytes) -> str:
        self.city.s3.put_object(Bucket=self.city.bucket, Key=f"lake/api/{key}", Body=body)
        return f"s3://{self.city.bucket}/lake/api/{key}"


@pytest.fixture(scope="module")
def api(local_aws: LocalAws) -> Iterator[Api]:
    yield Api(City(local_aws, "api-city").build())


def parquet(**columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_values_have_the_fields_that_the_api_documents(api: Api) -> None:
    found = api.run(
        "SELECT 1 AS i, 2.50 AS n, 1.5::float8 AS f, true AS b, 'x' AS t, NULL AS z, '2026-03-01'::date AS d"
    )
    result = api.data.get_statement_result(Id=found["Id"])
    assert result["Records"] == [
        [
            {"longValue": 1},
            {"stringValue": "2.50"},
            {"doubleValue": 1.5},
            {"booleanValue": True},
            {"stringValue": "x"},
            {"isNull": True},
            {"stringValue": "2026-03-01"},
        ]
    ]
    assert [c["typeName"] for c in result["ColumnMetadata"]][:5] == ["int4", "numeric", "float8", "bool", "varchar"]
    assert (found["ResultRows"], found["HasResultSet"], result["TotalNumRows"]) == (1, True, 1)


def test_results_come_in_pages_and_as_csv(api: Api) -> None:
    api.run("CREATE TABLE many (n INTEGER)")
    api.run("INSERT INTO many VALUES " + ", ".join(f"({n})" for n in range(2500)))
    statement = api.run("SELECT n FROM many ORDER BY n")["Id"]
    pages = list(api.data.get_paginator("get_statement_result").paginate(Id=statement))
    assert len(pages) > 1
    assert [cell["longValue"] for page in pages for (cell,) in page["Records"]] == list(range(2500))
    as_csv = api.run("SELECT n, 'a,b' AS t FROM many WHERE n < 2 ORDER BY n", ResultFormat="CSV")["Id"]
    text = api.data.get_statement_result_v2(Id=as_csv)["Records"][0]["CSVRecords"]
    assert text.splitlines() == ["n,t", '0,"a,b"', '1,"a,b"']
    with pytest.raises(ClientError, match="ValidationException"):
        api.data.get_statement_result(Id=as_csv)


def test_a_batch_is_one_transaction(api: Api) -> None:
    api.run("CREATE TABLE ledger (n INTEGER)")
    failed = api.batch("INSERT INTO ledger VALUES (1)", "SELECT 1/0", "INSERT INTO ledger VALUES (2)")
    assert (failed["Status"], failed["Error"]) == ("FAILED", "ERROR: Divide by zero")
    assert [sub["Status"] for sub in failed["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert api.rows("SELECT COUNT(*) FROM ledger") == [[0]]
    done = api.batch("INSERT INTO ledger VALUES (1)", "SELECT n FROM ledger")
    assert done["Status"] == "FINISHED"
    assert api.data.get_statement_result(Id=done["SubStatements"][1]["Id"])["Records"] == [[{"longValue": 1}]]


def test_parameters_are_values_and_never_sql(api: Api) -> None:
    evil = "x'; DROP TABLE ledger; --"
    assert api.rows("SELECT :a, 1 + :b", Parameters=[{"name": "a", "value": evil}, {"name": "b", "value": "2"}]) == [
        [evil, 3]
    ]
    assert "Cannot find parameter" in api.fail("SELECT :a", Parameters=[{"name": "b", "value": "1"}])


def test_a_token_is_taken_once(api: Api) -> None:
    api.run("CREATE TABLE once (n INTEGER)")
    first = api.send("INSERT INTO once VALUES (1)", ClientToken="token-1")
    assert api.send("INSERT INTO once VALUES (1)", ClientToken="token-1") == first
    api.end(first)
    assert api.rows("SELECT COUNT(*) FROM once") == [[1]]
    with pytest.raises(ClientError, match="other parameters"):
        api.send("INSERT INTO once VALUES (2)", ClientToken="token-1")


def test_a_kept_session_has_its_temporary_tables_and_transaction(api: Api) -> None:
    sent = api.data.execute_statement(
        WorkgroupName=api.city.name,
        Database="dev",
        Sql="CREATE TEMP TABLE mine (n INTEGER)",
        SessionKeepAliveSeconds=60,
    )
    api.end(sent["Id"])
    session = {"SessionId": sent["SessionId"]}
    api.run("INSERT INTO mine VALUES (1)", **session)
    assert api.rows("SELECT n FROM mine", **session) == [[1]]
    assert 'relation "mine" does not exist' in api.fail("SELECT n FROM mine")
    with pytest.raises(ClientError, match="not available"):
        api.send("SELECT 1", SessionId="00000000-0000-0000-0000-000000000000")


def test_a_running_statement_can_be_cancelled(api: Api) -> None:
    statement = api.send("SELECT COUNT(*) FROM many a, many b, many c WHERE (a.n * b.n + c.n) % 7 = 1")
    assert api.data.cancel_statement(Id=statement)["Status"] is True
    found = api.end(statement)
    assert (found["Status"], found["Error"]) == ("ABORTED", "Query cancelled on user's request")
    with pytest.raises(ClientError, match="already in ABORTED state"):
        api.data.cancel_statement(Id=statement)


def test_others_do_not_see_a_statement_and_a_missing_action_is_named(api: Api) -> None:
    city = api.city
    iam, sts = city.aws.client("iam"), city.aws.client("sts")
    loader = access.ensure_role(iam, access.ACTORS["loader"](city.scope), city.name)
    as_loader = Api(city, **access.assume(sts, loader, "loader"))
    mine = api.send("SELECT 1")
    api.end(mine)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        as_loader.data.describe_statement(Id=mine)
    assert as_loader.rows("SELECT 2") == [[2]]
    analyst = access.ensure_role(iam, access.ACTORS["analyst"](city.scope), city.name)
    with pytest.raises(ClientError, match=r"not authorized to perform: redshift-data:ExecuteStatement"):
        Api(city, **access.assume(sts, analyst, "analyst")).send("SELECT 1")


def test_copy_of_parquet_csv_json_and_a_manifest(api: Api) -> None:
    api.run("CREATE TABLE copied (a INTEGER, b VARCHAR(10), c TIMESTAMP)")
    part = parquet(
        a=pa.array([1, 2], pa.int32()), b=pa.array(["x", None]), c=pa.array([0, 1], pa.timestamp("ms", "UTC"))
    )
    uri = api.put("p/1.parquet", part)
    api.put("c/1.csv", gzip.compress(b'a,b,c\n3,"q""uoted",2026-03-01 00:00:00\n4,,\n'))
    api.put("j/1.json", b'{"a": 5, "b": "j", "more": 1}\n{"a": 6}\n')
    manifest = api.put(
        "m.json", json.dumps({"entries": [{"url": uri, "meta": {"content_length": len(part)}}]}).encode()
    )
    base = f"s3://{api.city.bucket}/lake/api"
    role = f"IAM_ROLE '{api.role}'"
    assert api.run(f"COPY copied FROM '{base}/p/' {role} FORMAT AS PARQUET")["ResultRows"] == 2
    assert api.run(f"COPY copied FROM '{base}/c/' IAM_ROLE DEFAULT CSV GZIP IGNOREHEADER 1")["ResultRows"] == 2
    assert api.run(f"COPY copied FROM '{base}/j/' {role} FORMAT JSON 'auto'")["ResultRows"] == 2
    assert api.run(f"COPY copied FROM '{manifest}' {role} FORMAT AS PARQUET MANIFEST")["ResultRows"] == 2
    assert api.rows("SELECT a, b FROM copied WHERE a > 2 ORDER BY a") == [[3, 'q"uoted'], [4, ""], [5, "j"], [6, None]]
    wrong = json.dumps({"entries": [{"url": uri, "meta": {"content_length": 1}}]}).encode()
    refused = api.fail(f"COPY copied FROM '{api.put('w.json', wrong)}' {role} FORMAT AS PARQUET MANIFEST")
    assert "Content length" in refused


def test_a_refused_row_loads_nothing_and_stands_in_stl_load_errors(api: Api) -> None:
    api.run("CREATE TABLE strict (a INTEGER, b VARCHAR(3))")
    uri = api.put("bad/1.csv", b"1,abc\nx,abc\n2,toolong\n3,ok\n")
    copy = f"COPY strict FROM '{uri}' IAM_ROLE '{api.role}' CSV"
    assert "Load into table 'strict' failed" in api.fail(copy)
    assert api.rows("SELECT COUNT(*) FROM strict") == [[0]]
    errors = api.rows(
        "SELECT line_number, colname, err_code FROM stl_load_errors WHERE table_name = 'strict' ORDER BY 1"
    )
    assert errors == [[2, "a", 1207], [3, "b", 1204]]
    assert api.run(f"{copy} MAXERROR 2")["ResultRows"] == 2


def test_the_role_is_enforced(api: Api) -> None:
    api.run("CREATE TABLE roles (a INTEGER)")
    outside = f"COPY roles FROM 's3://{api.city.bucket}/frames/' IAM_ROLE '{api.role}' CSV"
    assert "not authorized to perform: s3:ListBucket" in api.fail(outside)
    stranger = api.role.replace("warehouse", "stranger")
    assert "is not associated to cluster" in api.fail(outside.replace(api.role, stranger))


def test_unload_gives_back_what_was_there(api: Api, local_aws: LocalAws) -> None:
    city = api.city
    iam = local_aws.client("iam")
    statement = {
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{city.bucket}/*", f"arn:aws:s3:::{city.bucket}"],
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=f"{city.name}-warehouse", PolicyName="unload", PolicyDocument=document)
    to = f"s3://{city.bucket}/unloaded/"
    unload = f"UNLOAD ('SELECT n, n % 2 AS odd FROM many WHERE n < 4') TO '{to}' IAM_ROLE '{api.role}' "
    api.run(unload + "FORMAT AS PARQUET PARTITION BY (odd) MANIFEST")
    keys = [item["Key"] for item in city.s3.list_objects_v2(Bucket=city.bucket, Prefix="unloaded/")["Contents"]]
    assert keys == ["unloaded/manifest", "unloaded/odd=0/0000_part_00.parquet", "unloaded/odd=1/0000_part_00.parquet"]
    body = city.s3.get_object(Bucket=city.bucket, Key=keys[2])["Body"].read()
    assert pq.read_table(io.BytesIO(body)).to_pydict() == {"n": [1, 3]}
    assert "destination on S3 is not empty" in api.fail(unload + "CSV")


def test_lists_and_descriptions(api: Api) -> None:
    where = {"WorkgroupName": api.city.name, "Database": "dev"}
    api.run("CREATE TABLE shown (a INTEGER NOT NULL, b VARCHAR(7))")
    assert api.data.list_databases(**where)["Databases"] == ["dev"]
    assert api.data.list_schemas(**where)["Schemas"] == ["public"]
    found = api.data.list_tables(**where, SchemaPattern="public", TablePattern="show_")["Tables"]
    assert found == [{"name": "shown", "schema": "public", "type": "TABLE"}]
    columns = api.data.describe_table(**where, Schema="public", Table="shown")["ColumnList"]
    assert [(c["name"], c["typeName"], c["length"], c["nullable"]) for c in columns] == [
        ("a", "int4", 0, 0),
        ("b", "varchar", 7, 1),
    ]
    assert api.data.list_statements(MaxResults=1)["Statements"][0]["Status"] == "FINISHED"


def test_serverless_refuses_what_does_not_fit(api: Api) -> None:
    serverless = api.city.aws.client("redshift-serverless")
    name = api.city.name
    with pytest.raises(serverless.exceptions.ConflictException):
        serverless.create_workgroup(workgroupName=name, namespaceName=name)
    with pytest.raises(serverless.exceptions.ConflictException):
        serverless.delete_namespace(namespaceName=name)
    with pytest.raises(serverless.exceptions.ResourceNotFoundException):
        serverless.get_workgroup(workgroupName="nowhere")
    with pytest.raises(serverless.exceptions.ValidationException):
        serverless.update_workgroup(workgroupName=name, baseCapacity=9)
    assert serverless.get_credentials(workgroupName=name)["dbUser"] == "IAM:admin"
    assert [w["workgroupName"] for w in serverless.list_workgroups()["workgroups"]].count(name) == 1


def test_kill_9_keeps_what_was_committed_and_nothing_else(own_local_aws: LocalAws) -> None:
    api = Api(City(own_local_aws, "killed-api").build())
    api.run("CREATE TABLE kept (n BIGINT IDENTITY(1,1), t VARCHAR(9) DEFAULT 'x', at TIMESTAMP DEFAULT GETDATE())")
    api.run("INSERT INTO kept (t) VALUES ('a'), ('b')")
    running = api.data.batch_execute_statement(
        WorkgroupName=api.city.name,
        Database="dev",
        Sqls=[
            "INSERT INTO kept (t) VALUES ('lost')",
            "SELECT COUNT(*) FROM svv_columns a, svv_columns b, svv_columns c, svv_columns d",
        ],
    )["Id"]
    own_local_aws.kill()
    own_local_aws.start()
    again = Api(City(own_local_aws, "killed-api"))
    found = again.end(running)
    expected = [["a"], ["b"]] + ([["lost"]] if found["Status"] == "FINISHED" else [])
    assert again.rows("SELECT t FROM kept ORDER BY n") == expected
    again.run("INSERT INTO kept (t) VALUES (DEFAULT)")
