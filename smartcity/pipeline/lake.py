"""The lake as it lies in the bucket: what is in it, without asking a catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from smartcity import layout

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from smartcity.spark_job.store import Bucket

#: The region whose buckets are made without naming it.
_FIRST_REGION = "us-east-1"


@dataclass(frozen=True)
class Day:
    """Files of one table and day; `rows` counts what commit objects say."""

    table: str
    dt: str
    files: int
    bytes: int


def ensure_bucket(s3: S3Client, bucket: str, region: str) -> bool:
    """Make the bucket if it does not exist; whether it was made. Ours already is fine, somebody else's raises."""
    place = {} if region == _FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"].get("Code") not in {"404", "NoSuchBucket"}:
            raise
    else:
        return False
    try:
        s3.create_bucket(Bucket=bucket, **place)  # type: ignore[arg-type]
    except s3.exceptions.BucketAlreadyOwnedByYou:
        return False
    return True


def describe_days(bucket: Bucket) -> list[Day]:
    """Every table and day of the lake, from a plain listing."""
    files: Mapping[tuple[str, str], list[int]] = defaultdict(list)
    for entry in bucket.entries(layout.LAKE):
        table, dt = split_key(entry.key)
        files[table, dt].append(entry.size)
    return [Day(table, dt, len(sizes), sum(sizes)) for (table, dt), sizes in sorted(files.items())]


def split_key(key: str) -> tuple[str, str]:
    """Table and day of a data file's key."""
    table, dt = key.removeprefix(layout.LAKE).split("/")[:2]
    return table, dt.removeprefix("dt=")
