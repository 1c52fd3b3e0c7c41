"""IAM's calls about users and their access keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import entities
from smartcity.localaws.identity.grants import require_boundary
from smartcity.localaws.identity.minting import secret_key, unique_id
from smartcity.localaws.identity.store import Entity, IdentityStore

_KEYS_PER_USER = 2  # IAM quota


class Users:
    """CreateUser … DeleteAccessKey."""

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "CreateUser": self.create,
            "GetUser": self.describe,
            "ListUsers": self.list_all,
            "DeleteUser": self.delete,
            "TagUser": self.tag,
            "UntagUser": self.untag,
            "ListUserTags": self.list_tags,
            "ListGroupsForUser": self.list_groups,
            "CreateAccessKey": self.create_key,
            "ListAccessKeys": self.list_keys,
            "UpdateAccessKey": self.update_key,
            "DeleteAccessKey": self.delete_key,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """CreateUser."""
        params = request.params
        name, path = params["UserName"], params.get("Path", "/")
        require_boundary(self._store, params)
        user: Entity = {
            "UserName": name,
            "Path": path,
            "UserId": unique_id("AIDA"),
            "Arn": f"arn:aws:iam::{self._store.account_id}:user{path}{name}",
            "CreateDate": self._clock(),
            "Tags": entities.merged_tags([], params.get("Tags", [])),
            "Inline": {},
            "Attached": [],
            "Groups": [],
            "Boundary": params.get("PermissionsBoundary"),
        }
        with self._store.change():
            self._store.create("user", name, user)
        return {"User": self._shown(user)}

    def describe(self, request: Request) -> dict[str, Any]:
        """GetUser; without a name, the caller."""
        return {"User": self._shown(self._store.get("user", self._name(request)))}

    def list_all(self, request: Request) -> dict[str, Any]:
        """ListUsers."""
        users = entities.under_path(self._store.all("user"), request.params)
        return entities.paginate([self._shown(user, tags=False) for user in users], request.params, "Users")

    def delete(self, request: Request) -> dict[str, Any]:
        """DeleteUser: only without keys, policies and groups."""
        name = request.params["UserName"]
        with self._store.change():
            user = self._store.get("user", name)
            entities.must_be_bare(user)
            if user["Groups"]:
                raise AwsError("DeleteConflict", "Cannot delete entity, must remove users from group first.", 409)
            if self._keys(name):
                raise AwsError("DeleteConflict", "Cannot delete entity, must delete access keys first.", 409)
            self._store.delete("user", name)
        return {}

    def tag(self, request: Request) -> dict[str, Any]:
        """TagUser."""
        tags = request.params["Tags"]
        entities.update(
            self._store,
            "user",
            request.params["UserName"],
            lambda u: u.update(Tags=entities.merged_tags(u["Tags"], tags)),
        )
        return {}

    def untag(self, request: Request) -> dict[str, Any]:
        """UntagUser."""
        keys = request.params["TagKeys"]
        entities.update(
            self._store,
            "user",
            request.params["UserName"],
            lambda u: u.update(Tags=entities.without_tags(u["Tags"], keys)),
        )
        return {}

    def list_tags(self, request: Request) -> dict[str, Any]:
        """ListUserTags."""
        user = self._store.get("user", request.params["UserName"])
        return entities.paginate(user["Tags"], request.params, "Tags")

    def list_groups(self, request: Request) -> dict[str, Any]:
        """ListGroupsForUser."""
        user = self._store.get("user", request.params["UserName"])
        groups = [shown_group(self._store.get("group", name)) for name in user["Groups"]]
        return entities.paginate(groups, request.params, "Groups")

    def create_key(self, request: Request) -> dict[str, Any]:
        """CreateAccessKey; the secret is shown here and never again."""
        name = self._name(request)
        with self._store.change():
            self._store.get("user", name)
            if len(self._keys(name)) >= _KEYS_PER_USER:
                message = f"Cannot exceed quota for AccessKeysPerUser: {_KEYS_PER_USER}"
                raise AwsError("LimitExceeded", message, 409)
            key: Entity = {
                "AccessKeyId": unique_id("AKIA"),
                "Secret": secret_key(),
                "UserName": name,
                "Status": "Active",
                "CreateDate": self._clock(),
            }
            self._store.put("key", key["AccessKeyId"], key)
        return {"AccessKey": {**_shown_key(key), "SecretAccessKey": key["Secret"]}}

    def list_keys(self, request: Request) -> dict[str, Any]:
        """ListAccessKeys."""
        name = self._name(request)
        self._store.get("user", name)
        return entities.paginate([_shown_key(key) for key in self._keys(name)], request.params, "AccessKeyMetadata")

    def update_key(self, request: Request) -> dict[str, Any]:
        """UpdateAccessKey: switch it on or off."""
        status = request.params["Status"]
        with self._store.change():
            key = {**self._own_key(request), "Status": status}
            self._store.put("key", key["AccessKeyId"], key)
        return {}

    def delete_key(self, request: Request) -> dict[str, Any]:
        """DeleteAccessKey."""
        with self._store.change():
            self._store.delete("key", self._own_key(request)["AccessKeyId"])
        return {}

    def _own_key(self, request: Request) -> Entity:
        key_id = request.params["AccessKeyId"]
        key = self._store.find("key", key_id)
        if key is None or key["UserName"] != self._name(request):
            raise AwsError("NoSuchEntity", f"The Access Key with id {key_id} cannot be found.", 404)
        return key

    def _keys(self, name: str) -> list[Entity]:
        return [key for key in self._store.all("key") if key["UserName"] == name]

    @staticmethod
    def _name(request: Request) -> str:
        return str(request.params.get("UserName") or request.caller.arn.rpartition("/")[2])

    def _shown(self, user: Entity, tags: bool = True) -> dict[str, Any]:
        return {
            **{name: user[name] for name in ("Path", "UserName", "UserId", "Arn")},
            "CreateDate": entities.moment(user["CreateDate"]),
            "PermissionsBoundary": entities.boundary_of(user),
            "Tags": (user["Tags"] or None) if tags else None,
        }


def _shown_key(key: Entity) -> dict[str, Any]:
    return {
        "UserName": key["UserName"],
        "AccessKeyId": key["AccessKeyId"],
        "Status": key["Status"],
        "CreateDate": entities.moment(key["CreateDate"]),
    }


def shown_group(group: Entity) -> dict[str, Any]:
    """A group as the API shows it."""
    shown = {name: group[name] for name in ("Path", "GroupName", "GroupId", "Arn")}
    return {**shown, "CreateDate": entities.moment(group["CreateDate"])}
