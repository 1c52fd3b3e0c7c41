"""Calls to every service but S3: the whole request is in memory, and answers are small."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartcity.localaws.api import AwsError, Caller, Operation, Service
from smartcity.localaws.gate.authentication import Claim
from smartcity.localaws.gate.head import Head
from smartcity.localaws.gate.registry import Registry
from smartcity.localaws.identity.principals import Identity
from smartcity.localaws.identity.requests import SignedRequest, refusal
from smartcity.localaws.wire import constraint, parse, render, routing

if TYPE_CHECKING:
    from botocore.model import OperationModel

#: What services call a violated constraint, in the order in which an operation's own errors are searched.
_INVALID = (
    "ValidationException",
    "InvalidInputException",
    "InvalidRequestException",
    "InvalidParameterValueException",
)
#: IAM's calls that are about the caller when they name no user.
_ABOUT_CALLER = ("GetUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey")


@dataclass(frozen=True)
class Call:
    """A request that has been read and found in order."""

    service: Service
    model: OperationModel
    request: SignedRequest
    protocol: str


def context_of(head: Head, region: str) -> dict[str, tuple[str, ...]]:
    """The condition keys that every request carries."""
    now = time.time()
    found: dict[str, tuple[str, ...]] = {
        "aws:sourceip": (head.source_ip,),
        "aws:currenttime": (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),),
        "aws:epochtime": (str(int(now)),),
        "aws:securetransport": ("false",),
        "aws:requestedregion": (region,),
    }
    if "user-agent" in head.headers:
        found["aws:useragent"] = (head.headers["user-agent"],)
    return found


class Calls:
    """Reads, authorises and runs calls."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def parsed(self, head: Head, claim: Claim, body: bytes, identity: Identity, request_id: str) -> Call:
        """Derive the operation and its parameters; raises `AwsError`."""
        service = self._registry.find(claim.service)
        if service is None:
            raise AwsError("UnknownOperationException", f"Local AWS does not have {claim.service} yet.")
        model, params = _read(head, claim, body)
        if claim.service == "iam" and model.name in _ABOUT_CALLER and identity.kind == "user":
            params.setdefault("UserName", identity.name)
        request = SignedRequest(
            operation=model.name,
            params=params,
            caller=Caller(identity.principal.arn, identity.principal.account_id, identity.access_key_id),
            region=claim.signature.region,
            request_id=request_id,
            identity=identity,
            context=context_of(head, claim.signature.region),
        )
        return Call(service, model, request, claim.protocol)

    async def answer(self, call: Call) -> render.Answer:
        """Authorise and run the call."""
        return await self._registry.run(call.service.name, self._run, call)

    def _run(self, call: Call) -> render.Answer:
        operation = _implemented(call)
        violated = constraint.violations(call.model.input_shape, call.request.params)
        if violated:
            raise AwsError(_invalid_code(call), constraint.sentence(violated))
        _authorise(call)
        output = operation(call.request)
        if call.protocol == "query":
            return render.query_answer(call.model, output, call.request.request_id)
        if call.protocol == "rest-json":
            return render.rest_json_answer(call.model, output)
        version = call.model.service_model.metadata.get("jsonVersion", "1.1")
        return render.json_answer(call.model, output, version)


def _read(head: Head, claim: Claim, body: bytes) -> tuple[OperationModel, dict[str, Any]]:
    if claim.protocol == "query":
        return _read_query(head, claim.service, body)
    if claim.protocol == "rest-json":
        model, uri = routing.rest_operation(claim.service, head.method, head.path, head.params, head.headers)
        return model, {**parse.json_body(model, body), **parse.rest_locations(model, uri, head.params, head.headers)}
    if head.method != "POST" or head.path != "/":
        raise AwsError("UnknownOperationException", "")
    model = routing.json_operation(claim.service, head.headers.get("x-amz-target", ""))
    return model, parse.json_body(model, body)


def _read_query(head: Head, service: str, body: bytes) -> tuple[OperationModel, dict[str, Any]]:
    if head.path != "/" or head.method not in ("GET", "POST"):
        raise AwsError("InvalidAction", "The action or operation requested is invalid.")
    if head.method == "POST" and "Action" in head.params:
        raise AwsError("InvalidParameterCombination", "The action may stand in the query or in the body, not in both.")
    form = parse.form_fields(body) if head.method == "POST" else head.params
    if "Action" not in form:
        raise AwsError("MissingAction", "The request is missing an action.")
    model = routing.query_operation(service, form["Action"], form.get("Version", ""))
    try:
        return model, parse.query_body(model, form)
    except AwsError as error:
        raise AwsError("MalformedInput", error.message) from None


def _authorise(call: Call) -> None:
    service, request = call.service, call.request
    if request.operation in getattr(service, "unchecked", ()):
        return
    action = f"{service.name}:{request.operation}"
    for resource in service.resource_arns(request.operation, request.params) or ["*"]:
        verdict = request.decide(action, resource)
        if not verdict.allowed:
            query = call.protocol == "query"
            code, status = ("AccessDenied", 403) if query else ("AccessDeniedException", 400)
            raise refusal(code, request.caller.arn, action, resource, verdict, status)


def _implemented(call: Call) -> Operation:
    found = call.service.operations.get(call.request.operation)
    if found is None:
        if call.protocol == "query":
            raise AwsError("InvalidAction", f"Local AWS does not have the operation {call.request.operation}.")
        raise AwsError("UnknownOperationException", f"Local AWS does not have the operation {call.request.operation}.")
    return found


def _invalid_code(call: Call) -> str:
    if call.protocol == "query":
        return "ValidationError"
    declared = {shape.name for shape in call.model.error_shapes}
    return next((code for code in _INVALID if code in declared), "ValidationException")
