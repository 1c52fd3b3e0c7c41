"""Which IAM actions on which resources an S3 operation needs (service authorization reference for Amazon S3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from smartcity.localaws.api import AwsError

_BUCKET_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketEncryption": "GetEncryptionConfiguration",
}
_OBJECT_ACTIONS = {
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
Need = tuple[str, str]


def bucket_arn(bucket: str) -> str:
    """ARN of a bucket."""
    return f"arn:aws:s3:::{bucket}"


def object_arn(bucket: str, key: str) -> str:
    """ARN of an object."""
    return f"arn:aws:s3:::{bucket}/{key}"


def copy_source(text: str) -> tuple[str, str]:
    """Bucket and key of `x-amz-copy-source`, which is percent-encoded and may begin with a slash."""
    path, _, version = text.partition("?versionId=")
    bucket, _, key = unquote(path.lstrip("/")).partition("/")
    if not bucket or not key or version not in ("", "null"):
        raise AwsError("InvalidArgument", "Invalid copy source object key", 400)
    return bucket, key


def needs(operation: str, params: dict[str, Any]) -> list[Need]:
    """Every (action, resource) that must be allowed. DeleteObjects decides key by key and needs none up front."""
    bucket, key = params.get("Bucket", ""), params.get("Key")
    if operation == "DeleteObjects":
        return []
    if key is None:
        resource = bucket_arn(bucket) if bucket else "*"
        return [(f"s3:{_BUCKET_ACTIONS.get(operation, operation)}", resource)]
    found = [(f"s3:{_OBJECT_ACTIONS.get(operation, operation)}", object_arn(bucket, key))]
    if "CopySource" in params:
        found.append(("s3:GetObject", object_arn(*copy_source(params["CopySource"]))))
    if operation == "PutObject" and "Tagging" in params:
        found.append(("s3:PutObjectTagging", object_arn(bucket, key)))
    return found


def condition_keys(params: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """S3's own condition keys that the request carries."""
    named = {
        "s3:prefix": "Prefix",
        "s3:delimiter": "Delimiter",
        "s3:max-keys": "MaxKeys",
        "s3:x-amz-acl": "ACL",
        "s3:x-amz-copy-source": "CopySource",
        "s3:x-amz-storage-class": "StorageClass",
        "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    }
    return {key: (str(params[name]),) for key, name in named.items() if name in params}
