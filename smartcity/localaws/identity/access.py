"""IAM as the other services see it: may this principal, and credentials of a role for a service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from smartcity.localaws.api import AwsError
from smartcity.localaws.identity.policy import Effect, Principal, Question, Verdict
from smartcity.localaws.identity.principals import Principals
from smartcity.localaws.identity.requests import refusal
from smartcity.localaws.identity.store import Entity, IdentityStore
from smartcity.localaws.identity.sts import StsService, service_may_assume

_SERVICE_SESSION_S = 3600.0


class IdentityAccess:
    """Implements `localaws.api.Access` on the identity store."""

    def __init__(
        self, store: IdentityStore, principals: Principals, sts: StsService, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._principals = principals
        self._sts = sts
        self._clock = clock
        self._open: dict[tuple[str, str, str], Entity] = {}
        self._lock = threading.Lock()

    def check(
        self, principal_arn: str, action: str, resource_arn: str, context: Mapping[str, str] | None = None
    ) -> None:
        """Raise `AwsError("AccessDeniedException")` unless the principal's policies allow the action."""
        policies = self._principals.policies_of(principal_arn)
        keys = {key.lower(): (value,) for key, value in (context or {}).items()}
        keys["aws:principalarn"] = (principal_arn,)
        question = Question(
            action, resource_arn, keys, Principal(principal_arn, self._store.account_id, (principal_arn,))
        )
        verdict = policies.decide(question) if policies is not None else Verdict(Effect.IMPLICIT_DENY)
        if not verdict.allowed:
            raise refusal("AccessDeniedException", principal_arn, action, resource_arn, verdict, 400)

    def role_credentials(self, role: str, service_principal: str, session_name: str) -> dict[str, str]:
        """A session of `role` (name or ARN) for a service; the same one while it has ten minutes to live."""
        found = self._store.find("role", role.rpartition("/")[2])
        if found is None or (role.startswith("arn:") and found["Arn"] != role):
            raise AwsError("InvalidInputException", f"Role {role} does not exist.")
        if not service_may_assume(found, service_principal, self._store.account_id):
            message = f"Service is unable to assume provided role. Please verify role's TrustPolicy: {found['Arn']}"
            raise AwsError("InvalidInputException", message)
        session = self._session(found, service_principal, session_name)
        return {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["Secret"],
            "aws_session_token": session["Token"],
        }

    def _session(self, role: Entity, service_principal: str, session_name: str) -> Entity:
        key = role["RoleId"], service_principal, session_name
        with self._lock:
            session = self._open.get(key)
            if session is None or session["Expires"] < self._clock() + 600:
                session = self._open[key] = self._sts.open_session(role, session_name, _SERVICE_SESSION_S, [])
        return session
