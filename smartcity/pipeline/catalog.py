"""The catalog stop: tables and partitions that SQL finds, made by the crawler or, ahead of it, by the stream.

Both write the same definitions: what `table_input` and `partition_input` build is what the crawler derives from the
files, so that a crawl after the stream only brings counts up to date. `glue` is a boto3 client throughout.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from smartcity import layout
from smartcity.errors import ServiceError
from smartcity.events import LAKE_COLUMNS, TOPICS

PARTITION_KEY = "dt"

#: Level of the tables' folders below the bucket, which is level 1: s3://bucket/lake/<table>/.
TABLE_LEVEL = 3

#: AWS's limit of partitions in one BatchCreatePartition.
BATCH = 100

#: How long a role that was just made may stay unknown to Glue: IAM is eventually consistent.
ROLE_PATIENCE_S = 30.0

Sleep = Callable[[float], None]

_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_PARAMETERS = {
    "CrawlerSchemaDeserializerVersion": "1.0",
    "CrawlerSchemaSerializerVersion": "1.0",
    "classification": "parquet",
    "compressionType": "none",
    "typeOfData": "file",
}


@dataclass(frozen=True)
class TableDescription:
    """A table of the catalog; `rows`, `files` and `size_bytes` are the last crawl's, None before it."""

    name: str
    location: str
    columns: tuple[tuple[str, str], ...] = field(repr=False)
    partition_keys: tuple[str, ...]
    partitions: int
    rows: int | None
    files: int | None
    size_bytes: int | None


@dataclass(frozen=True)
class CrawlReport:
    """What a crawl did: names of tables and numbers of partitions."""

    crawler: str
    seconds: float
    tables_added: int = 0
    tables_updated: int = 0
    tables_deleted: int = 0
    partitions_added: int = 0
    partitions_updated: int = 0
    partitions_deleted: int = 0


def ensure_database(glue: Any, database: str) -> bool:
    """Create the database unless it exists; True if it is new."""
    try:
        glue.create_database(DatabaseInput={"Name": database, "Description": "Events of the smart city's vehicles"})
    except glue.exceptions.AlreadyExistsException:
        return False
    return True


def table_input(bucket: str, table: str) -> dict[str, Any]:
    """The table of a topic as CreateTable takes it, from the data contract."""
    location = f"s3://{bucket}/{layout.table_prefix(table)}"
    return {
        "Name": table,
        "Owner": "owner",
        "Retention": 0,
        "StorageDescriptor": _storage(table, location),
        "PartitionKeys": [{"Name": PARTITION_KEY, "Type": "string"}],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": dict(_PARAMETERS),
    }


def partition_input(bucket: str, table: str, dt: str) -> dict[str, Any]:
    """One day of a table as CreatePartition takes it."""
    location = f"s3://{bucket}/{layout.data_key(table, dt, '')}"
    return {"Values": [dt], "StorageDescriptor": _storage(table, location), "Parameters": dict(_PARAMETERS)}


