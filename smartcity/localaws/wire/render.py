"""Answer or error → status, headers and body, in the shape of botocore's model of the operation."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from smartcity.localaws.api import AwsError

if TYPE_CHECKING:
    from botocore.model import OperationModel

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
#: Root elements of S3's answers that botocore's model does not name (S3 API reference, response syntax).
_S3_ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "ListParts": "ListPartsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectAttributes": "GetObjectAttributesResponse",
}
#: Characters that XML 1.0 cannot carry, not even escaped: shown as the replacement character.
_FORBIDDEN_IN_XML = {code: "�" for code in range(32) if code not in (9, 10, 13)} | {0xFFFE: "�", 0xFFFF: "�"}


@dataclass
class Answer:
    """An HTTP answer; `body` is bytes, or whatever a service streams (S3 objects)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = b""


def json_answer(operation: OperationModel, output: dict[str, Any], version: str) -> Answer:
    """The answer of a JSON service."""
    import orjson

    shape = operation.output_shape
    value = json_value(shape, output) if shape is not None else {}
    return Answer(200, {"content-type": f"application/x-amz-json-{version}"}, orjson.dumps(value))


class Wire(list[Any]):
    """A list whose members already have the wire's form: large answers are not walked through again."""


def rest_json_answer(operation: OperationModel, output: dict[str, Any]) -> Answer:
    """The answer of a REST-JSON service: some members travel as headers or as the status."""
    import orjson

    shape: Any = operation.output_shape
    answer = Answer(int(operation.http.get("responseCode", 200)), {"content-type": "application/json"})
    inside: dict[str, Any] = {}
    for name, value in output.items():
        member = shape.members[name]
        location = member.serialization.get("location")
        if location == "statusCode":
            answer.status = int(value)
        elif location and value is not None:
            _put_header(answer.headers, member, name, value)
        else:
            inside[name] = value
    answer.body = orjson.dumps(json_value(shape, inside)) if shape is not None else b"{}"
    return answer


