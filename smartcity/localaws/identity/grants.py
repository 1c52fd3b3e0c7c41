"""Inline policies, attachments and boundaries: the same eight calls for users, groups and roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import documents, entities
from smartcity.localaws.identity.managed import MANAGED
from smartcity.localaws.identity.store import Entity, IdentityStore

Holder = Literal["user", "group", "role"]
_ATTACHMENTS = 10  # IAM quota: managed policies per user, group or role


class Grants:
    """PutRolePolicy … DeleteUserPermissionsBoundary."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model, for each kind of holder."""
        found: dict[str, Operation] = {}
        holders: tuple[Holder, ...] = ("user", "group", "role")
        for kind in holders:
            name = kind.capitalize()
            calls: dict[str, Callable[[Holder, Request], dict[str, Any]]] = {
                f"Put{name}Policy": self.put_inline,
                f"Get{name}Policy": self.get_inline,
                f"Delete{name}Policy": self.delete_inline,
                f"List{name}Policies": self.list_inline,
                f"Attach{name}Policy": self.attach,
                f"Detach{name}Policy": self.detach,
                f"ListAttached{name}Policies": self.list_attached,
            }
            if kind != "group":
                calls[f"Put{name}PermissionsBoundary"] = self.put_boundary
                calls[f"Delete{name}PermissionsBoundary"] = self.delete_boundary
            found.update({operation: partial(call, kind) for operation, call in calls.items()})
        return found

    def put_inline(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Put…Policy."""
        name, text = request.params["PolicyName"], request.params["PolicyDocument"]
        documents.check(text)
        self._update(kind, request, lambda holder: holder["Inline"].update({name: text}))
        return {}

    def get_inline(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Get…Policy: the document percent-encoded."""
        holder = self._holder(kind, request)
        name = request.params["PolicyName"]
        if name not in holder["Inline"]:
            raise _no_policy(kind, name)
        owner = _owner(kind)
        return {owner: holder[owner], "PolicyName": name, "PolicyDocument": quote(holder["Inline"][name], safe="")}

    def delete_inline(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Delete…Policy."""
        name = request.params["PolicyName"]

        def delete(holder: Entity) -> None:
            if holder["Inline"].pop(name, None) is None:
                raise _no_policy(kind, name)

        self._update(kind, request, delete)
        return {}

    def list_inline(self, kind: Holder, request: Request) -> dict[str, Any]:
        """List…Policies: names."""
        return entities.paginate(sorted(self._holder(kind, request)["Inline"]), request.params, "PolicyNames")

    def attach(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Attach…Policy; attaching twice is no error."""
        arn = request.params["PolicyArn"]
        require_policy(self._store, arn)

        def attach(holder: Entity) -> None:
            if arn in holder["Attached"]:
                return
            if len(holder["Attached"]) >= _ATTACHMENTS:
                raise AwsError(
                    "LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {_ATTACHMENTS}", 409
                )
            holder["Attached"].append(arn)

        self._update(kind, request, attach)
        return {}

    def detach(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Detach…Policy."""
        arn = request.params["PolicyArn"]

        def detach(holder: Entity) -> None:
            if arn not in holder["Attached"]:
                raise AwsError("NoSuchEntity", f"Policy {arn} was not found.", 404)
            holder["Attached"].remove(arn)

        self._update(kind, request, detach)
        return {}

    def list_attached(self, kind: Holder, request: Request) -> dict[str, Any]:
        """ListAttached…Policies."""
        attached = self._holder(kind, request)["Attached"]
        shown = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached]
        return entities.paginate(shown, request.params, "AttachedPolicies")

    def put_boundary(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Put…PermissionsBoundary."""
        arn = request.params["PermissionsBoundary"]
        require_policy(self._store, arn)
        self._update(kind, request, lambda holder: holder.update(Boundary=arn))
        return {}

    def delete_boundary(self, kind: Holder, request: Request) -> dict[str, Any]:
        """Delete…PermissionsBoundary."""
        self._update(kind, request, lambda holder: holder.update(Boundary=None))
        return {}

    def _holder(self, kind: Holder, request: Request) -> Entity:
        return self._store.get(kind, request.params[_owner(kind)])

    def _update(self, kind: Holder, request: Request, alter: Callable[[Entity], None]) -> None:
        entities.update(self._store, kind, request.params[_owner(kind)], alter)


def require_policy(store: IdentityStore, arn: str) -> None:
    """Raise `NoSuchEntity` unless there is a managed policy of that ARN."""
    if arn not in MANAGED and store.find("policy", arn) is None:
        raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)


def require_boundary(store: IdentityStore, params: dict[str, Any]) -> None:
    """Raise `NoSuchEntity` when the request names a permissions boundary that does not exist."""
    if "PermissionsBoundary" in params:
        require_policy(store, params["PermissionsBoundary"])


def _owner(kind: Holder) -> str:
    return f"{kind.capitalize()}Name"


def _no_policy(kind: Holder, name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"The {kind} policy with name {name} cannot be found.", 404)
