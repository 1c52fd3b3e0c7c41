"""The same roles as Terraform or CloudFormation, for those who keep their infrastructure there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from smartcity.pipeline.access.changes import POLICY_NAME, TAG_KEY
from smartcity.pipeline.access.roles import Role


def as_cloudformation(roles: Sequence[Role], project: str) -> str:
    """A template in JSON."""
    resources = {_logical(role.name): _cfn_role(role, project) for role in roles}
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Roles of {project}, one per actor, with the least each needs",
        "Resources": resources,
        "Outputs": {
            f"{name}Arn": {"Value": {"Fn::GetAtt": [name, "Arn"]}, "Description": resource["Properties"]["Description"]}
            for name, resource in resources.items()
        },
    }
    return json.dumps(template, indent=2)


def _cfn_role(role: Role, project: str) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": role.name,
            "Description": role.description,
            "AssumeRolePolicyDocument": role.trust,
            "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": role.policy}],
            "Tags": [{"Key": TAG_KEY, "Value": project}],
        },
    }


def _logical(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-")) + "Role"


def as_terraform(roles: Sequence[Role], project: str) -> str:
    """HCL: a role and an inline policy per actor."""
    head = (
        "terraform {\n"
        "  required_providers {\n"
        "    aws = {\n"
        '      source  = "hashicorp/aws"\n'
        '      version = ">= 5.0"\n'
        "    }\n"
        "  }\n"
        "}\n"
    )
    return head + "".join(_tf_role(role, project) for role in roles)


def _tf_role(role: Role, project: str) -> str:
    label = role.name.replace("-", "_")
    return (
        f'\nresource "aws_iam_role" "{label}" {{\n'
        f'  name               = "{role.name}"\n'
        f'  description        = "{role.description}"\n'
        f"  assume_role_policy = jsonencode({_hcl(role.trust, 2)})\n"
        "  tags = {\n"
        f'    "{TAG_KEY}" = "{project}"\n'
        "  }\n"
        "}\n"
        f'\nresource "aws_iam_role_policy" "{label}" {{\n'
        f'  name   = "{POLICY_NAME}"\n'
        f"  role   = aws_iam_role.{label}.id\n"
        f"  policy = jsonencode({_hcl(role.policy, 2)})\n"
        "}\n"
    )


def _hcl(value: Any, indent: int) -> str:
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        items = "".join(f'{pad}"{key}" = {_hcl(item, indent + 2)}\n' for key, item in value.items())
        return "{\n" + items + " " * indent + "}"
    if isinstance(value, list):
        items = "".join(f"{pad}{_hcl(item, indent + 2)},\n" for item in value)
        return "[\n" + items + " " * indent + "]"
    return json.dumps(value).replace("${", "$${")
