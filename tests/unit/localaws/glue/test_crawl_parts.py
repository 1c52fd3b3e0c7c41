"""The parts of a crawl on their own: types, schemas, exclusions, classifiers, folders."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.localaws.glue.crawl import parquet_facts, text_facts
from smartcity.localaws.glue.crawl.definitions import table_name
from smartcity.localaws.glue.crawl.facts import Facts
from smartcity.localaws.glue.crawl.folders import Found, find_tables
from smartcity.localaws.glue.crawl.listing import S3Object, Target, glob_pattern
from smartcity.localaws.glue.crawl.schema import merge_columns, similarity
from smartcity.localaws.glue.crawl.types import merge, of_arrow, render, widen

plain = st.sampled_from(
    [
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "float",
        "double",
        "string",
        "boolean",
        "date",
        "timestamp",
        "decimal(5,2)",
    ]
)
types = st.recursive(
    plain,
    lambda inner: st.one_of(
        inner.map(lambda kind: ["array", kind]),
        st.tuples(inner, inner).map(lambda pair: ["map", *pair]),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
            lambda fields: ["struct", [[name, kind] for name, kind in fields.items()]]
        ),
    ),
    max_leaves=4,
)
schemas = st.dictionaries(st.sampled_from("abcdef"), types, max_size=5).map(lambda found: tuple(found.items()))


def fields(kind: Any) -> Any:
    """A type with the fields of structs in the order of their names."""
    if isinstance(kind, str):
        return kind
    if kind[0] == "struct":
        return ["struct", sorted([name, fields(inner)] for name, inner in kind[1])]
    return [kind[0], *map(fields, kind[1:])]


@given(types, types)
def test_merging_types_does_not_depend_on_the_order(one: Any, other: Any) -> None:
    assert fields(widen(one, other)) == fields(widen(other, one))
    assert fields(widen(widen(one, other), one)) == fields(widen(one, other))


@given(types)
def test_a_type_merges_with_itself(kind: Any) -> None:
    assert merge(kind, kind) == kind


@given(st.lists(schemas, min_size=1, max_size=4))
def test_merged_schemas_have_every_column_once(given_schemas: list[Any]) -> None:
    merged = merge_columns(given_schemas)
    names = [name for name, _ in merged]
    assert len(names) == len(set(names))
    assert set(names) == {name for schema in given_schemas for name, _ in schema}
    assert all(similarity(merged, schema, strict=False) <= 1 for schema in given_schemas)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("int", "bigint", "bigint"),
        ("float", "int", "double"),
        ("date", "timestamp", "timestamp"),
        ("decimal(5,2)", "decimal(4,3)", "decimal(6,3)"),
        ("int", "string", None),
        ("boolean", "int", None),
        (["array", "int"], ["array", "bigint"], ["array", "bigint"]),
        (["array", "null"], ["array", "int"], ["array", "int"]),
        (["array", "int"], "int", None),
        (["struct", [["a", "int"]]], ["struct", [["b", "date"]]], ["struct", [["a", "int"], ["b", "date"]]]),
    ],
)
def test_merging_types(one: Any, other: Any, both: Any) -> None:
    assert merge(one, other) == both


@pytest.mark.parametrize(
    ("arrow", "glue"),
    [
        (pa.int8(), "tinyint"),
        (pa.int16(), "smallint"),
        (pa.int32(), "int"),
        (pa.int64(), "bigint"),
        (pa.uint32(), "bigint"),
        (pa.float32(), "float"),
        (pa.float64(), "double"),
        (pa.bool_(), "boolean"),
        (pa.string(), "string"),
        (pa.large_string(), "string"),
        (pa.binary(), "binary"),
        (pa.binary(16), "binary"),
        (pa.date32(), "date"),
        (pa.timestamp("ms", "UTC"), "timestamp"),
        (pa.timestamp("us"), "timestamp"),
        (pa.timestamp("ns"), "timestamp"),
        (pa.decimal128(12, 3), "decimal(12,3)"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.list_(pa.struct([("Lat", pa.float64()), ("n", pa.int32())])), "array<struct<Lat:double,n:int>>"),
        (pa.map_(pa.string(), pa.list_(pa.date32())), "map<string,array<date>>"),
    ],
)
def test_parquet_types_through_a_real_file(arrow: pa.DataType, glue: str) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"X": pa.nulls(2, arrow)}), buffer)
    found = parquet_facts.from_tail(buffer.getvalue(), lambda _: b"")
    assert [(name, render(kind)) for name, kind in found.columns] == [("x", glue)]
    assert found.rows == 2
    assert render(of_arrow(arrow)) == glue


def test_a_long_footer_is_fetched_again() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({f"column_{number}": pa.nulls(1, pa.int32()) for number in range(900)}), buffer)
    body, asked = buffer.getvalue(), []

    def read(size: int) -> bytes:
        asked.append(size)
        return body[-size:]

    assert len(parquet_facts.from_tail(body[-parquet_facts.TAIL_BYTES :], read).columns) == 900
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("glob", "hits", "misses"),
    [
        ("*.csv", ["a.csv"], ["x/a.csv", "a.csv.gz"]),
        ("**.csv", ["a.csv", "x/y/a.csv"], ["a.json"]),
        ("tmp/**", ["tmp/a", "tmp/x/y"], ["x/tmp/a"]),
        ("**/_old/**", ["x/_old/a", "_old/a"], ["old/a"]),
        ("data?/*", ["data1/a"], ["data12/a", "data1/x/a"]),
        ("{a,b*}.json", ["a.json", "bcd.json"], ["c.json"]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[!a]x", ["bx"], ["ax"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("a(b", ["a(b"], ["ab"]),
    ],
)
def test_exclusions(glob: str, hits: list[str], misses: list[str]) -> None:
    pattern = glob_pattern(glob)
    assert all(pattern.fullmatch(hit) for hit in hits)
    assert not any(pattern.fullmatch(miss) for miss in misses)


@given(st.text(st.sampled_from("ab*?[]{}!,-\\/(."), max_size=12), st.text("ab/", max_size=6))
def test_no_exclusion_breaks_a_crawl(glob: str, key: str) -> None:
    glob_pattern(glob).fullmatch(key)


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("a,b\n1,x\n2,y\n", {"a": "bigint", "b": "string"}, 2),
        ("a|b\n1|2.5\n", {"a": "bigint", "b": "double"}, 1),
        ("a\tb\ntrue\t\n", {"a": "boolean", "b": "string"}, 1),
        ("x,y\nu,v\n", {"col0": "string", "col1": "string"}, 2),
        ("1,2\n3,4\n", {"col0": "bigint", "col1": "bigint"}, 2),
        ('n,"a ""q"", b"\n1,x\n', {"n": "bigint", 'a "q", b': "string"}, 1),
        ('{"a": 1}\n{"a": 2.5, "b": [1]}\n', {"a": "double", "b": "array<int>"}, 2),
        ('[{"a": "x"},\n {"a": null}]', {"a": "string"}, 2),
        ('{\n "a": {"b": 5000000000}\n}', {"a": "struct<b:bigint>"}, 1),
    ],
)
def test_texts(text: str, columns: dict[str, str], rows: int) -> None:
    for body in (text.encode(), gzip.compress(text.encode())):
        found = text_facts.from_sample(body, len(body))
        assert {name: render(kind) for name, kind in found.columns} == columns
        assert found.rows == rows
    assert found.compression == "gzip"


@pytest.mark.parametrize(
    "body", [b"", b"one line", b"\xff\xfe\x00", b"prose,\nof several\nlines", b"{broken", b"[1, 2]"]
)
def test_what_no_classifier_knows(body: bytes) -> None:
    assert text_facts.from_sample(body, len(body)).format == "unknown"


def test_rows_beyond_the_sample_are_estimated() -> None:
    body = b"id,v\n" + b"".join(b"%06d,x\n" % number for number in range(10_000))
    found = text_facts.from_sample(body[:10_000], len(body))
    assert found.rows == pytest.approx(10_000, rel=0.05)


@given(st.binary(max_size=60), st.integers(0, 100))
def test_no_bytes_break_the_classifiers(body: bytes, more: int) -> None:
    text_facts.from_sample(body, len(body) + more)
    parquet_facts.from_tail(body + b"\x08\x00\x00\x00PAR1", lambda _: body)


ONE = Facts("parquet", (("a", "int"), ("b", "string")), 5)
TWO = Facts("parquet", (("x", "date"), ("y", "double"), ("z", "double")), 7)


def lake(*keys: tuple[str, Facts]) -> list[Found]:
    """The tables that are found below `lake/`."""
    objects = [(S3Object("bkt", f"lake/{key}", 100, "e"), facts) for key, facts in sorted(keys, key=lambda k: k[0])]
    return find_tables("bkt", "lake/", objects)


def test_values_are_unescaped() -> None:
    (found,) = lake(("t/k=a%2Fb%3Ac/1", ONE), ("t/k=%C3%A9/1", ONE))
    assert {leaf.values for leaf in found.leaves} == {("a/b:c",), ("é",)}


def test_different_keys_do_not_mix() -> None:
    found = lake(*((f"t/dt={n}/1", ONE) for n in range(5)), ("t/region=x/1", ONE))
    assert [(table.prefix, table.keys) for table in found] == [("lake/t/", ("dt",)), ("lake/t/region=x/", ())]


def test_numbers_and_dates_are_partitions_even_alone() -> None:
    (found,) = lake(("t/2026/03/01/1", ONE))
    assert (found.prefix, found.keys) == ("lake/t/", ("partition_0", "partition_1", "partition_2"))


def test_a_partition_key_hides_a_column_of_its_name() -> None:
    (found,) = lake(("t/a=1/1", ONE), ("t/a=2/1", ONE))
    assert found.keys == ("a",)
    assert [name for name, _ in found.facts.columns] == ["b"]


def test_unlike_siblings_are_tables() -> None:
    assert [table.prefix for table in lake(("one/1", ONE), ("two/1", TWO))] == ["lake/one/", "lake/two/"]


def test_files_directly_in_the_target_are_its_table() -> None:
    (found,) = lake(("1", ONE), ("2", ONE))
    assert (found.prefix, found.amount.rows) == ("lake/", 10)


keys = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "k=1", "k=2", "2026", "01", ""]), max_size=3).map(
            lambda parts: "/".join([*parts, "f"])
        ),
        st.sampled_from([ONE, TWO]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda pair: pair[0],
)


@given(keys)
def test_every_file_is_in_exactly_one_table(pairs: list[tuple[str, Facts]]) -> None:
    found = lake(*pairs)
    assert sum(table.amount.objects for table in found) == len(pairs)
    assert len({table.location for table in found}) == len(found)
    assert all(len(leaf.values) == len(table.keys) for table in found for leaf in table.leaves)
    assert all(len({leaf.values for leaf in table.leaves}) == len(table.leaves) for table in found)


@given(st.text(min_size=1, max_size=30).filter(lambda name: "/" not in name), st.text("ab_", max_size=5))
def test_table_names_are_identifiers(folder: str, prefix: str) -> None:
    name = table_name(Found("bkt", f"lake/{folder}/", ONE, ()), prefix)
    assert name.startswith(prefix)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_targets_are_folders() -> None:
    assert Target.of({"Path": "s3://bkt/lake"}).uri == "s3://bkt/lake/"
    assert Target.of({"Path": "s3://bkt"}).prefix == ""
    assert Target.of({"Path": "bkt/x/"}).uri == "s3://bkt/x/"
