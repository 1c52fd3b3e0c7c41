"""Who gets in: signatures, keys and times. Each test is one or more cases that an open local AWS got wrong."""

from __future__ import annotations

import datetime
import json
import time

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration.localaws.gate_world import World, fetch, refused

pytestmark = pytest.mark.integration

# Nobody without a good signature


@pytest.mark.parametrize("path", ["", "BUCKET/a/x", "BUCKET", "_ministack/health", "_ministack/reset", "health"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD"])
def test_unsigned_requests_are_refused(world: World, path: str, method: str) -> None:
    status, _ = fetch(
        world.url(path.replace("BUCKET", world.bucket)), method, b"z" if method in ("PUT", "POST") else None
    )
    assert status == 403
    assert world.s3.get_object(Bucket=world.bucket, Key="a/x")["Body"].read() == b"hello"


@pytest.mark.parametrize(
    "target", ["AWSGlue.GetDatabases", "RedshiftData.ExecuteStatement", "AmazonAthena.ListWorkGroups"]
)
def test_unsigned_json_requests_are_refused(world: World, target: str) -> None:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    status, body = fetch(world.url(), "POST", b"{}", headers)
    assert (status, json.loads(body)["__type"]) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("path", ["?Action=ListUsers&Version=2010-05-08", "accounts/000000000000/data-sets"])
def test_unsigned_query_and_rest_requests_are_refused(world: World, path: str) -> None:
    assert fetch(world.url(path))[0] == 403


@pytest.mark.parametrize(
    ("key_id", "secret", "code"),
    [
        ("ADMIN", "wrong", "SignatureDoesNotMatch"),
        ("test", "anything", "InvalidAccessKeyId"),
        ("test", "test", "InvalidAccessKeyId"),
        ("000000000000", "zzz", "InvalidAccessKeyId"),
        ("AKIANOBODYNOBODY0001", "zzz", "InvalidAccessKeyId"),
    ],
)
def test_wrong_keys_are_refused_by_s3(world: World, key_id: str, secret: str, code: str) -> None:
    known = world.aws.credentials["aws_access_key_id"]
    key = {"aws_access_key_id": key_id.replace("ADMIN", known), "aws_secret_access_key": secret}
    s3 = world.aws.client("s3", **key)
    assert refused(lambda: s3.get_object(Bucket=world.bucket, Key="a/x"))[:2] == (403, code)


@pytest.mark.parametrize(
    ("service", "call", "unknown", "wrong"),
    [
        ("iam", "list_users", (403, "InvalidClientTokenId"), (403, "SignatureDoesNotMatch")),
        ("sts", "get_caller_identity", (403, "InvalidClientTokenId"), (403, "SignatureDoesNotMatch")),
        ("glue", "get_databases", (400, "UnrecognizedClientException"), (400, "InvalidSignatureException")),
        ("athena", "list_work_groups", (400, "UnrecognizedClientException"), (400, "InvalidSignatureException")),
    ],
)
def test_wrong_keys_are_refused_by_the_others(
    world: World, service: str, call: str, unknown: tuple[int, str], wrong: tuple[int, str]
) -> None:
    nobody = world.aws.client(service, aws_access_key_id="AKIANOBODYNOBODY0001", aws_secret_access_key="z")
    assert refused(getattr(nobody, call))[:2] == unknown
    key = world.aws.credentials["aws_access_key_id"]
    impostor = world.aws.client(service, aws_access_key_id=key, aws_secret_access_key="z")
    assert refused(getattr(impostor, call))[:2] == wrong


def test_a_key_works_only_while_it_is_active(world: World) -> None:
    user = f"switch-{world.mark}"
    world.iam.create_user(UserName=user)
    key = world.key_of(user)
    sts = world.aws.client("sts", **key)
    assert sts.get_caller_identity()["Arn"].endswith(user)
    world.iam.update_access_key(UserName=user, AccessKeyId=key["aws_access_key_id"], Status="Inactive")
    assert refused(sts.get_caller_identity)[1] == "InvalidClientTokenId"
    world.iam.delete_access_key(UserName=user, AccessKeyId=key["aws_access_key_id"])
    assert refused(sts.get_caller_identity)[1] == "InvalidClientTokenId"


def header_signed(world: World, key: dict[str, str], skew_s: float, **changes: str) -> tuple[int, bytes]:
    """A GET signed by hand, `skew_s` seconds ago; `changes` are headers altered after signing."""
    request = AWSRequest("GET", world.url(f"{world.bucket}/a/x"))
    signer = S3SigV4Auth(Credentials(key["aws_access_key_id"], key["aws_secret_access_key"]), "s3", world.aws.region)
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=skew_s)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return fetch(request.url, headers={**dict(request.headers.items()), **changes})


def test_the_clock_may_differ_by_fifteen_minutes(world: World) -> None:
    key = world.aws.credentials
    assert header_signed(world, key, 0) == (200, b"hello")
    assert header_signed(world, key, 14 * 60)[0] == 200
    assert header_signed(world, key, -14 * 60)[0] == 200
    for skew_s in (20 * 60, -20 * 60):
        status, body = header_signed(world, key, skew_s)
        assert status == 403
        assert b"RequestTimeTooSkewed" in body
    assert b"RequestTimeTooSkewed" in header_signed(world, world.user_key, 20 * 60)[1]


def test_headers_cannot_be_added_or_altered_after_signing(world: World) -> None:
    key = world.aws.credentials
    status, body = header_signed(world, key, 0, **{"x-amz-copy-source": "other/key"})
    assert (status, b"not signed" in body) == (403, True)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert header_signed(world, key, 0, **{"X-Amz-Content-SHA256": empty})[0] == 200
    assert header_signed(world, key, 0, **{"X-Amz-Content-SHA256": empty[::-1]})[0] == 403
    assert header_signed(world, key, 0, Host="evil.example")[0] == 403


def test_presigned_urls_open_what_they_name_and_nothing_else(world: World) -> None:
    url = world.s3.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": "a/x"}, ExpiresIn=60)
    assert fetch(url) == (200, b"hello")
    assert fetch(url.replace("/a/x", "/a/y"))[0] == 403
    assert fetch(url, "DELETE")[0] == 403
    assert fetch(url[:-3] + "abc")[0] == 403
    assert fetch(url + "&acl")[0] == 403
    assert fetch(url + "&X-Amz-Expires=604800")[0] == 403
    wrong = {**world.aws.credentials, "aws_secret_access_key": "bad"}
    s3 = world.aws.client("s3", **wrong)
    assert fetch(s3.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": "a/x"}))[0] == 403


def test_presigned_urls_expire(world: World) -> None:
    url = world.s3.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": "a/x"}, ExpiresIn=1)
    deadline = time.monotonic() + 10
    while (answer := fetch(url))[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert answer[0] == 403
    assert b"Request has expired" in answer[1]


def test_the_region_has_to_be_right(world: World) -> None:
    s3 = boto3.client("glue", endpoint_url=world.aws.endpoint_url, region_name="us-west-2", **world.aws.credentials)
    assert refused(s3.get_databases)[1] == "InvalidSignatureException"


# Nothing gets through under another name


def test_a_signature_for_one_service_opens_no_other(world: World) -> None:
    """A request signed for S3 that carries the target of Glue stays a request to S3."""
    request = AWSRequest("POST", world.url(), data=b"{}", headers={"X-Amz-Target": "AWSGlue.GetDatabases"})
    key = world.aws.credentials
    signer = S3SigV4Auth(Credentials(key["aws_access_key_id"], key["aws_secret_access_key"]), "s3", world.aws.region)
    signer.add_auth(request)
    status, body = fetch(request.url, "POST", b"{}", dict(request.headers.items()))
    assert (status, b"MethodNotAllowed" in body) == (405, True)


def test_the_operation_of_the_query_does_not_override_that_of_the_body(world: World) -> None:
    key = world.user_key
    url = world.url("?Action=ListUsers&Version=2010-05-08")
    request = AWSRequest("POST", url, data="Action=GetCallerIdentity&Version=2011-06-15")
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    signer = SigV4Auth(Credentials(key["aws_access_key_id"], key["aws_secret_access_key"]), "sts", world.aws.region)
    signer.add_auth(request)
    status, body = fetch(url, "POST", b"Action=GetCallerIdentity&Version=2011-06-15", dict(request.headers.items()))
    assert (status, b"InvalidParameterCombination" in body) == (400, True)


@pytest.mark.parametrize("service", ["sqs", "dynamodb", "lambda"])
def test_services_that_are_not_here_answer_nothing(world: World, service: str) -> None:
    calls = {"sqs": "list_queues", "dynamodb": "list_tables", "lambda": "list_functions"}
    status, code, _ = refused(getattr(world.aws.client(service), calls[service]))
    assert status == 403
    assert code.startswith("AccessDenied")
