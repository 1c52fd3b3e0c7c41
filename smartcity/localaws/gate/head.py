"""An HTTP request's head, exactly as it was sent: what was signed is these bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Head:
    """Method, path and query still percent-encoded; header names in lower case, repeated ones joined by commas."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    source_ip: str = "127.0.0.1"

    @cached_property
    def params(self) -> dict[str, str]:
        """The query, decoded; of a repeated name the last counts. `+` is a plus sign, as AWS signs it."""
        pairs = parse_qsl(self.query.replace("+", "%2B"), keep_blank_values=True, encoding="utf-8", errors="replace")
        return dict(pairs)

    @property
    def presigned(self) -> bool:
        """Whether the signature stands in the query."""
        return "X-Amz-Signature" in self.params

    @property
    def anonymous(self) -> bool:
        """Whether there is no signature of any kind."""
        return not self.presigned and "authorization" not in self.headers


def from_scope(scope: Mapping[str, Any]) -> Head:
    """The head of an ASGI request. `raw_path` may not be missing: a decoded path cannot be verified."""
    raw: bytes = scope["raw_path"]
    client = scope.get("client")
    return Head(
        method=scope["method"],
        path=raw.partition(b"?")[0].decode("latin-1"),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=_joined(scope["headers"]),
        source_ip=client[0] if client else "127.0.0.1",
    )


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
