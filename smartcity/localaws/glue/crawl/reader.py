"""Ranged reads of objects, signed with the crawler role's credentials.

A crawl is thousands of small reads, and boto3 spends 1.7 ms of processor time on each, more than the server that
answers; signing with botocore's own signer and sending with urllib3 takes 0.7 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from smartcity.localaws.api import Context
from smartcity.localaws.glue.crawl.listing import S3Object

#: Reads at the same time; the answers come from this very process, so more would only wait for each other.
READERS = 6

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5.0, 60.0


class Reader(Protocol):
    """What the crawler needs of S3 beyond listing."""

    def read(self, item: S3Object, wanted: str) -> bytes:
        """The bytes of a range such as `bytes=-100`. Raises botocore's `ClientError` as S3 answers it."""
        ...


#: Makes a reader with the credentials of a role, as `Access.role_credentials` returns them.
OpenReader = Callable[[Context, Mapping[str, str]], Reader]


class SignedReader:
    """Reads over HTTP. Thread-safe."""

    def __init__(self, context: Context, credentials: Mapping[str, str]) -> None:
        import urllib3

        keys = Credentials(
            credentials["aws_access_key_id"],
            credentials["aws_secret_access_key"],
            credentials.get("aws_session_token"),
        )
        self._signer = S3SigV4Auth(keys, "s3", context.region)
        self._endpoint = context.endpoint_url
        timeout = urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=_READ_TIMEOUT_S)
        self._pool = urllib3.PoolManager(maxsize=READERS, timeout=timeout)

    def read(self, item: S3Object, wanted: str) -> bytes:
        """See `Reader.read`."""
        url = f"{self._endpoint}/{item.bucket}/{quote(item.key, safe='/~')}"
        request = AWSRequest("GET", url, headers={"Range": wanted})
        self._signer.add_auth(request)
        answer = self._pool.request("GET", url, headers=dict(request.headers.items()))
        if answer.status not in (200, 206):
            raise ClientError(_error(answer.status, answer.data), "GetObject")
        return answer.data


def _error(status: int, body: bytes) -> Any:
    """S3's error document as botocore would parse it."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  written by our own server
        found = {child.tag.rpartition("}")[2]: child.text or "" for child in root}
    except ElementTree.ParseError:
        found = {}
    error = {"Code": found.get("Code", str(status)), "Message": found.get("Message", "")}
    return {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}
