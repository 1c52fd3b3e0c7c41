"""S3 in memory: boto3's listing and the crawler's reader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from smartcity.localaws.glue.crawl.listing import S3Object


class FakeS3:
    """Objects by (bucket, key); counts the reads."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.reads: list[str] = []
        self.denied: set[str] = set()

    def put(self, uri: str, body: bytes) -> None:
        """Store an object under `s3://bucket/key`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.objects[bucket, key] = body

    def remove(self, prefix: str) -> None:
        """Delete all objects under `s3://bucket/prefix`."""
        bucket, _, key = prefix.removeprefix("s3://").partition("/")
        self.objects = {
            at: body for at, body in self.objects.items() if not (at[0] == bucket and at[1].startswith(key))
        }

    def _refuse(self, operation: str, code: str) -> None:
        if operation in self.denied:
            error = {"Code": code, "Message": "Access Denied"}
            raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)

    def get_paginator(self, name: str) -> FakeS3:
        """Only ListObjectsV2 has pages here."""
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:
        """One page of everything below the prefix."""
        self._refuse("ListObjectsV2", "AccessDenied")
        if not any(bucket == Bucket for bucket, _ in self.objects):
            raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": "none"}}, "ListObjectsV2")
        found = sorted((key, body) for (bucket, key), body in self.objects.items() if bucket == Bucket)
        yield {
            "Contents": [
                {
                    "Key": key,
                    "Size": len(body),
                    "ETag": f'"{hashlib.md5(body).hexdigest()}"',  # noqa: S324  as S3 does
                    "LastModified": datetime(2026, 3, 1, tzinfo=UTC),
                }
                for key, body in found
                if key.startswith(Prefix)
            ]
        }

    def read(self, item: S3Object, wanted: str) -> bytes:
        """A range of an object, as the crawler's reader gives it."""
        self._refuse("GetObject", "AccessDenied")
        self.reads.append(item.key)
        body = self.objects[item.bucket, item.key]
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        return body[int(first) : int(last) + 1] if first else body[-int(last) :]
