"""Types of expressions, on top of sqlglot's annotation: our functions and Redshift's arithmetic.

A type that cannot be told stays unknown; `rewrite` then guards at run time or refuses.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import TypeAnnotator
from sqlglot.schema import MappingSchema

from smartcity.localaws.redshift import numerics
from smartcity.localaws.redshift.faults import SqlError
from smartcity.localaws.redshift.functions import FUNCTIONS
from smartcity.localaws.redshift.grammar import WarehouseDialect

_FLOATS = {"FLOAT", "DOUBLE"}
_RANK = ["SMALLINT", "INT", "BIGINT"]


def annotate(tree: exp.Expr, schema: MappingSchema) -> exp.Expr:
    """Annotate a qualified tree in place."""
    metadata: dict[Any, Any] = dict(WarehouseDialect.EXPRESSION_METADATA)
    metadata[exp.Anonymous] = {"annotator": _anonymous}
    for kind in (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod):
        metadata[kind] = {"annotator": _arithmetic}
    metadata[exp.Extract] = {"returns": exp.DataType.Type.INT}
    metadata[exp.StrPosition] = {"returns": exp.DataType.Type.INT}
    metadata[exp.WithinGroup] = {"annotator": _inner}
    metadata[exp.Literal] = {"annotator": _literal}
    annotator = TypeAnnotator(schema=schema, expression_metadata=metadata)
    return annotator.annotate(tree)


def _set(annotator: TypeAnnotator, node: exp.Expr, type_: Any) -> exp.Expr:
    built = exp.DataType.build(type_, dialect="redshift") if isinstance(type_, str) else type_
    annotator._set_type(node, built)
    return node


def _literal(annotator: TypeAnnotator, node: exp.Literal) -> exp.Expr:
    if node.is_string:
        return _set(annotator, node, exp.DataType.build("VARCHAR"))
    if node.is_int:
        size = abs(int(node.name))
        kind = "INT" if size < 2**31 else "BIGINT" if size < 2**63 else f"DECIMAL({len(node.name)},0)"
        return _set(annotator, node, exp.DataType.build(kind))
    if "e" in node.name.lower():
        return _set(annotator, node, exp.DataType.build("DOUBLE"))
    return _set(annotator, node, numerics.decimal(numerics.shape(node)))


def _inner(annotator: TypeAnnotator, node: exp.WithinGroup) -> exp.Expr:
    inner = node.this
    if inner.name.lower().startswith("percentile") and node.expression:
        ordered = node.expression.expressions[0].this
        kind = "DOUBLE" if inner.name.lower() == "percentile_cont" else ordered.type
        return _set(annotator, node, kind)
    return _set(annotator, node, inner.type)


def _arithmetic(annotator: TypeAnnotator, node: exp.Binary) -> exp.Expr:
    left, right = node.left.type, node.right.type
    return _set(annotator, node, _result(node, left, right) or exp.DataType.build("UNKNOWN"))


def _result(node: exp.Binary, left: exp.DataType | None, right: exp.DataType | None) -> exp.DataType | None:
    if left is None or right is None or "UNKNOWN" in (left.this.name, right.this.name):
        return None
    names = {left.this.name, right.this.name}
    if names & _FLOATS and names <= _FLOATS | {"SMALLINT", "INT", "BIGINT", "DECIMAL"}:
        return exp.DataType.build("DOUBLE")
    if numerics.is_integer(left) and numerics.is_integer(right):
        return exp.DataType.build(max(left.this.name, right.this.name, key=_RANK.index))
    if numerics.is_numeric(left) or numerics.is_numeric(right):
        return _numeric(node)
    return _temporal(node, left, right)


def _numeric(node: exp.Binary) -> exp.DataType | None:
    try:
        left, right = numerics.shape(node.left), numerics.shape(node.right)
    except SqlError:
        return None
    rules = {exp.Mul: numerics.of_product, exp.Div: numerics.of_quotient}
    if isinstance(node, exp.Mod):
        return numerics.decimal(left)
    return numerics.decimal(rules.get(type(node), numerics.of_sum)(left, right))


def _temporal(node: exp.Binary, left: exp.DataType, right: exp.DataType) -> exp.DataType | None:
    first, second = left.this.name, right.this.name
    if first == "DATE" and numerics.is_integer(right):
        return exp.DataType.build("DATE")
    if first == second == "DATE" and isinstance(node, exp.Sub):
        return exp.DataType.build("INT")
    if first in {"DATE", "TIMESTAMP"} and second == "INTERVAL":
        return exp.DataType.build("TIMESTAMP")
    if first == "TIMESTAMPTZ" and second == "INTERVAL":
        return exp.DataType.build("TIMESTAMPTZ")
    return None


def _anonymous(annotator: TypeAnnotator, node: exp.Anonymous) -> exp.Expr:
    name = node.name.lower()
    return _set(annotator, node, _return_type(name, node) or exp.DataType.build("UNKNOWN"))


def _return_type(name: str, node: exp.Anonymous) -> exp.DataType | str | None:  # noqa: PLR0911  one line per case
    if name in _DATE_RESULTS:
        return _DATE_RESULTS[name]
    if name == "date_trunc":
        given = node.expressions[-1].type if node.expressions else None
        return "TIMESTAMPTZ" if given is not None and given.is_type("TIMESTAMPTZ") else "TIMESTAMP"
    function = FUNCTIONS.get(name)
    if function is None:
        return None
    if isinstance(function.returns, str):
        return function.returns
    arguments = [_unwrapped(argument) for argument in node.expressions]
    if name in {"coalesce", "nvl", "greatest", "least", "nvl2", "decode"}:
        return _common(name, arguments)
    if isinstance(function.returns, int):
        return arguments[function.returns].type if len(arguments) > function.returns else None
    return _aggregate(name, arguments[0]) if arguments else None


def _unwrapped(argument: exp.Expr) -> exp.Expr:
    return argument.expressions[0] if isinstance(argument, exp.Distinct) and argument.expressions else argument


def _common(name: str, arguments: list[exp.Expr]) -> exp.DataType | None:
    values = {"nvl2": arguments[1:], "decode": [*arguments[2::2], *(arguments[-1:] if len(arguments) % 2 == 0 else [])]}
    types = [value.type for value in values.get(name, arguments) if not isinstance(value, exp.Null)]
    first = types[0] if types else None
    if first is None or any(type_ is None for type_ in types):
        return None
    names = {type_.this.name for type_ in types if type_ is not None}
    if names <= {"VARCHAR", "CHAR", "NCHAR", "TEXT"}:
        return exp.DataType.build("VARCHAR")
    if names <= set(_RANK):
        return exp.DataType.build(max(names, key=_RANK.index))
    return first if len({str(type_) for type_ in types}) == 1 else None


def _aggregate(name: str, argument: exp.Expr) -> exp.DataType | str | None:  # noqa: PLR0911  one line per case
    """SUM, AVG and TRUNC (https://docs.aws.amazon.com/redshift/latest/dg/r_AVG.html, r_SUM.html)."""
    type_ = argument.type
    if type_ is None:
        return None
    if name == "trunc":
        if type_.is_type(*exp.DataType.TEMPORAL_TYPES):
            return "DATE"
        return type_ if numerics.is_numeric(type_) else "DOUBLE"
    if type_.this.name in _FLOATS or name == "median":
        return "DOUBLE"
    if numerics.is_integer(type_):
        if name == "avg":
            return "BIGINT"
        return "DECIMAL(38,0)" if type_.this.name == "BIGINT" else "BIGINT"
    if numerics.is_numeric(type_):
        try:
            return numerics.decimal((38, numerics.shape(argument)[1]))
        except SqlError:
            return None
    return None


_DATE_RESULTS = {
    "dateadd": "TIMESTAMP",
    "datediff": "BIGINT",
    "date_part": "DOUBLE",
    "to_char": "VARCHAR",
    "to_date": "DATE",
    "to_timestamp": "TIMESTAMPTZ",
}
