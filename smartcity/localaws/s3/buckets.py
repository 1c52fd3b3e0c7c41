"""S3's calls about buckets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import documents
from smartcity.localaws.s3.errors import s3_error
from smartcity.localaws.s3.store import ObjectStore

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]")
_NOWHERE = "us-east-1"  # the one region whose buckets have no location constraint


def utc(epoch_s: float) -> datetime:
    """S3's times: UTC with milliseconds in XML, whole seconds in headers."""
    return datetime.fromtimestamp(epoch_s, UTC)


class Buckets:
    """CreateBucket … DeletePublicAccessBlock."""

    def __init__(self, store: ObjectStore, region: str, account_id: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._region = region
        self.owner = {"ID": account_id.rjust(64, "0"), "DisplayName": account_id}
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "ListBuckets": self.list_all,
            "CreateBucket": self.create,
            "DeleteBucket": self.delete,
            "HeadBucket": self.head,
            "GetBucketLocation": self.location,
            "GetBucketVersioning": self.versioning,
            "GetBucketAcl": self.acl,
            "GetBucketPolicy": self.get_policy,
            "PutBucketPolicy": self.put_policy,
            "DeleteBucketPolicy": self.delete_policy,
            "GetBucketTagging": self.get_tags,
            "PutBucketTagging": self.put_tags,
            "DeleteBucketTagging": self.delete_tags,
            "GetPublicAccessBlock": self.get_public_access,
            "PutPublicAccessBlock": self.put_public_access,
            "DeletePublicAccessBlock": self.delete_public_access,
        }

    def settings(self, bucket: str) -> dict[str, Any]:
        """What is set on a bucket; raises `NoSuchBucket`."""
        found = self._store.bucket_settings(bucket)
        if found is None:
            raise s3_error("NoSuchBucket", BucketName=bucket)
        return found

    def list_all(self, request: Request) -> dict[str, Any]:
        """ListBuckets."""
        prefix, after = request.params.get("Prefix", ""), request.params.get("ContinuationToken", "")
        found = [item for item in self._store.buckets() if item[0].startswith(prefix) and item[0] > after]
        shown = found[: request.params.get("MaxBuckets", 10_000)]
        return {
            "Buckets": [{"Name": name, "CreationDate": utc(created)} for name, created in shown],
            "Owner": self.owner,
            "ContinuationToken": shown[-1][0] if len(shown) < len(found) else None,
            "Prefix": prefix or None,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """CreateBucket."""
        name, configuration = request.params["Bucket"], request.params.get("CreateBucketConfiguration", {})
        if not valid_name(name):
            raise s3_error("InvalidBucketName", BucketName=name)
        wanted = configuration.get("LocationConstraint") or _NOWHERE
        if wanted != self._region:
            shown = "unspecified" if wanted == _NOWHERE else wanted
            message = (
                f"The {shown} location constraint is incompatible for the region specific endpoint "
                "this request was sent to."
            )
            raise AwsError("IllegalLocationConstraintException", message, 400)
        tags = configuration.get("Tags", [])
        made = self._store.create_bucket(name, self._clock(), {"tags": tags} if tags else {})
        if not made and self._region != _NOWHERE:
            raise s3_error("BucketAlreadyOwnedByYou", BucketName=name)
        return {"Location": f"/{name}"}

    def delete(self, request: Request) -> dict[str, Any]:
        """DeleteBucket: only when it is empty."""
        self.settings(request.params["Bucket"])
        if not self._store.delete_bucket(request.params["Bucket"]):
            raise s3_error("BucketNotEmpty", BucketName=request.params["Bucket"])
        return {}

    def head(self, request: Request) -> dict[str, Any]:
        """HeadBucket."""
        self.settings(request.params["Bucket"])
        return {"BucketRegion": self._region, "AccessPointAlias": False}

    def location(self, request: Request) -> dict[str, Any]:
        """GetBucketLocation."""
        self.settings(request.params["Bucket"])
        return {"LocationConstraint": "" if self._region == _NOWHERE else self._region}

    def versioning(self, request: Request) -> dict[str, Any]:
        """GetBucketVersioning: never switched on."""
        self.settings(request.params["Bucket"])
        return {}

    def acl(self, request: Request) -> dict[str, Any]:
        """GetBucketAcl: the owner has full control, which is all that ACLs mean since 2023."""
        self.settings(request.params["Bucket"])
        grantee = {**self.owner, "Type": "CanonicalUser"}
        return {"Owner": self.owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}

    def get_policy(self, request: Request) -> dict[str, Any]:
        """GetBucketPolicy."""
        policy = self.settings(request.params["Bucket"]).get("policy")
        if policy is None:
            raise s3_error("NoSuchBucketPolicy", BucketName=request.params["Bucket"])
        return {"Policy": policy}

    def put_policy(self, request: Request) -> dict[str, Any]:
        """PutBucketPolicy: its resources must be this bucket's."""
        bucket, text = request.params["Bucket"], request.params.get("Policy", "")
        self.settings(bucket)
        try:
            document = documents.check(text, "resource")
        except AwsError as error:
            raise AwsError("MalformedPolicy", error.message, 400) from None
        if not _about_bucket(document, bucket):
            raise AwsError("MalformedPolicy", "Policy has invalid resource", 400)
        self._store.set_bucket_settings(bucket, {"policy": text})
        return {}

    def delete_policy(self, request: Request) -> dict[str, Any]:
        """DeleteBucketPolicy."""
        return self._unset(request, "policy")

    def get_tags(self, request: Request) -> dict[str, Any]:
        """GetBucketTagging."""
        tags = self.settings(request.params["Bucket"]).get("tags")
        if not tags:
            raise s3_error("NoSuchTagSet", BucketName=request.params["Bucket"])
        return {"TagSet": tags}

    def put_tags(self, request: Request) -> dict[str, Any]:
        """PutBucketTagging."""
        bucket = request.params["Bucket"]
        self.settings(bucket)
        self._store.set_bucket_settings(bucket, {"tags": request.params["Tagging"]["TagSet"]})
        return {}

    def delete_tags(self, request: Request) -> dict[str, Any]:
        """DeleteBucketTagging."""
        return self._unset(request, "tags")

    def get_public_access(self, request: Request) -> dict[str, Any]:
        """GetPublicAccessBlock."""
        found = self.settings(request.params["Bucket"]).get("public_access")
        if found is None:
            raise s3_error("NoSuchPublicAccessBlockConfiguration", BucketName=request.params["Bucket"])
        return {"PublicAccessBlockConfiguration": found}

    def put_public_access(self, request: Request) -> dict[str, Any]:
        """PutPublicAccessBlock: nothing is public here anyway, for every request must be signed."""
        bucket = request.params["Bucket"]
        self.settings(bucket)
        self._store.set_bucket_settings(bucket, {"public_access": request.params["PublicAccessBlockConfiguration"]})
        return {}

    def delete_public_access(self, request: Request) -> dict[str, Any]:
        """DeletePublicAccessBlock."""
        return self._unset(request, "public_access")

    def _unset(self, request: Request, name: str) -> dict[str, Any]:
        self.settings(request.params["Bucket"])
        self._store.set_bucket_settings(request.params["Bucket"], {name: None})
        return {}


def valid_name(name: str) -> bool:
    """S3's rules for names of buckets ("General purpose bucket naming rules")."""
    if not _NAME.fullmatch(name) or name.startswith(("xn--", "sthree-")) or name.endswith(("-s3alias", "--ol-s3")):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def _about_bucket(document: Mapping[str, Any], bucket: str) -> bool:
    listed = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    resources = [item for s in listed for item in _listed(s.get("Resource", s.get("NotResource", [])))]
    arn = f"arn:aws:s3:::{bucket}"
    return all(item == arn or item.startswith(arn + "/") for item in resources)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
