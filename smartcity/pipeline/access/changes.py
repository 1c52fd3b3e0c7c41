"""The difference between the roles that should be and those that are; applied only after it was shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from smartcity.errors import ServiceError
from smartcity.pipeline.access.roles import Role, Scope, roles

TAG_KEY = "smartcity:project"
POLICY_NAME = "smartcity"
What = Literal["create", "update", "unchanged", "refused", "remove"]


@dataclass(frozen=True)
class Change:
    """What will happen to one role; `details` says which part differs."""

    role: str
    what: What
    details: tuple[str, ...] = ()


def describe_role(iam: Any, name: str) -> dict[str, Any] | None:
    """A role's trust, our inline policy, other policies and tags; None if there is no such role."""
    try:
        found = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    attached = [item["PolicyName"] for item in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
    policy = (
        iam.get_role_policy(RoleName=name, PolicyName=POLICY_NAME)["PolicyDocument"] if POLICY_NAME in inline else None
    )
    return {
        "arn": found["Arn"],
        "trust": _document(found["AssumeRolePolicyDocument"]),
        "policy": _document(policy),
        "others": sorted([*(name for name in inline if name != POLICY_NAME), *attached]),
        "tags": {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=name)["Tags"]},
    }


def _document(value: Any) -> Any:
    return json.loads(unquote(value)) if isinstance(value, str) else value


def plan_roles(iam: Any, wanted: Sequence[Role], project: str) -> list[Change]:
    """Compare; nothing is changed. Order of actions and resources does not count as a difference."""
    return [_compare(role, describe_role(iam, role.name), project) for role in wanted]


def _compare(role: Role, found: dict[str, Any] | None, project: str) -> Change:
    if found is None:
        return Change(role.name, "create", (f"policy with {len(role.policy['Statement'])} statements",))
    if found["tags"].get(TAG_KEY) != project:
        return Change(role.name, "refused", ("a role of this name exists that does not carry our tag",))
    details = []
    if _plain(found["trust"]) != _plain(role.trust):
        details.append("who may assume it")
    details += _statement_changes(found["policy"], role.policy)
    details += [f"policy {name} is not ours" for name in found["others"]]
    return Change(role.name, "update" if details else "unchanged", tuple(details))


def _statement_changes(found: Any, wanted: dict[str, Any]) -> list[str]:
    old = {item.get("Sid", ""): _plain(item) for item in (found or {}).get("Statement", [])}
    new = {item["Sid"]: _plain(item) for item in wanted["Statement"]}
    added = [f"+{sid}" for sid in new if sid not in old]
    gone = [f"-{sid}" for sid in old if sid not in new]
    return added + gone + [f"~{sid}" for sid in new if sid in old and old[sid] != new[sid]]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_plain(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 and isinstance(items[0], str) else items
    return value


def apply_roles(iam: Any, wanted: Sequence[Role], project: str) -> list[Change]:
    """Make it so; returns what was done. Foreign policies on our roles are reported, never touched.

    Raises `ServiceError` before any change when a role of one of the names is not ours.
    """
    plan = plan_roles(iam, wanted, project)
    foreign = [change.role for change in plan if change.what == "refused"]
    if foreign:
        raise _not_ours(", ".join(foreign))
    for role, change in zip(wanted, plan, strict=True):
        if change.what != "unchanged":
            ensure_role(iam, role, project)
    return plan


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
        raise _not_ours(role.name)
    iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=json.dumps(role.trust))
    arn: str = found["Arn"]
    return arn


def _not_ours(names: str) -> ServiceError:
    return ServiceError(f"A role {names} exists that is not ours.", "Choose another project name: --set project=NAME")


def plan_removal(iam: Any, scope: Scope) -> list[Change]:
    """Which roles of ours would go."""
    changes = []
    for role in roles(scope):
        found = describe_role(iam, role.name)
        if found is None:
            continue
        ours = found["tags"].get(TAG_KEY) == scope.project
        changes.append(
            Change(role.name, "remove" if ours else "refused", () if ours else ("it does not carry our tag",))
        )
    return changes


def remove_roles(iam: Any, scope: Scope) -> list[Change]:
    """Delete the roles that carry our tag, and nothing else."""
    done = plan_removal(iam, scope)
    for change in done:
        if change.what == "remove":
            for name in iam.list_role_policies(RoleName=change.role)["PolicyNames"]:
                iam.delete_role_policy(RoleName=change.role, PolicyName=name)
            for item in iam.list_attached_role_policies(RoleName=change.role)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=change.role, PolicyArn=item["PolicyArn"])
            iam.delete_role(RoleName=change.role)
    return done
