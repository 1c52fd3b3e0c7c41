"""What the caller's policies must allow before a query runs. Everything is asked before the engine does any work.

The engine itself reads Glue and S3 as the administrator, so whatever is not asked here would be open to everybody who
may start a query: unknown means denied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartcity.localaws.api import AwsError
from smartcity.localaws.athena.failures import QueryFailed, denied

if TYPE_CHECKING:
    from smartcity.localaws.api import Access
    from smartcity.localaws.athena.locations import Location


@dataclass(frozen=True)
class Permissions:
    """One caller's permissions."""

    access: Access
    principal: str
    region: str
    account_id: str

    @property
    def is_root(self) -> bool:
        """Whether this is the account itself, to whom no policy applies."""
        return self.principal == f"arn:aws:iam::{self.account_id}:root"

    def require(self, action: str, arn: str, context: Mapping[str, str] | None = None) -> None:
        """Raises `QueryFailed` with IAM's sentence unless the action is allowed."""
        if self.is_root:
            return
        try:
            self.access.check(self.principal, action, arn, context)
        except AwsError as error:
            raise denied(error.message) from error

    def glue(self, action: str, database: str | None = None, table: str | None = None) -> None:
        """An action on the catalog, a database, or a table: Glue asks for every level above as well."""
        root = f"arn:aws:glue:{self.region}:{self.account_id}"
        self.require(f"glue:{action}", f"{root}:catalog")
        if database is not None:
            self.require(f"glue:{action}", f"{root}:database/{database}")
        if table is not None:
            self.require(f"glue:{action}", f"{root}:table/{database}/{table}")

    def read(self, location: Location) -> None:
        """List and read everything below a location."""
        folder = location.folder
        self.require("s3:ListBucket", folder.bucket_arn, {"s3:prefix": folder.key})
        self.require("s3:GetObject", folder.arn)

    def write(self, location: Location) -> None:
        """Write below a location."""
        self.require("s3:PutObject", location.arn)

    def write_output(self, location: Location) -> None:
        """Write a query's result. The failure has Athena's own sentence."""
        try:
            self.require("s3:GetBucketLocation", location.bucket_arn)
            self.require("s3:PutObject", location.arn)
        except QueryFailed as failure:
            raise QueryFailed(
                f"Access denied when writing output to url: {location.url} . "
                "Please ensure you are allowed to access the S3 bucket. "
                f"{failure.reason.removeprefix('Insufficient permissions to execute the query. ')}"
            ) from failure
