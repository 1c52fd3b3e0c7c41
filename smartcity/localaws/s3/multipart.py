"""S3's calls about multipart uploads: parts become segments of the object, so completing copies nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.s3.actions import copy_source
from smartcity.localaws.s3.buckets import Buckets, utc
from smartcity.localaws.s3.checksums import ALGORITHMS, encoded, new_digest
from smartcity.localaws.s3.content import Segment, Upload
from smartcity.localaws.s3.errors import s3_error
from smartcity.localaws.s3.objects import kept_meta, shown_checksums
from smartcity.localaws.s3.preconditions import byte_range, check_read, check_write
from smartcity.localaws.s3.store import ObjectRecord, ObjectStore, Part, UploadRecord

_SMALLEST_PART = 5 << 20  # every part but the last
_MOST_PARTS = 10_000
_PAGE = 1000


class Multipart:
    """CreateMultipartUpload … ListParts."""

    def __init__(self, store: ObjectStore, buckets: Buckets, clock: Callable[[], float]) -> None:
        self._store = store
        self._buckets = buckets
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "CreateMultipartUpload": self.create,
            "UploadPart": self.upload,
            "UploadPartCopy": self.upload_copy,
            "CompleteMultipartUpload": self.complete,
            "AbortMultipartUpload": self.abort,
            "ListMultipartUploads": self.list_uploads,
            "ListParts": self.list_parts,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """CreateMultipartUpload."""
        params = request.params
        bucket, key = params["Bucket"], params["Key"]
        self._buckets.settings(bucket)
        algorithm = params.get("ChecksumAlgorithm", "").lower()
        kind = (
            params.get("ChecksumType", "FULL_OBJECT" if algorithm == "crc64nvme" else "COMPOSITE") if algorithm else ""
        )
        if algorithm and algorithm not in ALGORITHMS:
            raise s3_error("NotImplemented", Header="x-amz-checksum-algorithm")
        meta = {
            "ContentType": "binary/octet-stream",
            **kept_meta(params),
            "algorithm": algorithm,
            "checksum_type": kind,
        }
        upload_id = self._store.create_upload(bucket, key, self._clock(), meta)
        return {
            "Bucket": bucket,
            "Key": key,
            "UploadId": upload_id,
            "ServerSideEncryption": params.get("ServerSideEncryption"),
            "ChecksumAlgorithm": algorithm.upper() or None,
            "ChecksumType": kind or None,
        }

    def upload(self, request: Request) -> dict[str, Any]:
        """UploadPart."""
        params, upload = request.params, request.params["Body"]
        found = self._open_upload(params)
        checksums = upload.checksums
        part = self._stored(found, params["PartNumber"], upload, checksums)
        claimed = {name: value for name, value in part.checksums.items() if name in upload.claimed}
        return {"ETag": f'"{part.etag}"', **{k: v for k, v in shown_checksums(claimed).items() if k != "ChecksumType"}}

    def upload_copy(self, request: Request) -> dict[str, Any]:
        """UploadPartCopy: a range of another object as a part."""
        params = request.params
        upload_record = self._open_upload(params)
        bucket, key = copy_source(params["CopySource"])
        self._buckets.settings(bucket)
        source = self._store.find(bucket, key)
        if source is None:
            raise s3_error("NoSuchKey", Key=key)
        check_read(source, params, "CopySource")
        start, length = byte_range(params.get("CopySourceRange"), source.size) or (0, source.size)
        algorithm = upload_record.meta["algorithm"]
        upload = Upload(self._store.scratch, [algorithm] if algorithm else [])
        for piece in self._store.content(source, start, length).pieces():
            upload.write(piece)
        part = self._stored(upload_record, params["PartNumber"], upload, upload.checksums)
        shown = {k: v for k, v in shown_checksums(part.checksums).items() if k != "ChecksumType"}
        return {"CopyPartResult": {"ETag": f'"{part.etag}"', "LastModified": utc(part.modified), **shown}}

    def _stored(self, record: UploadRecord, number: int, upload: Upload, checksums: dict[str, str]) -> Part:
        segments = self._store.keep(upload, record.bucket, f"{record.key}.part{number}")
        path = segments[0].path if segments else ""
        part = Part(number, upload.size, upload.etag, self._clock(), path, checksums)
        if not self._store.put_part(record.id, part):
            raise s3_error("NoSuchUpload", UploadId=record.id)
        return part

    def complete(self, request: Request) -> dict[str, Any]:
        """CompleteMultipartUpload; asked again, it gives the same answer, as on AWS."""
        params = request.params
        found = self._upload(params)
        wanted = params.get("MultipartUpload", {}).get("Parts", [])
        if found.done is not None:
            return found.done
        parts = _chosen(wanted, {part.number: part for part in self._store.parts(found.id)})
        record = self._assembled(found, parts)
        self._check_claims(params, record)
        answer = {
            "Location": f"/{found.bucket}/{found.key}",
            "Bucket": found.bucket,
            "Key": found.key,
            "ETag": f'"{record.etag}"',
            **shown_checksums(record.meta["checksums"], record.meta["checksum_type"]),
        }
        self._store.put(found.bucket, record, lambda present: check_write(present, params), (found.id, answer))
        return answer

    def _assembled(self, found: UploadRecord, parts: list[Part]) -> ObjectRecord:
        md5 = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
        segments = tuple(Segment(part.path, part.size) for part in parts if part.size)
        kind = found.meta["checksum_type"] or "FULL_OBJECT"
        meta = {name: value for name, value in found.meta.items() if name not in ("algorithm", "checksum_type")}
        meta |= {"parts": [part.size for part in parts], "checksum_type": kind}
        record = ObjectRecord(
            found.key,
            sum(part.size for part in parts),
            f"{md5.hexdigest()}-{len(parts)}",
            self._clock(),
            segments,
            meta,
        )
        meta["checksums"] = self._checksum(found.meta["algorithm"], kind, parts, record)
        return record

    def _checksum(self, algorithm: str, kind: str, parts: list[Part], record: ObjectRecord) -> dict[str, str]:
        """Composite: the checksum of the parts' checksums. Full object: over all bytes, which are read again."""
        if not algorithm:
            return {}
        digest = new_digest(algorithm)
        if kind == "COMPOSITE":
            if not all(algorithm in part.checksums for part in parts):
                return {}
            for part in parts:
                digest.update(base64.b64decode(part.checksums[algorithm]))
            return {algorithm: f"{encoded(digest)}-{len(parts)}"}
        for piece in self._store.content(record, 0, record.size).pieces():
            digest.update(piece)
        return {algorithm: encoded(digest)}

    @staticmethod
    def _check_claims(params: dict[str, Any], record: ObjectRecord) -> None:
        for name, value in record.meta["checksums"].items():
            claimed = params.get(f"Checksum{name.upper()}")
            if claimed is not None and claimed not in (value, value.partition("-")[0]):
                raise s3_error("BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")
        if params.get("MpuObjectSize", record.size) != record.size:
            raise AwsError("InvalidRequest", "The provided MpuObjectSize does not match the object's size.", 400)

    def abort(self, request: Request) -> dict[str, Any]:
        """AbortMultipartUpload."""
        self._store.abort_upload(self._open_upload(request.params).id)
        return {}

    def list_uploads(self, request: Request) -> dict[str, Any]:
        """ListMultipartUploads."""
        params = request.params
        bucket, prefix, limit = params["Bucket"], params.get("Prefix", ""), params.get("MaxUploads", _PAGE)
        self._buckets.settings(bucket)
        marker = params.get("KeyMarker", ""), params.get("UploadIdMarker", "")
        found = [u for u in self._store.uploads(bucket) if u.key.startswith(prefix) and _after(u, *marker)]
        shown = found[:limit]
        last = shown[-1] if len(found) > len(shown) and shown else None
        return {
            "Bucket": bucket,
            "KeyMarker": marker[0],
            "UploadIdMarker": marker[1],
            "NextKeyMarker": last.key if last else None,
            "NextUploadIdMarker": last.id if last else None,
            "Prefix": prefix,
            "MaxUploads": limit,
            "IsTruncated": last is not None,
            "Uploads": [self._shown_upload(upload) for upload in shown],
        }

    def _shown_upload(self, upload: UploadRecord) -> dict[str, Any]:
        owner = self._buckets.owner
        shown = {"UploadId": upload.id, "Key": upload.key, "Initiated": utc(upload.initiated)}
        return {
            **shown,
            "StorageClass": upload.meta.get("StorageClass", "STANDARD"),
            "Owner": owner,
            "Initiator": owner,
        }

    def list_parts(self, request: Request) -> dict[str, Any]:
        """ListParts."""
        params = request.params
        upload = self._open_upload(params)
        after, limit = int(params.get("PartNumberMarker", 0)), params.get("MaxParts", _PAGE)
        found = [part for part in self._store.parts(upload.id) if part.number > after]
        shown = found[:limit]
        return {
            "Bucket": upload.bucket,
            "Key": upload.key,
            "UploadId": upload.id,
            "PartNumberMarker": after,
            "NextPartNumberMarker": shown[-1].number if shown else None,
            "MaxParts": limit,
            "IsTruncated": len(found) > len(shown),
            "Parts": [_shown_part(part) for part in shown],
            "Initiator": self._buckets.owner,
            "Owner": self._buckets.owner,
            "StorageClass": upload.meta.get("StorageClass", "STANDARD"),
            "ChecksumAlgorithm": upload.meta["algorithm"].upper() or None,
            "ChecksumType": upload.meta["checksum_type"] or None,
        }

    def _upload(self, params: dict[str, Any]) -> UploadRecord:
        self._buckets.settings(params["Bucket"])
        found = self._store.find_upload(params["Bucket"], params["Key"], params["UploadId"])
        if found is None:
            raise s3_error("NoSuchUpload", UploadId=params["UploadId"])
        return found

    def _open_upload(self, params: dict[str, Any]) -> UploadRecord:
        found = self._upload(params)
        if found.done is not None:
            raise s3_error("NoSuchUpload", UploadId=found.id)
        number = params.get("PartNumber", 1)
        if not 1 <= number <= _MOST_PARTS:
            message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
            raise AwsError("InvalidArgument", message, 400)
        return found


