"""The gate without a process: requests signed by botocore, a clock that tests move, a JSON service of their own."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from smartcity.localaws.api import AwsError, Context, Operation, Request, Service
from smartcity.localaws.services import Options, build

REGION = "eu-west-2"
ACCOUNT_ID = "000000000000"
HOST = "127.0.0.1:32999"
Key = dict[str, str]


class Clock:
    """Epoch seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Answer:
    """What came back."""

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message["body"] for message in messages[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class StubGlue:
    """Answers for Glue whatever a test tells it to."""

    name = "glue"

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answer: dict[str, Any] | Exception = {}

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {"GetDatabase": self._answer}

    def _answer(self, request: Request) -> dict[str, Any]:
        self.seen.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:  # noqa: ARG002
        if params.get("Name") == "boom":
            raise RuntimeError("no ARN can be derived")
        base = f"arn:aws:glue:{REGION}:{ACCOUNT_ID}"
        return [f"{base}:catalog", f"{base}:database/{params['Name']}"] if "Name" in params else []

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Rig:
    """A gate on a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.glue = Clock(), StubGlue()
        options = Options(folder / "aws", 32999, REGION, ACCOUNT_ID, "http://127.0.0.1:9")
        self.context: Context

        def further(context: Context) -> Iterable[Service]:
            self.context = context
            return [self.glue]

        self.gate = build(options, self.clock, further)
        stored = json.loads((folder / "aws" / "credentials.json").read_text())
        self.admin: Key = {"key": stored["access_key_id"], "secret": stored["secret_access_key"]}

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Sequence[bytes] = (b"",),
        query: str = "",
    ) -> Answer:
        """One request through the application; `body` arrives in these pieces."""
        pieces = list(body)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 5),
        }
        asyncio.run(self.gate(scope, receive, send))
        return Answer(sent)

    def signed(  # noqa: PLR0917  a request has this many parts
        self,
        service: str,
        method: str = "POST",
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        key: Key | None = None,
        query: str = "",
    ) -> Answer:
        """One signed request, signed now by the rig's clock."""
        made = sign(service, method, path, headers or {}, body, key or self.admin, self.clock.now, query)
        return self.send(method, path, made, [body], query)

    def call_json(self, target: str, body: Any, key: Key | None = None) -> Answer:
        """A call to a JSON service; `body` may be bytes that are no JSON at all."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        return self.signed("glue", headers=headers, body=data, key=key)

    def call_query(self, service: str, form: str, key: Key | None = None) -> Answer:
        """A call to IAM or STS."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.signed(service, headers=headers, body=form.encode(), key=key)


def sign(  # noqa: PLR0917  a request has this many parts
    service: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    key: Key,
    now: float,
    query: str = "",
) -> dict[str, str]:
    """Headers of a request as botocore signs it at `now`."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, data=body, headers={"Host": HOST, **headers})
    signer_class = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = signer_class(Credentials(key["key"], key["secret"], key.get("token")), service, REGION)
    request.context["timestamp"] = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    declared = request.headers.get("X-Amz-Content-SHA256")
    signer._modify_request_before_signing(request)
    if declared is not None:
        del request.headers["X-Amz-Content-SHA256"]
        request.headers["X-Amz-Content-SHA256"] = declared
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return dict(request.headers.items())


__all__ = ["ACCOUNT_ID", "HOST", "REGION", "Answer", "AwsError", "Clock", "Key", "Rig", "StubGlue", "sign"]
