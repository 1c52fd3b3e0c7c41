"""Signature Version 4 as it stands in a request, and what it should be: computed by botocore's own signers."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from smartcity.localaws.gate.head import Head

if TYPE_CHECKING:
    from botocore.auth import SigV4Auth

UNSIGNED = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request\s*,"
    r"\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})\s*"
)
_CREDENTIAL = re.compile(r"([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")


class Malformed(Exception):
    """The signature cannot be read; the text says what is missing."""


@dataclass(frozen=True)
class Signature:
    """A signature as the client sent it."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str
    token: str
    expires_s: int | None  #: of a presigned URL

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def epoch_s(self) -> float:
        """When the client says that it signed."""
        return datetime.strptime(self.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def read(head: Head) -> Signature:
    """The signature of a request; raises `Malformed`."""
    signature = _from_query(head.params) if head.presigned else _from_header(head)
    if not _TIMESTAMP.fullmatch(signature.timestamp) or signature.timestamp[:8] != signature.date:
        raise Malformed("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")
    try:
        _ = signature.epoch_s
    except ValueError:
        raise Malformed("X-Amz-Date must be formatted as ISO 8601 basic.") from None
    return signature


def _from_header(head: Head) -> Signature:
    match = _AUTHORIZATION.fullmatch(head.headers["authorization"].strip())
    if match is None:
        raise Malformed("The authorization header is malformed or of an unsupported algorithm.")
    key, date, region, service, names, value = match.groups()
    timestamp = head.headers.get("x-amz-date", "")
    if not timestamp:
        raise Malformed("AWS authentication requires a valid x-amz-date header.")
    token = head.headers.get("x-amz-security-token", "")
    return Signature(key, date, region, service, tuple(names.split(";")), value, timestamp, token, None)


def _from_query(params: dict[str, str]) -> Signature:
    match = _CREDENTIAL.fullmatch(params.get("X-Amz-Credential", ""))
    if params.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or match is None:
        raise Malformed("Error parsing the X-Amz-Credential or X-Amz-Algorithm parameter.")
    expires = params.get("X-Amz-Expires", "")
    if not expires.isascii() or not expires.isdigit() or len(expires) > 6 or int(expires) > 604_800:
        raise Malformed("X-Amz-Expires must be a number of at most 604800 seconds.")
    names = tuple(params.get("X-Amz-SignedHeaders", "").split(";"))
    key, date, region, service = match.groups()
    token = params.get("X-Amz-Security-Token", "")
    stamp, value = params.get("X-Amz-Date", ""), params["X-Amz-Signature"]
    return Signature(key, date, region, service, names, value, stamp, token, int(expires))


def genuine(head: Head, signature: Signature, secret: str, payload_hash: str) -> bool:
    """Whether `secret` gives this signature. Paths and queries are tried as sent, then in canonical encoding:

    clients differ in what they encode, and AWS signs the decoded request; both forms mean the same request here.
    """
    return any(
        hmac.compare_digest(_expected(head, url, signature, secret, payload_hash), signature.value)
        for url in _urls(head, signature.service)
    )


def _urls(head: Head, service: str) -> Iterator[str]:
    pairs = [part for part in head.query.split("&") if part and not part.startswith("X-Amz-Signature=")]
    yield f"{head.path}?{'&'.join(pairs)}"
    canonical = "&".join(sorted("=".join(_recoded(part)) for part in pairs))
    path = quote(unquote(head.path, errors="surrogateescape"), safe="/~", errors="surrogateescape")
    yield f"{path if service == 's3' else head.path}?{canonical}"


def _recoded(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return _encode(name), _encode(value)


def _encode(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="~", errors="surrogateescape")


def _expected(head: Head, url: str, signature: Signature, secret: str, payload_hash: str) -> str:
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(head.method, f"http://host{url}", headers={"X-Amz-Content-SHA256": payload_hash})
    request.context["timestamp"] = signature.timestamp
    request.context["signed"] = {name: head.headers.get(name, "") for name in signature.signed_headers}
    signer = _signer(signature, secret)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def signing_key(signature: Signature, secret: str) -> bytes:
    """The key of the day, region and service: chunks of a body are signed with it."""
    key = f"AWS4{secret}".encode()
    for part in (signature.date, signature.region, signature.service, "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def _signer(signature: Signature, secret: str) -> SigV4Auth:
    from botocore.credentials import Credentials

    kind: type[SigV4Auth] = _signer_class(signature.service == "s3")
    return kind(Credentials(signature.access_key_id, secret), signature.service, signature.region)


@lru_cache(maxsize=2)
def _signer_class(s3: bool) -> Any:
    """botocore's signer, told to sign exactly the headers that the client names."""
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.compat import HTTPHeaders

    base: Any = S3SigV4Auth if s3 else SigV4Auth

    class ExactHeaders(base):  # type: ignore[misc]
        def headers_to_sign(self, request: Any) -> HTTPHeaders:
            headers = HTTPHeaders()
            for name, value in request.context["signed"].items():
                headers[name] = value
            return headers

    return ExactHeaders
