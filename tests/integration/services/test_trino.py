"""Trino as a service: whom it answers, what a query cannot reach, and that nothing is remembered wrongly."""

# ruff: noqa: S608  the statements are the test's own

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smartcity.services.trino import signed_token
from tests.golden.direct import Direct

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration

DATABASE, BUCKET = "engine_test", "engine-test"
_FORMAT = "org.apache.hadoop.hive.ql.io.parquet"


@pytest.fixture
def engine(stack: Stack) -> Iterator[Direct]:
    with closing(Direct(stack.settings.trino_url, stack.settings.folder.trino_token)) as direct:
        yield direct


@pytest.fixture
def process(stack: Stack) -> psutil.Process:
    pid = next(one.pid for one in stack.runtime.status() if one.name == "trino")
    assert pid is not None
    return psutil.Process(pid)


@pytest.fixture(scope="module")
def table(stack: Stack) -> Iterator[str]:
    """A table partitioned by day, with one partition of three rows."""
    s3, glue = stack.clients.aws("s3"), stack.clients.aws("glue")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    glue.create_database(DatabaseInput={"Name": DATABASE, "LocationUri": f"s3://{BUCKET}/"})
    glue.create_table(
        DatabaseName=DATABASE,
        TableInput={
            "Name": "events",
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": "dt", "Type": "string"}],
            "StorageDescriptor": storage(f"s3://{BUCKET}/events/"),
        },
    )
    add_partition(stack, "2026-03-01", [1, 2, 3])
    yield f"{DATABASE}.events"
    glue.delete_database(Name=DATABASE)


def storage(location: str) -> dict[str, Any]:
    return {
        "Columns": [{"Name": "x", "Type": "bigint"}],
        "Location": location,
        "InputFormat": f"{_FORMAT}.MapredParquetInputFormat",
        "OutputFormat": f"{_FORMAT}.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{_FORMAT}.serde.ParquetHiveSerDe"},
    }


def put_file(stack: Stack, key: str, values: list[int]) -> None:
    content = BytesIO()
    pq.write_table(pa.table({"x": values}), content)
    stack.clients.aws("s3").put_object(Bucket=BUCKET, Key=key, Body=content.getvalue())


def add_partition(stack: Stack, day: str, values: list[int]) -> None:
    put_file(stack, f"events/dt={day}/a.parquet", values)
    location = f"s3://{BUCKET}/events/dt={day}/"
    stack.clients.aws("glue").create_partition(
        DatabaseName=DATABASE,
        TableName="events",
        PartitionInput={"Values": [day], "StorageDescriptor": storage(location)},
    )


class TestWhoIsAnswered:
    def test_listens_on_the_loopback_address_only(self, process: psutil.Process) -> None:
        listening = {one.laddr.ip for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}

        assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
        assert listening

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            pytest.param({}, 403, id="nothing"),
            pytest.param({"X-Forwarded-Proto": "https"}, 401, id="no-token"),
            pytest.param({"X-Forwarded-Proto": "https", "Authorization": "Bearer x.y.z"}, 401, id="no-jwt"),
            pytest.param(
                {"X-Forwarded-Proto": "https", "Authorization": f"Bearer {signed_token(b'k' * 32, 'local-aws')}"},
                401,
                id="signed-by-a-stranger",
            ),
            pytest.param(
                {
                    "X-Forwarded-Proto": "https",
                    "Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJsb2NhbC1hd3MifQ.",
                },
                401,
                id="unsigned",
            ),
        ],
    )
    def test_whoever_does_not_know_the_token_is_refused(
        self, stack: Stack, headers: dict[str, str], status: int
    ) -> None:
        with httpx.Client(base_url=stack.settings.trino_url, headers={"X-Trino-User": "local-aws", **headers}) as http:
            assert http.post("/v1/statement", content="SELECT 1").status_code == status
            assert http.get("/v1/query").status_code == status

    @pytest.mark.parametrize("path", ["/v1/jmx/mbean", "/metrics", "/v1/node", "/v1/task", "/v1/query"])
    def test_no_other_door_is_open(self, stack: Stack, path: str) -> None:
        with httpx.Client(base_url=stack.settings.trino_url) as http:
            assert http.get(path).status_code in {401, 403}
            assert http.get(path, headers={"X-Forwarded-Proto": "https"}).status_code in {401, 403}

    def test_no_secret_is_an_argument_or_readable_by_others(self, stack: Stack, process: psutil.Process) -> None:
        folder = stack.settings.folder
        secret = stack.clients.credentials["aws_secret_access_key"]
        files = [folder.trino / "token", folder.trino / "token.key", *folder.trino.glob("etc/**/*.*")]

        assert secret in (folder.trino / "etc/catalog/awsdatacatalog.properties").read_text()
        assert not any(secret in word or folder.trino_token.read_text() in word for word in process.cmdline())
        assert {stat.S_IMODE(file.stat().st_mode) for file in files if file.is_file()} == {0o600}


