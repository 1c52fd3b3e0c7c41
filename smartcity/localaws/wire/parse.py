"""Request → parameters, named and typed as in botocore's model of the operation.

What cannot be read raises `AwsError("SerializationException")` (JSON) or `AwsError("MalformedXML")`; members that
the model does not know are ignored, as AWS does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from smartcity.localaws.api import AwsError

if TYPE_CHECKING:
    from botocore.model import OperationModel

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "blob": (str,),
    "timestamp": (int, float, str),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


def _unreadable(what: str) -> AwsError:
    return AwsError("SerializationException", what)


def json_body(operation: OperationModel, body: bytes) -> dict[str, Any]:
    """Parameters of a JSON request; an empty body is an empty request."""
    import orjson

    try:
        value = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        raise _unreadable("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise _unreadable("Start of structure or map expected.")
    if operation.input_shape is None:
        return {}
    return dict(json_value(operation.input_shape, value))


def json_value(shape: Any, given: Any) -> Any:
    """`given` as the model's types; raises `SerializationException` when the JSON type is another."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return given
    if not isinstance(given, _JSON_TYPES[kind]) or (isinstance(given, bool) and kind != "boolean"):
        raise _unreadable(f"{type(given).__name__} can not be converted to {kind}.")
    value: Any = given
    if kind == "structure":
        return _json_structure(shape, value)
    if kind == "list":
        return [json_value(shape.member, item) for item in value if item is not None]
    if kind == "map":
        return {key: json_value(shape.value, item) for key, item in value.items() if item is not None}
    return scalar(shape, value)


def _json_structure(shape: Any, value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        item = value.get(member.serialization.get("name", name))
        if item is not None:
            found[name] = json_value(member, item)
    return found


def scalar(shape: Any, value: Any, timestamps: str = "iso8601") -> Any:
    """A leaf of the model from JSON or text."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(value)
        if kind in ("double", "float"):
            return float(value)
        if kind == "boolean":
            return value if isinstance(value, bool) else _boolean(value)
        if kind == "blob":
            return base64.b64decode(value, validate=True)
        if kind == "timestamp":
            return timestamp(value, shape.serialization.get("timestampFormat", timestamps))
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise _unreadable(f"{kind} expected.") from None
    return value


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError(text)
    return lowered == "true"


def timestamp(value: float | str, form: str) -> datetime:
    """AWS's three forms of a moment: epoch seconds, ISO 8601, RFC 822."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if form == "rfc822" or "," in value:
        return parsedate_to_datetime(value)
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except ValueError:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def query_body(operation: OperationModel, form: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of a Query request (IAM, STS): `Tags.member.1.Key=…`."""
    if operation.input_shape is None:
        return {}
    return _query_structure(operation.input_shape, form, "")


def form_fields(text: bytes) -> dict[str, str]:
    """Fields of an `application/x-www-form-urlencoded` text; the last of a repeated name counts."""
    try:
        return dict(parse_qsl(text.decode("utf-8"), keep_blank_values=True, max_num_fields=10_000))
    except ValueError:
        raise AwsError("MalformedQueryString", "The query string is malformed.") from None


def _query_structure(shape: Any, form: Mapping[str, str], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = _query_value(member, form, prefix + member.serialization.get("name", name))
        if value is not None:
            found[name] = value
    return found


def _query_value(shape: Any, form: Mapping[str, str], path: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _query_structure(shape, form, path + ".") or None
    if kind == "list":
        member = shape.member
        step = path if shape.serialization.get("flattened") else f"{path}.{member.serialization.get('name', 'member')}"
        return _query_items(lambda at: _query_value(member, form, at), step)
    if kind == "map":
        return _query_map(shape, form, path)
    text = form.get(path)
    return None if text is None else scalar(shape, text)


def _query_items(read: Any, step: str) -> list[Any] | None:
    found: list[Any] = []
    while (value := read(f"{step}.{len(found) + 1}")) is not None:
        found.append(value)
    return found or None


def _query_map(shape: Any, form: Mapping[str, str], path: str) -> dict[str, Any] | None:
    key, value = shape.key, shape.value
    step = path if shape.serialization.get("flattened") else path + ".entry"

    def read(at: str) -> tuple[str, Any] | None:
        name = form.get(f"{at}.{key.serialization.get('name', 'key')}")
        return (
            None
            if name is None
            else (name, _query_value(value, form, f"{at}.{value.serialization.get('name', 'value')}"))
        )

    return dict(_query_items(read, step) or []) or None


def xml_root(body: bytes) -> ElementTree.Element:
    """The root of an XML body. Document type declarations are refused: they are how XML is abused."""
    malformed = AwsError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", 400
    )
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise malformed
    try:
        return ElementTree.fromstring(body)  # noqa: S314  no entities: refused above
    except (ElementTree.ParseError, ValueError, LookupError):
        raise malformed from None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def xml_value(shape: Any, element: ElementTree.Element) -> Any:
    """`element` as the model's types."""
    kind = shape.type_name
    if kind == "structure":
        return _xml_structure(shape, element)
    if kind == "list":
        return [xml_value(shape.member, child) for child in element]
    if kind == "map":
        return {}
    try:
        return scalar(shape, element.text or "")
    except AwsError:
        raise AwsError("MalformedXML", f"{_local(element)} is not of the type {kind}.") from None


def _xml_structure(shape: Any, element: ElementTree.Element) -> dict[str, Any]:
    children: dict[str, list[ElementTree.Element]] = {}
    for child in element:
        children.setdefault(_local(child), []).append(child)
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        flattened = member.type_name == "list" and member.serialization.get("flattened")
        wire = member.serialization.get("name", name)
        if flattened:
            wire = member.serialization.get("name") or member.member.serialization.get("name", name)
        matches = children.get(wire)
        if not matches:
            continue
        found[name] = [xml_value(member.member, m) for m in matches] if flattened else xml_value(member, matches[0])
    return found


def rest_locations(
    operation: OperationModel, uri: Mapping[str, str], query: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    """The parameters that a REST request carries in its path, query and headers (names of headers in lower case)."""
    found: dict[str, Any] = {}
    shape = operation.input_shape
    for name, member in shape.members.items() if shape is not None else ():
        location, wire = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "headers":
            prefix = wire.lower()
            values = {key[len(prefix) :]: text for key, text in headers.items() if key.startswith(prefix)}
            if values:
                found[name] = values
            continue
        text = _rest_text(location, wire, uri, query, headers)
        if text is not None and text != "":
            found[name] = _rest_scalar(member, text, location, name)
    return found


def _rest_text(
    location: str | None, wire: str, uri: Mapping[str, str], query: Mapping[str, str], headers: Mapping[str, str]
) -> str | None:
    if location == "uri":
        return uri.get(wire)
    if location == "querystring":
        return query.get(wire)
    return headers.get(wire.lower()) if location == "header" else None


def _rest_scalar(member: Any, text: str, location: str | None, name: str) -> Any:
    if member.type_name == "list":
        return [scalar(member.member, part.strip()) for part in text.split(",")]
    for value in member.metadata.get("enum", ()):
        if value.lower() == text.lower():  # the C++ SDK sends `enabled` where the model says ENABLED
            return value
    try:
        return scalar(member, text, "rfc822" if location == "header" else "iso8601")
    except AwsError:
        raise AwsError("InvalidArgument", f"{name} is not of the type {member.type_name}.") from None
