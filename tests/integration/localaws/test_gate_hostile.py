"""Requests that no honest client sends: always an answer of the 400s, never a 500, never a hang."""

from __future__ import annotations

import datetime as dt
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration

BUCKET = "hostile-bucket"
SERVICES = ["s3", "iam", "sts", "glue", "athena", "redshift-data", "quicksight", "nothing"]
CONTENT_TYPES = [
    "application/x-amz-json-1.1",
    "application/x-www-form-urlencoded; charset=utf-8",
    "application/xml",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
]
TARGETS = [
    "AWSGlue.GetTables",
    "AWSGlue.CreateTable",
    "AWSGlue.CreateCrawler",
    "AmazonAthena.StartQueryExecution",
    "AWSGlue.",
    "x",
    "",
]
BODIES = [
    b"",
    b"{",
    b"{}",
    b"[]",
    b"null",
    b'{"DatabaseName": 5}',
    b'{"DatabaseName": "d", "TableInput": {"Name": []}}',
    b'{"Name": "c", "Role": "r", "Targets": {"S3Targets": [{"Path": 7}]}}',
    b'{"a":' * 5000,
    b"\xff\xfe\x00",
    b"Action=ListUsers&Version=2010-05-08",
    b"Action=AssumeRole&Version=2011-06-15&RoleArn=x&RoleSessionName=%00",
    b"Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={",
    b"Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=x&ActionNames.member.1=",
    b"Action=ListUsers&Version=2010-05-08&Marker=!!!&MaxItems=x",
    b"Action=%ff%fe&Version=",
    b"<Delete><Object></Object></Delete>",
    b"<Delete><Object><Key>k</Key>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]><Delete>&a;</Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber></Part></CompleteMultipartUpload>",
    b"<Tagging><TagSet><Tag><Key></Key></Tag></TagSet></Tagging>",
]
QUERIES = [
    "",
    "list-type=2&max-keys=abc",
    "list-type=2&max-keys=-1",
    "list-type=2&continuation-token=%ff",
    "uploads",
    "uploadId=nothing",
    "partNumber=0&uploadId=x",
    "partNumber=99999999999999999999&uploadId=x",
    "delete",
    "tagging",
    "policy",
    "acl",
    "versions",
    "select&select-type=2",
    "Action=ListUsers&Version=2010-05-08",
    "%zz=%",
    "a=1&a=2&&=",
]
PATHS = [
    "/",
    f"/{BUCKET}",
    f"/{BUCKET}/k",
    f"/{BUCKET}//",
    "//",
    "/x",
    f"/{BUCKET}/%00",
    f"/{BUCKET}/%ff",
    f"/{BUCKET}/%",
    "/accounts/1/x",
]
HEADERS: list[dict[str, str]] = [
    {},
    {"Range": "bytes=9-1"},
    {"If-Modified-Since": "yesterday"},
    {"Content-MD5": "x"},
    {"x-amz-checksum-crc32": "x"},
    {"x-amz-checksum-xxhash128": "x"},
    {"x-amz-copy-source": "%%%"},
    {"x-amz-copy-source": f"{BUCKET}/k?versionId=5"},
    {"x-amz-tagging": "a=1&a=1"},
    {"x-amz-meta-a": "ü", "x-amz-acl": "public-read"},
    {"x-amz-decoded-content-length": "x", "content-encoding": "aws-chunked"},
]


@pytest.fixture(scope="module")
def target(local_aws: LocalAws) -> Iterator[LocalAws]:
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": local_aws.region})
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"12345")
    yield local_aws
    assert local_aws.client("sts").get_caller_identity()["Account"] == local_aws.account_id
    log = local_aws.log.read_text()
    assert "nobody foresaw" not in log, log[-4000:]