class TestWhatAQueryCannotReach:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM system.runtime.queries",
            "SELECT * FROM system.runtime.nodes",
            "SELECT * FROM system.metadata.catalogs",
            "CALL system.runtime.kill_query('20260301_000000_00000_aaaaa', 'no')",
            "CALL awsdatacatalog.system.flush_metadata_cache()",
            "CREATE CATALOG other USING hive",
            "DROP CATALOG iceberg",
            "SET SESSION task_concurrency = 64",
            "SET SESSION awsdatacatalog.insert_existing_partitions_behavior = 'OVERWRITE'",
        ],
    )
    def test_denied(self, engine: Direct, sql: str) -> None:
        assert engine.ask(sql).error == "PERMISSION_DENIED"

    @pytest.mark.parametrize(
        "place", ["file:///etc/", "local:///etc/", "gs://other/x/", "abfs://a@b/c/", "hdfs://h/x/"]
    )
    @pytest.mark.usefixtures("table")
    def test_no_file_system_but_s3(self, engine: Direct, place: str) -> None:
        answer = engine.ask(f"CREATE TABLE {DATABASE}.stolen (line varchar) WITH (external_location = '{place}')")

        assert answer.error == "INVALID_TABLE_PROPERTY"

    def test_a_limit_of_bytes_scanned_ends_a_query(self, engine: Direct, table: str) -> None:
        # the limit is looked at once a second
        engine.session = {"query_max_scan_physical_bytes": "1B"}

        long = "UNNEST(sequence(1, 10000)) CROSS JOIN UNNEST(sequence(1, 10000)) CROSS JOIN UNNEST(sequence(1, 99))"

        assert engine.ask(f"SELECT sum(x) FROM {table} CROSS JOIN {long}").error == "EXCEEDED_SCAN_LIMIT"


class TestNothingIsRemembered:
    def test_a_new_partition_is_seen_by_the_next_query(self, stack: Stack, engine: Direct, table: str) -> None:
        before = engine.ask(f"SELECT count(*) FROM {table}").rows[0][0]

        add_partition(stack, "2026-03-02", [4, 5])

        assert engine.ask(f"SELECT count(*) FROM {table}").rows == [[before + 2]]
        assert engine.ask(f"SELECT sum(x) FROM {table} WHERE dt = '2026-03-02'").rows == [[9]]

    def test_a_new_file_is_seen_by_the_next_query(self, stack: Stack, engine: Direct, table: str) -> None:
        before = engine.ask(f"SELECT count(*) FROM {table} WHERE dt = '2026-03-01'").rows[0][0]

        put_file(stack, f"events/dt=2026-03-01/{sys.maxsize}.parquet", [7])

        assert engine.ask(f"SELECT count(*) FROM {table} WHERE dt = '2026-03-01'").rows == [[before + 1]]

    def test_a_partition_whose_folder_is_gone_is_empty(self, stack: Stack, engine: Direct, table: str) -> None:
        add_partition(stack, "2026-03-09", [1])
        stack.clients.aws("s3").delete_object(Bucket=BUCKET, Key="events/dt=2026-03-09/a.parquet")

        assert engine.ask(f"SELECT count(*) FROM {table} WHERE dt = '2026-03-09'").rows == [[0]]
        stack.clients.aws("glue").delete_partition(
            DatabaseName=DATABASE, TableName="events", PartitionValues=["2026-03-09"]
        )


