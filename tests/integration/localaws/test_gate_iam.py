"""IAM's own calls: what is made can be read, listed in pages and removed, in AWS's order and with AWS's errors."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.integration.localaws.gate_world import ACCOUNT, allow, document, refused, trust
from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration


@pytest.fixture
def iam(local_aws: LocalAws) -> Any:
    return local_aws.client("iam")


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex[:8]


def test_a_role_from_its_making_to_its_end(iam: Any, mark: str) -> None:
    name, trusts = f"role-{mark}", trust({"Service": "glue.amazonaws.com"})
    made = iam.create_role(
        RoleName=name,
        Path="/team/",
        AssumeRolePolicyDocument=trusts,
        Description="d",
        Tags=[{"Key": "a", "Value": "1"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/team/{name}"
    assert made["AssumeRolePolicyDocument"] == json.loads(trusts)
    assert refused(lambda: iam.create_role(RoleName=name.upper(), AssumeRolePolicyDocument=trusts))[:2] == (
        409,
        "EntityAlreadyExists",
    )
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(allow("s3:*")))
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["inline"]
    stored = iam.get_role_policy(RoleName=name, PolicyName="inline")["PolicyDocument"]
    assert stored == json.loads(document(allow("s3:*")))
    assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/team/")["Roles"] if r["RoleName"] == name] == [name]
    iam.update_role(RoleName=name, MaxSessionDuration=7200)
    iam.tag_role(RoleName=name, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_role(RoleName=name, TagKeys=["a"])
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["MaxSessionDuration"], role["Tags"]) == (7200, [{"Key": "b", "Value": "2"}])
    assert refused(lambda: iam.delete_role(RoleName=name))[1] == "DeleteConflict"
    iam.delete_role_policy(RoleName=name, PolicyName="inline")
    iam.delete_role(RoleName=name)
    assert refused(lambda: iam.get_role(RoleName=name))[:2] == (404, "NoSuchEntity")


def test_a_user_from_its_making_to_its_end(iam: Any, mark: str) -> None:
    name, group = f"user-{mark}", f"group-{mark}"
    iam.create_user(UserName=name)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    keys = [iam.create_access_key(UserName=name)["AccessKey"] for _ in range(2)]
    assert refused(lambda: iam.create_access_key(UserName=name))[:2] == (409, "LimitExceeded")
    assert {k["AccessKeyId"] for k in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]} == {
        k["AccessKeyId"] for k in keys
    }
    assert [u["UserName"] for u in iam.get_group(GroupName=group)["Users"]] == [name]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=name)["Groups"]] == [group]
    assert refused(lambda: iam.delete_group(GroupName=group))[1] == "DeleteConflict"
    assert refused(lambda: iam.delete_user(UserName=name))[1] == "DeleteConflict"
    iam.remove_user_from_group(GroupName=group, UserName=name)
    assert refused(lambda: iam.delete_user(UserName=name))[1] == "DeleteConflict"
    for key in keys:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    iam.delete_group(GroupName=group)
    assert refused(lambda: iam.get_user(UserName=name))[1] == "NoSuchEntity"


def test_managed_policies_have_versions(iam: Any, mark: str) -> None:
    first, second = document(allow("s3:Get*")), document(allow("s3:*"))
    arn = iam.create_policy(PolicyName=f"p-{mark}", PolicyDocument=first)["Policy"]["Arn"]
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)["PolicyVersion"]
    assert version["VersionId"] == "v2"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    shown = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert (shown["Document"], shown["IsDefaultVersion"]) == (json.loads(first), False)
    assert refused(lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v2"))[1] == "DeleteConflict"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    user = f"holder-{mark}"
    iam.create_user(UserName=user)
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    assert [u["UserName"] for u in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]] == [user]
    assert refused(lambda: iam.delete_policy(PolicyArn=arn))[1] == "DeleteConflict"
    iam.detach_user_policy(UserName=user, PolicyArn=arn)
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=arn)
    assert refused(lambda: iam.delete_policy(PolicyArn=arn))[1] == "DeleteConflict"
    iam.delete_user_permissions_boundary(UserName=user)
    iam.delete_policy(PolicyArn=arn)
    assert refused(lambda: iam.get_policy(PolicyArn=arn))[1] == "NoSuchEntity"


def test_aws_managed_policies_are_there_and_stay_as_they_are(iam: Any, mark: str) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert arn in [p["Arn"] for p in iam.list_policies(Scope="AWS")["Policies"]]
    assert refused(lambda: iam.delete_policy(PolicyArn=arn))[:2] == (403, "AccessDenied")
    nowhere = "arn:aws:iam::aws:policy/NoSuchPolicy"
    user = f"u-{mark}"
    iam.create_user(UserName=user)
    assert refused(lambda: iam.attach_user_policy(UserName=user, PolicyArn=nowhere))[1] == "NoSuchEntity"
    assert refused(lambda: iam.create_user(UserName=f"{user}2", PermissionsBoundary=nowhere))[1] == "NoSuchEntity"


def test_lists_come_in_pages(iam: Any, mark: str) -> None:
    names = [f"page-{mark}-{n}" for n in range(5)]
    for name in names:
        iam.create_user(UserName=name, Path=f"/{mark}/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix=f"/{mark}/", PaginationConfig={"PageSize": 2})
    assert [[u["UserName"] for u in page["Users"]] for page in pages] == [names[:2], names[2:4], names[4:]]


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("create_role", {"RoleName": "r", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument"),
        (
            "create_role",
            {"RoleName": "r", "AssumeRolePolicyDocument": document(allow("s3:*"))},
            "MalformedPolicyDocument",
        ),
        ("create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": trust({"AWS": "*"})}, "ValidationError"),
        ("create_user", {"UserName": "x" * 200}, "ValidationError"),
        (
            "put_user_policy",
            {"UserName": "nobody", "PolicyName": "p", "PolicyDocument": "{}"},
            "MalformedPolicyDocument",
        ),
        ("get_account_summary", {}, "InvalidAction"),
    ],
)
def test_what_aws_refuses(local_aws: LocalAws, call: str, params: dict[str, Any], code: str) -> None:
    lax = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    make: Any = boto3.client
    iam = make("iam", endpoint_url=local_aws.endpoint_url, region_name="eu-west-2", config=lax, **local_aws.credentials)
    assert refused(lambda: getattr(iam, call)(**params))[1] == code
