"""IAM's calls about groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import entities
from smartcity.localaws.identity.minting import unique_id
from smartcity.localaws.identity.store import Entity, IdentityStore
from smartcity.localaws.identity.users import shown_group


class Groups:
    """CreateGroup … RemoveUserFromGroup."""

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {
            "CreateGroup": self.create,
            "GetGroup": self.describe,
            "ListGroups": self.list_all,
            "DeleteGroup": self.delete,
            "AddUserToGroup": self.add_user,
            "RemoveUserFromGroup": self.remove_user,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """CreateGroup."""
        name, path = request.params["GroupName"], request.params.get("Path", "/")
        group: Entity = {
            "GroupName": name,
            "Path": path,
            "GroupId": unique_id("AGPA"),
            "Arn": f"arn:aws:iam::{self._store.account_id}:group{path}{name}",
            "CreateDate": self._clock(),
            "Inline": {},
            "Attached": [],
        }
        with self._store.change():
            self._store.create("group", name, group)
        return {"Group": shown_group(group)}

    def describe(self, request: Request) -> dict[str, Any]:
        """GetGroup: the group and its users."""
        group = self._store.get("group", request.params["GroupName"])
        users = [
            {**{k: u[k] for k in ("Path", "UserName", "UserId", "Arn")}, "CreateDate": entities.moment(u["CreateDate"])}
            for u in self._members(group["GroupName"])
        ]
        return {"Group": shown_group(group), **entities.paginate(users, request.params, "Users")}

    def list_all(self, request: Request) -> dict[str, Any]:
        """ListGroups."""
        groups = entities.under_path(self._store.all("group"), request.params)
        return entities.paginate([shown_group(group) for group in groups], request.params, "Groups")

    def delete(self, request: Request) -> dict[str, Any]:
        """DeleteGroup: only without users and policies."""
        name = request.params["GroupName"]
        with self._store.change():
            entities.must_be_bare(self._store.get("group", name))
            if self._members(name):
                raise AwsError("DeleteConflict", "Cannot delete entity, must remove users from group first.", 409)
            self._store.delete("group", name)
        return {}

    def add_user(self, request: Request) -> dict[str, Any]:
        """AddUserToGroup."""
        name = request.params["GroupName"]
        self._store.get("group", name)

        def add(user: Entity) -> None:
            user["Groups"] = sorted({*user["Groups"], name})

        entities.update(self._store, "user", request.params["UserName"], add)
        return {}

    def remove_user(self, request: Request) -> dict[str, Any]:
        """RemoveUserFromGroup."""
        name = request.params["GroupName"]
        self._store.get("group", name)

        def remove(user: Entity) -> None:
            user["Groups"] = [group for group in user["Groups"] if group != name]

        entities.update(self._store, "user", request.params["UserName"], remove)
        return {}

    def _members(self, name: str) -> list[Entity]:
        return [user for user in self._store.all("user") if name in user["Groups"]]