def signed(  # noqa: PLR0917  a request has this many parts
    aws: LocalAws, service: str, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> Any:
    url = aws.endpoint_url + path + (f"?{query}" if query else "")
    request = AWSRequest(method, url, data=body, headers={"Host": url.split("/")[2], **headers})
    key = Credentials(aws.credentials["aws_access_key_id"], aws.credentials["aws_secret_access_key"])
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(key, service, aws.region)
    request.context["timestamp"] = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return dict(request.headers.items())


def raw(aws: LocalAws, data: bytes, wait_s: float = 10.0) -> bytes:
    """What comes back for these bytes, until the server has answered or closed."""
    with socket.create_connection(("127.0.0.1", aws.port), timeout=wait_s) as connection:
        connection.sendall(data)
        return connection.recv(65536)


def request_bytes(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode() + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@given(
    service=st.sampled_from(SERVICES),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    path=st.sampled_from(PATHS),
    query=st.sampled_from(QUERIES),
    headers=st.sampled_from(HEADERS),
    content_type=st.sampled_from(CONTENT_TYPES),
    aim=st.sampled_from(TARGETS),
    body=st.sampled_from(BODIES),
)
@settings(max_examples=250, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_well_signed_nonsense(  # noqa: PLR0917  hypothesis passes what is drawn by name
    target: LocalAws,
    service: str,
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    content_type: str,
    aim: str,
    body: bytes,
) -> None:
    told = {**headers, "X-Amz-Target": aim, "Content-Type": content_type}
    made = signed(target, service, method, path, query, told, body)
    line = path + (f"?{query}" if query else "")
    status = status_of(raw(target, request_bytes(method, line, made, body)))
    assert status < 500 or status == 501


@given(st.binary(max_size=400))
@settings(max_examples=60, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_on_the_wire(target: LocalAws, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
        connection.sendall(noise + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer == b"" or 400 <= status_of(answer) < 500


@given(
    authorization=st.sampled_from(
        [
            "",
            "Basic YTpi",
            "Bearer x",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/20260301/r/s3/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
            "AWS4-HMAC-SHA256 Credential=///, SignedHeaders=, Signature=",
            "AWS4-HMAC-SHA256 " + "Credential=a/" * 2000,
            "AWS AKIA:abc",
        ]
    ),
    date=st.sampled_from(["", "20260301T070000Z", "99999999T999999Z", "now", "0" * 16]),
    service_hint=st.sampled_from(["", "AWSGlue.GetTables"]),
)
@settings(max_examples=60, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bad_signatures(target: LocalAws, authorization: str, date: str, service_hint: str) -> None:
    headers = {"Host": "x", "Authorization": authorization, "X-Amz-Date": date, "X-Amz-Target": service_hint}
    assert status_of(raw(target, request_bytes("GET", "/", headers, b""))) in (400, 403)


def test_a_huge_header(target: LocalAws) -> None:
    answer = raw(target, request_bytes("GET", "/", {"Host": "x", "X-Big": "a" * (4 << 20)}, b""))
    assert answer == b"" or 400 <= status_of(answer) < 500


def test_ten_thousand_headers(target: LocalAws) -> None:
    headers = {"Host": "x", **{f"X-{n}": "1" for n in range(10_000)}}
    answer = raw(target, request_bytes("GET", "/", headers, b""))
    assert answer == b"" or 400 <= status_of(answer) < 500


@pytest.mark.parametrize(
    "frame", [b"5\r\nhel", b"zz\r\n", b"ffffffffff\r\nx", b"5\r\nhello\r\n", b"0\r\n", b"", b"-5\r\n"]
)
@pytest.mark.parametrize("kind", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_bad_chunks_store_nothing(target: LocalAws, frame: bytes, kind: str) -> None:
    body = AWSRequest("PUT", f"{target.endpoint_url}/{BUCKET}/chunked", headers={"Host": f"127.0.0.1:{target.port}"})
    key = Credentials(target.credentials["aws_access_key_id"], target.credentials["aws_secret_access_key"])
    signer = S3SigV4Auth(key, "s3", target.region)
    body.context["timestamp"] = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    body.headers.add_header("X-Amz-Date", body.context["timestamp"])
    body.headers.add_header("X-Amz-Content-SHA256", kind)
    body.headers.add_header("X-Amz-Trailer", "x-amz-checksum-crc32")
    body.headers.add_header("Content-Encoding", "aws-chunked")
    text = signer.string_to_sign(body, signer.canonical_request(body))
    signer._inject_signature_to_request(body, signer.signature(text, body))
    answer = httpx.put(body.url, headers=dict(body.headers.items()), content=frame, timeout=10)
    assert 400 <= answer.status_code < 500
    listed = target.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="chunked")
    assert listed["KeyCount"] == 0


def test_a_body_that_stops_coming_does_not_hold_the_others_up(target: LocalAws) -> None:
    body = b"x" * 100
    headers = signed(target, "s3", "PUT", f"/{BUCKET}/stalled", "", {}, body)
    lines = [
        f"PUT /{BUCKET}/stalled HTTP/1.1",
        *(f"{n}: {v}" for n, v in headers.items()),
        "Content-Length: 100",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", target.port), timeout=40) as connection:
        connection.sendall("\r\n".join(lines).encode() + body[:10])
        begun = time.monotonic()
        assert target.client("s3").get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"12345"
        assert time.monotonic() - begun < 10
        answer = connection.recv(65536)
    assert status_of(answer) == 400
    assert b"RequestTimeout" in answer
    assert target.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="stalled")["KeyCount"] == 0


def test_a_client_that_goes_away_leaves_nothing(target: LocalAws) -> None:
    headers = signed(target, "s3", "PUT", f"/{BUCKET}/gone", "", {}, b"x" * 5_000_000)
    lines = [
        f"PUT /{BUCKET}/gone HTTP/1.1",
        *(f"{n}: {v}" for n, v in headers.items()),
        "Content-Length: 5000000",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"x" * 2_000_000)
    scratch = target.data_dir / "s3" / "scratch"
    deadline = time.monotonic() + 10
    while any(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(scratch.iterdir())
    assert target.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="gone")["KeyCount"] == 0
