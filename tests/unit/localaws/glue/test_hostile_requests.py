"""Requests made by chance from the model: every operation answers in the model's shape or with an AWS error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glue.conftest import World, answer
from smartcity.localaws.glue import GlueService
from smartcity.localaws.wire import models

texts = st.one_of(
    st.sampled_from(["d", "t", "c", "", "*", "x" * 300, "s3://bkt/p/", "%_'\"", "a/b", "é\x00"]), st.text(max_size=6)
)


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON values that fit a shape, mostly."""
    kind = shape.type_name
    if kind == "structure":
        if depth > 4:
            return st.just({})
        members = {name: values(member, depth + 1) for name, member in shape.members.items()}
        required = {name: members[name] for name in shape.required_members}
        return st.fixed_dictionaries(required, optional={k: v for k, v in members.items() if k not in required})
    if kind == "list":
        return st.lists(values(shape.member, depth + 1), max_size=3)
    if kind == "map":
        return st.dictionaries(texts, values(shape.value, depth + 1), max_size=2)
    if kind == "string":
        allowed = shape.metadata.get("enum")
        return st.sampled_from(allowed) if allowed else texts
    return {
        "boolean": st.booleans(),
        "integer": st.integers(-1, 12),
        "long": st.integers(-1, 2**40),
        "timestamp": st.integers(0, 2**31),
        "blob": st.just("AAAA"),
    }.get(kind, st.floats(-10, 10))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlueService]:
    """A Glue with one database, table and crawler; it survives everything that follows."""
    world = World(Path(tmp_path_factory.mktemp("hostile")))
    world.glue.create_database(DatabaseInput={"Name": "d"})
    world.glue.create_table(DatabaseName="d", TableInput={"Name": "t", "PartitionKeys": [{"Name": "k", "Type": "int"}]})
    yield world.service
    world.service.stop()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_every_operation_answers_or_refuses(service: GlueService, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(set(service.operations) - {"StartCrawler"})))
    shape = models.service_model("glue").operation_model(name).input_shape
    body = data.draw(values(shape)) if shape is not None else {}
    status, content = answer(service, name, orjson.dumps(body))
    assert status in (200, 400), content
    assert isinstance(orjson.loads(content), dict)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["GetTables", "CreateTable", "GetPartitions", "CreateCrawler"]), st.binary(max_size=40))
def test_bodies_that_are_no_requests_are_refused(service: GlueService, name: str, body: bytes) -> None:
    assert answer(service, name, body)[0] in (200, 400)
