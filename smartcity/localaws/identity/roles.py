"""IAM's calls about roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from smartcity.localaws.api import Operation, Request
from smartcity.localaws.identity import documents, entities
from smartcity.localaws.identity.grants import require_boundary
from smartcity.localaws.identity.minting import unique_id
from smartcity.localaws.identity.store import Entity, IdentityStore

_DEFAULT_SESSION_S = 3600


class Roles:
    """CreateRole … UntagRole."""

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "CreateRole": self.create,
            "GetRole": self.describe,
            "ListRoles": self.list_all,
            "UpdateRole": self.update,
            "UpdateAssumeRolePolicy": self.update_trust,
            "DeleteRole": self.delete,
            "TagRole": self.tag,
            "UntagRole": self.untag,
            "ListRoleTags": self.list_tags,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """CreateRole."""
        params = request.params
        documents.check(params["AssumeRolePolicyDocument"], "trust")
        require_boundary(self._store, params)
        name, path = params["RoleName"], params.get("Path", "/")
        role: Entity = {
            "RoleName": name,
            "Path": path,
            "RoleId": unique_id("AROA"),
            "Arn": f"arn:aws:iam::{self._store.account_id}:role{path}{name}",
            "CreateDate": self._clock(),
            "Trust": params["AssumeRolePolicyDocument"],
            "Description": params.get("Description"),
            "MaxSessionDuration": params.get("MaxSessionDuration", _DEFAULT_SESSION_S),
            "Tags": entities.merged_tags([], params.get("Tags", [])),
            "Inline": {},
            "Attached": [],
            "Boundary": params.get("PermissionsBoundary"),
        }
        with self._store.change():
            self._store.create("role", name, role)
        return {"Role": shown_role(role)}

    def describe(self, request: Request) -> dict[str, Any]:
        """GetRole."""
        return {"Role": shown_role(self._store.get("role", request.params["RoleName"]))}

    def list_all(self, request: Request) -> dict[str, Any]:
        """ListRoles."""
        roles = entities.under_path(self._store.all("role"), request.params)
        shown = [{**shown_role(role), "Tags": None, "PermissionsBoundary": None} for role in roles]
        return entities.paginate(shown, request.params, "Roles")

    def update(self, request: Request) -> dict[str, Any]:
        """UpdateRole: description and longest session."""
        new: dict[str, Any] = {
            key: request.params[key] for key in ("Description", "MaxSessionDuration") if key in request.params
        }
        entities.update(self._store, "role", request.params["RoleName"], lambda role: role.update(new))
        return {}

    def update_trust(self, request: Request) -> dict[str, Any]:
        """UpdateAssumeRolePolicy."""
        text = request.params["PolicyDocument"]
        documents.check(text, "trust")
        entities.update(self._store, "role", request.params["RoleName"], lambda role: role.update(Trust=text))
        return {}

    def delete(self, request: Request) -> dict[str, Any]:
        """DeleteRole: only without policies."""
        name = request.params["RoleName"]
        with self._store.change():
            entities.must_be_bare(self._store.get("role", name))
            self._store.delete("role", name)
        return {}

    def tag(self, request: Request) -> dict[str, Any]:
        """TagRole."""
        tags = request.params["Tags"]
        entities.update(
            self._store,
            "role",
            request.params["RoleName"],
            lambda r: r.update(Tags=entities.merged_tags(r["Tags"], tags)),
        )
        return {}

    def untag(self, request: Request) -> dict[str, Any]:
        """UntagRole."""
        keys = request.params["TagKeys"]
        entities.update(
            self._store,
            "role",
            request.params["RoleName"],
            lambda r: r.update(Tags=entities.without_tags(r["Tags"], keys)),
        )
        return {}

    def list_tags(self, request: Request) -> dict[str, Any]:
        """ListRoleTags."""
        role = self._store.get("role", request.params["RoleName"])
        return entities.paginate(role["Tags"], request.params, "Tags")


def shown_role(role: Entity) -> dict[str, Any]:
    """A role as the API shows it: its trust policy percent-encoded."""
    return {
        **{name: role[name] for name in ("Path", "RoleName", "RoleId", "Arn", "Description", "MaxSessionDuration")},
        "CreateDate": entities.moment(role["CreateDate"]),
        "AssumeRolePolicyDocument": quote(role["Trust"], safe=""),
        "PermissionsBoundary": entities.boundary_of(role),
        "Tags": role["Tags"] or None,
        "RoleLastUsed": {},
    }
