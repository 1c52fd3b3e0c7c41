"""`s3://bucket/prefix/` and nothing else: the only kind of address that Athena reads from or writes to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_S3 = re.compile(r"s3[an]?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Location:
    """A place in S3. `key` has no leading slash; a folder's ends in one."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        """The address."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def folder(self) -> Location:
        """This place with a slash at its end."""
        return self if not self.key or self.key.endswith("/") else Location(self.bucket, self.key + "/")

    def below(self, name: str) -> Location:
        """Something in this folder."""
        return Location(self.bucket, self.folder.key + name)

    def contains(self, other: Location) -> bool:
        """Whether the other place lies in this folder."""
        return self.bucket == other.bucket and other.folder.key.startswith(self.folder.key)

    @property
    def arn(self) -> str:
        """The ARN of the object, or of everything in the folder."""
        return f"arn:aws:s3:::{self.bucket}/{self.key}" + ("*" if not self.key or self.key.endswith("/") else "")

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:aws:s3:::{self.bucket}"


def parse(url: str) -> Location:
    """Raises `ValueError` for anything but an S3 address."""
    match = _S3.fullmatch(url)
    if match is None or ".." in (match[2] or "").split("/"):
        raise ValueError(f"not an S3 address: {url!r}")
    return Location(match[1], match[2] or "")
