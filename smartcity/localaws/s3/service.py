"""S3 as a service of local AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from smartcity.localaws.api import AwsError, Operation
from smartcity.localaws.identity.policy import Statement, statements
from smartcity.localaws.s3.actions import Need, needs
from smartcity.localaws.s3.buckets import Buckets
from smartcity.localaws.s3.errors import s3_error
from smartcity.localaws.s3.multipart import Multipart
from smartcity.localaws.s3.objects import Objects
from smartcity.localaws.s3.store import ObjectStore

#: What asks for something that is not here; to ignore it would be to lie.
_NOT_HERE = (
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "CopySourceSSECustomerAlgorithm",
    "SSEKMSKeyId",
    "SSEKMSEncryptionContext",
    "GrantFullControl",
    "GrantRead",
    "GrantReadACP",
    "GrantWrite",
    "GrantWriteACP",
    "WebsiteRedirectLocation",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "ObjectLockEnabledForBucket",
    "WriteOffsetBytes",
    "MFA",
)
_KEY_LIMIT_BYTES = 1024


class S3Service:
    """Buckets, objects, multipart uploads."""

    name = "s3"

    def __init__(self, root: Path, region: str, account_id: str, clock: Callable[[], float]) -> None:
        self.store = ObjectStore(root)
        self._account_id = account_id
        self._buckets = Buckets(self.store, region, account_id, clock)
        self._operations: dict[str, Operation] = {
            **self._buckets.operations(),
            **Objects(self.store, self._buckets, clock).operations(),
            **Multipart(self.store, self._buckets, clock).operations(),
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every implemented call."""
        return self._operations

    def needs(self, operation: str, params: dict[str, Any]) -> list[Need]:
        """The (action, resource) pairs that must be allowed."""
        return needs(operation, params)

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The resources alone."""
        return [resource for _, resource in needs(operation, params)]

    def bucket_policy(self, bucket: str) -> tuple[Statement, ...]:
        """The statements of a bucket's policy; none when there is no such bucket."""
        return policy_statements(self.store.bucket_settings(bucket) or {})

    def check(self, params: dict[str, Any]) -> None:
        """Refuse what is not here, and names that are too long."""
        for name in _NOT_HERE:
            if params.get(name):
                raise s3_error("NotImplemented", Header=name)
        if params.get("ServerSideEncryption", "AES256") != "AES256":
            raise s3_error("NotImplemented", Header="x-amz-server-side-encryption")
        if params.get("ACL", "private") not in ("private", "bucket-owner-full-control"):
            raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)
        if params.get("VersionId", "null") != "null":
            raise AwsError("NoSuchVersion", "The specified version does not exist.", 404)
        if params.get("ExpectedBucketOwner", self._account_id) != self._account_id:
            raise AwsError("AccessDenied", "Access Denied", 403)
        if len(params.get("Key", "").encode("utf-8", "replace")) > _KEY_LIMIT_BYTES:
            raise s3_error("KeyTooLongError", MaxSizeAllowed=_KEY_LIMIT_BYTES)

    def start(self) -> None:
        """Remove the files that a kill left without an object."""
        self.store.sweep()

    def stop(self) -> None:
        """Close the database."""
        self.store.close()


def policy_statements(settings: dict[str, Any]) -> tuple[Statement, ...]:
    """The statements of the policy in a bucket's settings."""
    return _parsed(settings["policy"]) if "policy" in settings else ()


@lru_cache(maxsize=64)
def _parsed(policy: str) -> tuple[Statement, ...]:
    return statements(json.loads(policy), "bucket policy")
