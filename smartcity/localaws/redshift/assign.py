"""Storing a value in a column: the assignment casts of INSERT, UPDATE, MERGE and COPY, and what they refuse.

https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html (lengths in bytes, trailing blanks)
"""

from __future__ import annotations

from sqlglot import exp

from smartcity.localaws.redshift.catalog import ColumnInfo
from smartcity.localaws.redshift.faults import SqlError
from smartcity.localaws.redshift.functions import call, cast
from smartcity.localaws.redshift.rewrite import is_text
from smartcity.localaws.redshift.types import RsType

_INTEGERS = {"smallint", "integer", "bigint"}
_TEMPORAL = {"DATE", "TIMESTAMP", "TIMESTAMPTZ"}


def stored(value: exp.Expr, column: ColumnInfo, literal: bool = False) -> exp.Expr:
    """The (rewritten) value as the column takes it; `literal`: text that was written as a literal has no type yet."""
    target = column.type
    type_ = value.type.this.name if value.type is not None else "UNKNOWN"
    if target.is_text:
        if type_ == "BOOLEAN":
            raise _mismatch(column, "boolean")
        return stored_text(cast(value, "VARCHAR"), target)
    if is_text(value) and not literal and not isinstance(value, exp.Literal) and target.name != "super":
        raise _mismatch(column, "character varying")
    if target.name in _INTEGERS and type_ in {"UNKNOWN", "VARCHAR", "TEXT"}:
        return cast(call("rs_internal.rs_any_integer", value), target.duckdb)
    if (type_ in _TEMPORAL and target.name in {*_INTEGERS, "numeric", "boolean"}) or (
        type_ == "BOOLEAN" and target.name not in {"boolean", "super"}
    ):
        raise _mismatch(column, type_.lower())
    if target.name == "super":
        return value if type_ in {"SUPER", "JSON"} else call("to_json", value)
    return cast(value, target.duckdb)


def stored_text(value: exp.Expr, target: RsType) -> exp.Expr:
    """Text within the declared length: blanks beyond it are cut, anything else is an error."""
    if target.size is None:
        return value
    macro = "rs_store_char" if target.name == "character" else "rs_store_varchar"
    return call(f"rs_internal.{macro}", value, exp.Literal.number(target.size))


def _mismatch(column: ColumnInfo, given: str) -> SqlError:
    return SqlError(
        f'column "{column.name}" is of type {column.type} but expression is of type {given}\n'
        "  Hint: You will need to rewrite or cast the expression."
    )
