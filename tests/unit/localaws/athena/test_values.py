"""Values as text, types as Athena names them, and the CSV in both directions."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.localaws.athena import csvfile, metadata
from smartcity.localaws.athena.values import Column, Type, formatter, java_double, simple_column, type_of

VARCHAR, DOUBLE = Type("varchar", (2147483647,)), Type("double")


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (Type("boolean"), True, "true"),
        (Type("integer"), -7, "-7"),
        (DOUBLE, 1.0, "1.0"),
        (DOUBLE, 0.0, "0.0"),
        (DOUBLE, -0.0, "-0.0"),
        (DOUBLE, 1e7, "1.0E7"),
        (DOUBLE, 9999999.5, "9999999.5"),
        (DOUBLE, 12345678.9, "1.23456789E7"),
        (DOUBLE, 1e22, "1.0E22"),
        (DOUBLE, 1.5e300, "1.5E300"),
        (DOUBLE, 0.001, "0.001"),
        (DOUBLE, 0.0001, "1.0E-4"),
        (DOUBLE, 0.00012345, "1.2345E-4"),
        (DOUBLE, -1.5e-10, "-1.5E-10"),
        (DOUBLE, "NaN", "NaN"),
        (DOUBLE, "-Infinity", "-Infinity"),
        (Type("real"), 0.1, "0.1"),
        (Type("decimal", (5, 2)), "1.50", "1.50"),
        (Type("date"), "2026-03-01", "2026-03-01"),
        (Type("timestamp", (3,)), "2026-03-01 07:00:00.000", "2026-03-01 07:00:00.000"),
        (Type("timestamp", (0,)), "2026-03-01 07:00:00", "2026-03-01 07:00:00.000"),
        (Type("timestamp", (1,)), "2026-03-01 07:00:00.5", "2026-03-01 07:00:00.500"),
        (Type("timestamp", (6,)), "2026-03-01 07:00:00.123456", "2026-03-01 07:00:00.123456"),
        (Type("timestamp with time zone", (0,)), "2026-03-01 07:00:00 UTC", "2026-03-01 07:00:00.000 UTC"),
        (Type("timestamp with time zone", (3,)), "2026-03-01 07:00:00.000 +05:30", "2026-03-01 07:00:00.000 +05:30"),
        (Type("time", (0,)), "07:00:00", "07:00:00.000"),
        (Type("varbinary"), base64.b64encode(b"\x00\xff\x10").decode(), "00 ff 10"),
        (Type("array", parts=(Type("integer"),)), [1, None, 2], "[1, null, 2]"),
        (Type("array", parts=(VARCHAR,)), ["a", 'b"c'], '[a, b"c]'),
        (Type("map", parts=(VARCHAR, DOUBLE)), {"a": 1.0, "b": None}, "{a=1.0, b=null}"),
        (Type("row", parts=(Type("integer"), VARCHAR), fields=("x", None)), [1, "y"], "{x=1, field1=y}"),
        (
            Type("array", parts=(Type("row", parts=(Type("boolean"),), fields=("ok",)),)),
            [[False], None],
            "[{ok=false}, null]",
        ),
    ],
)
def test_values(type_: Type, value: Any, text: str) -> None:
    assert formatter(type_)(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_survive_their_text(value: float) -> None:
    text = java_double(value)
    assert float(text) == value
    mantissa, _, exponent = text.partition("E")
    assert "." in mantissa
    assert "e" not in text
    if exponent:
        assert len(mantissa.lstrip("-").partition(".")[0]) == 1
        assert not 1e-3 <= abs(value) < 1e7


def test_columns() -> None:
    decimal = type_of(
        {"rawType": "decimal", "arguments": [{"kind": "LONG", "value": 10}, {"kind": "LONG", "value": 2}]}
    )
    info = Column("price", decimal).info
    assert (info["Type"], info["Precision"], info["Scale"], info["CaseSensitive"]) == ("decimal", 10, 2, False)
    assert Column("t", VARCHAR).info["Precision"] == 2147483647
    assert Column("t", Type("varchar", (5,))).info["CaseSensitive"] is True
    assert Column("r", Type("real")).info["Type"] == "float"
    nested = type_of(
        {"rawType": "row", "arguments": [{"kind": "NAMED_TYPE", "value": {"typeSignature": {"rawType": "bigint"}}}]}
    )
    assert (nested.parts[0].name, nested.fields) == ("bigint", (None,))


cells = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(cells, cells), max_size=20))
def test_csv_round_trip(rows: list[tuple[str | None, str | None]]) -> None:
    encoder = csvfile.Encoder([simple_column("a"), simple_column("b")])
    assert csvfile.parse("".join(encoder.lines(rows))) == [list(row) for row in rows]


def test_null_and_empty_differ() -> None:
    encoder = csvfile.Encoder([simple_column("a"), Column("n", Type("integer"))])
    assert encoder.lines([[None, None], ["", 0], ['"', 1]]) == [",\n", '"","0"\n', '"""","1"\n']
    assert csvfile.header([simple_column('a"b')]) == '"a""b"\n'


def test_metadata_lists_the_columns() -> None:
    content = metadata.encode("20261124_1", [Column("road", VARCHAR), Column("n", Type("bigint"))])
    assert content.startswith(b"\x0a\x0a20261124_1\x22")
    assert content.count(b"\x0a\x04hive") == 2
    assert b"\x32\x06bigint\x38\x13\x40\x00\x48\x03\x50\x00" in content