def _storage(table: str, location: str) -> dict[str, Any]:
    columns = (*TOPICS[table].columns, *LAKE_COLUMNS)
    return {
        "Columns": [{"Name": column.name, "Type": column.type} for column in columns],
        "Location": location,
        "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
        "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
        "Compressed": False,
        "NumberOfBuckets": -1,
        "SerdeInfo": {
            "SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": dict(_PARAMETERS),
        "StoredAsSubDirectories": False,
    }


def ensure_table(glue: Any, database: str, bucket: str, table: str) -> bool:
    """Create the table of a topic unless it exists; True if it is new. Raises KeyError for an unknown topic."""
    try:
        glue.create_table(DatabaseName=database, TableInput=table_input(bucket, table))
    except glue.exceptions.AlreadyExistsException:
        return False
    return True


def register_partitions(glue: Any, database: str, bucket: str, partitions: Iterable[tuple[str, str]]) -> int:
    """Make (table, dt) known, database and tables included; returns how many partitions were new.

    Idempotent, and fine with others who do the same at the same time. Raises `ServiceError` for a partition that
    the catalog refuses for any other reason than being there already.
    """
    by_table: dict[str, list[str]] = defaultdict(list)
    for table, dt in sorted(set(partitions)):
        by_table[table].append(dt)
    return sum(_register(glue, database, bucket, table, days) for table, days in by_table.items())


def _register(glue: Any, database: str, bucket: str, table: str, days: list[str]) -> int:
    new = 0
    for start in range(0, len(days), BATCH):
        batch = [partition_input(bucket, table, dt) for dt in days[start : start + BATCH]]
        request = {"DatabaseName": database, "TableName": table, "PartitionInputList": batch}
        try:
            answer = glue.batch_create_partition(**request)
        except glue.exceptions.EntityNotFoundException:
            ensure_database(glue, database)
            ensure_table(glue, database, bucket, table)
            answer = glue.batch_create_partition(**request)
        errors = answer.get("Errors", [])
        _refuse_others(table, errors)
        new += len(batch) - len(errors)
    return new


def _refuse_others(table: str, errors: Iterable[dict[str, Any]]) -> None:
    for error in errors:
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] != "AlreadyExistsException":
            values = "/".join(error["PartitionValues"])
            raise ServiceError(
                f"Glue refused partition {values} of table {table}: {detail.get('ErrorMessage', detail['ErrorCode'])}.",
                "Run `smartcity crawl` to see whether the table can be brought up to date.",
            )


class Registrar:
    """`register_partitions` for the stream, which asks for the same few days with every batch: asks Glue once."""

    def __init__(self, glue: Any, database: str, bucket: str) -> None:
        self._glue, self._database, self._bucket = glue, database, bucket
        self._known: set[tuple[str, str]] = set()

    def __call__(self, partitions: Iterable[tuple[str, str]]) -> None:
        """Make the partitions known that this process has not made known yet."""
        new = set(partitions) - self._known
        if new:
            register_partitions(self._glue, self._database, self._bucket, new)
            self._known |= new


def crawler_request(name: str, role_arn: str, bucket: str, database: str) -> dict[str, Any]:
    """The crawler of the lake as CreateCrawler takes it.

    One table per folder of the lake, whatever the schemas; partitions take the table's columns, or Athena would
    refuse a day that was written before a column came; data that is gone is left to people, for compaction moves days.
    """
    configuration = {
        "Version": 1.0,
        "Grouping": {"TableLevelConfiguration": TABLE_LEVEL},
        "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}},
    }
    return {
        "Name": name,
        "Role": role_arn,
        "DatabaseName": database,
        "Description": "Tables and partitions of the lake",
        "Targets": {"S3Targets": [{"Path": f"s3://{bucket}/{layout.LAKE}"}]},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"},
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
        "Configuration": json.dumps(configuration, sort_keys=True),
    }


def ensure_crawler(
    glue: Any, name: str, role_arn: str, bucket: str, database: str, *, sleep: Sleep = time.sleep
) -> bool:
    """Create the crawler of the lake, or bring it up to date; True if it was created or changed."""
    request = crawler_request(name, role_arn, bucket, database)
    try:
        old = glue.get_crawler(Name=name)["Crawler"]
    except glue.exceptions.EntityNotFoundException:
        _until_role_is_known(lambda: glue.create_crawler(**request), glue, sleep)
        return True
    if all(_same(old.get(key), value) for key, value in request.items()):
        return False
    _until_role_is_known(lambda: glue.update_crawler(**request), glue, sleep)
    return True


