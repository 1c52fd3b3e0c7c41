"""Roles as data: least privilege, a linter's opinion, plans, and exports that the tools accept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import boto3
import hcl2
import pytest
from botocore.stub import Stubber

from smartcity.errors import ServiceError
from smartcity.pipeline import access

SCOPE = access.Scope(
    "smartcity",
    "111122223333",
    "eu-west-2",
    "smartcity-lake",
    "smartcity",
    "smartcity",
    "arn:aws:redshift-serverless:eu-west-2:111122223333:workgroup/3c3bd7b7-5a3c-4f4e-8a4e-2e1f0a6b5d10",
)
ROLES = access.roles(SCOPE)
#: Actions for which AWS has no resource
WITHOUT_RESOURCE = {
    "redshift-data:DescribeStatement",
    "redshift-data:GetStatementResult",
    "redshift-data:CancelStatement",
}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_wildcard_but_below_what_is_ours(role: access.Role) -> None:
    for statement in role.policy["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        for resource in statement["Resource"]:
            if resource == "*":
                assert set(statement["Action"]) <= WITHOUT_RESOURCE
            else:
                assert resource.count("*") <= 1
                assert "smartcity" in resource or "/aws-glue/" in resource or resource.endswith((":catalog", "5d10"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_says_what_must_be_allowed_and_denied(role: access.Role) -> None:
    assert role.allowed
    assert len(role.denied) >= 5
    assert not {(p.action, p.resource) for p in role.allowed} & {
        (p.action, p.resource) for p in role.denied if not p.context
    }


def test_services_assume_roles_only_for_our_account() -> None:
    for role in ROLES:
        for statement in role.trust["Statement"]:
            if "Service" in statement["Principal"]:
                assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
            else:
                assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_parliament_finds_nothing(role: access.Role) -> None:
    found = _parliament(role.policy)
    findings = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
    assert "Traceback" not in found.stderr
    assert [f for f in findings if f.get("issue") != "UNKNOWN_ACTION"] == []


def test_parliament_would_find_something() -> None:
    statement = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bucket"]}
    assert "RESOURCE_MISMATCH" in _parliament({"Version": "2012-10-17", "Statement": [statement]}).stdout


def _parliament(policy: dict[str, object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "parliament.cli", "--json"],
        input=json.dumps(policy),
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_warehouse_the_loader_may_not_send_sql() -> None:
    scope = access.Scope("smartcity", "111122223333", "eu-west-2", "smartcity-lake", "smartcity")
    actions = {a for s in access.ACTORS["loader"](scope).policy["Statement"] for a in s["Action"]}
    assert not any(action.startswith("redshift") for action in actions)


def test_cfn_lint_accepts_the_template(tmp_path: Path) -> None:
    file = tmp_path / "roles.json"
    file.write_text(access.as_cloudformation(ROLES, "smartcity"))
    found = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), str(file)], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_terraform_says_the_same_as_the_roles() -> None:
    parsed = hcl2.loads(access.as_terraform(ROLES, "smartcity"))
    text = json.dumps(parsed)
    assert text.count("aws_iam_role_policy") == len(ROLES)
    for role in ROLES:
        assert role.name in text


def _iam_with(found: dict[str, object] | None, tags: dict[str, str] | None = None) -> tuple[object, Stubber]:
    iam = boto3.client("iam", region_name="eu-west-2", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(iam)
    role = access.crawler_role(SCOPE)
    if found is None:
        stub.add_client_error("get_role", "NoSuchEntity", expected_params={"RoleName": role.name})
        return iam, stub
    stub.add_response("get_role", {"Role": {**found, "AssumeRolePolicyDocument": json.dumps(role.trust)}})
    stub.add_response("list_role_policies", {"PolicyNames": ["smartcity"]})
    stub.add_response("list_attached_role_policies", {"AttachedPolicies": []})
    policy = json.dumps(role.policy)
    stub.add_response("get_role_policy", {"RoleName": role.name, "PolicyName": "smartcity", "PolicyDocument": policy})
    stub.add_response("list_role_tags", {"Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()]})
    return iam, stub


_FOUND = {
    "Path": "/",
    "RoleName": "smartcity-crawler",
    "RoleId": "AROAEXAMPLEEXAMPLE00",
    "Arn": "arn:aws:iam::111122223333:role/smartcity-crawler",
    "CreateDate": "2026-01-01T00:00:00Z",
}


def test_plan_of_what_is_missing_and_of_what_is_right() -> None:
    role = access.crawler_role(SCOPE)
    iam, stub = _iam_with(None)
    with stub:
        assert [change.what for change in access.plan_roles(iam, [role], "smartcity")] == ["create"]
    iam, stub = _iam_with(_FOUND, {access.TAG_KEY: "smartcity"})
    with stub:
        assert [change.what for change in access.plan_roles(iam, [role], "smartcity")] == ["unchanged"]


def test_a_role_of_somebody_else_is_refused_before_anything_changes() -> None:
    iam, stub = _iam_with(_FOUND, {"owner": "somebody"})
    with stub, pytest.raises(ServiceError, match="not ours"):
        access.apply_roles(iam, [access.crawler_role(SCOPE)], "smartcity")
    stub.assert_no_pending_responses()
