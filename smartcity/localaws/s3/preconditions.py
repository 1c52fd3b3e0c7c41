"""Conditional requests and ranges (RFC 9110, sections 13 and 14, as S3 applies them)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.s3.errors import s3_error
from smartcity.localaws.s3.store import ObjectRecord

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def _same(etag: str, condition: str) -> bool:
    return any(part.strip().strip('"') in ("*", etag) for part in condition.split(","))


def check_write(present: ObjectRecord | None, params: dict[str, Any]) -> None:
    """`If-None-Match: *` writes only what is not there, `If-Match` only over the version that the client saw."""
    unless, only = params.get("IfNoneMatch"), params.get("IfMatch")
    if unless is not None and unless != "*":
        raise s3_error("NotImplemented", Header="If-None-Match")
    if unless is not None and present is not None:
        raise s3_error("PreconditionFailed", Condition="If-None-Match")
    if only is not None and present is None:
        raise s3_error("NoSuchKey")
    if only is not None and present is not None and not _same(present.etag, only):
        raise s3_error("PreconditionFailed", Condition="If-Match")


def check_read(present: ObjectRecord, params: dict[str, Any], prefix: str = "") -> None:
    """Conditions of a read; `prefix` is "CopySource" for the source of a copy."""
    modified = datetime.fromtimestamp(int(present.modified), UTC)
    only, unless = params.get(f"{prefix}IfMatch"), params.get(f"{prefix}IfNoneMatch")
    since, until = params.get(f"{prefix}IfModifiedSince"), params.get(f"{prefix}IfUnmodifiedSince")
    if only is not None:
        if not _same(present.etag, only):
            raise s3_error("PreconditionFailed", Condition="If-Match")
    elif until is not None and modified > until:
        raise s3_error("PreconditionFailed", Condition="If-Unmodified-Since")
    if unless is not None:
        if _same(present.etag, unless):
            raise s3_error("PreconditionFailed" if prefix else "NotModified")
    elif since is not None and modified <= since:
        raise s3_error("PreconditionFailed" if prefix else "NotModified")


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """(start, length) of a single range, or None for the whole object. What is no range is ignored, as S3 does."""
    match = _RANGE.fullmatch(text.strip()) if text else None
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
        satisfiable = int(last) > 0 and size > 0
    else:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
        satisfiable = start < size
        if last and int(last) < start:
            return None
    if not satisfiable:
        raise s3_error("InvalidRange", RangeRequested=text, ActualObjectSize=size)
    return start, end - start + 1
