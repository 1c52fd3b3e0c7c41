"""How a found table or partition is written down in the catalog: the members and parameters that AWS's crawler sets."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from smartcity.localaws.glue.crawl.facts import CSV, JSON, PARQUET, Columns, Facts
from smartcity.localaws.glue.crawl.folders import Amount, Found, Leaf
from smartcity.localaws.glue.crawl.types import render

#: Parameters that only say how much data there is; a change of them is not a change of the table.
AMOUNTS = ("averageRecordSize", "objectCount", "recordCount", "sizeKey")
UPDATED_BY = "UPDATED_BY_CRAWLER"
DEPRECATED_BY = "DEPRECATED_BY_CRAWLER"

_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_TEXT_IN = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_READERS = {
    PARQUET: (f"{_PARQUET}.MapredParquetInputFormat", f"{_PARQUET}.MapredParquetOutputFormat"),
    CSV: (_TEXT_IN, _TEXT_OUT),
    JSON: (_TEXT_IN, _TEXT_OUT),
}
_UNSAFE = re.compile(r"[^a-z0-9_]")


def table_name(found: Found, prefix: str) -> str:
    """The crawler's prefix and the name of the folder (or file) in lower case, `_` for what no name may hold."""
    last = found.prefix.rstrip("/").rpartition("/")[2] or found.bucket
    return prefix.lower() + _UNSAFE.sub("_", last.lower())


def other_name(name: str, location: str) -> str:
    """The name for a table whose own name is taken by another location: AWS appends a hash."""
    return f"{name}_{hashlib.md5(location.encode()).hexdigest()}"  # noqa: S324  a short name, not a secret


def table_input(found: Found, name: str, crawler: str) -> dict[str, Any]:
    """The table as CreateTable takes it."""
    parameters = {**_parameters(found.facts, found.amount), UPDATED_BY: crawler}
    return {
        "Name": name,
        "Owner": "owner",
        "Retention": 0,
        "StorageDescriptor": _storage(found.facts, found.facts.columns, found.location, parameters),
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in found.keys],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
    }


def partition_input(found: Found, leaf: Leaf, inherit: bool) -> dict[str, Any]:
    """A partition as CreatePartition takes it: with its own columns, or the table's if they are inherited."""
    own = tuple((name, kind) for name, kind in leaf.columns if name not in found.keys)
    parameters = _parameters(found.facts, leaf.amount)
    location = f"s3://{found.bucket}/{leaf.prefix}"
    columns = found.facts.columns if inherit else own
    return {
        "Values": list(leaf.values),
        "StorageDescriptor": _storage(found.facts, columns, location, parameters),
        "Parameters": parameters,
    }


def _storage(facts: Facts, columns: Columns, location: str, parameters: dict[str, str]) -> dict[str, Any]:
    reader, writer = _READERS[facts.format]
    return {
        "Columns": [{"Name": name, "Type": render(kind)} for name, kind in columns],
        "Location": location,
        "InputFormat": reader,
        "OutputFormat": writer,
        "Compressed": facts.compression != "none",
        "NumberOfBuckets": -1,
        "SerdeInfo": _serde(facts, columns),
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": parameters,
        "StoredAsSubDirectories": False,
    }


def _serde(facts: Facts, columns: Columns) -> dict[str, Any]:
    if facts.format == PARQUET:
        library, parameters = f"{_PARQUET}.serde.ParquetHiveSerDe", {"serialization.format": "1"}
    elif facts.format == JSON:
        library = "org.openx.data.jsonserde.JsonSerDe"
        parameters = {"paths": ",".join(sorted(name for name, _ in columns))}
    else:
        library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
        parameters = {"field.delim": dict(facts.options)["delimiter"]}
    return {"SerializationLibrary": library, "Parameters": parameters}


def _parameters(facts: Facts, amount: Amount) -> dict[str, str]:
    return {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "averageRecordSize": str(round(amount.bytes / amount.rows) if amount.rows else 0),
        "classification": facts.format,
        "compressionType": facts.compression,
        "objectCount": str(amount.objects),
        "recordCount": str(amount.rows),
        "sizeKey": str(amount.bytes),
        "typeOfData": "file",
        **({"columnsOrdered": "true"} if facts.format == CSV else {}),
        **dict(facts.options),
    }
