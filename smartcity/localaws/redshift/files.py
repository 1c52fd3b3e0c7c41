"""Objects in S3 as COPY, UNLOAD and Spectrum meet them: through the endpoint, with the role's credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.api import AwsError, Context
from smartcity.localaws.redshift.faults import SqlError

_URI = re.compile(r"^s3://([^/]+)/?(.*)$")
_SERVICES = ("redshift.amazonaws.com", "redshift-serverless.amazonaws.com")
_ROLE = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")


@dataclass(frozen=True)
class Object:
    """One object to read."""

    bucket: str
    key: str
    size: int | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Files:
    """S3 with the credentials of the role that the statement names; raises `SqlError` in Redshift's words."""

    def __init__(self, context: Context, role: str) -> None:
        self._context = context
        self._role = role
        self._client: Any = None

    @property
    def client(self) -> Any:
        """A client with the role's credentials, assumed on first use."""
        if self._client is None:
            self._client = self._context.client("s3", **self.credentials())
        return self._client

    def credentials(self) -> dict[str, str]:
        """The role's credentials, if it trusts Redshift."""
        if not _ROLE.match(self._role):
            raise SqlError("Invalid credentials. Must be of the format: IAM_ROLE 'arn:aws:iam::<account>:role/<name>'")
        for service in _SERVICES:
            try:
                return self._context.access.role_credentials(self._role, service, "RedshiftIamRoleSession")
            except AwsError:
                continue
        raise SqlError(
            f"User arn:aws:redshift:{self._context.region}:{self._context.account_id}:dbuser:serverless/IAMR "
            f"is not authorized to assume IAM Role {self._role}"
        )

    def filesystem(self) -> Any:
        """S3 as pyarrow reads it, with the role's credentials."""
        from pyarrow.fs import S3FileSystem

        key = self.credentials()
        return S3FileSystem(
            access_key=key["aws_access_key_id"],
            secret_key=key["aws_secret_access_key"],
            session_token=key.get("aws_session_token"),
            region=self._context.region,
            endpoint_override=self._context.endpoint_url,
        )

    def catalog(self) -> Any:
        """A Glue client with the role's credentials."""
        return self._context.client("glue", **self.credentials())

    def listed(self, uri: str) -> list[Object]:
        """Every object whose key begins with the URI's; an empty list is Redshift's error for COPY, the caller's."""
        bucket, prefix = split_uri(uri)
        found: list[Object] = []
        with _refusals(f"s3://{bucket}/{prefix}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                found += [Object(bucket, item["Key"], item["Size"]) for item in page.get("Contents", ())]
        return found

    def manifest(self, uri: str, needs_length: bool) -> list[Object]:
        """The objects that a manifest names (loading-data-files-using-manifest.html)."""
        text = self.read(Object(*split_uri(uri)))
        try:
            entries = json.loads(text)["entries"]
            return [self._entry(entry, needs_length) for entry in entries]
        except (ValueError, KeyError, TypeError):
            raise SqlError(f"Invalid JSON format in manifest file {uri}") from None

    def _entry(self, entry: dict[str, Any], needs_length: bool) -> Object:
        length = (entry.get("meta") or {}).get("content_length")
        if needs_length and not isinstance(length, int):
            raise SqlError("Manifest file for columnar data must have a meta key with content_length for each entry")
        found = Object(*split_uri(entry["url"]), length)
        try:
            actual = self.client.head_object(Bucket=found.bucket, Key=found.key)["ContentLength"]
        except Exception as error:
            if _code(error) in {"404", "NoSuchKey"} and not entry.get("mandatory", False):
                return Object(found.bucket, "", 0)
            raise _refused(error, found.uri) from None
        if length is not None and actual != length:
            raise SqlError(f"Content length of {found.uri} is {actual}, the manifest says {length}")
        return found

    def read(self, item: Object) -> bytes:
        """The whole object."""
        with _refusals(item.uri):
            body: bytes = self.client.get_object(Bucket=item.bucket, Key=item.key)["Body"].read()
        return body

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object."""
        with _refusals(f"s3://{bucket}/{key}"):
            self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def delete(self, items: list[Object]) -> None:
        """Remove objects (UNLOAD … CLEANPATH)."""
        for item in items:
            with _refusals(item.uri):
                self.client.delete_object(Bucket=item.bucket, Key=item.key)


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address; raises `SqlError`."""
    found = _URI.match(uri)
    if found is None:
        raise SqlError(f"Invalid S3 URI: {uri}")
    return found[1], found[2]


@contextmanager
def _refusals(uri: str) -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(error, uri) from None


def _code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return str(response["Error"].get("Code", "?")) if response else ""


def _refused(error: BaseException, uri: str) -> SqlError:
    code = _code(error)
    status = {"403": 403, "AccessDenied": 403, "404": 404, "NoSuchKey": 404, "NoSuchBucket": 404}.get(code, 400)
    name = {"404": "NoSuchKey", "403": "AccessDenied"}.get(code, code)
    return SqlError(
        f"S3ServiceException:{_message(error)},Status {status},Error {name},ExtRid local,CanRetry 1\n  key: {uri}"
    )


def _message(error: BaseException) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message", error))


Opener = Callable[[str], Files]


def present(objects: list[Object]) -> Iterator[Object]:
    """The objects that exist (a manifest may name some that need not)."""
    return (item for item in objects if item.key)
