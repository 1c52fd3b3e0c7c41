"""IAM as a service of local AWS: its calls, gathered, and the ARNs that a policy must allow for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from smartcity.localaws.api import Operation
from smartcity.localaws.identity.grants import Grants
from smartcity.localaws.identity.groups import Groups
from smartcity.localaws.identity.policies import Policies
from smartcity.localaws.identity.roles import Roles
from smartcity.localaws.identity.simulate import Simulator
from smartcity.localaws.identity.store import IdentityStore
from smartcity.localaws.identity.users import Users

#: Parameter → kind of the ARN that it names. The first that is present counts: AddUserToGroup is about the group.
_NAMED = (("GroupName", "group"), ("RoleName", "role"), ("UserName", "user"))


class IamService:
    """Users, groups, roles, policies and simulation."""

    name = "iam"

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._operations: dict[str, Operation] = {
            **Users(store, clock).operations(),
            **Groups(store, clock).operations(),
            **Roles(store, clock).operations(),
            **Grants(store).operations(),
            **Policies(store, clock).operations(),
            **Simulator(store).operations(),
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every implemented call."""
        return self._operations

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The user, group, role or policy that the call is about."""
        for parameter, kind in _NAMED:
            if parameter in params:
                return [self._arn(kind, params[parameter], params.get("Path", "/"))]
        if operation in ("GetPolicy", "DeletePolicy", "SetDefaultPolicyVersion") or "PolicyVersion" in operation:
            return [params["PolicyArn"]] if "PolicyArn" in params else []
        if operation == "CreatePolicy" and "PolicyName" in params:
            return [self._arn("policy", params["PolicyName"], params.get("Path", "/"))]
        return [params["PolicySourceArn"]] if "PolicySourceArn" in params else []

    def _arn(self, kind: str, name: str, path: str) -> str:
        existing = self._store.find(kind, name) if kind != "policy" else None  # type: ignore[arg-type]
        return existing["Arn"] if existing else f"arn:aws:iam::{self._store.account_id}:{kind}{path}{name}"

    def start(self) -> None:
        """Nothing runs in the background."""

    def stop(self) -> None:
        """Nothing runs in the background."""
