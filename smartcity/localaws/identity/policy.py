"""AWS's evaluation of policies, without any state (IAM user guide, "Policy evaluation logic").

Within one account: an explicit Deny anywhere wins; otherwise a request is allowed when an identity-based or a
resource-based policy allows it, and the permissions boundary and every session policy allow it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from smartcity.localaws.identity import conditions
from smartcity.localaws.identity.glob import matches


class Effect(Enum):
    """What one set of policies says; the values are those of SimulatePrincipalPolicy."""

    ALLOW = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True)
class Question:
    """May `principal` do `action` to `resource`? Keys of `context` are in lower case."""

    action: str
    resource: str
    context: conditions.Context = field(default_factory=dict)
    principal: Principal | None = None


@dataclass(frozen=True)
class Principal:
    """Who asks, as resource-based and trust policies name it.

    `names` are the ARNs that match a Principal element: for a session both the session's and the role's.
    """

    arn: str
    account_id: str
    names: tuple[str, ...] = ()
    service: str = ""  #: such as `glue.amazonaws.com`, when an AWS service asks for itself


@dataclass(frozen=True)
class Statement:
    """One statement of a document, its lists normalised."""

    sid: str
    allow: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    restrictions: tuple[tuple[str, str, tuple[str, ...]], ...]  #: (operator, key, values)
    principals: Mapping[str, tuple[str, ...]] | None
    not_principals: bool
    source: str = ""

    def applies(self, question: Question) -> bool:
        """Whether the statement speaks about the question at all."""
        return self.applies_but_for_conditions(question) and self._conditions_hold(question.context)

    def applies_but_for_conditions(self, question: Question) -> bool:
        """Whether action, resource and principal are those of the statement."""
        return (
            self._about_action(question.action)
            and self._about_resource(question)
            and self._about_principal(question.principal)
        )

    def _about_action(self, action: str) -> bool:
        lowered = action.lower()
        return any(matches(pattern, lowered) for pattern in self.actions) != self.not_actions

    def _about_resource(self, question: Question) -> bool:
        if not self.resources:
            return True  # a trust policy: its resource is the role that carries it
        found = any(matches(expand(p, question.context), question.resource) for p in self.resources)
        return found != self.not_resources

    def _about_principal(self, principal: Principal | None) -> bool:
        if self.principals is None:
            return True
        if principal is None:
            return False
        return any(
            self._names(kind, value, principal) for kind, values in self.principals.items() for value in values
        ) != (self.not_principals)

    @staticmethod
    def _names(kind: str, value: str, principal: Principal) -> bool:
        if kind == "Service":
            return bool(principal.service) and value == principal.service
        if kind != "AWS" or principal.service:
            return False
        if value in ("*", principal.account_id, f"arn:aws:iam::{principal.account_id}:root"):
            return True
        return value in principal.names

    def names_directly(self, principal: Principal) -> bool:
        """Whether a principal stands in the policy by its own ARN (not through its account)."""
        listed = (self.principals or {}).get("AWS", ())
        return "*" in listed or any(name in listed for name in principal.names)

    def _conditions_hold(self, context: conditions.Context) -> bool:
        return all(
            conditions.holds(operator, [expand(value, context) for value in wanted], context.get(key.lower()))
            for operator, key, wanted in self.restrictions
        )


_VARIABLE = re.compile(r"\$\{([^},]+?)\s*(?:,\s*'([^']*)')?\}")


def expand(text: str, context: conditions.Context) -> str:
    """Replace policy variables; one that has no value leaves a text which matches nothing.

    `${*}`, `${?}` and `${$}` are AWS's way to write the literal characters; the wildcards among them
    cannot be told from real ones here and are left out of what is supported.
    """
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name == "$":
            return "$"
        found = context.get(name.lower())
        if found and len(found) == 1:
            return found[0]
        return default if default is not None else "\0unresolved\0"

    return _VARIABLE.sub(value, text)


@dataclass(frozen=True)
class Verdict:
    """The outcome, which kind of policy decided, and the statements that matched."""

    effect: Effect
    layer: str = "identity-based policy"
    matched: tuple[Statement, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request may proceed."""
        return self.effect is Effect.ALLOW


def evaluate(statements: Iterable[Statement], question: Question) -> tuple[Effect, tuple[Statement, ...]]:
    """What one set of statements says by itself."""
    applying = [statement for statement in statements if statement.applies(question)]
    denying = tuple(statement for statement in applying if not statement.allow)
    if denying:
        return Effect.EXPLICIT_DENY, denying
    return (Effect.ALLOW, tuple(applying)) if applying else (Effect.IMPLICIT_DENY, ())


@dataclass(frozen=True)
class PolicySet:
    """Everything that restricts or grants to a principal."""

    identity: tuple[Statement, ...] = ()
    boundary: tuple[Statement, ...] | None = None
    session: tuple[Statement, ...] | None = None

    def decide(self, question: Question, resource: Iterable[Statement] = ()) -> Verdict:
        """AWS's evaluation logic for one account."""
        layers = [("identity-based policy", evaluate(self.identity, question))]
        if self.boundary is not None:
            layers.append(("permissions boundary", evaluate(self.boundary, question)))
        if self.session is not None:
            layers.append(("session policy", evaluate(self.session, question)))
        by_resource = evaluate(resource, question)
        for name, (effect, matched) in [*layers, ("resource-based policy", by_resource)]:
            if effect is Effect.EXPLICIT_DENY:
                return Verdict(effect, name, matched)
        granting = by_resource[0] is Effect.ALLOW
        for name, (effect, _) in layers:
            if effect is not Effect.ALLOW and not (granting and name == "identity-based policy"):
                return Verdict(Effect.IMPLICIT_DENY, name)
        return Verdict(Effect.ALLOW, matched=(layers[0][1][1] or by_resource[1]))


def statements(document: Mapping[str, Any], source: str = "") -> tuple[Statement, ...]:
    """The statements of a document that `documents.check` has accepted."""
    listed = document.get("Statement", [])
    return tuple(_statement(item, source) for item in (listed if isinstance(listed, list) else [listed]))


def _statement(item: Mapping[str, Any], source: str) -> Statement:
    principals = item.get("Principal", item.get("NotPrincipal"))
    return Statement(
        sid=str(item.get("Sid", "")),
        allow=item["Effect"] == "Allow",
        actions=tuple(action.lower() for action in texts(item.get("Action", item.get("NotAction")))),
        not_actions="NotAction" in item,
        resources=texts(item.get("Resource", item.get("NotResource", ()))),
        not_resources="NotResource" in item,
        restrictions=tuple(
            (operator, key, texts(values))
            for operator, block in item.get("Condition", {}).items()
            for key, values in block.items()
        ),
        principals=None if principals is None else _principals(principals),
        not_principals="NotPrincipal" in item,
        source=source,
    )


def _principals(value: Any) -> dict[str, tuple[str, ...]]:
    if isinstance(value, str):
        return {"AWS": (value,)}
    return {kind: texts(names) for kind, names in value.items()}


def texts(value: Any) -> tuple[str, ...]:
    """One value or a list of values, as texts; JSON's booleans as `true` and `false`."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in listed)
