"""Small lakes for crawler tests, and a crawl that is waited for."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROLE = "arn:aws:iam::123456789012:role/crawler"


def parquet(columns: dict[str, Any], rows: int = 3) -> bytes:
    """A Parquet file with columns of the given Arrow types, all null."""
    made = {name: pa.nulls(rows, kind) for name, kind in columns.items()}
    buffer = io.BytesIO()
    pq.write_table(pa.table(made), buffer)
    return buffer.getvalue()


A = {"id": pa.int64(), "name": pa.string(), "speed": pa.float64()}
B = {"sensor": pa.string(), "level": pa.int32()}


def create(glue: Any, *paths: str, name: str = "c", **more: Any) -> None:
    """A crawler over the paths."""
    targets = {"S3Targets": [{"Path": path} for path in paths]}
    glue.create_crawler(**{"Name": name, "Role": ROLE, "DatabaseName": "d", "Targets": targets} | more)


def crawl(glue: Any, name: str = "c") -> dict[str, Any]:
    """Run a crawler to its end; returns its last crawl with the summary, parsed."""
    glue.start_crawler(Name=name)
    deadline = time.monotonic() + 30
    while glue.get_crawler(Name=name)["Crawler"]["State"] != "READY":
        assert time.monotonic() < deadline, "the crawl does not end"
        time.sleep(0.005)
    last = glue.list_crawls(CrawlerName=name, MaxResults=1)["Crawls"][0]
    summary = {kind: json.loads(text) for kind, text in json.loads(last.get("Summary", "{}")).items()}
    return {**last, "Summary": summary}


def tables(glue: Any) -> dict[str, dict[str, Any]]:
    """The tables of the database by name."""
    return {item["Name"]: item for item in glue.get_tables(DatabaseName="d")["TableList"]}


def columns(table: dict[str, Any]) -> dict[str, str]:
    """Names and types of the columns of a table or partition."""
    return {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}


def keys(table: dict[str, Any]) -> list[str]:
    """Names of the partition keys."""
    return [key["Name"] for key in table["PartitionKeys"]]


def values(glue: Any, table: str) -> list[list[str]]:
    """The values of all partitions."""
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName="d", TableName=table)
    return [item["Values"] for page in pages for item in page["Partitions"]]
