"""Errors as Redshift words them, and DuckDB's errors in Redshift's words.

A statement that fails keeps its text in `DescribeStatement.Error`, where Redshift's starts with `ERROR:`.
"""

from __future__ import annotations

import re
from collections.abc import Callable


class SqlError(Exception):
    """A statement failed: `text` is what DescribeStatement shows."""

    def __init__(self, message: str) -> None:
        self.text = message if message.startswith("ERROR:") else f"ERROR: {message}"
        super().__init__(self.text)


def not_supported(what: str) -> SqlError:
    """Redshift or we do not know a construct; better refused than answered wrongly."""
    return SqlError(f"{what} is not supported")


def no_function(name: str, types: list[str]) -> SqlError:
    """The text of PostgreSQL and Redshift for an unknown function or a wrong number of arguments."""
    return SqlError(
        f"function {name}({', '.join(types)}) does not exist\n"
        "  Hint: No function matches the given name and argument types. You may need to add explicit type casts."
    )


def no_relation(name: str) -> SqlError:
    """A table or view that does not exist."""
    return SqlError(f'relation "{name}" does not exist')


def no_column(name: str) -> SqlError:
    """A column that no table in scope has."""
    return SqlError(f'column "{name}" does not exist')


def from_duckdb(error: Exception) -> SqlError:
    """The Redshift text of a DuckDB exception; what nobody foresaw keeps DuckDB's first line as an internal error."""
    if isinstance(error, SqlError):
        return error
    first = str(error).split("\n", maxsplit=1)[0]
    for pattern, text in _TABLE:
        found = pattern.search(str(error))
        if found:
            return SqlError(text(found))
    return SqlError(f"Assert: {first}")


def _fixed(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


_NAMES = {"DOUBLE": "double precision", "FLOAT": "real", "DECIMAL": "numeric", "BOOL": "boolean"}
_TYPES = {"INT16": "smallint", "INT32": "integer", "INT64": "bigint", "INT128": "numeric", "DOUBLE": "double precision"}

_TABLE: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (re.compile(r"Table with name (\S+) does not exist"), lambda m: f'relation "{m[1]}" does not exist'),
    (
        re.compile(r"(?:Table|View) with name \"?([^\" ]+)\"? already exists"),
        lambda m: f'Relation "{m[1]}" already exists',
    ),
    (re.compile(r"Schema with name \"?([^\" !]+)\"? already exists"), lambda m: f'Schema "{m[1]}" already exists'),
    (re.compile(r"Schema with name \"?([^\" !]+)\"? does not exist"), lambda m: f'schema "{m[1]}" does not exist'),
    (re.compile(r"Referenced column \"(\w+)\" not found"), lambda m: f'column "{m[1]}" does not exist'),
    (
        re.compile(r"Column \"(\w+)\" referenced that exists in the SELECT clause"),
        lambda m: f'column "{m[1]}" does not exist',
    ),
    (re.compile(r"does not have a column named \"(\w+)\""), lambda m: f'column "{m[1]}" does not exist'),
    (re.compile(r"Referenced table \"(\w+)\" not found"), lambda m: f'relation "{m[1]}" does not exist'),
    (re.compile(r"Ambiguous reference to column name \"(\w+)\""), lambda m: f'column reference "{m[1]}" is ambiguous'),
    (
        re.compile(r"column \"(\w+)\" must appear in the GROUP BY"),
        lambda m: f'column "{m[1]}" must appear in the GROUP BY clause or be used in an aggregate function',
    ),
    (re.compile(r"[Dd]ivision by zero"), _fixed("Divide by zero")),
    (
        re.compile(r"NOT NULL constraint failed: [\w.\"]*?(\w+)$", re.MULTILINE),
        lambda m: f"Cannot insert a NULL value into column {m[1]}",
    ),
    (
        re.compile(r"Could not convert string '(.*?)' to (INT\d+)"),
        lambda m: f'invalid input syntax for {_TYPES.get(m[2], "integer")}: "{m[1]}"',
    ),
    (
        re.compile(r"Could not convert string [\"'](.*?)[\"'] to (DOUBLE|FLOAT|DECIMAL|BOOL)", re.DOTALL),
        lambda m: f'invalid input syntax for type {_NAMES[m[2]]}: "{m[1]}"',
    ),
    (
        re.compile(r"(?:date|timestamp|time) field value out of range: \"(.*?)\""),
        lambda m: f'date/time field value out of range: "{m[1]}"',
    ),
    (
        re.compile(r"invalid (date|timestamp) field format: \"(.*?)\""),
        lambda m: f'invalid input syntax for type {m[1]}: "{m[2]}"',
    ),
    (re.compile(r"Malformed JSON"), _fixed("Invalid JSON format. Parsing error")),
    (
        re.compile(r"out of range|Overflow in|Could not cast value|overflow", re.IGNORECASE),
        _fixed("Numeric data overflow (result precision)"),
    ),
    (
        re.compile(
            r"More than one row returned by a subquery|scalar subquery can only return a single row", re.IGNORECASE
        ),
        _fixed("single-row subquery returns more than one row"),
    ),
    (
        re.compile(r"Conflict|TransactionContext Error.*abort", re.IGNORECASE),
        _fixed("1023 DETAIL: Serializable isolation violation on a table, transactions are in conflict"),
    ),
    (re.compile(r"No space left|disk quota|Could not write", re.IGNORECASE), _fixed("Disk Full")),
    (
        re.compile(r"Out of Memory", re.IGNORECASE),
        _fixed("Out Of Memory: statement needs more memory than the warehouse has"),
    ),
    (re.compile(r"INTERRUPT", re.IGNORECASE), _fixed("Query cancelled on user's request")),
    (re.compile(r"Invalid Input Error: (.*)"), lambda m: m[1]),
    (re.compile(r"Binder Error: (.*)"), lambda m: m[1]),
    (re.compile(r"Parser Error: (syntax error.*)"), lambda m: m[1]),
]
