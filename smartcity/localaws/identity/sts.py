"""STS: who am I, and credentials that expire.

A role may be assumed when its trust policy names the caller directly, or names the caller's account and the caller's
own policies allow `sts:AssumeRole` on it; an explicit Deny on either side wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import documents
from smartcity.localaws.identity.entities import moment
from smartcity.localaws.identity.grants import require_policy
from smartcity.localaws.identity.minting import secret_key, session_token, unique_id
from smartcity.localaws.identity.policy import Effect, Principal, Question, Verdict, evaluate, statements
from smartcity.localaws.identity.principals import session_arn
from smartcity.localaws.identity.requests import SignedRequest, refusal
from smartcity.localaws.identity.store import Entity, IdentityStore

_DEFAULT_S = 3600
_REMEMBERED_S = 86_400
_CHAINED_LIMIT_S = 3600  # a session that assumes a role gets at most one hour (IAM user guide, "Role chaining")
_SESSION_POLICY_LIMIT = 2048
_ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/(?:[\w+=,.@/-]*/)?([\w+=,.@-]+)")


class StsService:
    """GetCallerIdentity, AssumeRole, GetSessionToken, GetAccessKeyInfo."""

    name = "sts"
    #: Calls that no policy need allow, or that decide for themselves.
    unchecked = frozenset({"GetCallerIdentity", "GetSessionToken", "AssumeRole"})

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every implemented call."""
        return {
            "GetCallerIdentity": self.caller_identity,
            "AssumeRole": self.assume_role,
            "GetSessionToken": self.session_token,
            "GetAccessKeyInfo": self.key_info,
        }

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:  # noqa: ARG002  the contract
        """Only AssumeRole has a resource, and it decides for itself."""
        return []

    def start(self) -> None:
        """Nothing runs in the background."""

    def stop(self) -> None:
        """Nothing runs in the background."""

    def caller_identity(self, request: Request) -> dict[str, Any]:
        """GetCallerIdentity."""
        identity = _signed(request).identity
        return {"UserId": identity.user_id, "Account": self._store.account_id, "Arn": request.caller.arn}

    def key_info(self, request: Request) -> dict[str, Any]:
        """GetAccessKeyInfo: the account of a key."""
        key = request.params["AccessKeyId"]
        if self._store.find("key", key) is None and self._store.find("session", key) is None:
            raise AwsError("ValidationError", f"The access key {key} is not known here.", 400)
        return {"Account": self._store.account_id}

    def session_token(self, request: Request) -> dict[str, Any]:
        """GetSessionToken: the user's own rights under a key that expires."""
        identity = _signed(request).identity
        if identity.token:
            raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        user = self._store.get("user", identity.name)
        session = self._new_session(
            user, request.params.get("DurationSeconds", 43_200), user["Arn"], user["UserId"], []
        )
        session["UserName"] = user["UserName"]
        self._save(session)
        return {"Credentials": _credentials(session)}

    def assume_role(self, request: Request) -> dict[str, Any]:
        """AssumeRole."""
        signed, params = _signed(request), request.params
        role = self._trusting_role(signed, params)
        duration = params.get("DurationSeconds", min(_DEFAULT_S, role["MaxSessionDuration"]))
        limit = _CHAINED_LIMIT_S if signed.identity.kind == "session" else role["MaxSessionDuration"]
        if duration > limit:
            reason = "role chaining" if limit < role["MaxSessionDuration"] else "this role"
            message = f"The requested DurationSeconds exceeds the MaxSessionDuration set for {reason}."
            raise AwsError("ValidationError", message)
        session = self.open_session(role, params["RoleSessionName"], duration, self._session_policies(params))
        return {
            "Credentials": _credentials(session),
            "AssumedRoleUser": {"AssumedRoleId": session["UserId"], "Arn": session["Arn"]},
        }

    def open_session(self, role: Entity, name: str, duration_s: float, policies: list[str]) -> Entity:
        """A stored session of a role; whether the caller may is the caller's business."""
        arn = session_arn(self._store.account_id, role["RoleName"], name)
        session = self._new_session(role, duration_s, arn, f"{role['RoleId']}:{name}", policies)
        session["RoleName"] = role["RoleName"]
        self._save(session)
        return session

    def _trusting_role(self, signed: SignedRequest, params: dict[str, Any]) -> Entity:
        arn = params["RoleArn"]
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise AwsError("ValidationError", f"{arn} is invalid")
        role = self._store.find("role", match.group(1))
        extra = {"sts:rolesessionname": (params["RoleSessionName"],)}
        if "ExternalId" in params:
            extra["sts:externalid"] = (params["ExternalId"],)
        signed = _with_context(signed, extra)
        if role is None or role["Arn"] != arn or not self._may_assume(signed, role):
            # As on AWS, a role that does not exist and one that does not trust the caller cannot be told apart.
            message = f"User: {signed.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise AwsError("AccessDenied", message, 403)
        return role

    def _may_assume(self, signed: SignedRequest, role: Entity) -> bool:
        principal = signed.identity.principal
        trust = statements(documents.check(role["Trust"], "trust"))
        question = Question("sts:AssumeRole", role["Arn"], {**signed.context, **signed.identity.context}, principal)
        effect, matched = evaluate(trust, question)
        if effect is not Effect.ALLOW:
            return False
        named = any(statement.names_directly(principal) for statement in matched)
        return signed.decide("sts:AssumeRole", role["Arn"], matched if named else ()).allowed

    def _session_policies(self, params: dict[str, Any]) -> list[str]:
        found: list[str] = []
        if "Policy" in params:
            if len(params["Policy"]) > _SESSION_POLICY_LIMIT:
                raise AwsError("PackedPolicyTooLarge", "Packed size of session policy exceeds the limit.")
            documents.check(params["Policy"])
            found.append(params["Policy"])
        for item in params.get("PolicyArns", []):
            require_policy(self._store, item["arn"])
            found.append(item["arn"])
        return found

    def _new_session(self, owner: Entity, duration_s: float, arn: str, user_id: str, policies: list[str]) -> Entity:
        now = self._clock()
        return {
            "AccessKeyId": unique_id("ASIA"),
            "Secret": secret_key(),
            "Token": session_token(),
            "Arn": arn,
            "OwnerArn": owner["Arn"],
            "UserId": user_id,
            "Policies": policies,
            "Issued": now,
            "Expires": now + duration_s,
        }

    def _save(self, session: Entity) -> None:
        """Store it, and drop those that ended more than a day ago; until then their keys answer `ExpiredToken`."""
        with self._store.change():
            for old in self._store.all("session"):
                if old["Expires"] < self._clock() - _REMEMBERED_S:
                    self._store.delete("session", old["AccessKeyId"])
            self._store.put("session", session["AccessKeyId"], session)


def service_may_assume(role: Entity, service_principal: str, account_id: str) -> bool:
    """Whether a role's trust policy lets an AWS service assume it, for this account."""
    context = {"aws:sourceaccount": (account_id,)}
    principal = Principal("", account_id, (), service_principal)
    question = Question("sts:AssumeRole", role["Arn"], context, principal)
    return evaluate(statements(documents.check(role["Trust"], "trust")), question)[0] is Effect.ALLOW


def _signed(request: Request) -> SignedRequest:
    if not isinstance(request, SignedRequest):
        raise refusal("AccessDenied", request.caller.arn, "sts", "*", Verdict(Effect.IMPLICIT_DENY), 403)
    return request


def _with_context(signed: SignedRequest, extra: Mapping[str, tuple[str, ...]]) -> SignedRequest:
    from dataclasses import replace

    return replace(signed, context={**signed.context, **extra})


def _credentials(session: Entity) -> dict[str, Any]:
    return {
        "AccessKeyId": session["AccessKeyId"],
        "SecretAccessKey": session["Secret"],
        "SessionToken": session["Token"],
        "Expiration": moment(session["Expires"]),
    }
