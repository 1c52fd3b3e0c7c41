"""What those who got in may do: users, groups, roles, sessions, conditions, simulation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.localaws.gate_world import ACCOUNT, World, allow, document, fetch, refused, trust

pytestmark = pytest.mark.integration

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
