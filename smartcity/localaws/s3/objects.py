"""S3's calls about objects."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity.requests import SignedRequest
from smartcity.localaws.s3.actions import bucket_arn, copy_source, object_arn
from smartcity.localaws.s3.buckets import Buckets, utc
from smartcity.localaws.s3.checksums import ALGORITHMS
from smartcity.localaws.s3.content import Content, Segment, Upload
from smartcity.localaws.s3.errors import s3_error
from smartcity.localaws.s3.listing import Page, page
from smartcity.localaws.s3.preconditions import byte_range, check_read, check_write
from smartcity.localaws.s3.store import ObjectRecord, ObjectStore

#: Headers that an object keeps and gives back.
KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "StorageClass",
    "ServerSideEncryption",
)
_OVERRIDES = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")
_PAGE = 1000
_REPLACED_RETRIES = 20


def kept_meta(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the client said of an object, as it is stored."""
    meta = {name: params[name] for name in KEPT if name in params}
    if "Expires" in meta and not isinstance(meta["Expires"], str):
        meta["Expires"] = meta["Expires"].timestamp()
    encoding = ",".join(
        p for p in str(meta.get("ContentEncoding", "")).split(",") if p.strip() not in ("", "aws-chunked")
    )
    meta.pop("ContentEncoding", None)
    if encoding:
        meta["ContentEncoding"] = encoding.strip()
    if "Tagging" in params and isinstance(params["Tagging"], str):
        pairs = parse_qsl(params["Tagging"], keep_blank_values=True)
        meta["tags"] = checked_tags([{"Key": key, "Value": value} for key, value in pairs])
    return meta


def checked_tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    """S3's limits for tags of objects: ten, keys of 128 and values of 256 characters, no key twice."""
    keys = [tag["Key"] for tag in tags]
    if len(tags) > 10:
        raise AwsError("BadRequest", "Object tags cannot be greater than 10", 400)
    if len(set(keys)) < len(keys) or any(not 0 < len(t["Key"]) <= 128 or len(t["Value"]) > 256 for t in tags):
        raise AwsError("InvalidTag", "The TagKey or TagValue you have provided is invalid", 400)
    return tags


def shown_checksums(checksums: Mapping[str, str], kind: str = "FULL_OBJECT") -> dict[str, Any]:
    """Checksums under the names of the model."""
    shown: dict[str, Any] = {
        f"Checksum{name.upper()}": value for name, value in checksums.items() if name in ALGORITHMS
    }
    return {**shown, "ChecksumType": kind} if shown else {}


