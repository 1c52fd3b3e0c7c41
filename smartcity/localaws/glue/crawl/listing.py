"""What lies below a crawler's target: objects with data in them, minus exclusions and hidden files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_FOLDER_MARKERS = ("_$folder$", "/")


@dataclass(frozen=True)
class S3Object:
    """One object; `etag` tells whether its content is still what was read before."""

    bucket: str
    key: str
    size: int
    etag: str

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def folder(self) -> str:
        """The key up to and including its last slash."""
        return self.key[: self.key.rfind("/") + 1]


@dataclass(frozen=True)
class Target:
    """An include path with its exclusions. `prefix` is empty or ends in a slash, unless it names one object."""

    bucket: str
    prefix: str
    exclusions: tuple[str, ...] = ()
    sample_size: int | None = None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Target:
        """A target as CreateCrawler takes it; a path without a closing slash means the folder of that name."""
        bucket, _, prefix = given["Path"].removeprefix("s3://").partition("/")
        prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        return cls(bucket, prefix, tuple(given.get("Exclusions", ())), given.get("SampleSize"))

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}"


def list_target(s3: Any, target: Target) -> Iterator[S3Object]:
    """The objects of a target, in the order of their keys. Raises botocore's `ClientError` as S3 answers it."""
    excluded = [glob_pattern(glob) for glob in target.exclusions]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=target.bucket, Prefix=target.prefix)
    for page in pages:
        for item in page.get("Contents", ()):
            below = item["Key"][len(target.prefix) :]
            if item["Size"] and not _is_hidden(below) and not any(glob.fullmatch(below) for glob in excluded):
                yield S3Object(target.bucket, item["Key"], item["Size"], item["ETag"])


def _is_hidden(below: str) -> bool:
    """Hive's rule, which Athena follows: names that start with `_` or `.` hold no data."""
    return below.endswith(_FOLDER_MARKERS) or any(part.startswith(("_", ".")) for part in below.split("/"))


_PIECES = re.compile(r"\*\*/?|\*|\?|\[!?[^\]/]+\]|\\.|.", re.DOTALL)


def glob_pattern(glob: str) -> re.Pattern[str]:
    """An exclusion as AWS documents it: `*` and `?` stay within a folder, `**` does not; `[a-z]` and `{a,b}`.

    https://docs.aws.amazon.com/glue/latest/dg/define-crawler-choose-data-sources.html, "Include and exclude patterns".
    """
    depth, made = 0, []
    for piece in _PIECES.findall(glob):
        if piece == "{":
            depth += 1
            made.append("(?:")
        elif piece == "}" and depth:
            depth -= 1
            made.append(")")
        elif piece == "," and depth:
            made.append("|")
        else:
            made.append(_translated(piece))
    try:
        return re.compile("".join(made) + ")" * depth, re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))


def _translated(piece: str) -> str:
    if piece.startswith("**"):
        return ".*"
    if piece in ("*", "?"):
        return "[^/]*" if piece == "*" else "[^/]"
    if piece.startswith("[") and piece.endswith("]"):
        negated = piece[1] == "!"
        inside = re.escape(piece[2 if negated else 1 : -1]).replace(r"\-", "-")
        return f"[^/{inside}]" if negated else f"[{inside}]"
    return re.escape(piece[1:] if piece.startswith("\\") and len(piece) > 1 else piece)