class TestOtherFormats:
    """Formats whose libraries were left out of the download unless they are needed: each writes and reads again."""

    @pytest.mark.parametrize(
        "format_", ["PARQUET", "ORC", "AVRO", "JSON", "CSV", "TEXTFILE", "RCBINARY", "SEQUENCEFILE"]
    )
    def test_written_and_read(self, engine: Direct, table: str, format_: str) -> None:
        name = f"{DATABASE}.as_{format_.lower()}"
        column = "CAST(x AS varchar) x" if format_ == "CSV" else "x"

        written = engine.ask(f"CREATE TABLE {name} WITH (format = '{format_}') AS SELECT {column} FROM {table}")

        assert written.error is None, written.message
        assert engine.ask(f"SELECT count(*), count(x) FROM {name}").rows[0][0] == written.update_count

    @pytest.mark.parametrize("codec", ["NONE", "SNAPPY", "GZIP", "ZSTD"])
    @pytest.mark.parametrize("format_", ["PARQUET", "ORC", "AVRO"])
    def test_codecs(self, engine: Direct, table: str, format_: str, codec: str) -> None:
        name = f"{DATABASE}.as_{format_.lower()}_{codec.lower()}"
        engine.session = {"awsdatacatalog.compression_codec": codec}

        written = engine.ask(f"CREATE TABLE {name} WITH (format = '{format_}') AS SELECT x FROM {table}")

        assert written.error is None, written.message
        assert engine.ask(f"SELECT count(*) FROM {name}").rows == [[written.update_count]]


@pytest.mark.usefixtures("table")
def test_iceberg_tables_are_made_in_their_catalog_and_used_in_the_usual_one(engine: Direct) -> None:
    place, name = f"s3://{BUCKET}/ice/", f"{DATABASE}.ice"
    steps = [
        f"CREATE TABLE iceberg.{name} (id bigint, name varchar, ts timestamp(6)) "
        f"WITH (location = '{place}', partitioning = ARRAY['day(ts)'])",
        f"INSERT INTO {name} VALUES (1, 'a', TIMESTAMP '2026-03-01 10:00:00'), (2, 'b', TIMESTAMP '2026-03-02 10:00:00')",  # noqa: E501
        f"MERGE INTO {name} t USING (VALUES (2, 'B'), (3, 'C')) s(id, name) ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET name = s.name "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, TIMESTAMP '2026-03-03 00:00:00')",
        f"DELETE FROM {name} WHERE id = 1",
    ]
    for step in steps:
        assert engine.ask(step).error is None, step

    assert engine.ask(f"SELECT id, name FROM {name} ORDER BY id").rows == [[2, "B"], [3, "C"]]
    inserted = engine.ask(f'SELECT snapshot_id FROM {DATABASE}."ice$snapshots" ORDER BY committed_at').rows[1][0]
    assert engine.ask(f"SELECT count(*) FROM {name} FOR VERSION AS OF {inserted}").rows == [[2]]
    assert engine.ask(f"DROP TABLE {name}").error is None


def test_stems_of_words_need_no_more_of_lucene(engine: Direct) -> None:
    languages = [
        "ca",
        "da",
        "de",
        "en",
        "es",
        "eu",
        "fi",
        "fr",
        "hu",
        "hy",
        "ir",
        "it",
        "lt",
        "nl",
        "no",
        "pt",
        "ro",
        "ru",
    ]
    for language in languages:
        assert engine.ask(f"SELECT word_stem('running', '{language}')").error is None, language
