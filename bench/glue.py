"""Glue of local AWS: crawls and partition filters, each against a named reference in the same run.

Run with: python -m bench.glue (or python bench/glue.py). It starts a local AWS of its own in a temporary folder.

References: what plain boto3 needs to read the same bytes (a ranged GET per file, one after the other), to list the
same objects, and to read the same partitions without a filter.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from smartcity.pipeline import access, catalog

FILES, TABLES, DAYS = 1_000, 5, 20
PARTITIONS = 10_000
REPEATS = 5
BUCKET, DATABASE = "bench-lake", "bench"
ACCOUNT_ID, REGION = "000000000000", "eu-west-2"


@contextmanager
def local_aws(root: Path) -> Iterator[Callable[[str], Any]]:
    """A local AWS process; yields the maker of clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "smartcity.localaws", "--data-dir", str(root), "--port", str(port)]
    command += ["--region", REGION, "--account-id", ACCOUNT_ID, "--trino-url", "http://127.0.0.1:9"]
    with (root.parent / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield _maker(root, port)
        finally:
            process.terminate()


def _maker(root: Path, port: int) -> Callable[[str], Any]:
    deadline = time.monotonic() + 60
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=16, retries={"total_max_attempts": 1})

    def client(service: str) -> Any:
        key = json.loads((root / "credentials.json").read_text())
        session: Any = boto3.Session(key["access_key_id"], key["secret_access_key"], region_name=REGION)
        return session.client(service, endpoint_url=f"http://127.0.0.1:{port}", config=config)

    while True:
        try:
            client("sts").get_caller_identity()
        except (BotoCoreError, ClientError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return client


def timed(action: Callable[[], Any], repeats: int = 1) -> float:
    """The best of several runs in seconds: what the machine can do when nothing else wants it."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - began)
    return best


def fill(s3: Any) -> None:
    """The files of a small lake: 18 columns, 100 rows each."""
    columns: dict[str, Any] = {f"c{number}": pa.array(range(100), pa.float64()) for number in range(15)}
    columns |= {"label": pa.array(["x"] * 100), "n": pa.array(range(100), pa.int32())}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue()), keys()))


def keys() -> list[str]:
    """The keys of all files."""
    return [f"lake/t{n % TABLES}/dt=2026-03-{1 + n // TABLES % DAYS:02d}/{n:05d}.parquet" for n in range(FILES)]


def crawls(client: Callable[[str], Any]) -> Iterator[tuple[str, float, str, float]]:
    """First and second crawl."""
    s3, glue = client("s3"), client("glue")
    fill(s3)
    scope = access.Scope("bench", ACCOUNT_ID, REGION, BUCKET, DATABASE)
    role = access.ensure_role(client("iam"), access.crawler_role(scope), "bench")
    catalog.ensure_database(glue, DATABASE)
    catalog.ensure_crawler(glue, "bench", role, BUCKET, DATABASE)

    def read_all() -> None:
        for key in keys():
            s3.get_object(Bucket=BUCKET, Key=key, Range="bytes=-32768")["Body"].read()

    def list_all() -> None:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="lake/"):
            assert page["Contents"]

    reading = timed(read_all)
    first = timed(lambda: catalog.run_crawler(glue, "bench", 120))
    again = timed(lambda: catalog.run_crawler(glue, "bench", 120), REPEATS)
    yield f"crawl of {FILES:,} new files", first, "boto3 reads the same footers", reading
    yield f"crawl of {FILES:,} known files", again, "boto3 lists them", timed(list_all, REPEATS)


def filters(client: Callable[[str], Any]) -> Iterator[tuple[str, float, str, float]]:
    """A filter that finds one of many partitions."""
    glue = client("glue")
    at = {"DatabaseName": DATABASE, "TableName": "wide"}
    keys_of = [{"Name": "dt", "Type": "date"}, {"Name": "n", "Type": "int"}]
    storage = {"Columns": [{"Name": f"c{n}", "Type": "double"} for n in range(20)], "Location": f"s3://{BUCKET}/wide/"}
    table = {"Name": "wide", "PartitionKeys": keys_of, "StorageDescriptor": storage}
    glue.create_table(DatabaseName=DATABASE, TableInput=table)
    for start in range(0, PARTITIONS, 100):
        batch = [
            {"Values": [f"2026-{1 + n % 12:02d}-{1 + n % 28:02d}", str(n)], "StorageDescriptor": storage}
            for n in range(start, start + 100)
        ]
        assert not glue.batch_create_partition(**at, PartitionInputList=batch)["Errors"]

    def find() -> None:
        expression = "dt = '2026-04-08' AND n BETWEEN 7000 AND 7100"
        assert len(glue.get_partitions(**at, Expression=expression)["Partitions"]) == 1

    def read_all() -> None:
        pages = glue.get_paginator("get_partitions").paginate(**at)
        assert sum(len(page["Partitions"]) for page in pages) == PARTITIONS

    everything = timed(read_all)
    yield f"GetPartitions, 1 of {PARTITIONS:,} by a filter", timed(find, REPEATS), "all of them, unfiltered", everything
    at_once = timed(lambda: glue.get_table(DatabaseName=DATABASE, Name="wide"), REPEATS)
    yield f"GetPartitions, 1 of {PARTITIONS:,} by a filter", timed(find, REPEATS), "GetTable", at_once


def main() -> None:
    """Print the table."""
    print(f"{'what':<44}{'seconds':>9}  {'reference':<32}{'seconds':>9}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder, local_aws(Path(folder) / "aws") as client:
        for measure in (crawls, filters):
            for what, seconds, reference, other in measure(client):
                print(f"{what:<44}{seconds:>9.3f}  {reference:<32}{other:>9.3f}{seconds / other:>8.2f}")


if __name__ == "__main__":
    main()
