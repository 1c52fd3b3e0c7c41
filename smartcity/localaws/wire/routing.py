"""Which operation of a service a request asks for. What cannot be derived is refused, never guessed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from smartcity.localaws.api import AwsError
from smartcity.localaws.wire.models import service_model

if TYPE_CHECKING:
    from botocore.model import OperationModel


@dataclass(frozen=True)
class Route:
    """One operation's HTTP binding: path as a pattern, and what must stand in query and headers."""

    operation: str
    method: str
    path: re.Pattern[str]
    literals: Mapping[str, str]  #: query parameters of the URI itself, such as `uploads` or `list-type=2`
    required_query: frozenset[str]
    required_headers: frozenset[str]

    @property
    def weight(self) -> tuple[int, int]:
        """The more a route demands, the more precisely it names the request."""
        demanded = len(self.literals) + len(self.required_query) + len(self.required_headers)
        return demanded, len(self.path.pattern)

    def fits(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether everything that the route demands is there."""
        return (
            all(query.get(name) == value if value else name in query for name, value in self.literals.items())
            and self.required_query <= query.keys()
            and self.required_headers <= headers.keys()
        )


def json_operation(service: str, target: str) -> OperationModel:
    """The operation named by `X-Amz-Target: Prefix.Operation`."""
    model = service_model(service)
    prefix, _, name = target.rpartition(".")
    if prefix != model.metadata.get("targetPrefix") or name not in model.operation_names:
        raise AwsError("UnknownOperationException", "")
    return model.operation_model(name)


def query_operation(service: str, action: str, version: str) -> OperationModel:
    """The operation named by `Action=…&Version=…`."""
    model = service_model(service)
    if action not in model.operation_names or (version and version != model.api_version):
        raise AwsError(
            "InvalidAction", f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}"
        )
    return model.operation_model(action)


def rest_operation(
    service: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[OperationModel, dict[str, str]]:
    """The operation and the parameters in its path (decoded); of several, the one that demands most."""
    best: tuple[Route, re.Match[str]] | None = None
    for route in _routes(service).get(method, ()):
        match = route.path.fullmatch(path) if route.fits(query, headers) else None
        if match and (best is None or route.weight > best[0].weight):
            best = route, match
    if best is None:
        raise _unknown(service)
    uri = {_wire_name(name): unquote(value) for name, value in best[1].groupdict().items()}
    return service_model(service).operation_model(best[0].operation), uri


def _unknown(service: str) -> AwsError:
    if service == "s3":
        return AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    return AwsError("UnknownOperationException", "", 404)


@lru_cache(maxsize=8)
def _routes(service: str) -> dict[str, list[Route]]:
    model, found = service_model(service), defaultdict(list)
    for name in model.operation_names:
        route = _route(model.operation_model(name))
        found[route.method].append(route)
    return dict(found)


def _route(operation: OperationModel) -> Route:
    uri = str(operation.http["requestUri"])
    path, _, query = uri.partition("?")
    literals = dict(part.partition("=")[::2] for part in query.split("&") if part)
    members = operation.input_shape.members if operation.input_shape is not None else {}
    required = set(operation.input_shape.required_members) if operation.input_shape is not None else set()

    def wire_names(location: str) -> frozenset[str]:
        return frozenset(
            member.serialization.get("name", name)
            for name, member in members.items()
            if name in required and member.serialization.get("location") == location
        )

    headers = frozenset(name.lower() for name in wire_names("header"))
    return Route(
        operation.name, str(operation.http["method"]), _path_pattern(path), literals, wire_names("querystring"), headers
    )


def _path_pattern(path: str) -> re.Pattern[str]:
    """`/{Bucket}/{Key+}` → a pattern over the path as it was sent (still percent-encoded); `+` takes slashes too."""
    pieces = re.split(r"\{([\w-]+)(\+?)\}", path)
    pattern = re.escape(pieces[0])
    for name, greedy, literal in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        pattern += f"(?P<{_group_name(name)}>{'.+' if greedy else '[^/]+'})" + re.escape(literal)
    return re.compile(pattern if path.endswith("/") else pattern + "/?" if "+" not in path else pattern, re.DOTALL)


def _group_name(name: str) -> str:
    return name.replace("-", "__")


def _wire_name(group: str) -> str:
    return group.replace("__", "-")
