"""Calls to S3: refused or accepted by their head alone; bodies are streamed in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from smartcity.localaws.api import AwsError, Caller
from smartcity.localaws.gate.authentication import Authenticator, Claim
from smartcity.localaws.gate.body import Receive
from smartcity.localaws.gate.calls import context_of
from smartcity.localaws.gate.head import Head
from smartcity.localaws.gate.registry import Registry
from smartcity.localaws.gate.upload import Receiver, payload_hash
from smartcity.localaws.identity.principals import Identity
from smartcity.localaws.identity.requests import SignedRequest, refusal
from smartcity.localaws.s3.actions import condition_keys
from smartcity.localaws.s3.content import Content, Upload
from smartcity.localaws.s3.errors import s3_error
from smartcity.localaws.s3.service import S3Service
from smartcity.localaws.wire import constraint, parse, render, routing

if TYPE_CHECKING:
    from botocore.model import OperationModel

_DOCUMENT_LIMIT = 8 << 20  # XML bodies: ten thousand parts or a thousand keys of full length fit
_INLINE_BYTES = 1 << 18  # objects up to this size are read in the thread that found them


@dataclass(frozen=True)
class ObjectCall:
    """A request to S3 whose signature and operation are known, and whose policies allow it."""

    head: Head
    claim: Claim
    identity: Identity
    model: OperationModel
    request: SignedRequest

    @property
    def label(self) -> str:
        """For the log: operation and caller, never the query, which may carry a signature."""
        return f"s3:{self.model.name} {self.identity.principal.arn}"


class ObjectCalls:
    """Opens, authorises and runs calls to S3."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @property
    def _service(self) -> S3Service:
        service = self._registry.find("s3")
        if not isinstance(service, S3Service):
            raise AwsError("ServiceUnavailable", "S3 is not there.", 503)
        return service

    def opened(self, head: Head, claim: Claim, authenticator: Authenticator, request_id: str) -> ObjectCall:
        """Authenticate and derive the operation from the head."""
        identity = authenticator.identify(head, claim, payload_hash(head))
        model, uri = routing.rest_operation("s3", head.method, head.path, head.params, head.headers)
        params = parse.rest_locations(model, uri, head.params, head.headers)
        request = SignedRequest(
            operation=model.name,
            params=params,
            caller=Caller(identity.principal.arn, identity.principal.account_id, identity.access_key_id),
            region=claim.signature.region,
            request_id=request_id,
            identity=identity,
            context=context_of(head, claim.signature.region) | condition_keys(params),
        )
        return ObjectCall(head, claim, identity, model, request)

    async def answer(self, call: ObjectCall, receive: Receive) -> render.Answer:
        """Authorise, take the body, run."""
        if _payload_name(call.model) is None:
            return await self._registry.run("s3", self._run_at_once, call)
        await self._registry.run("s3", self._admit, call)
        upload = await self._received(call, receive)
        try:
            return await self._registry.run("s3", self._run, call, upload)
        finally:
            upload.discard()

    def _run_at_once(self, call: ObjectCall) -> render.Answer:
        self._admit(call)
        return self._run(call, None)

    def _admit(self, call: ObjectCall) -> None:
        """Everything that can be refused before the body comes."""
        self._authorise(call)
        if call.model.name not in self._service.operations:
            raise s3_error("NotImplemented", f"Local AWS does not have the operation {call.model.name}.")
        self._service.check(call.request.params)

    def _authorise(self, call: ObjectCall) -> None:
        request, service = call.request, self._service
        needed = service.needs(request.operation, request.params)
        for action, resource in needed:
            bucket = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            verdict = request.decide(action, resource, service.bucket_policy(bucket))
            if not verdict.allowed:
                raise refusal("AccessDenied", request.caller.arn, action, resource, verdict, 403)

    async def _received(self, call: ObjectCall, receive: Receive) -> Upload:
        receiver = Receiver(call.head, call.claim.signature, call.identity.secret, self._new_upload)

        async def write(function: Callable[[bytes], None], data: bytes) -> None:
            await self._registry.run("s3", function, data)

        if _payload_name(call.model) == "Body":
            return await receiver.receive(receive, write)
        return await receiver.receive(receive, write, _DOCUMENT_LIMIT)

    def _new_upload(self, algorithms: list[str]) -> Upload:
        return Upload(self._service.store.scratch, algorithms)

    def _run(self, call: ObjectCall, upload: Upload | None) -> render.Answer:
        request = call.request
        if upload is not None:
            request = replace(request, params={**request.params, **_payload(call.model, upload)})
        _check(call.model, request.params)
        output = self._service.operations[call.model.name](request)
        body = output.get("Body")
        if isinstance(body, Content) and body.length <= _INLINE_BYTES:
            output["Body"] = b"".join(body.pieces())
        return render.rest_answer(call.model, output)


def _payload_name(model: OperationModel) -> str | None:
    shape: Any = model.input_shape
    return None if shape is None else shape.serialization.get("payload")


def _payload(model: OperationModel, upload: Upload) -> dict[str, Any]:
    """The member of the request that its body is: the bytes themselves, a text, or a structure in XML."""
    shape: Any = model.input_shape
    name = shape.serialization["payload"]
    member = shape.members[name]
    if name == "Body":
        return {name: upload}
    data = upload.read_all()
    if member.type_name == "string":
        return {name: data.decode("utf-8", "replace")}
    return {name: parse.xml_value(member, parse.xml_root(data))} if data.strip() else {}


def _check(model: OperationModel, params: dict[str, Any]) -> None:
    checked = {name: value for name, value in params.items() if name != "Body"}
    violated = constraint.violations(model.input_shape, checked)
    if not violated:
        return
    payload = model.input_shape.serialization.get("payload", "") if model.input_shape is not None else ""
    if any(f"at '{payload[:1].lower()}{payload[1:]}" in text for text in violated) and payload:
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        raise AwsError("MalformedXML", message, 400)
    raise AwsError("InvalidArgument", constraint.sentence(violated), 400)
