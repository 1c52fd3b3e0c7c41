"""What a service of local AWS is: the small contract between the gate and Glue, Athena and the others.

The gate has verified the signature, parsed and validated the request against botocore's model, and evaluated the
caller's policies before a service sees a `Request`; the service answers with a plain dictionary in the shape of the
model (datetimes as `datetime`, blobs as `bytes`), or raises `AwsError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class AwsError(Exception):
    """An error as AWS answers it: `code` is the model's shape name, such as `EntityNotFoundException`."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


@dataclass(frozen=True)
class Caller:
    """Who signed a request: the ARN of a user or of an assumed-role session."""

    arn: str
    account_id: str
    access_key_id: str


@dataclass(frozen=True)
class Request:
    """One call: `operation` and `params` are named as in botocore's model of the service."""

    operation: str
    params: dict[str, Any]
    caller: Caller
    region: str
    request_id: str


Operation = Callable[[Request], dict[str, Any]]


class Service(Protocol):
    """A service of local AWS. Operations run in worker threads and commit before they return."""

    #: botocore's name of the service, such as "glue"
    name: str

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every operation implemented; any other of the model answers with AWS's error for the unknown."""
        ...

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The ARNs that a policy must allow for this call (empty: `*`)."""
        ...

    def start(self) -> None:
        """Resume what a kill interrupted: crawls, queries."""
        ...

    def stop(self) -> None:
        """End background work; called once, on shutdown."""
        ...


class Access(Protocol):
    """IAM as the other services see it (implemented by the gate's side)."""

    def check(
        self, principal_arn: str, action: str, resource_arn: str, context: Mapping[str, str] | None = None
    ) -> None:
        """Raise `AwsError("AccessDenied…")` with AWS's sentence unless the principal's policies allow it."""
        ...

    def role_credentials(self, role: str, service_principal: str, session_name: str) -> dict[str, str]:
        """Assume `role` (name or ARN) as an AWS service such as `glue.amazonaws.com`, if its trust policy allows.

        Returns `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token` for a boto3 client.
        """
        ...


@dataclass(frozen=True)
class Context:
    """What every service is built from: `Service(context)`."""

    root: Path  #: this service may keep its state below root / its name
    region: str
    account_id: str
    endpoint_url: str
    trino_url: str
    access: Access = field(repr=False)
    #: boto3 client of local AWS itself, as the administrator or with a role's credentials: client("s3", **credentials)
    client: Callable[..., Any] = field(repr=False)
    #: Athena queries that run at the same time; others wait in QUEUED
    max_queries: int = 8
