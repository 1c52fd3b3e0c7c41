"""Aggregates and window functions: Redshift's result types, and its rules about frames.

https://docs.aws.amazon.com/redshift/latest/dg/r_Window_function_synopsis.html
"""

from __future__ import annotations

from sqlglot import exp

from smartcity.localaws.redshift import numerics
from smartcity.localaws.redshift.faults import SqlError, no_function, not_supported
from smartcity.localaws.redshift.functions import FUNCTIONS, Function, call, cast

_TEXT = {"VARCHAR", "CHAR", "NCHAR", "NVARCHAR", "TEXT"}
_RANKING = {"row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist", "lag", "lead"}
_NO_WINDOW = {"listagg", "approximate_count", "any_value", "percentile_disc", "percentile_cont", "median"}
_NUMBERS_ONLY = {"sum", "avg", "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "median"}
_KEY = "redshift_aggregate"


def aggregate(name: str, function: Function, node: exp.Anonymous) -> exp.Expr:
    """An aggregate call; inside OVER or WITHIN GROUP its type is mended by `window` and `within_group`."""
    distinct = node.expressions[0] if node.expressions and isinstance(node.expressions[0], exp.Distinct) else None
    if distinct is not None and distinct.args.get("on") is not None:
        raise not_supported("DISTINCT ON")
    values = list(distinct.expressions) if distinct else list(node.expressions)
    _check(name, function, values, distinct is not None)
    if name == "listagg" and not _is_text(values[0]):
        if distinct is not None:
            raise not_supported("LISTAGG(DISTINCT …) of a value that is not text: cast it")
        values[0] = cast(values[0], "VARCHAR")
    made = function.build(values)
    if distinct is not None and name != "approximate_count" and isinstance(made, exp.Anonymous):
        made.set("expressions", [exp.Distinct(expressions=[made.expressions[0]]), *made.expressions[1:]])
    made.meta[_KEY] = (name, values[0])
    if isinstance(node.parent, (exp.Window, exp.WithinGroup)):
        made.type = node.type
        return made
    if name in {"percentile_cont", "percentile_disc"}:
        raise SqlError(f"{name} requires a WITHIN GROUP clause")
    return _typed(made, values[0], name)


def _check(name: str, function: Function, values: list[exp.Expr], distinct: bool) -> None:
    types = [value.type.sql("redshift").lower() if value.type else "unknown" for value in values]
    if not function.least <= len(values) <= function.most:
        raise no_function(name, types)
    if name in _NUMBERS_ONLY and _is_text(values[0]):
        raise no_function(name, types)
    if name == "approximate_count" and not distinct:
        raise SqlError("APPROXIMATE COUNT requires DISTINCT")
    if isinstance(values[0], exp.Star) and (name != "count" or distinct):
        raise no_function(name, ["*"])
    nested = [found for value in values for found in value.find_all(exp.Anonymous) if _KEY in found.meta]
    if any(found.find_ancestor(exp.Select) is values[0].find_ancestor(exp.Select) for found in nested):
        raise SqlError("aggregate function calls may not have nested aggregate or window function")


def _is_text(value: exp.Expr) -> bool:
    return value.type is not None and value.type.this.name in _TEXT


def _typed(whole: exp.Expr, argument: exp.Expr, name: str) -> exp.Expr:  # noqa: PLR0911  one line per case
    """`whole` (the call, or the call with its OVER) with Redshift's result type.

    AVG of integers is a BIGINT and cuts the fraction off (r_AVG.html); SUM of INTEGER is a BIGINT, of BIGINT a
    NUMERIC(38,0).
    """
    if name == "listagg":
        return call("rs_internal.rs_limit_listagg", whole)
    if name in {"median", "percentile_cont"}:
        return cast(whole, "DOUBLE")
    if name not in {"sum", "avg"}:
        return whole
    type_ = argument.type
    if type_ is None or type_.this.name in {"UNKNOWN", "NULL"}:
        raise not_supported(f"{name.upper()} of an expression of unknown type ({argument.sql()[:40]}): cast it")
    if numerics.is_integer(type_):
        if name == "avg":
            return _integer_average(whole)
        return cast(whole, "DECIMAL(38,0)" if type_.this.name == "BIGINT" else "BIGINT")
    if numerics.is_numeric(type_):
        return cast(whole, f"DECIMAL(38,{numerics.shape(argument)[1]})")
    return whole


def _integer_average(whole: exp.Expr) -> exp.Expr:
    total, number = whole.copy(), whole.copy()
    for tree, name in ((total, "sum"), (number, "count")):
        tree.find(exp.Anonymous).set("this", name)  # type: ignore[union-attr]
    guarded = call("nullif", number, exp.Literal.number(0))
    return cast(exp.IntDiv(this=exp.Paren(this=total), expression=guarded), "BIGINT")


def window(node: exp.Window) -> exp.Expr:
    """A window function: the rules on frames, then the type."""
    inner = node.this
    if isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
        inner = inner.this
    if isinstance(inner, exp.WithinGroup) or not isinstance(inner, exp.Anonymous):
        raise not_supported(f"a window over {inner.sql(dialect='redshift')[:40]}")
    name, argument = inner.meta.get(_KEY, (inner.name.lower(), None))
    _check_frame(name, node)
    if argument is None:
        return node
    if isinstance(inner.expressions[0] if inner.expressions else None, exp.Distinct):
        raise not_supported("DISTINCT in a window function")
    return _typed(node, argument, name)


def _check_frame(name: str, node: exp.Window) -> None:
    if name in _NO_WINDOW:
        raise not_supported(f"{name.upper()} as a window function")
    if name not in FUNCTIONS:
        raise SqlError(f"{name} is not a window function")
    frame: exp.Expr | None = node.args.get("spec")
    if frame is not None and str(frame.args.get("kind", "")).upper() != "ROWS":
        raise not_supported("RANGE in a window frame")
    if name in _RANKING:
        if frame is not None:
            raise SqlError(f"window function {name} does not allow a frame clause")
        if name != "row_number" and node.args.get("order") is None:
            raise SqlError(f"window function {name} requires an ORDER BY clause")
        return
    if node.args.get("order") is not None and frame is None:
        raise SqlError("Aggregate window functions with an ORDER BY clause require a frame clause")


def within_group(node: exp.WithinGroup) -> exp.Expr:
    """LISTAGG and percentiles: DuckDB takes the order inside the call."""
    inner = node.this
    if not isinstance(inner, exp.Anonymous) or _KEY not in inner.meta:
        raise not_supported("WITHIN GROUP after this function")
    name, argument = inner.meta[_KEY]
    order = node.expression
    if name == "listagg":
        arguments = inner.expressions
        last = exp.Order(this=arguments[-1], expressions=order.expressions)
        inner.set("expressions", [*arguments[:-1], last])
        return _typed(inner, argument, name)
    if name not in {"percentile_cont", "percentile_disc"} or len(order.expressions) != 1:
        raise not_supported(f"WITHIN GROUP after {name}")
    ordered = order.expressions[0]
    if ordered.args.get("desc"):
        raise not_supported(f"{name} in descending order")
    return _typed(call(inner.name, ordered.this, argument), ordered.this, name)
