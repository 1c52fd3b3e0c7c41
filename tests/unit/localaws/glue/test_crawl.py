"""Crawls over a fake S3: what becomes a table, what a partition, and what changes on the next crawl."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from glue.conftest import World
from glue.lakes import A, B, columns, crawl, create, keys, parquet, tables, values


def test_a_lake_of_two_tables_with_days(world: World) -> None:
    for day in ("2026-03-01", "2026-03-02"):
        world.s3.put(f"s3://bkt/lake/cars/dt={day}/1.parquet", parquet(A))
        world.s3.put(f"s3://bkt/lake/rain/dt={day}/1.parquet", parquet(B, rows=5))
    create(world.glue, "s3://bkt/lake/")
    last = crawl(world.glue)
    assert last["State"] == "COMPLETED", last
    assert last["Summary"]["TABLE"]["ADD"] == {"Count": 2, "Details": {"names": ["cars", "rain"]}}
    assert last["Summary"]["PARTITION"]["ADD"] == {"Count": 4}
    found = tables(world.glue)
    assert list(found) == ["cars", "rain"]
    cars = found["cars"]
    assert columns(cars) == {"id": "bigint", "name": "string", "speed": "double"}
    assert cars["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert cars["StorageDescriptor"]["Location"] == "s3://bkt/lake/cars/"
    assert cars["CreatedBy"] == "arn:aws:sts::123456789012:assumed-role/crawler/AWS-Crawler"
    parameters = found["rain"]["Parameters"]
    assert (parameters["classification"], parameters["recordCount"], parameters["objectCount"]) == (
        "parquet",
        "10",
        "2",
    )
    assert parameters["UPDATED_BY_CRAWLER"] == "c"
    assert values(world.glue, "cars") == [["2026-03-01"], ["2026-03-02"]]
    metrics = world.glue.get_crawler_metrics(CrawlerNameList=["c"])["CrawlerMetricsList"][0]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"]) == (2, 0)
    assert world.glue.get_crawler(Name="c")["Crawler"]["LastCrawl"]["Status"] == "SUCCEEDED"


def test_a_second_crawl_of_unchanged_data_reads_and_changes_nothing(world: World) -> None:
    world.s3.put("s3://bkt/lake/cars/dt=1/1.parquet", parquet(A))
    create(world.glue, "s3://bkt/lake/")
    crawl(world.glue)
    before, reads = tables(world.glue), len(world.s3.reads)
    last = crawl(world.glue)
    assert last["Summary"] == {}
    assert tables(world.glue) == before
    assert len(world.s3.reads) == reads


def test_new_rows_change_counts_without_a_new_version(world: World) -> None:
    world.s3.put("s3://bkt/lake/cars/dt=1/1.parquet", parquet(A))
    create(world.glue, "s3://bkt/lake/")
    crawl(world.glue)
    world.s3.put("s3://bkt/lake/cars/dt=1/2.parquet", parquet(A, rows=7))
    assert crawl(world.glue)["Summary"] == {}
    assert tables(world.glue)["cars"]["Parameters"]["recordCount"] == "10"
    partition = world.glue.get_partition(DatabaseName="d", TableName="cars", PartitionValues=["1"])["Partition"]
    assert partition["Parameters"]["recordCount"] == "10"
    assert len(world.glue.get_table_versions(DatabaseName="d", TableName="cars")["TableVersions"]) == 1


def test_a_new_column_widens_the_table_and_keeps_the_old_version(world: World) -> None:
    world.s3.put("s3://bkt/t/dt=1/1.parquet", parquet({"a": pa.int32(), "b": pa.float32()}))
    create(world.glue, "s3://bkt/t/")
    crawl(world.glue)
    world.s3.put("s3://bkt/t/dt=2/1.parquet", parquet({"a": pa.int64(), "b": pa.float64(), "c": pa.date32()}))
    last = crawl(world.glue)
    assert last["Summary"]["TABLE"]["UPDATE"]["Count"] == 1
    assert columns(tables(world.glue)["t"]) == {"a": "bigint", "b": "double", "c": "date"}
    first = world.glue.get_partition(DatabaseName="d", TableName="t", PartitionValues=["1"])["Partition"]
    assert columns(first) == {"a": "int", "b": "float"}
    assert len(world.glue.get_table_versions(DatabaseName="d", TableName="t")["TableVersions"]) == 2


def test_partitions_can_inherit_the_tables_columns(world: World) -> None:
    world.s3.put("s3://bkt/t/dt=1/1.parquet", parquet({"a": pa.int32()}))
    output = {"CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}
    create(world.glue, "s3://bkt/t/", Configuration=json.dumps({"Version": 1.0, **output}))
    crawl(world.glue)
    world.s3.put("s3://bkt/t/dt=2/1.parquet", parquet({"a": pa.int64(), "b": pa.string()}))
    crawl(world.glue)
    first = world.glue.get_partition(DatabaseName="d", TableName="t", PartitionValues=["1"])["Partition"]
    assert columns(first) == {"a": "bigint", "b": "string"}
    assert crawl(world.glue)["Summary"] == {}


def test_similar_folders_without_keys_become_partition_0(world: World) -> None:
    for region in ("north", "south", "west"):
        for day in ("01", "02"):
            world.s3.put(f"s3://bkt/sales/{region}/{day}/x.parquet", parquet(A))
    create(world.glue, "s3://bkt/sales/")
    crawl(world.glue)
    found = tables(world.glue)
    assert list(found) == ["sales"]
    assert keys(found["sales"]) == ["partition_0", "partition_1"]
    assert ["north", "02"] in values(world.glue, "sales")


def test_the_table_level_keeps_similar_folders_apart(world: World) -> None:
    for name in ("north", "south"):
        world.s3.put(f"s3://bkt/sales/{name}/day=1/x.parquet", parquet(A))
    configuration = {"Version": 1.0, "Grouping": {"TableLevelConfiguration": 3}}
    create(world.glue, "s3://bkt/sales/", Configuration=json.dumps(configuration))
    crawl(world.glue)
    assert {name: keys(table) for name, table in tables(world.glue).items()} == {"north": ["day"], "south": ["day"]}


def test_compatible_schemas_can_be_combined(world: World) -> None:
    world.s3.put("s3://bkt/all/x/1.parquet", parquet(A))
    world.s3.put("s3://bkt/all/y/1.parquet", parquet(B))
    grouping = {"Version": 1.0, "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"}}
    create(world.glue, "s3://bkt/all/", Configuration=json.dumps(grouping))
    crawl(world.glue)
    found = tables(world.glue)
    assert list(found) == ["all"]
    assert set(columns(found["all"])) == set(A) | set(B)


def test_a_file_in_the_wrong_place_becomes_its_own_table_and_hurts_nobody(world: World) -> None:
    for day in range(4):
        world.s3.put(f"s3://bkt/lake/cars/dt={day}/1.parquet", parquet(A))
    world.s3.put("s3://bkt/lake/cars/stray.csv", b"x,y\n1,2\n3,4\n")
    world.s3.put("s3://bkt/lake/cars/dt=1/old.json", b'{"q": 1}\n')
    world.s3.put("s3://bkt/lake/cars/dt=2/notes.png", b"\x89PNG\xff\xfe\x00")
    world.s3.put("s3://bkt/lake/cars/dt=3/broken.parquet", b"PAR1 half a file PAR1")
    create(world.glue, "s3://bkt/lake/")
    assert crawl(world.glue)["State"] == "COMPLETED"
    found = tables(world.glue)
    assert set(found) == {"cars", "stray_csv", "old_json"}
    assert values(world.glue, "cars") == [["0"], ["1"], ["2"], ["3"]]
    assert found["cars"]["Parameters"]["classification"] == "parquet"


def test_hidden_empty_and_excluded_files_do_not_count(world: World) -> None:
    world.s3.put("s3://bkt/t/1.parquet", parquet(A))
    world.s3.put("s3://bkt/t/_SUCCESS", b"done")
    world.s3.put("s3://bkt/t/_spark_metadata/0", b"v1")
    world.s3.put("s3://bkt/t/.crc", b"x")
    world.s3.put("s3://bkt/t/empty/", b"")
    world.s3.put("s3://bkt/t/tmp/2.csv", b"a,b\n1,2\n")
    targets = {"S3Targets": [{"Path": "s3://bkt/t", "Exclusions": ["tmp/**"]}]}
    create(world.glue, Targets=targets)
    crawl(world.glue)
    found = tables(world.glue)
    assert list(found) == ["t"]
    assert found["t"]["Parameters"]["objectCount"] == "1"
    assert keys(found["t"]) == []


def test_json_and_csv(world: World) -> None:
    lines = [{"id": 1, "tags": ["a"], "at": {"x": 1.5, "y": None}}, {"id": 2**40, "tags": [], "new": True}]
    world.s3.put("s3://bkt/logs/a.json", "\n".join(map(json.dumps, lines)).encode())
    world.s3.put("s3://bkt/people/a.csv", b"Name;Age;Height\nAda;36;1.7\nBob;40;1.8\n")
    create(world.glue, "s3://bkt/logs", "s3://bkt/people")
    crawl(world.glue)
    found = tables(world.glue)
    assert columns(found["logs"]) == {
        "id": "bigint",
        "tags": "array<string>",
        "at": "struct<x:double,y:string>",
        "new": "boolean",
    }
    assert (
        found["logs"]["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    )
    people = found["people"]
    assert columns(people) == {"name": "string", "age": "bigint", "height": "double"}
    assert people["Parameters"]["skip.header.line.count"] == "1"
    assert people["StorageDescriptor"]["SerdeInfo"]["Parameters"] == {"field.delim": ";"}
    assert people["Parameters"]["recordCount"] == "2"


def test_table_names_are_safe_prefixed_and_never_stolen(world: World) -> None:
    world.s3.put("s3://bkt/x/My-Data.v2/1.parquet", parquet(A))
    world.s3.put("s3://bkt/y/My-Data.v2/1.parquet", parquet(A))
    create(world.glue, "s3://bkt/x/My-Data.v2/", "s3://bkt/y/My-Data.v2/", TablePrefix="raw_")
    crawl(world.glue)
    first, second = tables(world.glue)
    assert first == "raw_my_data_v2"
    assert second.startswith("raw_my_data_v2_")
    assert crawl(world.glue)["Summary"] == {}


@pytest.mark.parametrize("behaviour", ["LOG", "DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE"])
def test_deleted_data_is_dealt_with_as_the_policy_says(world: World, behaviour: str) -> None:
    for table, day in (("cars", 1), ("cars", 2), ("gone", 1)):
        world.s3.put(f"s3://bkt/lake/{table}/dt={day}/1.parquet", parquet(A if table == "cars" else B))
    create(world.glue, "s3://bkt/lake/", SchemaChangePolicy={"DeleteBehavior": behaviour})
    crawl(world.glue)
    world.s3.remove("s3://bkt/lake/gone/")
    world.s3.remove("s3://bkt/lake/cars/dt=2/")
    last = crawl(world.glue)
    found = tables(world.glue)
    if behaviour == "DELETE_FROM_DATABASE":
        assert list(found) == ["cars"]
        assert values(world.glue, "cars") == [["1"]]
    else:
        marked = "DEPRECATED_BY_CRAWLER" in found["gone"]["Parameters"]
        assert marked == (behaviour == "DEPRECATE_IN_DATABASE")
        assert values(world.glue, "cars") == [["1"], ["2"]]
    assert ("DELETE" in last["Summary"].get("TABLE", {})) == (behaviour != "LOG")
    assert crawl(world.glue)["Summary"] == {}
    world.s3.put("s3://bkt/lake/gone/dt=1/1.parquet", parquet(B))
    crawl(world.glue)
    assert "DEPRECATED_BY_CRAWLER" not in tables(world.glue)["gone"]["Parameters"]


def test_update_behaviour_log_leaves_the_schema(world: World) -> None:
    world.s3.put("s3://bkt/t/dt=1/1.parquet", parquet({"a": pa.int32()}))
    create(world.glue, "s3://bkt/t/", SchemaChangePolicy={"UpdateBehavior": "LOG"})
    crawl(world.glue)
    world.s3.put("s3://bkt/t/dt=2/1.parquet", parquet({"a": pa.int32(), "b": pa.int32()}))
    crawl(world.glue)
    assert columns(tables(world.glue)["t"]) == {"a": "int"}
    assert values(world.glue, "t") == [["1"], ["2"]]


def test_only_new_folders(world: World) -> None:
    log = {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    world.s3.put("s3://bkt/t/dt=1/1.parquet", parquet(A))
    new_only = {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}
    create(world.glue, "s3://bkt/t/", RecrawlPolicy=new_only, SchemaChangePolicy=log)
    crawl(world.glue)
    world.s3.put("s3://bkt/t/dt=1/2.parquet", parquet(A))
    world.s3.put("s3://bkt/t/dt=2/1.parquet", parquet(A))
    world.s3.reads.clear()
    crawl(world.glue)
    assert world.s3.reads == ["t/dt=2/1.parquet"]
    assert values(world.glue, "t") == [["1"], ["2"]]


def test_what_people_wrote_stays(world: World) -> None:
    world.s3.put("s3://bkt/t/dt=1/1.parquet", parquet({"a": pa.int32()}))
    create(world.glue, "s3://bkt/t/")
    crawl(world.glue)
    table = tables(world.glue)["t"]
    given = {key: table[key] for key in ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")}
    given["StorageDescriptor"]["Columns"][0]["Comment"] = "the answer"
    given |= {"Description": "ours", "Parameters": {**table["Parameters"], "owner_team": "roads"}}
    world.glue.update_table(DatabaseName="d", TableInput=given)
    world.s3.put("s3://bkt/t/dt=2/1.parquet", parquet({"a": pa.int32(), "b": pa.int32()}))
    crawl(world.glue)
    table = tables(world.glue)["t"]
    assert table["Description"] == "ours"
    assert table["Parameters"]["owner_team"] == "roads"
    assert table["StorageDescriptor"]["Columns"][0]["Comment"] == "the answer"
    assert set(columns(table)) == {"a", "b"}


def test_the_sample_size_limits_what_is_read(world: World) -> None:
    for number in range(10):
        world.s3.put(f"s3://bkt/t/{number}.parquet", parquet(A))
    create(world.glue, Targets={"S3Targets": [{"Path": "s3://bkt/t/", "SampleSize": 2}]})
    crawl(world.glue)
    assert len(world.s3.reads) == 2
    assert tables(world.glue)["t"]["Parameters"]["recordCount"] == "30"


def test_ten_thousand_partitions(world: World) -> None:
    body = parquet({"a": pa.int32()})
    for number in range(10_000):
        world.s3.objects["bkt", f"t/n={number}/1.parquet"] = body
    create(world.glue, "s3://bkt/t/")
    assert crawl(world.glue)["Summary"]["PARTITION"]["ADD"] == {"Count": 10_000}
    found = world.glue.get_partitions(DatabaseName="d", TableName="t", Expression="n = '9999'")["Partitions"]
    assert [item["Values"] for item in found] == [["9999"]]
    assert crawl(world.glue)["Summary"] == {}


@pytest.mark.parametrize(("operation", "action"), [("ListObjectsV2", "s3:ListBucket"), ("GetObject", "s3:GetObject")])
def test_a_role_without_access_fails_with_the_missing_action(world: World, operation: str, action: str) -> None:
    world.s3.put("s3://bkt/t/1.parquet", parquet(A))
    world.s3.denied.add(operation)
    create(world.glue, "s3://bkt/t/")
    last = crawl(world.glue)
    assert last["State"] == "FAILED"
    assert "AccessDenied" in last["ErrorMessage"]
    assert f"is not authorized to perform: {action} on resource: arn:aws:s3:::bkt" in last["ErrorMessage"]
    status = world.glue.get_crawler(Name="c")["Crawler"]["LastCrawl"]
    assert (status["Status"], status["ErrorMessage"]) == ("FAILED", last["ErrorMessage"])
    world.s3.denied.clear()
    assert crawl(world.glue)["State"] == "COMPLETED"


def test_the_role_needs_the_catalog_as_well(world: World) -> None:
    world.s3.put("s3://bkt/t/1.parquet", parquet(A))
    world.access.denied.append(("glue:CreateTable", "arn:aws:glue"))
    create(world.glue, "s3://bkt/t/")
    assert "glue:CreateTable" in crawl(world.glue)["ErrorMessage"]


def test_a_missing_bucket_fails_the_crawl(world: World) -> None:
    create(world.glue, "s3://none/t/")
    assert "NoSuchBucket" in crawl(world.glue)["ErrorMessage"]


def test_an_empty_bucket_gives_no_tables(world: World) -> None:
    world.s3.put("s3://bkt/other/1.parquet", parquet(A))
    create(world.glue, "s3://bkt/t/")
    last: Any = crawl(world.glue)
    assert (last["State"], tables(world.glue)) == ("COMPLETED", {})
