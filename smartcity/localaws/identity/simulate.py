"""SimulatePrincipalPolicy and SimulateCustomPolicy: the evaluation that the gate itself uses, without the call."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.identity import documents
from smartcity.localaws.identity.entities import paginate
from smartcity.localaws.identity.policy import Effect, PolicySet, Question, statements
from smartcity.localaws.identity.principals import policy_set
from smartcity.localaws.identity.store import Entity, IdentityStore


class Simulator:
    """One result per action and resource."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the model."""
        return {"SimulatePrincipalPolicy": self.principal, "SimulateCustomPolicy": self.custom}

    def principal(self, request: Request) -> dict[str, Any]:
        """What a user, group or role may do, with further policies if the caller names some."""
        entity = self._entity(request.params["PolicySourceArn"])
        own = policy_set(self._store, entity)
        added = _identity(request.params.get("PolicyInputList", []))
        boundary = request.params.get("PermissionsBoundaryPolicyInputList")
        policies = PolicySet(own.identity + added, _identity(boundary) if boundary else own.boundary)
        return _results(policies, request.params, _user_context(entity))

    def custom(self, request: Request) -> dict[str, Any]:
        """What the given policies allow."""
        boundary = request.params.get("PermissionsBoundaryPolicyInputList")
        policies = PolicySet(_identity(request.params["PolicyInputList"]), _identity(boundary) if boundary else None)
        return _results(policies, request.params, {})

    def _entity(self, arn: str) -> Entity:
        kind, _, rest = arn.partition(f":{self._store.account_id}:")[2].partition("/")
        name = rest.rpartition("/")[2]
        found = self._store.find(kind, name) if kind in ("user", "group", "role") else None  # type: ignore[arg-type]
        if found is None or found["Arn"] != arn:
            raise AwsError("NoSuchEntity", f"The entity {arn} does not exist.", 404)
        return found


def _identity(texts: list[str]) -> tuple[Any, ...]:
    return tuple(
        s for i, text in enumerate(texts, 1) for s in statements(documents.check(text), f"PolicyInputList.{i}")
    )


def _user_context(entity: Entity) -> dict[str, tuple[str, ...]]:
    context: dict[str, tuple[str, ...]] = {"aws:principalarn": (entity["Arn"],)}
    if "UserName" in entity:
        context |= {"aws:username": (entity["UserName"],), "aws:userid": (entity["UserId"],)}
    return context


def _results(policies: PolicySet, params: dict[str, Any], known: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    context = known | {
        entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", []))
        for entry in params.get("ContextEntries", [])
        if "ContextKeyName" in entry
    }
    by_resource: tuple[Any, ...] = ()
    if "ResourcePolicy" in params:
        by_resource = statements(documents.check(params["ResourcePolicy"], "resource"), "ResourcePolicy")
    questions = product(params["ActionNames"], params.get("ResourceArns") or ["*"])
    results = [_result(policies, Question(action, arn, context), by_resource) for action, arn in questions]
    return paginate(results, params, "EvaluationResults", limit=1000)


def _result(policies: PolicySet, question: Question, by_resource: tuple[Any, ...]) -> dict[str, Any]:
    verdict = policies.decide(question, by_resource)
    matched = [{"SourcePolicyId": s.source, "SourcePolicyType": _source_type(s.source)} for s in verdict.matched]
    keys = {key for s in policies.identity for _, key, _ in s.restrictions if s.applies_but_for_conditions(question)}
    missing = sorted(key for key in keys if key.lower() not in question.context)
    result: dict[str, Any] = {
        "EvalActionName": question.action,
        "EvalResourceName": question.resource,
        "EvalDecision": verdict.effect.value,
        "MatchedStatements": matched,
        "MissingContextValues": missing,
    }
    if policies.boundary is not None:
        allowed = verdict.allowed or verdict.layer != "permissions boundary"
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    if verdict.effect is Effect.IMPLICIT_DENY:
        result["MatchedStatements"] = []
    return result


def _source_type(source: str) -> str:
    if source.startswith("arn:aws:iam::aws:"):
        return "IAM Policy"
    return "resource" if source == "ResourcePolicy" else "IAM Policy"
