"""Athena's spelling of Iceberg statements, in the engine's words."""

from __future__ import annotations

from typing import Any

import pytest

from smartcity.localaws.athena import iceberg
from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.locations import parse
from smartcity.localaws.athena.statements import classify

from .rig import ANALYST, Rig


@pytest.mark.parametrize(
    ("hive", "engine"),
    [
        ("string", "varchar"),
        ("int", "integer"),
        ("decimal(10,2)", "decimal(10,2)"),
        ("timestamp", "timestamp(6)"),
        ("array<int>", "array(integer)"),
        ("map<string,array<double>>", "map(varchar, array(double))"),
        ("struct<a:int,b:struct<c:string>>", 'row("a" integer, "b" row("c" varchar))'),
    ],
)
def test_types(hive: str, engine: str) -> None:
    assert iceberg.engine_type(hive) == engine


@pytest.mark.parametrize("hive", ["tinyint", "array<", "array<int", "map<string>x", "struct<a>", "int>", "char(3)"])
def test_other_types_are_refused(hive: str) -> None:
    with pytest.raises(QueryFailed):
        iceberg.engine_type(hive)


def test_create() -> None:
    sql = (
        "CREATE TABLE IF NOT EXISTS t (id bigint COMMENT 'it''s', ts timestamp) "
        "PARTITIONED BY (day(ts), bucket(16, id)) LOCATION 's3://lake/t/' "
        "TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'orc')"
    )
    made = iceberg.create(classify(sql), "smartcity", parse("s3://results/x/"))
    assert made is not None
    assert made.sql == (
        'CREATE TABLE IF NOT EXISTS iceberg."smartcity"."t" '
        "(\"id\" bigint COMMENT 'it''s', \"ts\" timestamp(6)) "
        "WITH (location = 's3://lake/t', format = 'ORC', partitioning = ARRAY['day(ts)', 'bucket(id, 16)']) "
    )


def test_table_as_select_moves_the_name(rig: Rig) -> None:
    sql = (
        "CREATE TABLE db.t WITH (table_type = 'ICEBERG', location = 's3://lake/t/', is_external = false) AS SELECT 1 a"
    )
    rig.run(sql)
    assert rig.trino.asked[-1] == (
        "CREATE TABLE iceberg.\"db\".\"t\" WITH (location = 's3://lake/t', format = 'PARQUET')  AS SELECT 1 a"
    )
    bad = sql.replace("is_external", "bucketed_by")
    assert "Table property 'bucketed_by' does not exist" in rig.reason(bad)


@pytest.fixture
def table(rig: Rig) -> None:
    """An Iceberg table in Glue."""
    rig.glue.tables["smartcity", "ice"] = {
        "DatabaseName": "smartcity",
        "Name": "ice",
        "Parameters": {"table_type": "ICEBERG"},
        "StorageDescriptor": {"Location": "s3://lake/ice"},
    }


@pytest.mark.parametrize(
    ("sql", "asked"),
    [
        ("DROP TABLE ice", ['DROP TABLE iceberg."smartcity"."ice"']),
        (
            "ALTER TABLE ice ADD COLUMNS (a int, b string)",
            [
                'ALTER TABLE iceberg."smartcity"."ice" ADD COLUMN "a" integer',
                'ALTER TABLE iceberg."smartcity"."ice" ADD COLUMN "b" varchar',
            ],
        ),
        (
            "OPTIMIZE ice REWRITE DATA USING BIN_PACK WHERE dt = 'x'",
            ['ALTER TABLE iceberg."smartcity"."ice" EXECUTE optimize WHERE dt = \'x\''],
        ),
    ],
)
def test_changes_are_the_engines_work(rig: Rig, table: None, sql: str, asked: list[str]) -> None:
    assert rig.run(sql)["Status"]["State"] == "SUCCEEDED"
    assert rig.trino.asked == asked


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER TABLE ice SET LOCATION 's3://lake/x/'", "not supported for Iceberg tables"),
        ("ALTER TABLE ice REPLACE COLUMNS (a int)", "not supported for Iceberg tables"),
        ("OPTIMIZE ice", "Expecting: REWRITE"),
        ("VACUUM nosuch", "TABLE_NOT_FOUND"),
        ("SELECT * FROM iceberg.smartcity.ice", "Catalog 'iceberg' not found"),
        ('SELECT * FROM "iceberg" . "smartcity" . ice', "Catalog 'iceberg' not found"),
    ],
)
def test_refusals(rig: Rig, table: None, sql: str, reason: str) -> None:
    assert reason in rig.reason(sql)


def test_files_elsewhere_need_their_own_permission(rig: Rig, table: None) -> None:
    sql = "SELECT * FROM ice"
    rig.explains(sql, ("iceberg/smartcity", "ice"))
    rig.trino.rows(sql, [("n", "integer")], [[1]])
    rig.access.allowed |= {
        ("s3:GetBucketLocation", "arn:aws:s3:::results"),
        ("s3:PutObject", "arn:aws:s3:::results/"),
        ("glue:GetTable", "arn:aws:glue:"),
        ("glue:GetDatabase", "arn:aws:glue:"),
        ("s3:ListBucket", "arn:aws:s3:::lake"),
        ("s3:GetObject", "arn:aws:s3:::lake/ice/"),
    }
    assert rig.run(sql, ANALYST)["Status"]["State"] == "SUCCEEDED"
    check = iceberg.files_elsewhere("smartcity", "ice", "s3://lake/ice/", 100)
    for path in ("s3://secret/a.parquet", "file:///etc/passwd"):
        rig.trino.rows(check, [("file_path", "varchar")], [[path]])
        assert "Insufficient permissions" in rig.reason(sql, ANALYST)


def test_drop_needs_permission_to_delete_the_files(rig: Rig, table: None) -> None:
    needed: list[tuple[str, str]] = [
        ("s3:GetBucketLocation", "arn:aws:s3:::results"),
        ("s3:PutObject", "arn:aws:s3:::"),
        ("glue:GetTable", "arn:aws:glue:"),
        ("glue:DeleteTable", "arn:aws:glue:"),
    ]
    rig.access.allowed |= set(needed)
    assert "s3:DeleteObject" in rig.reason("DROP TABLE ice", ANALYST)
    assert rig.trino.asked == []


def test_a_hive_table_is_not_optimized(rig: Rig, vehicle: dict[str, Any]) -> None:
    assert "is not an Iceberg table" in rig.reason("VACUUM vehicle")
