"""Partition filters against plain Python: generated expressions over generated partitions, with SQL's three values."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localaws.api import AwsError
from smartcity.localaws.glue.expression import PartitionFilter
from smartcity.localaws.glue.key_types import NULL_VALUE

KEYS = [
    {"Name": "s", "Type": "string"},
    {"Name": "date", "Type": "date"},  # a key with the name of a type
    {"Name": "n", "Type": "bigint"},
    {"Name": "order", "Type": "decimal(10,2)"},  # a key with the name of a clause
    {"Name": "timestamp", "Type": "timestamp"},
]
PYTHON: list[Callable[[str], Any]] = [str, date.fromisoformat, int, Decimal, datetime.fromisoformat]
OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

strings = st.text(st.sampled_from("abAB%_' \\\"é"), max_size=4)
TEXTS = [
    strings,
    st.dates(date(2020, 1, 1), date(2020, 2, 1)).map(str),
    st.integers(-12, 12).map(str),
    st.decimals(-3, 3, places=2).map(str),
    st.datetimes(datetime(2020, 1, 1), datetime(2020, 1, 2)).map(lambda at: str(at.replace(microsecond=0))),
]
# a partition value is never empty
VALUES = [st.one_of(text.filter(bool), st.just(NULL_VALUE)) for text in TEXTS]
rows = st.lists(st.tuples(*VALUES).map(list), min_size=1, max_size=8)


@dataclass(frozen=True)
class Expression:
    """A filter as text, and what it means."""

    text: str
    holds: Callable[[list[Any]], bool | None]


def quoted(text: str, key: int) -> str:
    """A literal of a key's type."""
    return text if key in (2, 3) else "'" + text.replace("'", "''") + "'"


def unless_null(key: int, test: Callable[[Any], bool]) -> Callable[[list[Any]], bool | None]:
    """A comparison: unknown if the key is null."""
    return lambda row: None if row[key] is None else test(row[key])


def like(pattern: str) -> Callable[[str], bool]:
    """SQL's LIKE with `%` and `_`."""
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern)
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


def negation(inner: Callable[[list[Any]], bool | None]) -> Callable[[list[Any]], bool | None]:
    """NOT: unknown stays unknown."""

    def holds(row: list[Any]) -> bool | None:
        value = inner(row)
        return None if value is None else not value

    return holds


def folded(parts: list[Expression], word: str) -> Callable[[list[Any]], bool | None]:
    """AND or OR with unknown."""
    decisive = word == "OR"

    def holds(row: list[Any]) -> bool | None:
        values = [part.holds(row) for part in parts]
        return decisive if decisive in values else None if None in values else not decisive

    return holds


@st.composite
def comparisons(draw: st.DrawFn) -> Expression:
    """One condition on one key."""
    key = draw(st.integers(0, len(KEYS) - 1))
    name, read, literal = KEYS[key]["Name"], PYTHON[key], TEXTS[key]
    name = draw(st.sampled_from([name, name.upper(), f'"{name}"', f"`{name}`"]))
    kind = draw(st.sampled_from(["compare", "in", "between", "null", *(["like"] if key == 0 else [])]))
    negated = draw(st.booleans())
    word = " NOT" if negated else ""
    if kind == "compare":
        sign, text = draw(st.sampled_from(sorted(OPERATORS))), draw(literal)
        return Expression(
            f"{name} {sign} {quoted(text, key)}", unless_null(key, lambda value: OPERATORS[sign](value, read(text)))
        )
    if kind == "null":
        return Expression(f"{name} IS{word} NULL", lambda row: (row[key] is None) is not negated)
    if kind == "in":
        texts = draw(st.lists(literal, min_size=1, max_size=3))
        items = ", ".join(quoted(text, key) for text in texts)
        test, text = (lambda value: value in [read(item) for item in texts]), f"{name}{word} IN ({items})"
    elif kind == "between":
        low, high = draw(literal), draw(literal)
        test = lambda value: read(low) <= value <= read(high)  # noqa: E731
        text = f"{name}{word} BETWEEN {quoted(low, key)} AND {quoted(high, key)}"
    else:
        pattern = draw(literal)
        test, text = like(pattern), f"{name}{word} LIKE {quoted(pattern, key)}"
    plain = unless_null(key, test)
    return Expression(text, negation(plain) if negated else plain)


