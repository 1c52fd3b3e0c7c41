"""The test bench's tables in an S3 bucket and in Glue, through the clients of whoever wants to ask about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.golden.queries import DATABASE, SCRATCH
from tests.golden.tables import COLUMNS, PARTITIONS, write

_FORMAT = "org.apache.hadoop.hive.ql.io.parquet"
_TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.int32(): "int",
    pa.timestamp("us"): "timestamp",
    pa.list_(pa.string()): "array<string>",
    pa.map_(pa.string(), pa.float64()): "map<string,double>",
}


def load(s3: Any, glue: Any, bucket: str, scratch: Path) -> None:
    """Make the bucket, both databases and the five tables with all partitions; `scratch` is a folder to write in."""
    _make_bucket(s3, bucket)
    for database in (DATABASE, SCRATCH):
        glue.create_database(DatabaseInput={"Name": database, "LocationUri": f"s3://{bucket}/{database}/"})
    files = write(scratch)
    keys = [f"{DATABASE}/{file.relative_to(scratch).as_posix()}" for file in files]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda file, key: s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes()), files, keys))
    for table in COLUMNS:
        glue.create_table(DatabaseName=DATABASE, TableInput=table_input(table, f"s3://{bucket}/{DATABASE}/{table}/"))
        folders = sorted(key.rpartition("/")[0] for key in keys if key.startswith(f"{DATABASE}/{table}/"))
        _add_partitions(glue, table, [f"s3://{bucket}/{folder}/" for folder in folders])


def unload(glue: Any) -> None:
    """Forget both databases with their tables; the bucket stays."""
    for database in (DATABASE, SCRATCH):
        glue.delete_database(Name=database)


def _make_bucket(s3: Any, bucket: str) -> None:
    region = s3.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **where)


def _add_partitions(glue: Any, table: str, locations: Sequence[str]) -> None:
    """As many as one call takes: 100."""
    inputs = [{"Values": _values(location), "StorageDescriptor": storage(table, location)} for location in locations]
    for first in range(0, len(inputs), 100):
        answer = glue.batch_create_partition(
            DatabaseName=DATABASE, TableName=table, PartitionInputList=inputs[first : first + 100]
        )
        assert not answer.get("Errors"), answer["Errors"]


def _values(location: str) -> list[str]:
    return [part.partition("=")[2] for part in location.split("/")[-3:-1]]


def table_input(table: str, location: str) -> dict[str, Any]:
    """What a crawler would say of the table."""
    return {
        "Name": table,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in PARTITIONS],
        "StorageDescriptor": storage(table, location),
    }


def storage(table: str, location: str) -> dict[str, Any]:
    """Columns, place and format of a table or partition."""
    return {
        "Columns": [{"Name": name, "Type": _TYPES[type_]} for name, type_ in COLUMNS[table].items()],
        "Location": location,
        "InputFormat": f"{_FORMAT}.MapredParquetInputFormat",
        "OutputFormat": f"{_FORMAT}.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{_FORMAT}.serde.ParquetHiveSerDe"},
    }
