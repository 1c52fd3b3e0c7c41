"""Partitions and column statistics: batches, errors per item, pages, segments, filters."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from glue.test_catalog_core import code, table

KEYS = [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "int"}]


def partition(*values: str) -> dict[str, Any]:
    """A partition definition."""
    columns = [{"Name": "a", "Type": "int"}]
    return {"Values": list(values), "StorageDescriptor": {"Columns": columns, "Location": f"s3://b/{'/'.join(values)}"}}


@pytest.fixture
def t(glue: Any) -> Any:
    """Arguments for calls on a partitioned table, and the client."""
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput=table(PartitionKeys=KEYS))
    return glue


AT = {"DatabaseName": "d", "TableName": "t"}


def fill(t: Any) -> None:
    """Three days of 24 hours."""
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        items = [partition(day, str(hour)) for hour in range(24)]
        assert t.batch_create_partition(**AT, PartitionInputList=items)["Errors"] == []


def values(answer: Any) -> list[list[str]]:
    """The values of the partitions in an answer."""
    return [item["Values"] for item in answer["Partitions"]]


def test_one_partition_lives_and_dies(t: Any) -> None:
    t.create_partition(**AT, PartitionInput=partition("2026-03-01", "7"))
    found = t.get_partition(**AT, PartitionValues=["2026-03-01", "7"])["Partition"]
    assert found["StorageDescriptor"]["Location"] == "s3://b/2026-03-01/7"
    with pytest.raises(ClientError) as error:
        t.create_partition(**AT, PartitionInput=partition("2026-03-01", "7"))
    assert code(error) == ("AlreadyExistsException", "Partition already exists.")
    t.update_partition(**AT, PartitionValueList=["2026-03-01", "7"], PartitionInput=partition("2026-03-01", "8"))
    with pytest.raises(ClientError) as error:
        t.get_partition(**AT, PartitionValues=["2026-03-01", "7"])
    assert code(error) == ("EntityNotFoundException", "Cannot find partition.")
    t.delete_partition(**AT, PartitionValues=["2026-03-01", "8"])
    assert t.get_partitions(**AT)["Partitions"] == []


def test_batches_do_what_they_can_and_report_the_rest(t: Any) -> None:
    items = [partition("x", "1"), partition("x", "1"), partition("only one value"), partition("y", "2")]
    errors = t.batch_create_partition(**AT, PartitionInputList=items)["Errors"]
    assert [(e["PartitionValues"], e["ErrorDetail"]["ErrorCode"]) for e in errors] == [
        (["x", "1"], "AlreadyExistsException"),
        (["only one value"], "InvalidInputException"),
    ]
    entries = [
        {"PartitionValueList": ["x", "1"], "PartitionInput": partition("x", "5")},
        {"PartitionValueList": ["none", "1"], "PartitionInput": partition("none", "1")},
        {"PartitionValueList": ["y", "2"], "PartitionInput": partition("x", "5")},
    ]
    errors = t.batch_update_partition(**AT, Entries=entries)["Errors"]
    assert [e["ErrorDetail"]["ErrorCode"] for e in errors] == ["EntityNotFoundException", "AlreadyExistsException"]
    wanted = [{"Values": ["x", "5"]}, {"Values": ["gone", "1"]}, {"Values": ["y", "2"]}]
    assert values(t.batch_get_partition(**AT, PartitionsToGet=wanted)) == [["x", "5"], ["y", "2"]]
    errors = t.batch_delete_partition(**AT, PartitionsToDelete=wanted)["Errors"]
    assert [e["PartitionValues"] for e in errors] == [["gone", "1"]]


def test_more_than_awss_limit_is_refused(t: Any) -> None:
    items = [partition("x", str(number)) for number in range(101)]
    with pytest.raises(ClientError) as error:
        t.batch_create_partition(**AT, PartitionInputList=items)
    assert code(error)[0] == "ValidationException"


def test_pages_and_segments_cover_everything_once(t: Any) -> None:
    fill(t)
    paged = t.get_paginator("get_partitions").paginate(**AT, PaginationConfig={"PageSize": 7})
    assert len({tuple(item) for page in paged for item in values(page)}) == 72
    split = [values(t.get_partitions(**AT, Segment={"SegmentNumber": n, "TotalSegments": 4})) for n in range(4)]
    assert all(split)
    assert len({tuple(item) for part in split for item in part}) == sum(map(len, split)) == 72
    with pytest.raises(ClientError) as error:
        t.get_partitions(**AT, Segment={"SegmentNumber": 4, "TotalSegments": 4})
    assert code(error)[0] == "InvalidInputException"


def test_filters_compare_by_the_keys_type(t: Any) -> None:
    fill(t)
    found = values(t.get_partitions(**AT, Expression="dt = '2026-03-02' AND hour BETWEEN 9 AND 11"))
    assert sorted(found, key=lambda item: int(item[1])) == [["2026-03-02", hour] for hour in ("9", "10", "11")]
    assert len(values(t.get_partitions(**AT, Expression="NOT (hour >= 1) OR dt LIKE '%-03'"))) == 26
    assert len(values(t.get_partitions(**AT, Expression="hour IN (1, 2) AND dt <> '2026-03-01'"))) == 4


@pytest.mark.parametrize(
    "expression",
    ["nope = 1", "hour = 'x'", "1 = 1", "hour = dt", "lower(dt) = 'x'", "dt = '1' -- x", "((", "hour LIKE '1'"],
)
def test_bad_filters_are_invalid_input_even_for_an_empty_table(t: Any, expression: str) -> None:
    with pytest.raises(ClientError) as error:
        t.get_partitions(**AT, Expression=expression)
    assert code(error)[0] == "InvalidInputException"


def test_a_stored_value_that_does_not_fit_its_type_is_an_invalid_state(t: Any) -> None:
    t.create_partition(**AT, PartitionInput=partition("x", "noon"))
    with pytest.raises(ClientError) as error:
        t.get_partitions(**AT, Expression="hour = 1")
    assert code(error)[0] == "InvalidStateException"


def test_columns_can_be_left_out(t: Any) -> None:
    t.create_partition(**AT, PartitionInput=partition("x", "1"))
    found = t.get_partitions(**AT, ExcludeColumnSchema=True)["Partitions"][0]
    assert "Columns" not in found["StorageDescriptor"]
    assert found["StorageDescriptor"]["Location"]


def test_indexes(t: Any) -> None:
    t.create_partition_index(**AT, PartitionIndex={"Keys": ["dt"], "IndexName": "by_dt"})
    found = t.get_partition_indexes(**AT)["PartitionIndexDescriptorList"]
    assert [(item["IndexName"], item["IndexStatus"]) for item in found] == [("by_dt", "ACTIVE")]
    with pytest.raises(ClientError) as error:
        t.create_partition_index(**AT, PartitionIndex={"Keys": ["a"], "IndexName": "by_a"})
    assert code(error)[0] == "InvalidInputException"
    t.delete_partition_index(**AT, IndexName="by_dt")
    assert t.get_partition_indexes(**AT)["PartitionIndexDescriptorList"] == []


def statistic(kind: str, **data: Any) -> dict[str, Any]:
    """Statistics of column `a`."""
    moment = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    content = {"Type": kind, f"{kind.title()}ColumnStatisticsData": data}
    return {"ColumnName": "a", "ColumnType": "int", "AnalyzedTime": moment, "StatisticsData": content}


@pytest.mark.parametrize(
    "given",
    [
        statistic("LONG", MinimumValue=-5, MaximumValue=2**62, NumberOfNulls=1, NumberOfDistinctValues=3),
        statistic(
            "DATE",
            MinimumValue=datetime(1969, 1, 1, tzinfo=UTC),
            MaximumValue=datetime(2026, 3, 1, tzinfo=UTC),
            NumberOfNulls=0,
            NumberOfDistinctValues=2,
        ),
        statistic(
            "DECIMAL",
            MinimumValue={"UnscaledValue": int(Decimal(-1234)).to_bytes(4, "big", signed=True), "Scale": 2},
            NumberOfNulls=0,
            NumberOfDistinctValues=1,
        ),
    ],
)
def test_statistics_come_back_as_they_were_given(t: Any, given: dict[str, Any]) -> None:
    assert t.update_column_statistics_for_table(**AT, ColumnStatisticsList=[given])["Errors"] == []
    found = t.get_column_statistics_for_table(**AT, ColumnNames=["a", "b"])
    assert found["ColumnStatisticsList"] == [given]
    assert [error["ColumnName"] for error in found["Errors"]] == ["b"]
    t.create_partition(**AT, PartitionInput=partition("x", "1"))
    of = {**AT, "PartitionValues": ["x", "1"]}
    assert t.get_column_statistics_for_partition(**of, ColumnNames=["a"])["ColumnStatisticsList"] == []
    t.update_column_statistics_for_partition(**of, ColumnStatisticsList=[given])
    assert t.get_column_statistics_for_partition(**of, ColumnNames=["a"])["ColumnStatisticsList"] == [given]
    t.delete_column_statistics_for_partition(**of, ColumnName="a")
    t.delete_column_statistics_for_partition(**of, ColumnName="a")  # Trino deletes what a new table never had
    with pytest.raises(ClientError) as error:
        t.delete_column_statistics_for_partition(**of, ColumnName="nosuch")
    assert code(error)[0] == "EntityNotFoundException"
    t.delete_column_statistics_for_table(**AT, ColumnName="a")


def test_statistics_of_an_unknown_column_are_reported(t: Any) -> None:
    given = statistic("LONG", NumberOfNulls=1, NumberOfDistinctValues=3) | {"ColumnName": "zz"}
    errors = t.update_column_statistics_for_table(**AT, ColumnStatisticsList=[given])["Errors"]
    assert errors[0]["Error"]["ErrorCode"] == "InvalidInputException"
