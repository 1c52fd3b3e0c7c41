"""IAM's calls about managed policies and their versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import documents, entities
from smartcity.localaws.identity.grants import require_policy
from smartcity.localaws.identity.managed import MANAGED
from smartcity.localaws.identity.minting import unique_id
from smartcity.localaws.identity.store import Entity, IdentityStore

_VERSIONS = 5  # IAM quota: versions per managed policy
_HOLDERS = ("user", "group", "role")


class Policies:
    """CreatePolicy … ListEntitiesForPolicy."""

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "CreatePolicy": self.create,
            "GetPolicy": self.describe,
            "ListPolicies": self.list_all,
            "DeletePolicy": self.delete,
            "CreatePolicyVersion": self.create_version,
            "GetPolicyVersion": self.get_version,
            "ListPolicyVersions": self.list_versions,
            "SetDefaultPolicyVersion": self.set_default,
            "DeletePolicyVersion": self.delete_version,
            "ListEntitiesForPolicy": self.list_entities,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """CreatePolicy."""
        params, now = request.params, self._clock()
        documents.check(params["PolicyDocument"])
        name, path = params["PolicyName"], params.get("Path", "/")
        arn = f"arn:aws:iam::{self._store.account_id}:policy{path}{name}"
        policy: Entity = {
            "PolicyName": name,
            "PolicyId": unique_id("ANPA"),
            "Arn": arn,
            "Path": path,
            "Description": params.get("Description"),
            "CreateDate": now,
            "UpdateDate": now,
            "Default": "v1",
            "NextVersion": 2,
            "Versions": {"v1": {"Document": params["PolicyDocument"], "CreateDate": now}},
            "Tags": entities.merged_tags([], params.get("Tags", [])),
        }
        with self._store.change():
            self._store.create("policy", arn, policy)
        return {"Policy": self._shown(policy)}

    def describe(self, request: Request) -> dict[str, Any]:
        """GetPolicy."""
        return {"Policy": self._shown(self._policy(request))}

    def list_all(self, request: Request) -> dict[str, Any]:
        """ListPolicies."""
        scope = request.params.get("Scope", "All")
        found = [] if scope == "AWS" else self._store.all("policy")
        if scope != "Local":
            found = found + [_managed(arn) for arn in sorted(MANAGED)]
        shown = [{**self._shown(policy), "Tags": None, "Description": None} for policy in found]
        if request.params.get("OnlyAttached"):
            shown = [policy for policy in shown if policy["AttachmentCount"]]
        return entities.paginate(shown, request.params, "Policies")

    def delete(self, request: Request) -> dict[str, Any]:
        """DeletePolicy: only when nobody holds it and one version is left."""
        with self._store.change():
            policy = self._own(request)
            if self._holders(policy["Arn"]) or self._bounded(policy["Arn"]):
                raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
            if len(policy["Versions"]) > 1:
                raise AwsError("DeleteConflict", "This policy has more than one version. Delete the others first.", 409)
            self._store.delete("policy", policy["Arn"])
        return {}

    def create_version(self, request: Request) -> dict[str, Any]:
        """CreatePolicyVersion."""
        documents.check(request.params["PolicyDocument"])
        with self._store.change():
            policy = self._own(request)
            if len(policy["Versions"]) >= _VERSIONS:
                message = f"A managed policy can have up to {_VERSIONS} versions. Delete one first."
                raise AwsError("LimitExceeded", message, 409)
            version = f"v{policy['NextVersion']}"
            policy["NextVersion"] += 1
            policy["Versions"][version] = {"Document": request.params["PolicyDocument"], "CreateDate": self._clock()}
            if request.params.get("SetAsDefault"):
                policy.update(Default=version, UpdateDate=self._clock())
            self._store.put("policy", policy["Arn"], policy)
        return {"PolicyVersion": _shown_version(policy, version, document=False)}

    def get_version(self, request: Request) -> dict[str, Any]:
        """GetPolicyVersion: the document percent-encoded."""
        policy = self._policy(request)
        return {"PolicyVersion": _shown_version(policy, _version(policy, request), document=True)}

    def list_versions(self, request: Request) -> dict[str, Any]:
        """ListPolicyVersions."""
        policy = self._policy(request)
        shown = [_shown_version(policy, version, document=False) for version in reversed(policy["Versions"])]
        return entities.paginate(shown, request.params, "Versions")

    def set_default(self, request: Request) -> dict[str, Any]:
        """SetDefaultPolicyVersion."""
        with self._store.change():
            policy = self._own(request)
            policy.update(Default=_version(policy, request), UpdateDate=self._clock())
            self._store.put("policy", policy["Arn"], policy)
        return {}

    def delete_version(self, request: Request) -> dict[str, Any]:
        """DeletePolicyVersion: any but the default."""
        with self._store.change():
            policy = self._own(request)
            version = _version(policy, request)
            if version == policy["Default"]:
                raise AwsError("DeleteConflict", "Cannot delete the default version of a policy.", 409)
            del policy["Versions"][version]
            self._store.put("policy", policy["Arn"], policy)
        return {}

    def list_entities(self, request: Request) -> dict[str, Any]:
        """ListEntitiesForPolicy."""
        arn = request.params["PolicyArn"]
        require_policy(self._store, arn)
        only = request.params.get("EntityFilter", "").lower()
        answer: dict[str, Any] = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": [], "IsTruncated": False}
        for kind, entity in self._holders(arn):
            if not only or only == kind:
                name = kind.capitalize()
                answer[f"Policy{name}s"].append(
                    {f"{name}Name": entity[f"{name}Name"], f"{name}Id": entity[f"{name}Id"]}
                )
        return answer

    def _policy(self, request: Request) -> Entity:
        arn = request.params["PolicyArn"]
        return _managed(arn) if arn in MANAGED else self._own(request)

    def _own(self, request: Request) -> Entity:
        arn = request.params["PolicyArn"]
        if arn in MANAGED:
            raise AwsError("AccessDenied", f"Policy {arn} is managed by AWS and cannot be changed.", 403)
        if self._store.find("policy", arn) is None:
            raise AwsError("NoSuchEntity", f"Policy {arn} was not found.", 404)
        return self._store.get("policy", arn)

    def _holders(self, arn: str) -> list[tuple[str, Entity]]:
        return [(kind, entity) for kind in _HOLDERS for entity in self._store.all(kind) if arn in entity["Attached"]]  # type: ignore[arg-type]

    def _bounded(self, arn: str) -> list[Entity]:
        return [entity for kind in ("user", "role") for entity in self._store.all(kind) if entity["Boundary"] == arn]

    def _shown(self, policy: Entity) -> dict[str, Any]:
        return {
            **{name: policy[name] for name in ("PolicyName", "PolicyId", "Arn", "Path", "Description")},
            "DefaultVersionId": policy["Default"],
            "AttachmentCount": len(self._holders(policy["Arn"])),
            "PermissionsBoundaryUsageCount": len(self._bounded(policy["Arn"])),
            "IsAttachable": True,
            "CreateDate": entities.moment(policy["CreateDate"]),
            "UpdateDate": entities.moment(policy["UpdateDate"]),
            "Tags": policy["Tags"] or None,
        }


def _managed(arn: str) -> Entity:
    path, _, name = arn.partition(":policy")[2].rpartition("/")
    return {
        "PolicyName": name,
        "PolicyId": "ANPA" + hashlib.sha256(name.encode()).hexdigest()[:16].upper(),
        "Arn": arn,
        "Path": path + "/",
        "Description": None,
        "CreateDate": 1_423_180_819,  # 2015-02-06, when AWS published the oldest of them
        "UpdateDate": 1_423_180_819,
        "Default": "v1",
        "Versions": {"v1": {"Document": json.dumps(MANAGED[arn]), "CreateDate": 1_423_180_819}},
        "Tags": [],
    }


def _version(policy: Entity, request: Request) -> str:
    version = str(request.params["VersionId"])
    if version not in policy["Versions"]:
        raise AwsError("NoSuchEntity", f"Policy {policy['Arn']} version {version} does not exist.", 404)
    return version


def _shown_version(policy: Entity, version: str, document: bool) -> dict[str, Any]:
    stored = policy["Versions"][version]
    return {
        "Document": quote(stored["Document"], safe="") if document else None,
        "VersionId": version,
        "IsDefaultVersion": version == policy["Default"],
        "CreateDate": entities.moment(stored["CreateDate"]),
    }
