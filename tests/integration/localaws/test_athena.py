"""Athena as its clients see it: boto3 and the AWS CLI against the real server, Trino, Glue and S3."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from smartcity.events import LAKE_COLUMNS, TOPICS, Column
from smartcity.pipeline import query
from smartcity.queries import bind, saved_queries

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration

WORKGROUP, BUCKET, DATABASE = "city", "athena-city", "city"
TRIP = "it's a trip"


class Athena:
    """Asks in the workgroup and database of these tests."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def ask(self, sql: str, *parameters: str) -> query.QueryResult:
        """What must succeed."""
        return query.run_query(
            self.client, sql, workgroup=WORKGROUP, database=DATABASE, parameters=parameters, timeout_s=120
        )

    def rows(self, sql: str, *parameters: str) -> list[Any]:
        """All rows."""
        return list(self.ask(sql, *parameters).rows)

    def reason(self, sql: str) -> str:
        """Why it fails."""
        with pytest.raises((query.QueryRefused, query.QueryFailed)) as failure:
            self.ask(sql)
        return failure.value.reason

    def start(self, sql: str) -> str:
        """The id of a query that has been started."""
        return query.start_query(self.client, sql, workgroup=WORKGROUP, database=DATABASE)

    def state(self, id_: str) -> Any:
        """The status of a query."""
        return self.client.get_query_execution(QueryExecutionId=id_)["QueryExecution"]["Status"]

    def until(self, id_: str, *states: str) -> Any:
        """The status once it is one of these."""
        deadline = time.monotonic() + 60
        while (status := self.state(id_))["State"] not in states:
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return status


