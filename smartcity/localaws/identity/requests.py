"""A request as our own services see it: with the caller's policies and the condition keys of the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smartcity.localaws.api import AwsError, Request
from smartcity.localaws.identity.policy import Effect, Question, Statement, Verdict
from smartcity.localaws.identity.principals import Identity


@dataclass(frozen=True)
class SignedRequest(Request):
    """What IAM, STS and S3 get; the others use only what `Request` offers."""

    identity: Identity = field(kw_only=True, repr=False)
    context: Mapping[str, tuple[str, ...]] = field(kw_only=True, default_factory=dict)

    def decide(self, action: str, resource: str, by_resource: tuple[Statement, ...] = ()) -> Verdict:
        """What the policies say to this caller about one action and resource."""
        context = {**self.context, **self.identity.context}
        question = Question(action, resource, context, self.identity.principal)
        return self.identity.policies.decide(question, by_resource)


def refusal(  # noqa: PLR0917  a sentence has this many parts
    code: str, principal_arn: str, action: str, resource: str, verdict: Verdict, status: int
) -> AwsError:
    """AWS's sentence for a request that the policies do not allow."""
    if verdict.effect is Effect.EXPLICIT_DENY:
        article = "an" if verdict.layer[0] in "aeiou" else "a"
        reason = f"with an explicit deny in {article} {verdict.layer}"
    else:
        reason = f"because no {verdict.layer} allows the {action} action"
    where = "" if resource == "*" else f" on resource: {resource}"
    return AwsError(code, f"User: {principal_arn} is not authorized to perform: {action}{where} {reason}", status)