def _chosen(wanted: list[dict[str, Any]], have: dict[int, Part]) -> list[Part]:
    """The parts that the client lists, checked as S3 checks them."""
    numbers = [item.get("PartNumber", 0) for item in wanted]
    if not numbers:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate", 400)
    if numbers != sorted(set(numbers)):
        raise s3_error("InvalidPartOrder")
    chosen = []
    for item in wanted:
        part = have.get(item["PartNumber"])
        if part is None or item.get("ETag", "").strip('"') != part.etag:
            raise s3_error("InvalidPart", PartNumber=item["PartNumber"])
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < _SMALLEST_PART:
            raise s3_error(
                "EntityTooSmall", ProposedSize=part.size, MinSizeAllowed=_SMALLEST_PART, PartNumber=part.number
            )
    return chosen


def _after(upload: UploadRecord, key: str, upload_id: str) -> bool:
    return upload.key > key or (upload.key == key and bool(upload_id) and upload.id > upload_id)


def _shown_part(part: Part) -> dict[str, Any]:
    checksums = {name: value for name, value in shown_checksums(part.checksums).items() if name != "ChecksumType"}
    return {
        "PartNumber": part.number,
        "LastModified": utc(part.modified),
        "ETag": f'"{part.etag}"',
        "Size": part.size,
        **checksums,
    }
