"""Who gets in: signatures, keys, tokens, policies. Each test is one or more cases that an open local AWS got wrong."""

from __future__ import annotations

import datetime
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from local_aws_process import LocalAws

pytestmark = pytest.mark.integration

ACCOUNT = "000000000000"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: dict[str, Any], **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status, code and message of the refusal; fails when there is none."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"].get("Message", "")


def fetch(
    url: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    answer = httpx.request(method, url, content=data, headers=headers, timeout=10)
    return answer.status_code, answer.content


class World:
    """A bucket, a user and roles of one test module, under names of its own."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        mark = uuid.uuid4().hex[:8]
        self.bucket, self.user, self.mark = f"lake-{mark}", f"gen-{mark}", mark
        self.s3, self.iam = aws.client("s3"), aws.client("iam")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
        self.s3.put_object(Bucket=self.bucket, Key="a/x", Body=b"hello")
        self.iam.create_user(UserName=self.user)
        self.user_key = self.key_of(self.user)
        self.user_arn = f"arn:aws:iam::{ACCOUNT}:user/{self.user}"

    def key_of(self, user: str) -> dict[str, str]:
        key = self.iam.create_access_key(UserName=user)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def role(self, name: str, policy: str, trusts: str | None = None) -> str:
        name = f"{name}-{self.mark}"
        trusts = trusts or trust({"AWS": self.user_arn})
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        return arn

    def assume(self, role_arn: str, key: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
        sts = self.aws.client("sts", **(key or self.user_key))
        answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="s1", **more)["Credentials"]
        return {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }

    def url(self, path: str = "") -> str:
        return f"{self.aws.endpoint_url}/{path}"


@pytest.fixture(scope="module")
def world(local_aws: LocalAws) -> Iterator[World]:
    yield World(local_aws)


@pytest.fixture(scope="module")
def writer(world: World) -> dict[str, str]:
    """A session that may write raw/, but not raw/secret/, and list only raw."""
    bucket = f"arn:aws:s3:::{world.bucket}"
    policy = document(
        allow(["s3:PutObject", "s3:GetObject"], f"{bucket}/raw/*"),
        allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": ["raw/*", "raw"]}}),
        {"Effect": "Deny", "Action": "s3:*", "Resource": f"{bucket}/raw/secret/*"},
    )
    return world.assume(world.role("writer", policy))


@pytest.fixture(scope="module")
def written(world: World, writer: dict[str, str]) -> str:
    """The key of an object that the writer wrote."""
    world.aws.client("s3", **writer).put_object(Bucket=world.bucket, Key="raw/h=1/x", Body=b"1")
    return "raw/h=1/x"


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
    import boto3

    s3 = boto3.client("glue", endpoint_url=world.aws.endpoint_url, region_name="us-west-2", **world.aws.credentials)
    assert refused(s3.get_databases)[1] == "InvalidSignatureException"


# What users may do


def test_a_user_without_policies_may_nothing_but_ask_who_it_is(world: World) -> None:
    user = f"bare-{world.mark}"
    world.iam.create_user(UserName=user)
    key = world.key_of(user)
    status, code, message = refused(lambda: world.aws.client("s3", **key).get_object(Bucket=world.bucket, Key="a/x"))
    assert (status, code) == (403, "AccessDenied")
    assert f"user/{user} is not authorized to perform: s3:GetObject" in message
    assert "because no identity-based policy allows the s3:GetObject action" in message
    assert refused(world.aws.client("iam", **key).list_users)[:2] == (403, "AccessDenied")
    assert refused(world.aws.client("glue", **key).get_databases)[:2] == (400, "AccessDeniedException")
    assert world.aws.client("sts", **key).get_caller_identity()["Arn"].endswith(user)


def test_groups_and_managed_policies_grant(world: World) -> None:
    user, group = f"member-{world.mark}", f"readers-{world.mark}"
    world.iam.create_user(UserName=user)
    world.iam.create_group(GroupName=group)
    s3 = world.aws.client("s3", **world.key_of(user))
    assert refused(lambda: s3.get_object(Bucket=world.bucket, Key="a/x"))[1] == "AccessDenied"
    world.iam.attach_group_policy(GroupName=group, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    world.iam.add_user_to_group(GroupName=group, UserName=user)
    assert s3.get_object(Bucket=world.bucket, Key="a/x")["Body"].read() == b"hello"
    assert refused(lambda: s3.put_object(Bucket=world.bucket, Key="a/y", Body=b""))[1] == "AccessDenied"
    world.iam.remove_user_from_group(GroupName=group, UserName=user)
    assert refused(lambda: s3.get_object(Bucket=world.bucket, Key="a/x"))[1] == "AccessDenied"


def test_a_permissions_boundary_limits_what_policies_grant(world: World) -> None:
    user = f"bounded-{world.mark}"
    limit = world.iam.create_policy(PolicyName=f"limit-{world.mark}", PolicyDocument=document(allow("s3:Get*")))[
        "Policy"
    ]
    world.iam.create_user(UserName=user, PermissionsBoundary=limit["Arn"])
    world.iam.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    s3 = world.aws.client("s3", **world.key_of(user))
    assert s3.get_object(Bucket=world.bucket, Key="a/x")["Body"].read() == b"hello"
    message = refused(lambda: s3.put_object(Bucket=world.bucket, Key="a/y", Body=b""))[2]
    assert "no permissions boundary allows" in message


def test_bucket_policies_grant_and_deny(world: World) -> None:
    bucket = f"shared-{world.mark}"
    world.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": world.aws.region})
    user = f"guest-{world.mark}"
    world.iam.create_user(UserName=user)
    key = world.key_of(user)
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user}"}
    own = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/in/*",
    }
    never = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/in/no"}
    world.s3.put_bucket_policy(Bucket=bucket, Policy=document(own, never))
    guest = world.aws.client("s3", **key)
    guest.put_object(Bucket=bucket, Key="in/yes", Body=b"1")
    assert refused(lambda: guest.put_object(Bucket=bucket, Key="out", Body=b"1"))[1] == "AccessDenied"
    message = refused(lambda: world.s3.put_object(Bucket=bucket, Key="in/no", Body=b"1"))[2]
    assert "with an explicit deny in a resource-based policy" in message


# Roles and sessions


def test_a_session_knows_who_it_is(world: World, writer: dict[str, str]) -> None:
    arn = world.aws.client("sts", **writer).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/writer-{world.mark}/s1"


def test_only_those_whom_a_role_trusts_assume_it(world: World) -> None:
    services = world.role("service", document(allow("s3:*")), trust({"Service": "glue.amazonaws.com"}))
    world.iam.put_user_policy(
        UserName=world.user, PolicyName="assume", PolicyDocument=document(allow("sts:AssumeRole"))
    )
    status, code, message = refused(lambda: world.assume(services))
    assert (status, code) == (403, "AccessDenied")
    assert "is not authorized to perform: sts:AssumeRole on resource" in message
    assert refused(lambda: world.assume(services + "zz"))[1] == "AccessDenied"
    assert refused(lambda: world.assume(services, world.aws.credentials))[1] == "AccessDenied"


def test_trusting_the_account_leaves_the_decision_to_its_policies(world: World) -> None:
    role = world.role("house", document(allow("s3:*")), trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    user = f"house-{world.mark}"
    world.iam.create_user(UserName=user)
    key = world.key_of(user)
    assert refused(lambda: world.assume(role, key))[1] == "AccessDenied"
    world.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole", role)))
    assert world.assume(role, key)["aws_session_token"]


def test_trust_policies_have_conditions(world: World) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "secret-42"}}
    role = world.role("guarded", document(allow("s3:*")), trust({"AWS": world.user_arn}, Condition=condition))
    assert refused(lambda: world.assume(role))[1] == "AccessDenied"
    assert refused(lambda: world.assume(role, ExternalId="no"))[1] == "AccessDenied"
    assert world.assume(role, ExternalId="secret-42")["aws_session_token"]


def test_a_session_may_what_its_role_may(world: World, writer: dict[str, str], written: str) -> None:
    s3, bucket = world.aws.client("s3", **writer), world.bucket
    assert s3.get_object(Bucket=bucket, Key=written)["Body"].read() == b"1"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="raw/h=1")["Contents"]] == [written]
    refusals = {
        "other prefix": lambda: s3.put_object(Bucket=bucket, Key="cur/x", Body=b"1"),
        "delete": lambda: s3.delete_object(Bucket=bucket, Key=written),
        "list everything": lambda: s3.list_objects_v2(Bucket=bucket),
        "list buckets": s3.list_buckets,
        "multipart elsewhere": lambda: s3.create_multipart_upload(Bucket=bucket, Key="cur/z"),
        "copy what it may not read": lambda: s3.copy_object(Bucket=bucket, Key="raw/c", CopySource=f"{bucket}/a/x"),
        "glue": lambda: world.aws.client("glue", **writer).get_databases(),
    }
    for name, call in refusals.items():
        assert refused(call)[1] in ("AccessDenied", "AccessDeniedException"), name


def test_an_explicit_deny_wins(world: World, writer: dict[str, str]) -> None:
    s3 = world.aws.client("s3", **writer)
    message = refused(lambda: s3.put_object(Bucket=world.bucket, Key="raw/secret/x", Body=b"1"))[2]
    assert "with an explicit deny in an identity-based policy" in message


def test_a_batch_delete_is_decided_key_by_key(world: World, writer: dict[str, str], written: str) -> None:
    s3 = world.aws.client("s3", **writer)
    answer = s3.delete_objects(Bucket=world.bucket, Delete={"Objects": [{"Key": written}]})
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [(written, "AccessDenied")]
    assert world.s3.head_object(Bucket=world.bucket, Key=written)["ContentLength"] == 1


def test_a_missing_object_looks_denied_to_those_who_may_not_list(world: World, writer: dict[str, str]) -> None:
    s3 = world.aws.client("s3", **writer)
    assert refused(lambda: s3.get_object(Bucket=world.bucket, Key="raw/absent"))[1] == "AccessDenied"
    assert refused(lambda: world.s3.get_object(Bucket=world.bucket, Key="raw/absent"))[1] == "NoSuchKey"


def test_sessions_need_their_token(world: World, writer: dict[str, str], written: str) -> None:
    bare = {name: value for name, value in writer.items() if name != "aws_session_token"}
    for key, code in ((bare, "InvalidAccessKeyId"), ({**bare, "aws_session_token": "zz"}, "InvalidToken")):
        s3 = world.aws.client("s3", **key)
        assert refused(lambda s3=s3: s3.get_object(Bucket=world.bucket, Key=written))[1] == code
    glue = world.aws.client("glue", **{**bare, "aws_session_token": "zz"})
    assert refused(glue.get_databases)[1] == "UnrecognizedClientException"


def test_sessions_presign_what_they_may(world: World, writer: dict[str, str], written: str) -> None:
    s3 = world.aws.client("s3", **writer)
    assert fetch(s3.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": written})) == (
        200,
        b"1",
    )
    put = s3.generate_presigned_url("put_object", Params={"Bucket": world.bucket, "Key": "cur/z"})
    assert fetch(put, "PUT", b"q")[0] == 403


def test_a_session_policy_narrows(world: World, written: str) -> None:
    bucket = f"arn:aws:s3:::{world.bucket}"
    role = world.role("wide", document(allow("s3:*", [bucket, f"{bucket}/*"])))
    session = world.assume(role, Policy=document(allow("s3:GetObject")))
    s3 = world.aws.client("s3", **session)
    assert s3.get_object(Bucket=world.bucket, Key=written)["Body"].read() == b"1"
    message = refused(lambda: s3.put_object(Bucket=world.bucket, Key="raw/q", Body=b""))[2]
    assert "no session policy allows" in message


def test_what_changes_in_iam_counts_from_the_next_request(world: World, written: str) -> None:
    role = world.role("fickle", document(allow("s3:GetObject")))
    s3 = world.aws.client("s3", **world.assume(role))
    assert s3.get_object(Bucket=world.bucket, Key=written)["Body"].read() == b"1"
    world.iam.delete_role_policy(RoleName=f"fickle-{world.mark}", PolicyName="p")
    assert refused(lambda: s3.get_object(Bucket=world.bucket, Key=written))[1] == "AccessDenied"


def test_get_session_token_gives_the_users_own_rights(world: World) -> None:
    token = world.aws.client("sts").get_session_token()["Credentials"]
    key = {
        "aws_access_key_id": token["AccessKeyId"],
        "aws_secret_access_key": token["SecretAccessKey"],
        "aws_session_token": token["SessionToken"],
    }
    assert world.aws.client("sts", **key).get_caller_identity()["Arn"].endswith("user/admin")
    assert world.aws.client("s3", **key).head_bucket(Bucket=world.bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200


# Simulation


def test_simulation_says_what_the_gate_would(world: World, writer: dict[str, str]) -> None:
    role, bucket = f"arn:aws:iam::{ACCOUNT}:role/writer-{world.mark}", f"arn:aws:s3:::{world.bucket}"

    def simulate(actions: list[str], resources: list[str], **more: Any) -> list[tuple[str, str, str, int]]:
        answer = world.iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=actions, ResourceArns=resources, **more
        )
        return [
            (
                r["EvalActionName"],
                r["EvalResourceName"].removeprefix(bucket),
                r["EvalDecision"],
                len(r["MatchedStatements"]),
            )
            for r in answer["EvaluationResults"]
        ]

    assert simulate(["s3:PutObject"], [f"{bucket}/raw/x"]) == [("s3:PutObject", "/raw/x", "allowed", 1)]
    assert simulate(["s3:PutObject"], [f"{bucket}/raw/x", f"{bucket}/cur/x"]) == [
        ("s3:PutObject", "/raw/x", "allowed", 1),
        ("s3:PutObject", "/cur/x", "implicitDeny", 0),
    ]
    assert [r[2] for r in simulate(["s3:PutObject", "s3:GetObject"], [f"{bucket}/raw/secret/x"])] == [
        "explicitDeny"
    ] * 2
    assert simulate(["s3:ListBucket"], [bucket])[0][2] == "implicitDeny"
    prefix = {"ContextKeyName": "s3:prefix", "ContextKeyValues": ["raw/"], "ContextKeyType": "string"}
    assert simulate(["s3:ListBucket"], [bucket], ContextEntries=[prefix])[0][2] == "allowed"


def test_simulation_of_an_unknown_principal_fails(world: World) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    call = world.iam.simulate_principal_policy
    assert refused(lambda: call(PolicySourceArn=arn, ActionNames=["s3:PutObject"]))[:2] == (404, "NoSuchEntity")


def test_simulation_of_custom_policies(world: World) -> None:
    answer = world.iam.simulate_custom_policy(
        PolicyInputList=[document(allow("s3:Get*"))], ActionNames=["s3:GetObject", "s3:PutObject"]
    )
    assert [r["EvalDecision"] for r in answer["EvaluationResults"]] == ["allowed", "implicitDeny"]


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
    from botocore.auth import SigV4Auth

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
