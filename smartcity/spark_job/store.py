"""The few S3 operations that the protocol needs; conditional writes carry its guarantees.

Both S3 and local AWS answer `If-None-Match: *` and `If-Match` on PutObject (S3 since 2024).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: DeleteObjects takes at most this many keys.
_DELETE_LIMIT = 1000


class Conflict(Exception):
    """A conditional write found that somebody else had written first."""


@dataclass(frozen=True)
class Entry:
    """One object of a listing."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Stored:
    """An object that was read: its bytes, the version tag for a conditional write, and its and the server's time."""

    body: bytes
    etag: str
    modified: datetime
    server_time: datetime


class Bucket:
    """One bucket, over a boto3 client; safe to share between threads."""

    def __init__(self, s3: S3Client, name: str) -> None:
        self.s3 = s3
        self.name = name

    def get(self, key: str) -> Stored | None:
        """The object, or None if there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "404"}:
                return None
            raise
        return Stored(answer["Body"].read(), answer["ETag"], answer["LastModified"], _server_time(answer))

    def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
        """Write an object atomically and return its tag.

        With `absent`, only if there is none; with `etag`, only over that version. Raises `Conflict` otherwise.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if absent else {"IfMatch": etag} if etag else {}
        try:
            return self.s3.put_object(Bucket=self.name, Key=key, Body=body, **condition)["ETag"]
        except ClientError as error:
            if _code(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"} or (
                etag and _code(error) in {"NoSuchKey", "404"}
            ):
                raise Conflict(key) from None
            raise

    def upload(self, key: str, path: Path) -> None:
        """Write an object from a file, in parts if it is large; it appears whole or not at all."""
        self.s3.upload_file(str(path), self.name, key)

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the bucket, on the server."""
        self.s3.copy_object(Bucket=self.name, Key=target, CopySource={"Bucket": self.name, "Key": source})

    def entries(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """Every object below a prefix, by key."""
        more: dict[str, Any] = {"StartAfter": start_after} if start_after else {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, **more):
            for item in page.get("Contents", ()):
                yield Entry(item["Key"], item["Size"], item["LastModified"])

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below a prefix, without slashes."""
        found: list[str] = []
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, Delimiter="/")
        for page in pages:
            found.extend(item["Prefix"][len(prefix) : -1] for item in page.get("CommonPrefixes", ()))
        return found

    def delete(self, keys: Iterable[str]) -> int:
        """Delete objects (those that are not there count as deleted) and say how many."""
        keys = list(keys)
        for first in range(0, len(keys), _DELETE_LIMIT):
            some: Any = [{"Key": key} for key in keys[first : first + _DELETE_LIMIT]]
            answer = self.s3.delete_objects(Bucket=self.name, Delete={"Objects": some, "Quiet": True})
            for failure in answer.get("Errors", ()):
                raise ClientError({"Error": failure}, "DeleteObjects")
        return len(keys)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _server_time(answer: Any) -> datetime:
    from email.utils import parsedate_to_datetime

    stamp = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(stamp) if stamp else answer["LastModified"]
