"""What the stream registers is what the crawler derives: a crawl afterwards has nothing to do but count."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from glue.conftest import World
from glue.lakes import ROLE, crawl
from smartcity.events import TOPICS
from smartcity.pipeline import catalog
from smartcity.spark_job.parse import lake_schema

DAYS = ("2026-03-01", "2026-03-02")


def fill(world: World, rows: int = 2) -> None:
    """Files of every table as the stream writes them."""
    for topic in TOPICS:
        schema = lake_schema(topic)
        table = pa.table([pa.nulls(rows, field.type) for field in schema], schema=schema)
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        for day in DAYS:
            world.s3.put(f"s3://lake-bucket/lake/{topic}/dt={day}/f.parquet", buffer.getvalue())


def ensure(world: World) -> None:
    """The crawler of the product."""
    catalog.ensure_crawler(world.glue, "c", ROLE, "lake-bucket", "d")


def test_a_crawl_after_the_stream_only_counts(world: World) -> None:
    fill(world)
    everything = {(topic, day) for topic in TOPICS for day in DAYS}
    assert catalog.register_partitions(world.glue, "d", "lake-bucket", everything) == 10
    assert catalog.register_partitions(world.glue, "d", "lake-bucket", everything) == 0
    ensure(world)
    before = {table.name: table for table in catalog.describe_tables(world.glue, "d")}
    assert {table.rows for table in before.values()} == {None}
    assert crawl(world.glue)["Summary"] == {}
    after = catalog.describe_tables(world.glue, "d")
    assert [(table.name, table.partitions, table.rows) for table in after] == [
        (topic, 2, 4) for topic in sorted(TOPICS)
    ]
    assert all(table.columns == before[table.name].columns for table in after)


def test_the_crawler_alone_makes_the_same_tables(world: World) -> None:
    fill(world)
    ensure(world)
    report = catalog.run_crawler(world.glue, "c", 30)
    assert (report.tables_added, report.partitions_added) == (5, 10)
    assert catalog.register_partitions(world.glue, "d", "lake-bucket", {("gps", day) for day in DAYS}) == 0
    made = world.glue.get_table(DatabaseName="d", Name="gps")["Table"]
    wanted = catalog.table_input("lake-bucket", "gps")
    for member in ("Columns", "Location", "InputFormat", "OutputFormat", "SerdeInfo"):
        assert made["StorageDescriptor"][member] == wanted["StorageDescriptor"][member]
    assert made["Parameters"].items() >= wanted["Parameters"].items()
    assert catalog.run_crawler(world.glue, "c", 30).tables_updated == 0


def test_ensuring_the_crawler_twice_changes_nothing_and_a_difference_is_corrected(world: World) -> None:
    assert catalog.ensure_crawler(world.glue, "c", ROLE, "lake-bucket", "d") is True
    assert catalog.ensure_crawler(world.glue, "c", ROLE, "lake-bucket", "d") is False
    assert catalog.ensure_crawler(world.glue, "c", ROLE, "other-bucket", "d") is True
    targets = world.glue.get_crawler(Name="c")["Crawler"]["Targets"]["S3Targets"]
    assert [target["Path"] for target in targets] == ["s3://other-bucket/lake/"]


def test_a_partition_that_was_moved_out_of_the_lake_stays_where_it_is(world: World) -> None:
    fill(world)
    ensure(world)
    catalog.run_crawler(world.glue, "c", 30)
    at = {"DatabaseName": "d", "TableName": "gps"}
    moved = catalog.partition_input("lake-bucket", "gps", DAYS[0])
    moved["StorageDescriptor"]["Location"] = "s3://lake-bucket/compacted/gps/dt=2026-03-01/1/"
    world.glue.update_partition(**at, PartitionValueList=[DAYS[0]], PartitionInput=moved)
    for _ in range(2):
        catalog.run_crawler(world.glue, "c", 30)
        found = world.glue.get_partition(**at, PartitionValues=[DAYS[0]])["Partition"]
        assert found["StorageDescriptor"]["Location"] == moved["StorageDescriptor"]["Location"]
        world.s3.remove("s3://lake-bucket/lake/gps/dt=2026-03-01/")
