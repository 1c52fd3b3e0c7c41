# ruff: noqa: S608  the statements are the test's own
"""From the lake into the warehouse: each file once, whatever dies; and what does not fit is told."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from smartcity.pipeline import access, warehouse
from smartcity.pipeline.warehouse import star
from tests.integration.localaws.local_aws_process import LocalAws
from tests.integration.localaws.redshift_lake import FIRST_DAY, City

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def city(local_aws: LocalAws) -> Iterator[City]:
    made = City(local_aws, "load-city").build()
    made.batch(0)
    made.batch(1)
    yield made


def count(city: City, what: str) -> int:
    return int(city.landing().warehouse.rows("SELECT COUNT(*) FROM city." + what)[0][0])


def test_a_load_its_repetition_a_late_day_and_the_star(city: City) -> None:
    first = city.load()
    assert (first.files, first.rows, first.skipped) == (10, 500, 0)
    again = city.load()
    assert (again.files, again.rows, again.skipped) == (0, 0, 10)
    city.batch(2, day=FIRST_DAY - dt.timedelta(days=3))
    late = city.load()
    assert (late.files, late.days) == (5, {"2026-02-26"})
    assert city.differences() == []
    place = city.landing()
    checks = warehouse.check_star(place.warehouse, place.schema)
    assert len(checks) >= 14
    assert [check for check in checks if check.broken] == []
    assert count(city, "fact_incident") == 30
    assert count(city, "dim_vehicle") == 3


def test_the_loaders_role_is_enough(city: City) -> None:
    iam, sts = city.aws.client("iam"), city.aws.client("sts")
    arn = access.ensure_role(iam, access.ACTORS["loader"](city.scope), city.name)
    city.batch(3)
    report = city.load(city.landing(**access.assume(sts, arn, "load")))
    assert report.files == 5
    assert city.differences() == []


def test_two_loads_at_once_double_nothing(city: City) -> None:
    for number in range(4, 8):
        city.batch(number)
    reports: list[warehouse.LoadReport] = []
    threads = [threading.Thread(target=lambda: reports.append(city.load())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 2
    assert city.differences() == []
    assert count(city, "load_file") == len(warehouse.list_sources(city.s3, city.bucket))
    place = city.landing()
    assert [check for check in warehouse.check_star(place.warehouse, place.schema) if check.broken] == []


def _with_column(table: pa.Table) -> pa.Table:
    return table.append_column("surprise", pa.array([1] * len(table)))


def _without_column(table: pa.Table) -> pa.Table:
    return table.drop_columns(["hdop"])


def _retyped(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("satellites")
    return table.set_column(at, "satellites", table.column(at).cast(pa.string()))


@pytest.mark.parametrize(
    ("number", "break_it", "words"),
    [
        (8, _with_column, "Unmatched number of columns"),
        (9, _without_column, "Unmatched number of columns"),
        (10, _retyped, "incompatible Parquet schema for column 'satellites'"),
    ],
    ids=["extra column", "missing column", "bad type"],
)
def test_a_file_that_does_not_fit_is_left_out_and_named(city: City, number: int, break_it: object, words: str) -> None:
    city.batch(number, change=lambda topic, table: break_it(table) if topic == "gps" else table)  # type: ignore[operator]
    report = city.load()
    assert report.files == 4
    bad = [text for key, text in report.refused if f"-{number:09d}-" in key]
    assert len(bad) == 1
    assert words in bad[0]
    for source in warehouse.list_sources(city.s3, city.bucket):
        if f"-{number:09d}-" in source.key:
            commit = f"commits/{city.query_id}/{number:09d}.json"
            city.s3.delete_object(Bucket=city.bucket, Key=commit)


def test_a_full_load_gives_the_same(city: City) -> None:
    place = city.landing()
    before = count(city, "gps")
    warehouse.forget(place.warehouse, place.schema, "gps", None)
    assert count(city, "gps") == 0
    city.load()
    assert count(city, "gps") == before


def test_kill_between_copy_and_merge_and_in_the_middle_of_a_load(own_local_aws: LocalAws) -> None:
    city = City(own_local_aws, "killed-city").build()
    for number in range(4):
        city.batch(number)
    place = city.landing()
    warehouse.ensure_schema(place.warehouse, place.schema)
    warehouse.ensure_star(place.warehouse, place.schema)
    warehouse.land(place, warehouse.list_sources(place.s3, city.bucket))
    own_local_aws.kill()
    own_local_aws.start()
    city = City(own_local_aws, "killed-city")
    place = city.landing()
    assert warehouse.pending_days(place.warehouse, place.schema) == ["2026-03-01"]
    city.batch(4, rows=2000)
    load_id_statements = star.star_statements("city", ["2026-03-01"])
    assert load_id_statements
    sent = place.warehouse.client.batch_execute_statement(
        WorkgroupName=city.name,
        Database="dev",
        Sqls=[*load_id_statements, "SELECT COUNT(*) FROM city.vehicle a, city.vehicle b"],
    )
    own_local_aws.kill()
    own_local_aws.start()
    city = City(own_local_aws, "killed-city")
    state = city.landing().warehouse.client.describe_statement(Id=sent["Id"])["Status"]
    assert state in {"FINISHED", "FAILED"}
    city.load()
    assert city.differences() == []
    place = city.landing()
    assert [check for check in warehouse.check_star(place.warehouse, place.schema) if check.broken] == []


def test_the_lake_is_readable_from_the_warehouse(city: City) -> None:
    glue = city.aws.client("glue")
    database = city.scope.database
    glue.create_database(DatabaseInput={"Name": database})
    storage = {
        "Columns": [{"Name": "event_id", "Type": "string"}, {"Name": "speed_kmh", "Type": "double"}],
        "Location": f"s3://{city.bucket}/lake/gps/",
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    }
    keys = [{"Name": "dt", "Type": "string"}]
    glue.create_table(
        DatabaseName=database, TableInput={"Name": "gps", "StorageDescriptor": storage, "PartitionKeys": keys}
    )
    place = {**storage, "Location": f"s3://{city.bucket}/lake/gps/dt=2026-02-26/"}
    glue.create_partition(
        DatabaseName=database, TableName="gps", PartitionInput={"Values": ["2026-02-26"], "StorageDescriptor": place}
    )
    landing = city.landing()
    warehouse.ensure_external_schema(landing.warehouse, "lake", database, landing.role_arn)
    sql = "SELECT COUNT(*), MIN(l.dt) FROM lake.gps l JOIN city.gps w ON w.event_id = l.event_id"
    assert landing.warehouse.rows(sql) == [(50, "2026-02-26")]