def json_value(shape: Any, value: Any) -> Any:
    """`value` with the model's wire names: moments as epoch seconds, blobs as base64, None left out."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return value
    if kind == "structure":
        members = shape.members
        return {
            members[name].serialization.get("name", name): json_value(members[name], item)
            for name, item in value.items()
            if item is not None and name in members
        }
    if kind == "list":
        return value if isinstance(value, Wire) else [json_value(shape.member, item) for item in value]
    if kind == "map":
        return {str(key): json_value(shape.value, item) for key, item in value.items() if item is not None}
    return _json_leaf(kind, value)


def _json_leaf(kind: str, value: Any) -> Any:
    if kind == "timestamp":
        return value.timestamp() if isinstance(value, datetime) else float(value)
    return base64.b64encode(value).decode() if kind == "blob" else value


def query_answer(operation: OperationModel, output: dict[str, Any], request_id: str) -> Answer:
    """The answer of a Query service: `<XResponse><XResult>…`."""
    name, shape = operation.name, operation.output_shape
    namespace = operation.service_model.metadata.get("xmlNamespace", "")
    result = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        result = f"<{wrapper}>{''.join(_members(shape, output))}</{wrapper}>"
    metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    body = f'<{name}Response xmlns="{namespace}">{result}{metadata}</{name}Response>'
    return Answer(200, {"content-type": "text/xml"}, body.encode())


def rest_answer(operation: OperationModel, output: dict[str, Any]) -> Answer:
    """The answer of S3: some members travel as headers, one may be the body itself."""
    answer = Answer(int(operation.http.get("responseCode", 200)))
    shape = operation.output_shape
    if shape is None:
        return answer
    payload = shape.serialization.get("payload")
    inside: dict[str, Any] = {}
    for name, value in output.items():
        member = shape.members[name]
        if value is None:
            continue
        if "location" in member.serialization:
            _put_header(answer.headers, member, name, value)
        elif name != payload:
            inside[name] = value
    if payload is None:
        answer.body = _s3_document(operation, shape, inside)
    elif payload in output:
        answer.body = _payload(shape.members[payload], payload, output[payload])
    if "content-type" not in answer.headers and answer.body and isinstance(answer.body, bytes):
        answer.headers["content-type"] = "application/xml" if answer.body.startswith(b"<") else "application/json"
    if "content-range" in answer.headers:
        answer.status = 206
    return answer


def _s3_document(operation: OperationModel, shape: Any, inside: dict[str, Any]) -> bytes:
    name = operation.name
    if name == "GetBucketLocation":  # the one answer whose root is its value
        text = escape(str(inside.get("LocationConstraint", "")))
        return f'{_XML}<LocationConstraint xmlns="{_S3_NAMESPACE}">{text}</LocationConstraint>'.encode()
    if all("location" in member.serialization for member in shape.members.values()):
        return b""
    root = _S3_ROOTS.get(name) or shape.serialization.get("name") or f"{name}Result"
    return f'{_XML}<{root} xmlns="{_S3_NAMESPACE}">{"".join(_members(shape, inside))}</{root}>'.encode()


def _payload(member: Any, name: str, value: Any) -> Any:
    if member.type_name == "blob" or not isinstance(value, dict):
        return value.encode() if isinstance(value, str) else value
    root = member.serialization.get("name", name)
    return f'{_XML}<{root} xmlns="{_S3_NAMESPACE}">{"".join(_members(member, value))}</{root}>'.encode()


def _put_header(headers: dict[str, str], member: Any, name: str, value: Any) -> None:
    wire = member.serialization.get("name", name)
    if member.serialization["location"] == "headers":
        headers.update({(wire + key).lower(): str(text) for key, text in value.items()})
    elif member.serialization["location"] == "header":
        headers[wire.lower()] = _header_text(member, value)


def _header_text(member: Any, value: Any) -> str:
    if isinstance(value, datetime):
        form = member.serialization.get("timestampFormat", "rfc822")
        return format_datetime(value.astimezone(UTC), usegmt=True) if form == "rfc822" else _iso(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _members(shape: Any, value: dict[str, Any]) -> Iterator[str]:
    for name, item in value.items():
        member = shape.members.get(name)
        if member is None or item is None or member.serialization.get("xmlAttribute"):
            continue
        wire = member.serialization.get("name", name)
        if member.type_name == "list" and member.serialization.get("flattened"):
            inner = member.serialization.get("name") or member.member.serialization.get("name", name)
            for entry in item:
                yield _element(inner, member.member, entry)
        else:
            yield _element(wire, member, item)


def _element(name: str, shape: Any, value: Any) -> str:
    kind = shape.type_name
    if kind == "structure":
        return f"<{name}{_attributes(shape, value)}>{''.join(_members(shape, value))}</{name}>"
    if kind == "list":
        inner = shape.member.serialization.get("name", "member")
        return f"<{name}>{''.join(_element(inner, shape.member, item) for item in value)}</{name}>"
    if kind == "map":
        return f"<{name}>{''.join(_entry(shape, key, item) for key, item in value.items())}</{name}>"
    return f"<{name}>{_xml_text(value)}</{name}>"


def _entry(shape: Any, key: str, value: Any) -> str:
    key_name, value_name = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
    return f"<entry>{_element(key_name, shape.key, key)}{_element(value_name, shape.value, value)}</entry>"


def _attributes(shape: Any, value: dict[str, Any]) -> str:
    """`xsi:type` of a grantee and the like."""
    found = ""
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute") and value.get(name) is not None:
            found += (
                f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {member.serialization["name"]}="{value[name]}"'
            )
    return found


def _xml_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return escape(str(value).translate(_FORBIDDEN_IN_XML), {"\r": "&#13;"})


def error_answer(protocol: str, error: AwsError, request_id: str, resource: str = "") -> Answer:
    """An error as the protocol's clients expect it."""
    if protocol == "rest-xml":
        return _s3_error(error, request_id, resource)
    if protocol == "query":
        return _query_error(error, request_id)
    import orjson

    body: dict[str, Any] = {"__type": error.code, "message": error.message, "Message": error.message, **error.fields}
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": error.code}
    return Answer(error.status, headers, orjson.dumps(body, default=str))


def _s3_error(error: AwsError, request_id: str, resource: str) -> Answer:
    details = "".join(f"<{name}>{_xml_text(value)}</{name}>" for name, value in error.fields.items())
    where = f"<Resource>{_xml_text(resource)}</Resource>" if resource else ""
    body = (
        f"{_XML}<Error><Code>{error.code}</Code><Message>{_xml_text(error.message)}</Message>"
        f"{details}{where}<RequestId>{request_id}</RequestId></Error>"
    )
    # clients of REST-JSON services that are not here look for the code in this header
    headers = {"content-type": "application/xml", "x-amzn-errortype": error.code}
    return Answer(error.status, headers, body.encode())


def _query_error(error: AwsError, request_id: str) -> Answer:
    fault = "Sender" if error.status < 500 else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{fault}</Type><Code>{error.code}</Code>"
        f"<Message>{_xml_text(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Answer(error.status, {"content-type": "text/xml"}, body.encode())
