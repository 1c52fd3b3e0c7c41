"""A boto3 client whose requests go straight into `GlueService`: no server, but botocore's own parsers on both ways."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from botocore.awsrequest import AWSResponse

from glue.fake_s3 import FakeS3
from smartcity.localaws.api import AwsError, Caller, Context, Request
from smartcity.localaws.glue import GlueService
from smartcity.localaws.wire import constraint, models, parse, render

ACCOUNT, REGION = "123456789012", "eu-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/crawler"
CALLER = Caller(f"arn:aws:iam::{ACCOUNT}:user/ada", ACCOUNT, "AKIAADA")


class OpenAccess:
    """IAM that allows everything except what a test puts into `denied` (action, resource prefix)."""

    def __init__(self) -> None:
        self.denied: list[tuple[str, str]] = []
        self.unassumable: set[str] = set()

    def check(self, principal_arn: str, action: str, resource_arn: str, context: Any = None) -> None:  # noqa: ARG002
        for denied, prefix in self.denied:
            if action == denied and resource_arn.startswith(prefix):
                raise AwsError(
                    "AccessDeniedException",
                    f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource_arn}",
                )

    def role_credentials(self, role: str, service_principal: str, session_name: str) -> dict[str, str]:  # noqa: ARG002
        if role in self.unassumable:
            raise AwsError("AccessDenied", f"{service_principal} may not assume {role}")
        return {"aws_access_key_id": "ASIA", "aws_secret_access_key": "secret", "aws_session_token": "token"}


class Body:
    """A response body as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def check_shape(shape: Any, value: Any, path: str = "answer") -> None:
    """Fail unless an answer has exactly the model's members and types (botocore would drop the others silently)."""
    kinds = {"structure": dict, "list": list, "map": dict, "string": str, "boolean": bool, "integer": int, "long": int}
    wanted = kinds.get(shape.type_name)
    assert wanted is None or isinstance(value, wanted), f"{path}: {value!r} is no {shape.type_name}"
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{path}: unknown members {unknown}"
        missing = set(shape.required_members) - set(value)
        assert not missing, f"{path}: missing members {missing}"
        for name, item in value.items():
            check_shape(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            check_shape(shape.member, item, f"{path}[]")
    elif shape.type_name == "map":
        for item in value.values():
            check_shape(shape.value, item, f"{path}{{}}")
    elif shape.type_name == "timestamp":
        assert hasattr(value, "timestamp"), f"{path}: {value!r} is no moment"
    allowed = shape.metadata.get("enum")
    assert not allowed or value in allowed, f"{path}: {value!r} is none of {allowed}"


def refuse(broken: list[str]) -> None:
    """Raise AWS's error for limits of the model that a request breaks."""
    if broken:
        raise AwsError("ValidationException", constraint.sentence(broken))


def answer(service: Any, operation: str, body: bytes) -> tuple[int, bytes]:
    """What the gate would send back."""
    model = models.service_model("glue").operation_model(operation)
    try:
        params = parse.json_body(model, body)
        refuse(constraint.violations(model.input_shape, params))
        assert all(arn.startswith("arn:aws:glue:") for arn in service.resource_arns(operation, params))
        output = service.operations[operation](Request(operation, params, CALLER, REGION, "r-1"))
    except AwsError as error:
        return error.status, orjson.dumps({"__type": error.code, "message": error.message})
    if model.output_shape is not None:
        check_shape(model.output_shape, output)
    return 200, bytes(render.json_answer(model, output, "1.1").body)


@cache
def _session() -> boto3.Session:
    """One session for all tests: it keeps botocore's models, which take long to load."""
    return boto3.Session(aws_access_key_id="AKIAADA", aws_secret_access_key="s", region_name=REGION)


def client_of(service: Any) -> Any:
    """A boto3 Glue client of a service object."""
    client = _session().client("glue", endpoint_url="http://127.0.0.1:1")

    def send(request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        status, content = answer(service, operation, body)
        headers = {"content-type": "application/x-amz-json-1.1"}
        return AWSResponse(request.url, status, headers, Body(content))

    client.meta.events.register("before-send.glue.*", send)
    return client


class World:
    """One local AWS of a test: its Glue, S3 and IAM."""

    def __init__(self, root: Path) -> None:
        self.access, self.s3 = OpenAccess(), FakeS3()
        self.context = Context(
            root=root,
            region=REGION,
            account_id=ACCOUNT,
            endpoint_url="http://127.0.0.1:1",
            trino_url="",
            access=self.access,
            client=lambda _, **__: self.s3,
        )
        self.open()

    def open(self) -> None:
        """Start the service (again)."""
        self.service = GlueService(self.context, open_reader=lambda *_: self.s3)
        self.service.start()
        self.glue = client_of(self.service)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh local AWS."""
    made = World(tmp_path / "aws")
    yield made
    made.service.stop()


@pytest.fixture
def glue(world: World) -> Any:
    """A boto3 client of a fresh Glue."""
    return world.glue
