"""S3 as its clients use it: boto3, pyarrow, presigned URLs; ten thousand keys; conditional and multipart writes."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from smartcity.localaws.s3.store import ObjectRecord, ObjectStore
from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration

AWKWARD_KEYS = [
    "a",
    "a/b",
    "dir/",
    "dir/x",
    "/lead",
    "e/../f",
    "g//h",
    "j.meta.json",
    "k/l",
    "k",
    "x" * 1024,
    "m=1/dt=2026-03-01/n=ü +?&#%20 é.parquet",
    "日本/語",
    "tab\tand'quote\"<&>",
    "~tilde.-_",
]


@pytest.fixture(scope="module")
def s3(local_aws: LocalAws) -> Any:
    return local_aws.client("s3")


@pytest.fixture
def bucket(local_aws: LocalAws, s3: Any) -> Iterator[str]:
    name = f"b-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": local_aws.region})
    yield name


def failure(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def read(s3: Any, bucket: str, key: str, **more: Any) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read())


def test_every_key_is_an_object_of_its_own(s3: Any, bucket: str) -> None:
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in AWKWARD_KEYS:
        assert read(s3, bucket, key) == key.encode(), key
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(AWKWARD_KEYS, key=str.encode)
    for key in AWKWARD_KEYS:
        s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_was_said_of_an_object_comes_back(s3: Any, bucket: str) -> None:
    said = {
        "ContentType": "text/csv; charset=utf-8",
        "ContentEncoding": "gzip",
        "CacheControl": "no-store",
        "ContentDisposition": 'attachment; filename="x.csv"',
        "ContentLanguage": "en",
        "Metadata": {"route": "m40", "seed": "42"},
    }
    etag = s3.put_object(Bucket=bucket, Key="x", Body=b"hello", Tagging="a=1&b=2", **said)["ETag"]
    head = s3.head_object(Bucket=bucket, Key="x")
    assert {name: head[name] for name in said} == said
    assert (head["ContentLength"], head["ETag"]) == (5, etag)
    assert etag == f'"{hashlib.md5(b"hello", usedforsecurity=False).hexdigest()}"'
    assert s3.get_object_tagging(Bucket=bucket, Key="x")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2"},
    ]
    s3.copy_object(Bucket=bucket, Key="y", CopySource={"Bucket": bucket, "Key": "x"})
    assert s3.head_object(Bucket=bucket, Key="y")["Metadata"] == said["Metadata"]
    assert read(s3, bucket, "y") == b"hello"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-0", b"0"),
        ("bytes=2-4", b"234"),
        ("bytes=7-", b"789"),
        ("bytes=-3", b"789"),
        ("bytes=5-999", b"56789"),
        ("bytes=-999", b"0123456789"),
    ],
)
def test_ranges(s3: Any, bucket: str, wanted: str, expected: bytes) -> None:
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    answer = s3.get_object(Bucket=bucket, Key="digits", Range=wanted)
    assert answer["Body"].read() == expected
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentRange"].endswith("/10")


def test_a_range_beyond_the_end_cannot_be_satisfied(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    assert failure(lambda: s3.get_object(Bucket=bucket, Key="digits", Range="bytes=10-")) == (416, "InvalidRange")


def test_conditional_reads(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="x", Body=b"1")["ETag"]
    assert read(s3, bucket, "x", IfMatch=etag) == b"1"
    assert failure(lambda: s3.get_object(Bucket=bucket, Key="x", IfMatch='"0"')) == (412, "PreconditionFailed")
    assert failure(lambda: s3.get_object(Bucket=bucket, Key="x", IfNoneMatch=etag))[0] == 304


def test_of_many_writers_that_want_to_be_first_one_is(local_aws: LocalAws, s3: Any, bucket: str) -> None:
    barrier = threading.Barrier(8)

    def attempt(number: int) -> str:
        barrier.wait(timeout=30)
        try:
            s3.put_object(Bucket=bucket, Key="commit", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "written"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert sorted(outcomes) == ["PreconditionFailed"] * 7 + ["written"]
    assert read(s3, bucket, "commit") == str(outcomes.index("written")).encode()


def test_if_match_replaces_only_what_was_seen(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="x", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="x", Body=b"2", IfMatch=first)
    assert failure(lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"3", IfMatch=first)) == (
        412,
        "PreconditionFailed",
    )
    assert failure(lambda: s3.put_object(Bucket=bucket, Key="y", Body=b"3", IfMatch=first)) == (404, "NoSuchKey")


def test_ten_thousand_keys_come_back_in_pages_of_every_kind(own_local_aws: LocalAws) -> None:
    keys = [f"lake/gps/dt=2026-03-{day:02d}/part-{n:04d}.parquet" for day in range(1, 11) for n in range(1010)]
    own_local_aws.stop()
    store = ObjectStore(own_local_aws.data_dir / "s3")  # ten thousand requests would take half a minute
    bucket = "many-keys"
    store.create_bucket(bucket, 0.0, {})
    for key in keys:
        store.put(bucket, ObjectRecord(key, 0, hashlib.md5(b"", usedforsecurity=False).hexdigest(), 0.0, ()))
    store.close()
    own_local_aws.start()
    s3 = own_local_aws.client("s3")
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket))
        assert [o["Key"] for page in pages for o in page["Contents"]] == keys
        assert len(pages) == 11
    days = s3.list_objects_v2(Bucket=bucket, Prefix="lake/gps/", Delimiter="/", MaxKeys=4)
    assert [p["Prefix"] for p in days["CommonPrefixes"]] == [f"lake/gps/dt=2026-03-{d:02d}/" for d in range(1, 5)]
    pages = s3.get_paginator("list_objects").paginate(
        Bucket=bucket, Prefix="lake/gps/", Delimiter="/", PaginationConfig={"PageSize": 3}
    )
    assert len([p["Prefix"] for page in pages for p in page["CommonPrefixes"]]) == 10
    middle = s3.list_objects_v2(Bucket=bucket, StartAfter=keys[5000], MaxKeys=2)
    assert [o["Key"] for o in middle["Contents"]] == keys[5001:5003]
    for start in range(0, len(keys), 1000):
        batch = [{"Key": key} for key in keys[start : start + 1000]]
        assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.delete_bucket(Bucket=bucket)


def test_large_objects_travel_in_parts(s3: Any, bucket: str, tmp_path: Any) -> None:
    content = os.urandom(23 << 20)
    file = tmp_path / "large"
    file.write_bytes(content)
    s3.upload_file(
        str(file), bucket, "large", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    )
    head = s3.head_object(Bucket=bucket, Key="large")
    assert head["ContentLength"] == len(content)
    assert head["ETag"].endswith('-5"')
    assert read(s3, bucket, "large") == content
    across = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={(5 << 20) - 3}-{(10 << 20) + 2}")["Body"].read()
    assert across == content[(5 << 20) - 3 : (10 << 20) + 3]
    assert s3.get_object(Bucket=bucket, Key="large", PartNumber=5)["Body"].read() == content[20 << 20 :]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "large"})
    s3.delete_object(Bucket=bucket, Key="large")
    assert read(s3, bucket, "copy") == content


def test_parts_are_checked_when_an_upload_completes(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    here = {"Bucket": bucket, "Key": "x", "UploadId": upload}
    etags = [s3.upload_part(**here, PartNumber=n, Body=b"small")["ETag"] for n in (1, 2)]
    assert [p["PartNumber"] for p in s3.list_parts(**here)["Parts"]] == [1, 2]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]

    def complete(*parts: tuple[int, str]) -> Any:
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return s3.complete_multipart_upload(**here, MultipartUpload={"Parts": listed})

    assert failure(lambda: complete((1, etags[0]), (2, etags[1]))) == (400, "EntityTooSmall")
    assert failure(lambda: complete((2, etags[1]), (1, etags[0]))) == (400, "InvalidPartOrder")
    assert failure(lambda: complete((1, '"0"'))) == (400, "InvalidPart")
    assert failure(complete) == (400, "MalformedXML")
    first = complete((2, etags[1]))
    assert complete((2, etags[1]))["ETag"] == first["ETag"], "a repeated completion gives the same answer"
    assert read(s3, bucket, "x") == b"small"
    assert failure(lambda: s3.upload_part(**here, PartNumber=3, Body=b"late")) == (404, "NoSuchUpload")


def test_a_part_may_be_a_range_of_another_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    here = {"Bucket": bucket, "Key": "x", "UploadId": upload}
    part = s3.upload_part_copy(
        **here, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}, CopySourceRange="bytes=2-5"
    )
    etag = part["CopyPartResult"]["ETag"]
    s3.complete_multipart_upload(**here, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert read(s3, bucket, "x") == b"2345"


#: Of the text `123456789`, from the catalogue of CRC algorithms and the examples of FIPS 180.
CHECKSUMS = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_checksums_are_verified_kept_and_given_back(s3: Any, bucket: str, algorithm: str) -> None:
    name, value = f"Checksum{algorithm}", base64.b64encode(bytes.fromhex(CHECKSUMS[algorithm])).decode()
    put = s3.put_object(Bucket=bucket, Key="x", Body=b"123456789", **{name: value})
    assert put[name] == value
    assert s3.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")[name] == value
    assert read(s3, bucket, "x", ChecksumMode="ENABLED") == b"123456789"
    assert failure(lambda: s3.put_object(Bucket=bucket, Key="y", Body=b"other", **{name: value})) == (400, "BadDigest")
    assert failure(lambda: s3.head_object(Bucket=bucket, Key="y"))[0] == 404


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_checksums_of_multipart_uploads(s3: Any, bucket: str, algorithm: str) -> None:
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    content = os.urandom(6 << 20)
    s3.upload_fileobj(io.BytesIO(content), bucket, "x", ExtraArgs={"ChecksumAlgorithm": algorithm}, Config=config)
    assert s3.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")[f"Checksum{algorithm}"].endswith("-2")
    assert read(s3, bucket, "x", ChecksumMode="ENABLED") == content


def test_a_checksum_over_the_whole_of_a_multipart_upload(s3: Any, bucket: str) -> None:
    value = base64.b64encode(bytes.fromhex(CHECKSUMS["CRC64NVME"])).decode()
    made = s3.create_multipart_upload(Bucket=bucket, Key="x", ChecksumAlgorithm="CRC64NVME")
    assert made["ChecksumType"] == "FULL_OBJECT"
    here = {"Bucket": bucket, "Key": "x", "UploadId": made["UploadId"]}
    part = s3.upload_part(**here, PartNumber=1, Body=b"123456789", ChecksumCRC64NVME=value)
    listed = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    wrong = {"MultipartUpload": listed, "ChecksumCRC64NVME": value[::-1]}
    assert failure(lambda: s3.complete_multipart_upload(**here, **wrong)) == (400, "BadDigest")
    assert s3.complete_multipart_upload(**here, MultipartUpload=listed)["ChecksumCRC64NVME"] == value


def test_presigned_put_and_get(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "dt=2026/über x"}
    put = httpx.put(s3.generate_presigned_url("put_object", Params=where), content=b"by url")
    assert put.status_code == 200
    got = httpx.get(s3.generate_presigned_url("get_object", Params={**where, "ResponseContentType": "text/x"}))
    assert (got.content, got.headers["content-type"]) == (b"by url", "text/x")
    assert httpx.head(s3.generate_presigned_url("head_object", Params=where)).headers["content-length"] == "6"


def test_buckets(local_aws: LocalAws, s3: Any, bucket: str) -> None:
    assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == local_aws.region
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == local_aws.region
    here = {"CreateBucketConfiguration": {"LocationConstraint": local_aws.region}}
    assert failure(lambda: s3.create_bucket(Bucket=bucket, **here)) == (409, "BucketAlreadyOwnedByYou")
    assert failure(lambda: s3.create_bucket(Bucket=f"{bucket}x")) == (400, "IllegalLocationConstraintException")
    s3.put_object(Bucket=bucket, Key="x", Body=b"")
    assert failure(lambda: s3.delete_bucket(Bucket=bucket)) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="x")
    s3.delete_bucket(Bucket=bucket)
    assert failure(lambda: s3.list_objects_v2(Bucket=bucket)) == (404, "NoSuchBucket")
    assert failure(lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"")) == (404, "NoSuchBucket")


def test_what_is_not_here_says_so(s3: Any, bucket: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.get_bucket_website(Bucket=bucket),
        lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="aws:kms"),
        lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"", GrantRead="id=1"),
    ]
    for call in calls:
        assert failure(call) == (501, "NotImplemented")


def test_readers_see_the_old_or_the_new_never_a_mixture(local_aws: LocalAws, s3: Any, bucket: str) -> None:
    versions = [bytes([65 + n]) * (2 << 20) for n in range(4)]
    s3.put_object(Bucket=bucket, Key="x", Body=versions[0])
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for version in versions:
                s3.put_object(Bucket=bucket, Key="x", Body=version)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(rewrite)
        try:
            seen = {read(s3, bucket, "x") for _ in range(40)}
        finally:
            stop.set()
        writing.result(timeout=60)
    assert seen <= set(versions)


def test_pyarrow_reads_and_writes(local_aws: LocalAws, bucket: str) -> None:
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow import fs

    key = local_aws.credentials
    files = fs.S3FileSystem(
        access_key=key["aws_access_key_id"],
        secret_key=key["aws_secret_access_key"],
        region=local_aws.region,
        scheme="http",
        endpoint_override=local_aws.endpoint_url.removeprefix("http://"),
    )
    table = pa.table({"dt": ["2026-03-01", "2026-03-02"] * 500, "n": range(1000)})
    ds.write_dataset(
        table, f"{bucket}/lake/t", filesystem=files, format="parquet", partitioning=["dt"], partitioning_flavor="hive"
    )
    back = ds.dataset(f"{bucket}/lake/t", filesystem=files, format="parquet", partitioning="hive").to_table()
    assert sorted(back["n"].to_pylist()) == list(range(1000))
    with files.open_output_stream(f"{bucket}/big") as stream:
        stream.write(b"x" * (12 << 20))
    assert files.get_file_info(f"{bucket}/big").size == 12 << 20
    files.delete_dir(f"{bucket}/lake")
    assert [info.path for info in files.get_file_info(fs.FileSelector(bucket, recursive=True))] == [f"{bucket}/big"]