def _same(old: Any, new: Any) -> bool:
    """Roles come back as names, targets with defaults filled in."""
    if isinstance(new, str) and isinstance(old, str):
        return old == new or (new.startswith("arn:") and new.endswith(f"role/{old}"))
    if isinstance(new, dict) and isinstance(old, dict):
        return all(_same(old.get(key), value) for key, value in new.items())
    if isinstance(new, list) and isinstance(old, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _until_role_is_known(call: Callable[[], Any], glue: Any, sleep: Sleep) -> None:
    deadline = time.monotonic() + ROLE_PATIENCE_S
    while True:
        try:
            call()
        except glue.exceptions.InvalidInputException as error:
            if "assume" not in str(error) or time.monotonic() > deadline:
                raise
            sleep(2.0)
        else:
            return


def run_crawler(
    glue: Any,
    name: str,
    timeout_s: float,
    progress: Callable[[str], None] = lambda _: None,
    *,
    sleep: Sleep = time.sleep,
) -> CrawlReport:
    """Crawl now and wait for the end; a crawl that someone else has under way is waited for first.

    `progress` hears the crawler's state whenever it is asked for. Raises `ServiceError` with the crawl's own message
    when it fails, is stopped, or does not end within `timeout_s` seconds.
    """
    began = time.monotonic()
    waits = _waits(name, began + timeout_s, sleep)
    while not _started(glue, name):
        progress("waiting for the crawl that is under way")
        next(waits)
    while (crawler := glue.get_crawler(Name=name)["Crawler"])["State"] != "READY":
        progress(crawler["State"].lower())
        next(waits)
    last = crawler.get("LastCrawl", {})
    if last.get("Status") != "SUCCEEDED":
        _explain(name, last)
    return _report(glue, name, time.monotonic() - began)


def _started(glue: Any, name: str) -> bool:
    try:
        glue.start_crawler(Name=name)
    except glue.exceptions.CrawlerRunningException:
        return False
    return True


def _waits(name: str, deadline: float, sleep: Sleep) -> Iterator[None]:
    """Longer and longer waits, from 20 ms to 2 s. Raises `ServiceError` at the deadline."""
    pause_s = 0.02
    while time.monotonic() < deadline:
        sleep(pause_s)
        yield
        pause_s = min(pause_s * 1.5, 2.0)
    raise ServiceError(
        f"Crawler {name} has not finished in time; it goes on in the background.",
        "Ask again with: smartcity crawl, or allow more time with: smartcity crawl --timeout SECONDS",
    )


def _explain(name: str, last: dict[str, Any]) -> None:
    message = last.get("ErrorMessage", "it gave no reason")
    hint = f"See its earlier crawls with: aws glue list-crawls --crawler-name {name}"
    if "AccessDenied" in message:
        hint = "Give the crawler's role the missing action; `smartcity crawl` brings our own role up to date."
    raise ServiceError(f"Crawler {name} ended as {last.get('Status', 'UNKNOWN')}: {message}", hint)


def _report(glue: Any, name: str, seconds: float) -> CrawlReport:
    last = glue.list_crawls(CrawlerName=name, MaxResults=1)["Crawls"]
    summary = _parsed(last[0].get("Summary", "{}")) if last else {}
    tables, partitions = _parsed(summary.get("TABLE", "{}")), _parsed(summary.get("PARTITION", "{}"))
    return CrawlReport(
        name,
        seconds,
        *(_count(tables, verb) for verb in ("ADD", "UPDATE", "DELETE")),
        *(_count(partitions, verb) for verb in ("ADD", "UPDATE", "DELETE")),
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _count(changes: dict[str, Any], verb: str) -> int:
    found = changes.get(verb)
    return int(found.get("Count", 0)) if isinstance(found, dict) else 0


def describe_tables(glue: Any, database: str) -> list[TableDescription]:
    """The tables of the database in the order of their names; none if there is no such database."""
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    try:
        tables = [table for page in pages for table in page["TableList"]]
    except glue.exceptions.EntityNotFoundException:
        return []
    return [_described(glue, database, table) for table in tables]


def _described(glue: Any, database: str, table: dict[str, Any]) -> TableDescription:
    storage, parameters = table.get("StorageDescriptor", {}), table.get("Parameters", {})
    keys = tuple(key["Name"] for key in table.get("PartitionKeys", []))
    return TableDescription(
        name=table["Name"],
        location=storage.get("Location", ""),
        columns=tuple((column["Name"], column.get("Type", "")) for column in storage.get("Columns", [])),
        partition_keys=keys,
        partitions=_count_partitions(glue, database, table["Name"]) if keys else 0,
        rows=_number(parameters.get("recordCount")),
        files=_number(parameters.get("objectCount")),
        size_bytes=_number(parameters.get("sizeKey")),
    )


def _count_partitions(glue: Any, database: str, table: str) -> int:
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=table, ExcludeColumnSchema=True
    )
    return sum(len(page["Partitions"]) for page in pages)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
