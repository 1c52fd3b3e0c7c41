"""Who may do what: one role per actor with the least it needs, as data, and the calls that make them exist.

A role's name is `<project>-<actor>`; every role carries our tag, so that nobody else's is ever changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from smartcity.errors import ServiceError

TAG_KEY = "smartcity:project"
POLICY_NAME = "smartcity"


@dataclass(frozen=True)
class Scope:
    """The resources that the policies are narrowed to."""

    project: str
    account_id: str
    region: str
    bucket: str
    database: str


@dataclass(frozen=True)
class Role:
    """One actor: `trust` is its AssumeRolePolicyDocument, `policy` what it may do (both as dictionaries)."""

    name: str
    description: str
    trust: dict[str, Any]
    policy: dict[str, Any]


def crawler_role(scope: Scope) -> Role:
    """The Glue crawler: lists and reads the lake, writes our database's tables and its own log.

    Trust is bound to our account, as AWS asks against the confused deputy
    (https://docs.aws.amazon.com/glue/latest/dg/cross-service-confused-deputy-prevention.html).
    """
    bucket = f"arn:aws:s3:::{scope.bucket}"
    glue = f"arn:aws:glue:{scope.region}:{scope.account_id}"
    statements = [
        _allow("ListLake", ["s3:ListBucket"], [bucket], {"StringLike": {"s3:prefix": ["lake/*", "lake"]}}),
        _allow("FindBucket", ["s3:GetBucketLocation"], [bucket]),
        _allow("ReadLake", ["s3:GetObject"], [f"{bucket}/lake/*"]),
        _allow("WriteCatalog", _CATALOG_WRITES, _catalog_arns(glue, scope.database)),
        _allow(
            "WriteLog",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            [f"arn:aws:logs:{scope.region}:{scope.account_id}:log-group:/aws-glue/crawlers*"],
        ),
    ]
    return Role(
        name=f"{scope.project}-crawler",
        description="Glue crawler of the lake",
        trust=_trusted_service("glue.amazonaws.com", scope.account_id),
        policy={"Version": "2012-10-17", "Statement": statements},
    )


def ensure_role(iam: Any, role: Role, project: str) -> str:
    """Create the role or bring its policies up to date; returns its ARN. `iam` is a boto3 client.

    Raises `ServiceError` when a role of that name exists that does not carry our tag.
    """
    try:
        arn: str = iam.create_role(
            RoleName=role.name,
            AssumeRolePolicyDocument=json.dumps(role.trust),
            Description=role.description,
            Tags=[{"Key": TAG_KEY, "Value": project}],
        )["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = _adopt(iam, role, project)
    iam.put_role_policy(RoleName=role.name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(role.policy))
    return arn


def _adopt(iam: Any, role: Role, project: str) -> str:
    found = iam.get_role(RoleName=role.name)["Role"]
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=role.name)["Tags"]}
    if tags.get(TAG_KEY) != project:
        raise ServiceError(
            f"A role {role.name} exists that is not ours.", "Choose another project name: --set project=NAME"
        )
    iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=json.dumps(role.trust))
    arn: str = found["Arn"]
    return arn


_CATALOG_WRITES = [
    "glue:GetDatabase",
    "glue:GetTable",
    "glue:GetTables",
    "glue:CreateTable",
    "glue:UpdateTable",
    "glue:DeleteTable",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:BatchGetPartition",
    "glue:BatchCreatePartition",
    "glue:CreatePartition",
    "glue:UpdatePartition",
    "glue:BatchDeletePartition",
    "glue:DeletePartition",
]


def _catalog_arns(glue: str, database: str) -> list[str]:
    return [f"{glue}:catalog", f"{glue}:database/{database}", f"{glue}:table/{database}/*"]


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def _trusted_service(principal: str, account_id: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": principal},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            }
        ],
    }