class Objects:
    """PutObject … GetObjectAttributes."""

    def __init__(self, store: ObjectStore, buckets: Buckets, clock: Callable[[], float]) -> None:
        self._store = store
        self._buckets = buckets
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "PutObject": self.put,
            "GetObject": self.get,
            "HeadObject": self.head,
            "DeleteObject": self.delete,
            "DeleteObjects": self.delete_many,
            "CopyObject": self.copy,
            "ListObjects": self.list_v1,
            "ListObjectsV2": self.list_v2,
            "GetObjectTagging": self.get_tags,
            "PutObjectTagging": self.put_tags,
            "DeleteObjectTagging": self.delete_tags,
            "GetObjectAttributes": self.attributes,
        }

    def put(self, request: Request) -> dict[str, Any]:
        """PutObject: the bytes become visible whole, or the request changes nothing."""
        params = request.params
        bucket, key, upload = params["Bucket"], params["Key"], params["Body"]
        self._buckets.settings(bucket)
        checksums = self._checksums(upload)
        meta = {"ContentType": "binary/octet-stream", **kept_meta(params), "checksums": checksums}
        self._commit(params, upload.size, upload.etag, self._store.keep(upload, bucket, key), meta)
        encryption = params.get("ServerSideEncryption")
        return {"ETag": f'"{upload.etag}"', "ServerSideEncryption": encryption, **shown_checksums(checksums)}

    @staticmethod
    def _checksums(upload: Upload) -> dict[str, str]:
        return {name: value for name, value in upload.checksums.items() if name in upload.claimed}

    def _commit(
        self, params: dict[str, Any], size: int, etag: str, segments: tuple[Segment, ...], meta: dict[str, Any]
    ) -> ObjectRecord:
        record = ObjectRecord(params["Key"], size, etag, self._clock(), segments, meta)
        try:
            self._store.put(params["Bucket"], record, lambda present: check_write(present, params))
        except BaseException:
            self._store.discard(segments)
            raise
        return record

    def get(self, request: Request) -> dict[str, Any]:
        """GetObject, whole or a range."""
        for _ in range(_REPLACED_RETRIES):
            record = self._find(request)
            check_read(record, request.params)
            span = self._span(record, request.params)
            start, length = span or (0, record.size)
            try:
                content = self._store.content(record, start, length)
            except FileNotFoundError:
                continue  # replaced between looking it up and opening it
            return {"Body": content, **self._described(record, request.params, span)}
        raise AwsError("SlowDown", "Please reduce your request rate.", 503)

    def head(self, request: Request) -> dict[str, Any]:
        """HeadObject."""
        record = self._find(request)
        check_read(record, request.params)
        return self._described(record, request.params, self._span(record, request.params))

    def _span(self, record: ObjectRecord, params: dict[str, Any]) -> tuple[int, int] | None:
        if "PartNumber" in params:
            number = params["PartNumber"]
            sizes = record.meta.get("parts", [record.size])
            if "Range" in params or not 1 <= number <= len(sizes):
                raise s3_error("InvalidRange" if "Range" not in params else "InvalidRequest")
            return sum(sizes[: number - 1]), sizes[number - 1]
        return byte_range(params.get("Range"), record.size)

    def _described(self, record: ObjectRecord, params: dict[str, Any], span: tuple[int, int] | None) -> dict[str, Any]:
        meta = record.meta
        shown: dict[str, Any] = {name: meta[name] for name in KEPT if name in meta}
        if isinstance(shown.get("Expires"), float):
            shown["Expires"] = utc(shown["Expires"])
        shown |= {name: params[f"Response{name}"] for name in _OVERRIDES if f"Response{name}" in params}
        shown |= {
            "AcceptRanges": "bytes",
            "LastModified": utc(record.modified),
            "ContentLength": span[1] if span else record.size,
            "ETag": f'"{record.etag}"',
            "TagCount": len(meta["tags"]) if meta.get("tags") else None,
            "PartsCount": len(meta["parts"]) if "parts" in meta and "PartNumber" in params else None,
        }
        if span is not None:
            shown["ContentRange"] = f"bytes {span[0]}-{span[0] + span[1] - 1}/{record.size}"
        elif params.get("ChecksumMode") == "ENABLED":
            shown |= shown_checksums(meta.get("checksums", {}), meta.get("checksum_type", "FULL_OBJECT"))
        return shown

    def delete(self, request: Request) -> dict[str, Any]:
        """DeleteObject; what does not exist is deleted as well."""
        params = request.params
        self._buckets.settings(params["Bucket"])
        condition = {"IfMatch": params["IfMatch"]} if "IfMatch" in params else {}
        self._store.delete(params["Bucket"], [params["Key"]], lambda present: check_write(present, condition))
        return {}

    def delete_many(self, request: Request) -> dict[str, Any]:
        """DeleteObjects: each key is authorised by itself and succeeds or fails by itself."""
        bucket, wanted = request.params["Bucket"], request.params["Delete"]
        settings = self._buckets.settings(bucket)
        if len(wanted["Objects"]) > _PAGE:
            raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate", 400)
        allowed, errors = [], []
        for item in wanted["Objects"]:
            if self._may(request, settings, "s3:DeleteObject", object_arn(bucket, item["Key"])):
                allowed.append(item["Key"])
            else:
                errors.append({"Key": item["Key"], "Code": "AccessDenied", "Message": "Access Denied"})
        self._store.delete(bucket, allowed)
        deleted = [] if wanted.get("Quiet") else [{"Key": key} for key in allowed]
        return {"Deleted": deleted, "Errors": errors}

    @staticmethod
    def _may(request: Request, settings: dict[str, Any], action: str, resource: str) -> bool:
        from smartcity.localaws.s3.service import policy_statements

        return (
            isinstance(request, SignedRequest) and request.decide(action, resource, policy_statements(settings)).allowed
        )

    def copy(self, request: Request) -> dict[str, Any]:
        """CopyObject: the bytes are shared, the metadata copied or replaced."""
        params = request.params
        source, key = copy_source(params["CopySource"])
        self._buckets.settings(params["Bucket"])
        found = self._find_at(request, source, key)
        check_read(found, params, "CopySource")
        replaced = params.get("MetadataDirective") == "REPLACE"
        if (source, key) == (params["Bucket"], params["Key"]) and not replaced and "StorageClass" not in params:
            message = (
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes."
            )
            raise AwsError("InvalidRequest", message, 400)
        meta = self._copied_meta(found, params, replaced)
        record = self._commit(params, found.size, found.etag, self._link(found, request), meta)
        result = {"ETag": f'"{record.etag}"', "LastModified": utc(record.modified)}
        return {"CopyObjectResult": {**result, **shown_checksums(meta.get("checksums", {}))}}

    def _link(self, found: ObjectRecord, request: Request) -> tuple[Segment, ...]:
        try:
            return self._store.copy(found, request.params["Bucket"], request.params["Key"])
        except FileNotFoundError:
            raise AwsError("SlowDown", "The source was replaced while it was being copied.", 503) from None

    @staticmethod
    def _copied_meta(found: ObjectRecord, params: dict[str, Any], replaced: bool) -> dict[str, Any]:
        own = kept_meta(params)
        meta = {**found.meta}
        if replaced:
            meta = {name: value for name, value in meta.items() if name not in KEPT}
            meta = {"ContentType": "binary/octet-stream", **meta, **{k: v for k, v in own.items() if k in KEPT}}
        if params.get("TaggingDirective") == "REPLACE":
            meta["tags"] = own.get("tags", [])
        return meta

    def list_v1(self, request: Request) -> dict[str, Any]:
        """ListObjects."""
        params = request.params
        found = self._page(params, params.get("Marker", ""))
        encode = _encoder(params)
        return {
            **self._listed(params, found, encode, owners=True),
            "Marker": encode(params.get("Marker", "")),
            "NextMarker": encode(found.last) if found.truncated and "Delimiter" in params else None,
        }

    def list_v2(self, request: Request) -> dict[str, Any]:
        """ListObjectsV2."""
        params = request.params
        token = params.get("ContinuationToken")
        found = self._page(params, _decoded(token) if token else params.get("StartAfter", ""))
        encode = _encoder(params)
        return {
            **self._listed(params, found, encode, owners=params.get("FetchOwner", False)),
            "KeyCount": found.count,
            "ContinuationToken": token,
            "StartAfter": encode(params["StartAfter"]) if "StartAfter" in params else None,
            "NextContinuationToken": _encoded(found.last) if found.truncated else None,
        }

    def _page(self, params: dict[str, Any], marker: str) -> Page:
        bucket = params["Bucket"]
        self._buckets.settings(bucket)
        limit = min(params.get("MaxKeys", _PAGE), _PAGE)
        if limit < 0:
            raise AwsError("InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647", 400)
        return page(
            lambda after, inclusive, most: self._store.scan(bucket, after, inclusive, most),
            params.get("Prefix", ""),
            params.get("Delimiter", ""),
            marker,
            limit,
        )

    def _listed(
        self, params: dict[str, Any], found: Page, encode: Callable[[str], str], owners: bool
    ) -> dict[str, Any]:
        owner = self._buckets.owner if owners else None
        return {
            "Name": params["Bucket"],
            "Prefix": encode(params.get("Prefix", "")),
            "Delimiter": encode(params["Delimiter"]) if "Delimiter" in params else None,
            "MaxKeys": params.get("MaxKeys", _PAGE),
            "EncodingType": params.get("EncodingType"),
            "IsTruncated": found.truncated,
            "Contents": [_shown(record, encode, owner) for record in found.objects],
            "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in found.prefixes],
        }

    def get_tags(self, request: Request) -> dict[str, Any]:
        """GetObjectTagging."""
        return {"TagSet": self._find(request).meta.get("tags", [])}

    def put_tags(self, request: Request) -> dict[str, Any]:
        """PutObjectTagging."""
        self._find(request)
        tags = checked_tags(request.params["Tagging"]["TagSet"])
        self._store.update_meta(request.params["Bucket"], request.params["Key"], {"tags": tags})
        return {}

    def delete_tags(self, request: Request) -> dict[str, Any]:
        """DeleteObjectTagging."""
        self._find(request)
        self._store.update_meta(request.params["Bucket"], request.params["Key"], {"tags": []})
        return {}

    def attributes(self, request: Request) -> dict[str, Any]:
        """GetObjectAttributes."""
        record = self._find(request)
        checksums = shown_checksums(record.meta.get("checksums", {}), record.meta.get("checksum_type", "FULL_OBJECT"))
        sizes = record.meta.get("parts")
        every = {
            "ETag": record.etag,
            "Checksum": checksums or None,
            "ObjectParts": {"TotalPartsCount": len(sizes)} if sizes else None,
            "StorageClass": record.meta.get("StorageClass", "STANDARD"),
            "ObjectSize": record.size,
        }
        wanted = request.params["ObjectAttributes"]
        return {"LastModified": utc(record.modified)} | {name: every[name] for name in wanted if name in every}

    def _find(self, request: Request) -> ObjectRecord:
        return self._find_at(request, request.params["Bucket"], request.params["Key"])

    def _find_at(self, request: Request, bucket: str, key: str) -> ObjectRecord:
        """The object; whoever may not list the bucket learns only that access is denied, as on AWS."""
        settings = self._buckets.settings(bucket)
        found = self._store.find(bucket, key)
        if found is not None:
            return found
        if not self._may(request, settings, "s3:ListBucket", bucket_arn(bucket)):
            raise AwsError("AccessDenied", "Access Denied", 403)
        raise s3_error("NoSuchKey", Key=key)


def content_of(output: dict[str, Any]) -> Content | None:
    """The opened content in an answer, if there is one."""
    body = output.get("Body")
    return body if isinstance(body, Content) else None


def _shown(record: ObjectRecord, encode: Callable[[str], str], owner: dict[str, str] | None) -> dict[str, Any]:
    return {
        "Key": encode(record.key),
        "LastModified": utc(record.modified),
        "ETag": f'"{record.etag}"',
        "ChecksumAlgorithm": [name.upper() for name in record.meta.get("checksums", {})] or None,
        "Size": record.size,
        "StorageClass": record.meta.get("StorageClass", "STANDARD"),
        "Owner": owner,
    }


def _encoder(params: dict[str, Any]) -> Callable[[str], str]:
    if params.get("EncodingType") == "url":
        return lambda text: quote(text, safe="/*-._")
    return lambda text: text


def _encoded(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        raise AwsError("InvalidArgument", "The continuation token provided is incorrect", 400) from None