_ARROW = {
    "string": pa.string(),
    "double": pa.float64(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "timestamp": pa.timestamp("ms"),
}


def _value(column: Column, number: int, start: datetime) -> Any:
    """A believable value: later numbers are later and a little more."""
    named = {
        "trip_id": TRIP,
        "vehicle_id": "car-1",
        "event_id": f"e-{number}",
        "road": ["M40", "M25"][number // 60 % 2],
    }
    named |= {"camera_id": f"cam-{number % 3}", "incident_id": f"inc-{number // 50}", "plate": f"AB{number % 2}"}
    named |= {"status": "open", "fix": ["3D", "2D"][number % 2]}
    if column.name in named:
        return named[column.name]
    if column.type == "timestamp":
        return start + timedelta(seconds=number)
    if column.type == "string":
        return f"{column.name} {number % 3}"
    low, high = column.minimum or 0.0, column.maximum or 1000.0
    if column.name == "speed_kmh":
        return 120.0 if number % 40 else 3.0
    value = low + (high - low) * (number % 50) / 100
    return value if column.type == "double" else int(value)


def _fill(stack: Stack, athena: Athena) -> None:
    """Every table of the lake with 300 rows on each of two days; made and found by Athena's own statements."""
    s3 = stack.clients.aws("s3")
    for topic in TOPICS.values():
        columns = (*topic.columns, *LAKE_COLUMNS)
        for day in (1, 2):
            start = datetime(2026, 3, day, 7, tzinfo=UTC)
            data = {
                column.name: pa.array(
                    [_value(column, number, start.replace(tzinfo=None)) for number in range(300)], _ARROW[column.type]
                )
                for column in columns
            }
            body = io.BytesIO()
            pq.write_table(pa.table(data), body)
            s3.put_object(Bucket=BUCKET, Key=f"lake/{topic.name}/dt=2026-03-0{day}/a.parquet", Body=body.getvalue())
        definition = ", ".join(f"{column.name} {column.type}" for column in columns)
        athena.ask(
            f"CREATE EXTERNAL TABLE {topic.name} ({definition}) PARTITIONED BY (dt string) STORED AS PARQUET "
            f"LOCATION 's3://{BUCKET}/lake/{topic.name}/'"
        )
        athena.ask(f"MSCK REPAIR TABLE {topic.name}")


@pytest.fixture(scope="module")
def athena(stack: Stack) -> Iterator[Athena]:
    """A database `city` with the tables of the lake."""
    clients = stack.clients
    clients.aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    ours = Athena(clients.aws("athena"))
    query.ensure_workgroup(ours.client, WORKGROUP, f"s3://{BUCKET}/results/")
    ours.ask(f"CREATE DATABASE {DATABASE}")
    _fill(stack, ours)
    yield ours
    ours.ask(f"DROP DATABASE {DATABASE} CASCADE")


@pytest.mark.parametrize("name", sorted(saved_queries()))
def test_saved_queries_answer(athena: Athena, name: str) -> None:
    saved = saved_queries()[name]
    sql, parameters = bind(saved.sql, dict.fromkeys(saved.parameters, TRIP))
    result = athena.ask(sql, *parameters)
    rows = list(result.rows)
    assert rows
    assert len(rows[0]) == len(result.columns)
    assert result.bytes_scanned > 0


def test_a_day_is_all_that_is_read(athena: Athena) -> None:
    everything = athena.ask("SELECT sum(speed_kmh), max(ts) FROM vehicle").bytes_scanned
    one_day = athena.ask("SELECT sum(speed_kmh), max(ts) FROM vehicle WHERE dt = '2026-03-01'").bytes_scanned
    assert 0 < one_day < everything


def test_the_files_of_a_result(athena: Athena, stack: Stack) -> None:
    result = athena.ask(
        "SELECT 'a \"b\", c' AS \"T\", cast(null AS varchar) AS n, '' AS e, 1e10 AS d, timestamp '2026-03-01 07:00' t"
    )
    execution = athena.client.get_query_execution(QueryExecutionId=result.id)["QueryExecution"]
    bucket, _, key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    s3 = stack.clients.aws("s3")
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert content == '"T","n","e","d","t"\n"a ""b"", c",,"","1.0E10","2026-03-01 07:00:00.000"\n'
    assert next(csv.reader(io.StringIO(content.split("\n", 1)[1]))) == [
        *('a "b", c', "", "", "1.0E10", "2026-03-01 07:00:00.000"),
    ]
    assert s3.get_object(Bucket=bucket, Key=key + ".metadata")["Body"].read()


def test_many_rows_come_whole_and_in_order(athena: Athena) -> None:
    rows = athena.rows(
        "SELECT n, n * 2 FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(x * 3 - 2, x * 3)) b(n) ORDER BY n"
    )
    assert rows == [(number, number * 2) for number in range(1, 30_001)]


def test_what_is_deleted_from_s3_is_gone(athena: Athena, stack: Stack) -> None:
    result = athena.ask("SELECT n FROM UNNEST(sequence(1, 3)) t(n)")
    stack.clients.aws("s3").delete_object(Bucket=BUCKET, Key=f"results/{result.id}.csv")
    deadline = time.monotonic() + 30
    with pytest.raises(ClientError, match="Unable to read the results"):
        while time.monotonic() < deadline:  # a result that was just written is kept for some seconds
            athena.client.get_query_results(QueryExecutionId=result.id)
            time.sleep(0.2)


def test_cancelling_ends_the_work(athena: Athena) -> None:
    heavy = (
        "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y) WHERE (x * y) % 7 = 1"
    )
    id_ = athena.start(heavy)
    athena.until(id_, "RUNNING", "SUCCEEDED")
    athena.client.stop_query_execution(QueryExecutionId=id_)
    assert athena.until(id_, "CANCELLED", "SUCCEEDED")["State"] == "CANCELLED"
    began = time.monotonic()
    assert athena.rows("SELECT 1") == [(1,)]
    assert time.monotonic() - began < 10, "the engine is free again"


def test_tables_from_queries(athena: Athena, stack: Stack) -> None:
    made = athena.ask(
        "CREATE TABLE per_road WITH (format = 'PARQUET', write_compression = 'SNAPPY', partitioned_by = ARRAY['dt']) "
        "AS SELECT road, avg(speed_kmh) AS kmh, dt FROM vehicle GROUP BY road, dt"
    )
    assert made.update_count == 4
    assert athena.ask("INSERT INTO per_road VALUES ('A1', 50.0, '2026-03-03')").update_count == 1
    assert athena.rows("SELECT count(*), min(dt), max(dt) FROM per_road") == [(5, "2026-03-01", "2026-03-03")]
    assert athena.rows("SHOW PARTITIONS per_road") == [("dt=2026-03-01",), ("dt=2026-03-02",), ("dt=2026-03-03",)]
    athena.ask("ALTER TABLE per_road DROP PARTITION (dt = '2026-03-03')")
    athena.ask("ALTER TABLE per_road ADD COLUMNS (note string)")
    assert athena.rows("SELECT count(*), count(note) FROM per_road") == [(4, 0)]
    athena.ask("CREATE OR REPLACE VIEW fast AS SELECT road FROM per_road WHERE kmh > 1")
    assert athena.rows("SHOW VIEWS") == [("fast",)]
    assert athena.rows("SELECT count(*) FROM fast") == [(4,)]
    athena.ask("DROP VIEW fast")
    athena.ask("DROP TABLE per_road")
    execution = athena.client.get_query_execution(QueryExecutionId=made.id)["QueryExecution"]
    manifest = execution["Statistics"]["DataManifestLocation"]
    bucket, _, key = manifest.removeprefix("s3://").partition("/")
    listed = stack.clients.aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().split()
    assert len(listed) >= 2
    assert all(url.startswith(f"s3://{BUCKET}/results/tables/{made.id}/dt=") for url in listed)


@pytest.mark.parametrize("format_", ["PARQUET", "ORC", "JSON", "AVRO", "TEXTFILE"])
def test_unload(athena: Athena, stack: Stack, format_: str) -> None:
    place = f"s3://{BUCKET}/un/{format_}/"
    unload = f"UNLOAD (SELECT road, speed_kmh FROM vehicle) TO '{place}' WITH (format = '{format_}')"  # noqa: S608
    assert athena.ask(unload).update_count == 600
    found = stack.clients.aws("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"un/{format_}/")
    assert found["KeyCount"] > 0
    assert athena.reason(unload).startswith("HIVE_PATH_ALREADY_EXISTS")


def test_json_csv_and_projected_tables(athena: Athena, stack: Stack) -> None:
    s3 = stack.clients.aws("s3")
    s3.put_object(Bucket=BUCKET, Key="json/a.json", Body=b'{"a": 1, "b": {"c": ["x"]}}\n{"a": null}\n')
    athena.ask(
        "CREATE EXTERNAL TABLE j (a int, b struct<c:array<string>>) ROW FORMAT SERDE "
        f"'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{BUCKET}/json/'"
    )
    assert athena.rows("SELECT a, b.c[1] FROM j ORDER BY a") == [(1, "x"), (None, None)]
    s3.put_object(Bucket=BUCKET, Key="csv/a.csv", Body=b'name;n\n"a;b";1\nc;2\n')
    athena.ask(
        "CREATE EXTERNAL TABLE c (name string, n string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
        f"WITH SERDEPROPERTIES ('separatorChar' = ';') LOCATION 's3://{BUCKET}/csv/' "
        "TBLPROPERTIES ('skip.header.line.count' = '1')"
    )
    assert athena.rows("SELECT * FROM c ORDER BY name") == [("a;b", "1"), ("c", "2")]
    athena.ask(
        "CREATE EXTERNAL TABLE p (event_id string) PARTITIONED BY (dt string) STORED AS PARQUET "
        f"LOCATION 's3://{BUCKET}/lake/vehicle/' TBLPROPERTIES ('projection.enabled' = 'true', "
        "'projection.dt.type' = 'date', 'projection.dt.format' = 'yyyy-MM-dd', "
        "'projection.dt.range' = '2026-03-01,2026-03-05')"
    )
    assert athena.rows("SELECT dt, count(*) FROM p GROUP BY dt ORDER BY dt") == [
        ("2026-03-01", 300),
        ("2026-03-02", 300),
    ]


def test_iceberg(athena: Athena, stack: Stack) -> None:
    athena.ask(
        "CREATE TABLE ice (id bigint, ts timestamp, road string) PARTITIONED BY (day(ts), bucket(4, id)) "
        f"LOCATION 's3://{BUCKET}/ice/' TBLPROPERTIES ('table_type' = 'ICEBERG')"
    )
    moment = "timestamp '2026-03-01 07:00:00.000000'"
    assert athena.ask(f"INSERT INTO ice VALUES (1, {moment}, 'M40'), (2, {moment}, 'M25')").update_count == 2  # noqa: S608
    (before,) = athena.rows('SELECT max_by(snapshot_id, committed_at) FROM "ice$snapshots"')[0]
    athena.ask("UPDATE ice SET road = 'A1' WHERE id = 1")
    athena.ask("DELETE FROM ice WHERE id = 2")
    athena.ask(
        "MERGE INTO ice t USING (VALUES (bigint '1', 'M1'), (3, 'M3')) AS s (id, road) ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET road = s.road WHEN NOT MATCHED THEN INSERT (id, road) VALUES (s.id, s.road)"
    )
    assert athena.rows("SELECT id, road FROM ice ORDER BY id") == [(1, "M1"), (3, "M3")]
    old = f"SELECT id, road FROM ice FOR VERSION AS OF {before} ORDER BY id"  # noqa: S608
    assert athena.rows(old) == [(1, "M40"), (2, "M25")]
    athena.ask("ALTER TABLE ice ADD COLUMNS (note string)")
    athena.ask("OPTIMIZE ice REWRITE DATA USING BIN_PACK")
    athena.ask("VACUUM ice")
    assert athena.rows("SELECT id, road, note FROM ice ORDER BY id") == [(1, "M1", None), (3, "M3", None)]
    block = f"table_type = 'ICEBERG', location = 's3://{BUCKET}/ice2/', partitioning = ARRAY['month(ts)']"
    athena.ask(f"CREATE TABLE ice2 WITH ({block}) AS SELECT id, ts FROM ice")  # noqa: S608
    assert athena.rows("SELECT count(*) FROM ice2") == [(2,)]
    assert athena.reason("SELECT * FROM iceberg.city.ice").startswith("CATALOG_NOT_FOUND")
    for table in ("ice", "ice2"):
        athena.ask(f"DROP TABLE {table}")
        assert not stack.clients.aws("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{table}/").get("KeyCount")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM system.runtime.nodes",
        'SELECT * FROM "system".metadata.catalogs',
        "CREATE VIEW leak AS SELECT * FROM system.runtime.queries",
        "CREATE EXTERNAL TABLE f (a string) LOCATION 'file:///etc/'",
        "CREATE TABLE f WITH (external_location = 'local:///tmp/x') AS SELECT 1 a",
        "UNLOAD (SELECT 1 a) TO '/tmp/x' WITH (format = 'JSON')",
        "CALL system.runtime.kill_query('x')",
        "SET SESSION awsdatacatalog.compression_codec = 'NONE'",
        "CREATE CATALOG x USING memory",
        "SELECT * FROM TABLE(system.builtin.query('x'))",
        "CREATE SCHEMA s WITH (location = 'file:///tmp/')",
    ],
)
def test_nothing_of_the_machine_is_in_reach(athena: Athena, sql: str) -> None:
    assert athena.reason(sql)


def test_a_table_made_in_glue_cannot_point_to_the_machine(athena: Athena, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("secret\n")
    storage = {
        "Columns": [{"Name": "a", "Type": "string"}],
        "Location": f"file://{tmp_path}/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
    }
    glue = stack.clients.aws("glue")
    glue.create_table(
        DatabaseName=DATABASE, TableInput={"Name": "f", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage}
    )
    assert "secret" not in athena.reason("SELECT * FROM f").replace("secret.csv", "")


@pytest.fixture
def analyst(stack: Stack) -> Iterator[tuple[Athena, Any]]:
    """A user who may query `gps` and write results below results/analyst/; and IAM, to change that."""
    iam = stack.clients.aws("iam")
    iam.create_user(UserName="athena-analyst")
    key = iam.create_access_key(UserName="athena-analyst")["AccessKey"]
    catalog = f"arn:aws:glue:eu-west-2:{stack.settings.aws.account_id}"
    statements = [
        {"Effect": "Allow", "Action": "athena:*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "glue:Get*",
            "Resource": [f"{catalog}:catalog", f"{catalog}:database/{DATABASE}", f"{catalog}:table/{DATABASE}/gps"],
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": f"arn:aws:s3:::{BUCKET}"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/lake/gps/*"},
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:GetObject"],
            "Resource": f"arn:aws:s3:::{BUCKET}/results/*",
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="athena-analyst", PolicyName="query", PolicyDocument=policy)
    client = stack.clients.session.client(
        "athena",
        endpoint_url=stack.settings.aws_endpoint_url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    yield Athena(client), iam
    with contextlib.suppress(ClientError):
        iam.delete_user_policy(UserName="athena-analyst", PolicyName="query")
    iam.delete_access_key(UserName="athena-analyst", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="athena-analyst")


def test_policies_decide_which_tables_are_read(athena: Athena, analyst: tuple[Athena, Any]) -> None:
    user, iam = analyst
    assert user.rows("SELECT count(*) FROM gps") == [(600,)]
    for sql in (
        "SELECT count(*) FROM vehicle",
        "SELECT count(*) FROM gps JOIN vehicle USING (trip_id)",
        "SELECT (SELECT max(speed_kmh) FROM vehicle)",
        "CREATE VIEW mine AS SELECT * FROM gps",
        "INSERT INTO gps SELECT * FROM gps",
        "CREATE TABLE mine AS SELECT * FROM gps",
        "DROP TABLE gps",
        "ALTER TABLE gps ADD PARTITION (dt = '2026-04-01')",
        "DESCRIBE vehicle",
        "SHOW COLUMNS FROM vehicle",
        "EXPLAIN SELECT * FROM vehicle",
        f"UNLOAD (SELECT * FROM gps) TO 's3://{BUCKET}/lake/gps/x/' WITH (format = 'JSON')",  # noqa: S608
    ):
        assert user.reason(sql).startswith("Insufficient permissions to execute the query. "), sql
    assert athena.rows("SELECT count(*) FROM gps") == [(600,)]
    iam.delete_user_policy(UserName="athena-analyst", PolicyName="query")
    with pytest.raises(ClientError, match="AccessDenied"):
        user.rows("SELECT 1")


def test_results_of_others_need_permission_to_read_them(athena: Athena, analyst: tuple[Athena, Any]) -> None:
    user, _ = analyst
    s3 = athena.ask("SELECT 1 AS a")
    assert user.client.get_query_results(QueryExecutionId=s3.id)["ResultSet"]["Rows"]
    id_ = athena.client.start_query_execution(
        QueryString="SELECT 2 AS a", ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/private/"}
    )["QueryExecutionId"]
    athena.until(id_, "SUCCEEDED")
    with pytest.raises(ClientError, match="AccessDenied"):
        user.client.get_query_results(QueryExecutionId=id_)


def test_the_aws_cli(athena: Athena, stack: Stack, tmp_path: Path) -> None:
    credentials = stack.clients.credentials
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": credentials["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": stack.settings.aws.region,
        "AWS_ENDPOINT_URL": str(stack.settings.aws_endpoint_url),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }

    def aws(*arguments: str) -> Any:
        command = [str(Path(sys.executable).with_name("aws")), "athena", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    id_ = aws(
        *("start-query-execution", "--work-group", WORKGROUP, "--query-execution-context", f"Database={DATABASE}"),
        *("--query-string", "SELECT road, count(*) n FROM vehicle WHERE trip_id = ? GROUP BY road ORDER BY road"),
        *("--execution-parameters", "'it''s a trip'"),
    )["QueryExecutionId"]
    athena.until(id_, "SUCCEEDED")
    assert aws("get-query-execution", "--query-execution-id", id_)["QueryExecution"]["StatementType"] == "DML"
    rows = aws("get-query-results", "--query-execution-id", id_)["ResultSet"]["Rows"]
    assert [[cell["VarCharValue"] for cell in row["Data"]] for row in rows] == [
        ["road", "n"],
        ["M25", "240"],
        ["M40", "360"],
    ]
    assert id_ in aws("list-query-executions", "--work-group", WORKGROUP)["QueryExecutionIds"]
    tables = aws("list-table-metadata", "--catalog-name", "AwsDataCatalog", "--database-name", DATABASE)
    assert {table["Name"] for table in tables["TableMetadataList"]} >= set(TOPICS)
