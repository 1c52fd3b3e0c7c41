"""The ASGI application: every request goes signature → operation → policies → service, or is refused."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.gate.authentication import Authenticator, Claim, error_protocol
from smartcity.localaws.gate.body import BodyMalformed, BodyStalled, ChunkSignatureWrong, ClientGone, Receive, pieces
from smartcity.localaws.gate.calls import Calls
from smartcity.localaws.gate.head import Head, from_scope
from smartcity.localaws.gate.objects import ObjectCalls
from smartcity.localaws.gate.refusals import Fault, fault
from smartcity.localaws.gate.registry import Registry
from smartcity.localaws.s3.content import Content
from smartcity.localaws.wire.render import Answer, error_answer

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_log = logging.getLogger("smartcity.localaws")
_BODY_LIMIT = 16 << 20  # of requests to services other than S3
_DRAIN_LIMIT = 4 << 20
_DRAIN_IDLE_S = 1.0


class Incoming:
    """A request's body on its way in, and whether it has been read to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.finished = False

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self.finished = not message.get("more_body", False)
        return message


class Gate:
    """The application. `on_start` and `on_stop` run once each, around the server's life."""

    def __init__(self, authenticator: Authenticator, registry: Registry) -> None:
        self._authenticator = authenticator
        self._registry = registry
        self._calls = Calls(registry)
        self._objects = ObjectCalls(registry)

    def close(self) -> None:
        """End background work and threads, and close the databases."""
        self._registry.stop()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; nothing but HTTP is spoken here."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._registry.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started, request_id, incoming = time.perf_counter(), uuid.uuid4().hex.upper()[:16], Incoming(receive)
        head = from_scope(scope)
        note = [""]
        try:
            answer, protocol = await self._answer(head, incoming, request_id, note)
        except ClientGone:
            return
        if not incoming.finished:
            if "expect" not in head.headers:
                await _drain(incoming)
            if not incoming.finished:  # what is left of the body would be taken for the next request
                answer.headers["connection"] = "close"
        # a client that goes away while it is being answered is no fault of ours
        with contextlib.suppress(ClientGone, ConnectionError):
            await self._send(answer, protocol, head, request_id, send)
        elapsed_ms = (time.perf_counter() - started) * 1000
        _log.info("%s %s %d %.1f ms %s", request_id, note[0] or head.method, answer.status, elapsed_ms, head.source_ip)

    async def _answer(self, head: Head, incoming: Incoming, request_id: str, note: list[str]) -> tuple[Answer, str]:
        protocol = error_protocol(head)
        try:
            claim = self._authenticator.claim(head)
            protocol, note[0] = claim.protocol, claim.service
            if claim.service == "s3":
                return await self._s3(head, claim, incoming, request_id, note), protocol
            return await self._other(head, claim, incoming, request_id, note), protocol
        except AwsError as error:
            return error_answer(protocol, error, request_id, head.path), protocol
        except (BodyStalled, BodyMalformed, ChunkSignatureWrong) as error:
            return error_answer(protocol, _body_fault(error, protocol), request_id, head.path), protocol
        except ClientGone:
            raise
        except Exception:
            _log.exception("%s %s failed in a way nobody foresaw", request_id, note[0])
            unforeseen = fault(Fault.BUG, protocol, "We encountered an internal error. Please try again.")
            return error_answer(protocol, unforeseen, request_id), protocol

    async def _s3(self, head: Head, claim: Claim, incoming: Incoming, request_id: str, note: list[str]) -> Answer:
        call = self._objects.opened(head, claim, self._authenticator, request_id)
        note[0] = call.label
        return await self._objects.answer(call, incoming)

    async def _other(self, head: Head, claim: Claim, incoming: Incoming, request_id: str, note: list[str]) -> Answer:
        body = await _whole_body(incoming, claim.protocol)
        computed = hashlib.sha256(body).hexdigest()
        declared = head.headers.get("x-amz-content-sha256", computed)
        identity = self._authenticator.identify(head, claim, declared)
        if declared != computed:
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise fault(Fault.BODY_HASH, claim.protocol, message)
        call = self._calls.parsed(head, claim, body, identity, request_id)
        note[0] = f"{call.service.name}:{call.request.operation} {identity.principal.arn}"
        return await self._calls.answer(call)

    async def _send(self, answer: Answer, protocol: str, head: Head, request_id: str, send: Send) -> None:
        headers = {**answer.headers, **_identifying(protocol, request_id)}
        body = answer.body
        if "content-length" not in headers and answer.status not in (204, 304):
            headers["content-length"] = str(body.length if isinstance(body, Content) else len(body))
        if head.method == "HEAD" or answer.status in (204, 304):
            body = _closed(body)
        raw = [(name.encode("latin-1"), _raw(value)) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if isinstance(body, Content):
            await self._stream(body, send)
        else:
            await send({"type": "http.response.body", "body": body})

    async def _stream(self, content: Content, send: Send) -> None:
        pieces_of = content.pieces()
        try:
            while (piece := await self._registry.run("s3", next, pieces_of, None)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            content.close()
        await send({"type": "http.response.body", "body": b""})


def _closed(body: Any) -> bytes:
    if isinstance(body, Content):
        body.close()
    return b""


def _identifying(protocol: str, request_id: str) -> dict[str, str]:
    if protocol == "rest-xml":
        return {"x-amz-request-id": request_id, "x-amz-id-2": hashlib.sha256(request_id.encode()).hexdigest()}
    return {"x-amzn-requestid": request_id}


def _raw(value: str) -> bytes:
    """Header values are what the client once gave: never a line break, and UTF-8 where Latin-1 does not do."""
    flat = value.replace("\r", " ").replace("\n", " ")
    try:
        return flat.encode("latin-1")
    except UnicodeEncodeError:
        return flat.encode("utf-8")


async def _whole_body(incoming: Incoming, protocol: str) -> bytes:
    body = bytearray()
    async for piece in pieces(incoming):
        body += piece
        if len(body) > _BODY_LIMIT:
            raise fault(Fault.TOO_LARGE, protocol, f"Request size exceeded {_BODY_LIMIT} bytes")
    return bytes(body)


async def _drain(incoming: Incoming) -> None:
    """Read on a little after a refusal, so that a client that is still writing gets to read why."""
    read = 0
    with contextlib.suppress(ClientGone, BodyStalled):
        async for piece in pieces(incoming, _DRAIN_IDLE_S):
            read += len(piece)
            if read > _DRAIN_LIMIT:
                return


def _body_fault(error: Exception, protocol: str) -> AwsError:
    if isinstance(error, BodyStalled):
        message = (
            "Your socket connection to the server was not read from or written to within the timeout period. "
            "Idle connections will be closed."
        )
        return fault(Fault.TIMEOUT, protocol, message)
    if isinstance(error, ChunkSignatureWrong):
        message = "The chunk signature we calculated does not match the signature you provided."
        return fault(Fault.SIGNATURE, protocol, message)
    return fault(Fault.INCOMPLETE, protocol, f"The request body terminated unexpectedly: {error}")
