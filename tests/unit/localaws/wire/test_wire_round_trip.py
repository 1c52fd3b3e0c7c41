"""What botocore writes is read as it was meant, and what is rendered is what botocore reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from smartcity.localaws.api import AwsError
from smartcity.localaws.wire import constraint, models, parse, render, routing

texts = st.text(st.characters(min_codepoint=32, blacklist_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=8)
moments = st.integers(0, 2_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))


def value_of(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that fit a shape of a model."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False) or depth > 3:
            return st.just({})
        required = {n: value_of(m, depth + 1) for n, m in shape.members.items() if n in shape.required_members}
        optional = {n: value_of(m, depth + 1) for n, m in shape.members.items() if n not in required}
        return st.fixed_dictionaries(required, optional=dict(list(optional.items())[:6]))
    if kind == "list":
        return st.lists(value_of(shape.member, depth + 1), min_size=1, max_size=2)
    if kind == "map":
        return st.dictionaries(texts, value_of(shape.value, depth + 1), min_size=1, max_size=2)
    leaves: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(0, 1000),
        "long": st.integers(0, 1 << 40),
        "double": st.floats(0, 1e6),
        "float": st.floats(0, 1e6),
        "boolean": st.booleans(),
        "timestamp": moments,
        "blob": st.binary(max_size=8),
    }
    return st.sampled_from(shape.enum) if getattr(shape, "enum", None) else leaves.get(kind, texts)


def operations(service: str, names: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from([models.service_model(service).operation_model(name) for name in names])


JSON = operations(
    "glue", ["CreateTable", "CreateCrawler", "UpdateColumnStatisticsForTable", "GetPartitions", "BatchCreatePartition"]
)
QUERY = operations("iam", ["CreateRole", "TagRole", "SimulateCustomPolicy", "ListUsers", "CreatePolicy", "UpdateRole"])
STS = operations("sts", ["AssumeRole"])
XML = operations(
    "s3", ["DeleteObjects", "CompleteMultipartUpload", "PutObjectTagging", "ListObjectsV2", "CreateBucket"]
)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_json_requests(data: st.DataObject) -> None:
    operation = data.draw(JSON)
    params = data.draw(value_of(operation.input_shape))
    sent = create_serializer("json", include_validation=False).serialize_to_request(params, operation)
    assert parse.json_body(operation, sent["body"]) == params
    assert routing.json_operation("glue", sent["headers"]["X-Amz-Target"]).name == operation.name


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_query_requests(data: st.DataObject) -> None:
    operation = data.draw(QUERY | STS)
    params = data.draw(value_of(operation.input_shape))
    assume("{}" not in str(params))  # the format has no way to write an empty structure
    sent = create_serializer("query", include_validation=False).serialize_to_request(params, operation)
    form = parse.form_fields(urlencode(sent["body"]).encode())
    assert parse.query_body(operation, form) == params
    found = routing.query_operation(operation.service_model.service_name, form["Action"], form["Version"])
    assert found.name == operation.name


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_json_answers(data: st.DataObject) -> None:
    operation = data.draw(operations("glue", ["GetTable", "GetCrawler", "GetPartitions", "GetDatabases"]))
    output = data.draw(value_of(operation.output_shape))
    answer = render.json_answer(operation, output, "1.1")
    assert read_back("json", answer, operation) == output


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_query_answers(data: st.DataObject) -> None:
    operation = data.draw(operations("iam", ["GetRole", "ListUsers", "ListAccessKeys", "SimulateCustomPolicy"]))
    output = data.draw(value_of(operation.output_shape))
    assert read_back("query", render.query_answer(operation, output, "RID"), operation) == output


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_s3_answers(data: st.DataObject) -> None:
    names = [
        "ListObjectsV2",
        "ListBuckets",
        "DeleteObjects",
        "ListParts",
        "CreateMultipartUpload",
        "GetObjectTagging",
    ]
    operation = data.draw(operations("s3", names))
    output = data.draw(value_of(operation.output_shape))
    if "EncodingType" in output:
        del output["EncodingType"]
    assert read_back("rest-xml", render.rest_answer(operation, output), operation) == output


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_rest_json_answers(data: st.DataObject) -> None:
    names = ["DescribeDataSet", "ListDashboards", "CreateDataSource", "DescribeUser"]
    operation = data.draw(operations("quicksight", names))
    output = data.draw(value_of(operation.output_shape))
    output = {**output, "Status": data.draw(st.integers(200, 299))}
    answer = render.rest_json_answer(operation, output)
    assert answer.status == output["Status"]
    assert read_back("rest-json", answer, operation) == output


def read_back(protocol: str, answer: render.Answer, operation: Any) -> dict[str, Any]:
    headers = dict(answer.headers)
    parsed = create_parser(protocol).parse(
        {"status_code": answer.status, "headers": headers, "body": answer.body}, operation.output_shape
    )
    parsed.pop("ResponseMetadata")
    return dict(parsed)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_s3_requests(data: st.DataObject) -> None:
    operation = data.draw(XML)
    params = {**data.draw(value_of(operation.input_shape)), "Bucket": "bucket"}
    if "Key" in params:
        params["Key"] = data.draw(st.sampled_from(["k", "a/b=c", "ü x"]))
    sent = create_serializer("rest-xml", include_validation=False).serialize_to_request(params, operation)
    path, _, in_path = sent["url_path"].partition("?")
    query = {n: str(v) if not isinstance(v, bool) else str(v).lower() for n, v in sent["query_string"].items()}
    query |= dict(part.partition("=")[::2] for part in in_path.split("&") if part)
    headers = {name.lower(): str(value) for name, value in sent["headers"].items()}
    found, uri = routing.rest_operation("s3", sent["method"], path, query, headers)
    assert found.name == operation.name
    located = parse.rest_locations(found, uri, query, headers)
    payload = operation.input_shape.serialization.get("payload")
    if payload in params:
        located[payload] = parse.xml_value(operation.input_shape.members[payload], parse.xml_root(sent["body"]))
    comparable = {n: v for n, v in params.items() if n in located}
    assert {n: located[n] for n in comparable} == comparable
    assert set(located) == {n for n, v in params.items() if v != ""}


@pytest.mark.parametrize("service", ["glue", "athena", "iam", "sts", "s3", "redshift-data", "quicksight"])
def test_no_pattern_of_a_model_takes_exponential_time(service: str) -> None:
    model = models.service_model(service)
    for name in model.shape_names:
        shape = model.shape_for(name)
        if shape.type_name == "string" and "pattern" in shape.metadata:
            list(constraint._string(shape, "a" * 2000 + "!", "x"))


@pytest.mark.parametrize("body", [b"", b"<", b"<a>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"\xff\xfe", b"text"])
def test_broken_xml(body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        parse.xml_root(body)
    assert caught.value.code == "MalformedXML"