def combined(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """AND, OR, NOT and parentheses around smaller expressions."""
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.builds(
            lambda parts, word: Expression(f" {word} ".join(f"({p.text})" for p in parts), folded(parts, word)),
            several,
            st.sampled_from(["AND", "OR"]),
        ),
        inner.map(lambda one: Expression(f"NOT ({one.text})", negation(one.holds))),
        inner.map(lambda one: Expression(f"(({one.text}))", one.holds)),
    )


expressions = st.recursive(comparisons(), combined, max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(expressions, rows)
def test_a_filter_means_what_python_says(expression: Expression, partitions: list[list[str]]) -> None:
    typed = [
        [None if text == NULL_VALUE else read(text) for text, read in zip(row, PYTHON, strict=True)]
        for row in partitions
    ]
    expected = [expression.holds(row) is True for row in typed]
    assert PartitionFilter(expression.text, KEYS).matches(partitions) == expected, expression.text


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("sn=<>'()., ANDORINTLKE01%\"`-+*/;\n"), max_size=60))
def test_any_text_either_works_or_is_invalid_input(text: str) -> None:
    try:
        PartitionFilter(text, KEYS).matches([["a", "2020-01-01", "1", "1.00", "2020-01-01 00:00:00"]])
    except AwsError as error:
        assert error.code == "InvalidInputException"


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("nope = 1", "Unknown column 'nope'"),
        ("n = 'x'", '"x" is not an integer.'),
        ("n = 1.5", '"1.5" is not an integer.'),
        ("date = 'soon'", "soon is not a date."),
        ("date > '2020-13-01'", "2020-13-01 is not a date."),
        ("n LIKE '1%'", "Integral data type doesn't support operation 'LIKE'"),
        ("date LIKE '1%'", "Date data type doesn't support operation 'LIKE'"),
        ("s = n", "Unsupported expression 's = n'"),
        ("s", "Unsupported expression 's'"),
        ("s = 'a' UNION SELECT 1", "Unsupported expression"),
        ("s IN (SELECT 1)", "Unsupported expression"),
        ("t.s = 'a'", "Unsupported expression"),
        ("s = NULL", "Unsupported expression"),
        ("(" * 900 + "s = 'a'" + ")" * 900, "Unsupported expression"),
    ],
)
def test_what_is_refused_says_why(expression: str, sentence: str) -> None:
    with pytest.raises(AwsError) as error:
        PartitionFilter(expression, KEYS)
    assert sentence in error.value.message


def test_a_type_that_no_filter_may_use() -> None:
    with pytest.raises(AwsError, match="Unknown type : 'double'"):
        PartitionFilter("x = 1", [{"Name": "x", "Type": "double"}])


def test_typed_literals_and_precedence() -> None:
    wanted = PartitionFilter("s = 'a' OR s = 'b' AND date >= DATE '2020-01-02'", KEYS)
    row = ["1", "1.00", "2020-01-01 00:00:00"]
    assert wanted.matches([["a", "2020-01-01", *row], ["b", "2020-01-01", *row], ["b", "2020-01-02", *row]]) == [
        True,
        False,
        True,
    ]


def test_trinos_way_to_ask_for_values_that_are_not_null() -> None:
    wanted = PartitionFilter(f"n <> '{NULL_VALUE}'", [{"Name": "n", "Type": "int"}])
    assert wanted.matches([["1"], [NULL_VALUE]]) == [True, False]


def test_timestamps_count_nanoseconds() -> None:
    wanted = PartitionFilter("timestamp > '2020-01-01 00:00:00.000000001'", KEYS)
    row = ["a", "2020-01-01", "1", "1.00"]
    at = "2020-01-01 00:00:00"
    assert wanted.matches([[*row, f"{at}.000000001"], [*row, f"{at}.000000002"]]) == [False, True]
