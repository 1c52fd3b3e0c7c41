"""Athena's own statements: what they do to the catalog, what they print, how they fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.localaws.athena import ddl
from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.statements import classify
from smartcity.localaws.athena.tokens import split_statements

from .rig import ANALYST, Rig


def test_databases(rig: Rig) -> None:
    rig.run("CREATE DATABASE IF NOT EXISTS other COMMENT 'x' LOCATION 's3://bucket/other/'")
    assert rig.glue.databases["other"] == {
        "Name": "other",
        "Description": "x",
        "LocationUri": "s3://bucket/other/",
        "Parameters": {},
    }
    assert rig.lines("SHOW DATABASES") == [["other"], ["smartcity"]]
    assert rig.lines("SHOW SCHEMAS LIKE 'smart*'") == [["smartcity"]]
    assert "already exists" in rig.reason("CREATE SCHEMA other")
    assert rig.run("CREATE SCHEMA IF NOT EXISTS other")["Status"]["State"] == "SUCCEEDED"
    rig.run("ALTER DATABASE other SET DBPROPERTIES ('a' = 'b')")
    assert rig.glue.databases["other"]["Parameters"] == {"a": "b"}
    rig.run("DROP DATABASE other")
    assert "Database does not exist: other" in rig.reason("DROP DATABASE other")
    rig.run("DROP DATABASE IF EXISTS other CASCADE")


def test_a_full_database_is_dropped_only_with_cascade(rig: Rig, vehicle: dict[str, Any]) -> None:
    assert "is not empty" in rig.reason("DROP DATABASE smartcity")
    rig.run("DROP DATABASE smartcity CASCADE")
    assert rig.glue.databases == {}


def test_an_external_table_as_glue_keeps_it(rig: Rig, vehicle: dict[str, Any]) -> None:
    assert vehicle["TableType"] == "EXTERNAL_TABLE"
    assert vehicle["Parameters"] == {"EXTERNAL": "TRUE"}
    storage = vehicle["StorageDescriptor"]
    assert storage["Location"] == "s3://lake/vehicle"
    assert storage["Columns"] == [
        {"Name": "event_id", "Type": "string"},
        {"Name": "speed_kmh", "Type": "double", "Comment": "km/h"},
    ]
    assert vehicle["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")


def test_formats(rig: Rig) -> None:
    rig.run(
        "CREATE EXTERNAL TABLE c (a int, b array<struct<x:int,y:map<string,decimal(10,2)>>>) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ('separatorChar' = '\\t', \"quoteChar\" = "
        "'\\\"') LOCATION 's3://lake/c/' TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    table = rig.glue.tables["smartcity", "c"]
    assert table["StorageDescriptor"]["Columns"][1]["Type"] == "array<struct<x:int,y:map<string,decimal(10,2)>>>"
    serde = table["StorageDescriptor"]["SerdeInfo"]
    assert serde["Parameters"] == {"separatorChar": "\t", "quoteChar": '"'}
    rig.run(
        "CREATE EXTERNAL TABLE d (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' ESCAPED BY '\\\\' "
        "LINES TERMINATED BY '\\n' STORED AS TEXTFILE LOCATION 's3://lake/d/'"
    )
    parameters = rig.glue.tables["smartcity", "d"]["StorageDescriptor"]["SerdeInfo"]["Parameters"]
    assert parameters == {
        "field.delim": "\x01",
        "serialization.format": "\x01",
        "escape.delim": "\\",
        "line.delim": "\n",
    }
    rig.run(
        "CREATE EXTERNAL TABLE j (a int) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://l1k/j'"
    )
    assert rig.glue.tables["smartcity", "j"]["StorageDescriptor"]["InputFormat"].endswith("TextInputFormat")


def test_quoted_names(rig: Rig) -> None:
    rig.run("CREATE EXTERNAL TABLE `smartcity`.`my table` (`a b` int) STORED AS ORC LOCATION 's3://lake/q/'")
    assert rig.glue.tables["smartcity", "my table"]["StorageDescriptor"]["Columns"][0]["Name"] == "a b"
    rig.run("DROP TABLE `my table`")
    assert rig.glue.tables == {}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 'file:///etc'", "not an S3 address"),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET", "No location was specified"),
        ("CREATE EXTERNAL TABLE t (a int", "SYNTAX_ERROR: line 1:31: mismatched input '<EOF>'. Expecting: ')'"),
        ("CREATE EXTERNAL TABLE t (a) LOCATION 's3://lake/x'", "line 1:27: mismatched input ')'. Expecting: <type>"),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS XLS LOCATION 's3://lake/x'", "line 1:43: mismatched input 'XLS'"),
        ("CREATE EXTERNAL TABLE t (a int) CLUSTERED BY (a) INTO 3 BUCKETS LOCATION 's3://lake/x'", "buckets"),
        ("DROP TABLE nosuch", "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.smartcity.nosuch' does not exist"),
        ("DROP TABLE a.b.c.d", "SYNTAX_ERROR"),
        ("DROP TABLE system.runtime.nodes", "a table of catalog awsdatacatalog"),
        ("ALTER TABLE nosuch ADD PARTITION (dt = '1')", "TABLE_NOT_FOUND"),
        ("ALTER TABLE vehicle ADD PARTITION (wrong = '1')", "must name exactly the keys dt"),
        ("ALTER TABLE vehicle DROP PARTITION (dt = '1999-01-01')", "Partition not found"),
        ("ALTER TABLE vehicle ADD COLUMNS (event_id string)", "Duplicate column name: event_id"),
        ("ALTER TABLE vehicle RENAME TO x", "mismatched input 'RENAME'"),
        ("SHOW TABLES IN nosuch", "SCHEMA_NOT_FOUND: line 1:1: Schema 'nosuch' does not exist"),
        ("SHOW PARTITIONS nosuch", "TABLE_NOT_FOUND"),
        ("DESCRIBE vehicle nosuch", "Invalid column reference nosuch"),
        ("DROP VIEW vehicle", "is a table, use DROP TABLE"),
        ("", "SYNTAX_ERROR: line 1:1"),
    ],
)
def test_faults_are_named_with_their_place(rig: Rig, vehicle: dict[str, Any], sql: str, reason: str) -> None:
    if not sql:
        with pytest.raises(QueryFailed, match="empty"):
            classify("  ;")
        return
    assert reason in rig.reason(sql)


def test_partitions(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.run(
        "ALTER TABLE vehicle ADD IF NOT EXISTS PARTITION (dt = '2026-03-01') "
        "PARTITION (dt = '2026-03-02') LOCATION 's3://lake/elsewhere/'"
    )
    assert rig.lines("SHOW PARTITIONS vehicle") == [["dt=2026-03-01"], ["dt=2026-03-02"]]
    parts = rig.glue.parts["smartcity", "vehicle"]
    assert parts["2026-03-01",]["StorageDescriptor"]["Location"] == "s3://lake/vehicle/dt=2026-03-01/"
    assert "Partition already exists" in rig.reason("ALTER TABLE vehicle ADD PARTITION (dt = '2026-03-01')")
    rig.run("ALTER TABLE vehicle PARTITION (dt = '2026-03-01') RENAME TO PARTITION (dt = '2026-03-03')")
    rig.run("ALTER TABLE vehicle PARTITION (dt = '2026-03-03') SET LOCATION 's3://lake/third/'")
    assert parts["2026-03-03",]["StorageDescriptor"]["Location"] == "s3://lake/third/"
    rig.run("ALTER TABLE vehicle DROP PARTITION (dt = '2026-03-02'), PARTITION (dt = '2026-03-03')")
    assert rig.lines("SHOW PARTITIONS vehicle") == []


def test_repair_finds_folders(rig: Rig, vehicle: dict[str, Any]) -> None:
    for key in ("vehicle/dt=2026-03-01/a.parquet", "vehicle/dt=a%3Ab/b.parquet", "vehicle/other/c.parquet"):
        rig.s3.put_object("lake", key, b"x")
    assert rig.lines("MSCK REPAIR TABLE vehicle") == [
        ["Partitions not in metastore:\tvehicle:dt=2026-03-01\tvehicle:dt=a%3Ab"],
        ["Repair: Added partition to metastore vehicle:dt=2026-03-01"],
        ["Repair: Added partition to metastore vehicle:dt=a%3Ab"],
    ]
    assert set(rig.glue.parts["smartcity", "vehicle"]) == {("2026-03-01",), ("a:b",)}
    assert rig.lines("MSCK REPAIR TABLE vehicle") == []


def test_columns_location_and_properties(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.run("ALTER TABLE vehicle ADD COLUMNS (road string)")
    rig.run("ALTER TABLE vehicle SET LOCATION 's3://lake/moved/'")
    rig.run("ALTER TABLE vehicle SET TBLPROPERTIES ('projection.enabled' = 'true')")
    assert rig.lines("SHOW COLUMNS IN vehicle")[2] == [f"{'road':<20}"]
    assert rig.lines("SHOW TBLPROPERTIES vehicle") == [["EXTERNAL\tTRUE"], ["projection.enabled\ttrue"]]
    assert rig.lines("SHOW TBLPROPERTIES vehicle('EXTERNAL')") == [["TRUE"]]
    rig.run("ALTER TABLE vehicle REPLACE COLUMNS (only int)")
    storage = rig.glue.tables["smartcity", "vehicle"]["StorageDescriptor"]
    assert storage["Columns"] == [{"Name": "only", "Type": "int"}]
    assert storage["Location"] == "s3://lake/moved/"


def test_describe(rig: Rig, vehicle: dict[str, Any]) -> None:
    lines = [row[0] for row in rig.lines("DESCRIBE vehicle")]
    assert lines[0] == f"{'event_id':<20}\t{'string':<20}\t{'':<20}"
    assert lines[1].rstrip() == f"{'speed_kmh':<20}\t{'double':<20}\tkm/h"
    assert "# Partition Information\t \t " in lines
    assert any("ParquetHiveSerDe" in str(row[0]) for row in rig.lines("DESCRIBE FORMATTED smartcity.vehicle"))


def test_show_create_table_makes_the_same_table(rig: Rig, vehicle: dict[str, Any]) -> None:
    before = dict(vehicle)
    statement = "\n".join(str(row[0]) for row in rig.lines("SHOW CREATE TABLE vehicle"))
    rig.run("DROP TABLE vehicle")
    assert rig.run(statement)["Status"]["State"] == "SUCCEEDED"
    assert rig.glue.tables["smartcity", "vehicle"] == before


def test_show_tables_takes_both_kinds_of_patterns(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.run("CREATE EXTERNAL TABLE gps (a int) LOCATION 's3://lake/gps/'")
    assert rig.lines("SHOW TABLES") == [["gps"], ["vehicle"]]
    assert rig.lines("SHOW TABLES 'v*'") == [["vehicle"]]
    assert rig.lines("SHOW TABLES IN smartcity 'g.*|x'") == [["gps"]]
    assert rig.lines("SHOW TABLES LIKE 'v%'") == [["vehicle"]]
    assert rig.lines("SHOW VIEWS") == []


def test_text_results_are_lines_in_a_file(rig: Rig, vehicle: dict[str, Any]) -> None:
    execution = rig.run("SHOW TABLES")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "SHOW_TABLES")
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location.endswith(".txt")
    assert rig.s3.objects["results", location.removeprefix("s3://results/")] == b"vehicle\n"


def test_changes_need_permission(rig: Rig, vehicle: dict[str, Any]) -> None:
    rig.access.allowed |= {
        ("s3:GetBucketLocation", "arn:aws:s3:::results"),
        ("s3:PutObject", "arn:aws:s3:::results/"),
        ("glue:GetTable", "arn:aws:glue:"),
    }
    for sql, action in (
        ("DROP TABLE vehicle", "glue:DeleteTable"),
        ("CREATE DATABASE x", "glue:CreateDatabase"),
        ("ALTER TABLE vehicle ADD PARTITION (dt = '1')", "glue:BatchCreatePartition"),
        ("ALTER TABLE vehicle SET LOCATION 's3://lake/x'", "glue:UpdateTable"),
        ("MSCK REPAIR TABLE vehicle", "s3:ListBucket"),
        ("SHOW TABLES", "glue:GetDatabase"),
        ("SHOW PARTITIONS vehicle", "glue:GetPartitions"),
    ):
        assert f"not authorized to perform: {action} " in rig.reason(sql, ANALYST)
    assert ("smartcity", "vehicle") in rig.glue.tables


names = st.text(st.characters(exclude_characters="`.", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name == name.lower()
)
texts = st.text(st.characters(exclude_characters="\\", exclude_categories=["Cs"]))


@given(names, names, texts)
def test_names_and_texts_come_through_whole(table: str, column: str, text: str) -> None:
    quoted = text.replace("'", "''")
    sql = f"CREATE EXTERNAL TABLE `{table}` (`{column}` int COMMENT '{quoted}') LOCATION 's3://lake/x/'"
    parsed = ddl.parse(classify(sql))
    assert isinstance(parsed, ddl.CreateTable)
    assert (parsed.name.table, parsed.columns[0].name, parsed.columns[0].comment) == (table, column, text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    for sql in (text, "ALTER TABLE t " + text, "CREATE EXTERNAL TABLE t (" + text, "SHOW " + text, "EXPLAIN " + text):
        try:
            statement = classify(sql)
            if statement.type == "DDL" and statement.what in ddl._PARSERS:
                ddl.parse(statement)
        except QueryFailed as failure:
            assert failure.reason


def test_statements_of_a_file() -> None:
    assert split_statements("SELECT ';' AS a; -- it; is\nSELECT 2 /* ; */;;\n") == [
        "SELECT ';' AS a",
        "-- it; is\nSELECT 2 /* ; */",
    ]
