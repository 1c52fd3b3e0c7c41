"""From an annotated Redshift tree to a DuckDB tree: what differs is rewritten, what is not known fails.

Every kind of node that may occur is listed; another one is an error, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from smartcity.localaws.redshift import dates, numerics, structure
from smartcity.localaws.redshift.aggregates import aggregate, window, within_group
from smartcity.localaws.redshift.faults import SqlError, no_function, not_supported
from smartcity.localaws.redshift.functions import FUNCTIONS, Function, call, cast, text
from smartcity.localaws.redshift.types import parse_type

#: Nodes that mean the same in both.
_SAME = (
    exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Limit, exp.Offset, exp.With,
    exp.CTE, exp.TableAlias, exp.Subquery, exp.Union, exp.Intersect, exp.Except, exp.Identifier,
    exp.Alias, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.And, exp.Or, exp.Not, exp.Is, exp.Exists,
    exp.If, exp.Tuple, exp.Values, exp.Neg, exp.DataType, exp.DataTypeParam, exp.Var, exp.WindowSpec, exp.Distinct,
    exp.Cube, exp.Rollup, exp.GroupingSets, exp.Ordered, exp.Interval, exp.IntervalSpan, exp.Qualify,
    exp.CurrentDate, exp.CurrentUser,
)  # fmt: skip
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_TEXT = {"VARCHAR", "CHAR", "NCHAR", "NVARCHAR", "TEXT"}


def rewrite(node: exp.Expr) -> exp.Expr:
    """The DuckDB form of `node` and all below it; types found before stay on the new nodes."""
    handler = _handler(node)
    type_ = node.type
    for key, value in list(node.args.items()):
        if isinstance(value, exp.Expr):
            node.set(key, _child(node, value))
        elif isinstance(value, list):
            node.set(key, [_child(node, item) if isinstance(item, exp.Expr) else item for item in value])
    made = handler(node) if handler else node
    if made.type is None or made is not node:
        made.type = type_
    return made


def _child(parent: exp.Expr, child: exp.Expr) -> exp.Expr:
    if isinstance(parent, (exp.Anonymous, exp.Extract)) and child is _date_part_of(parent):
        return child
    return rewrite(child)


def _date_part_of(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Extract):
        return node.this  # type: ignore[no-any-return]
    if node.name.lower() in {"dateadd", "datediff", "date_part", "date_trunc"} and node.expressions:
        return node.expressions[0]  # type: ignore[no-any-return]
    return None


def _handler(node: exp.Expr) -> Callable[[Any], exp.Expr] | None:
    for kind in type(node).__mro__:
        if kind in _RULES:
            return _RULES[kind]
    if isinstance(node, _SAME):
        return None
    raise not_supported(_described(node))


def _described(node: exp.Expr) -> str:
    return f"{type(node).__name__.upper()} ({node.sql(dialect='redshift')[:60]})"


def is_text(node: exp.Expr) -> bool | None:
    """Whether an expression is text; None when its type is unknown."""
    type_ = node.type
    if type_ is None or type_.this.name in {"UNKNOWN", "NULL"}:
        return None
    return type_.this.name in _TEXT


def _is_super(node: exp.Expr) -> bool:
    return node.type is not None and node.type.this.name in {"SUPER", "JSON"}


def _trimmed(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_string:
        return text(node.name.rstrip(" "))
    type_ = node.type
    if type_ is not None and type_.this.name in {"CHAR", "NCHAR"}:
        return node
    return call("rtrim", node, text(" "))


def _comparison(node: exp.Binary) -> exp.Expr:
    left, right = node.left, node.right
    if _is_super(left) or _is_super(right):
        return _super_comparison(node)
    kinds = (is_text(left), is_text(right))
    if kinds == (True, True):
        return type(node)(this=_trimmed(left), expression=_trimmed(right))
    if kinds == (None, None):
        return type(node)(this=_as_key(left), expression=_as_key(right))
    if True in kinds and False in kinds:
        return type(node)(this=_literal_as(left, right), expression=_literal_as(right, left))
    if None in kinds and True in kinds:
        return type(node)(this=_as_key(left), expression=_as_key(right))
    return node


def _literal_as(node: exp.Expr, other: exp.Expr) -> exp.Expr:
    """A string literal takes the other side's type; any other text does not compare with what is not text."""
    if not is_text(node):
        return node
    type_ = other.type
    if not isinstance(node, exp.Literal) or type_ is None:
        raise SqlError(
            f"operator does not exist: {_shown(node)} = {_shown(other)}\n"
            "  Hint: No operator matches the given name and argument type(s). You may need to add explicit type casts."
        )
    if numerics.is_integer(type_):
        return cast(call("rs_internal.rs_text_integer", node), type_.this.name)
    return node


def _as_key(node: exp.Expr) -> exp.Expr:
    return _trimmed(node) if is_text(node) else call("rs_internal.rs_key", node)


def _super_comparison(node: exp.Binary) -> exp.Expr:
    left, right = node.left, node.right
    if _is_super(left) and _is_super(right):
        raise not_supported("comparing two SUPER values")
    scalar = right if _is_super(left) else left
    type_ = scalar.type
    if type_ is None or type_.this.name == "UNKNOWN":
        raise not_supported("comparing a SUPER value with a value of unknown type")
    if type_.this.name in _TEXT:
        macro = "rs_super_text"
    else:
        macro = "rs_super_bool" if type_.this.name == "BOOLEAN" else "rs_super_number"
    sides = [call(f"rs_internal.{macro}", side) if _is_super(side) else side for side in (left, right)]
    return type(node)(this=sides[0], expression=sides[1])


def _in(node: exp.In) -> exp.Expr:
    if _is_super(node.this):
        raise not_supported("IN with a SUPER value")
    if node.args.get("query") is not None:
        if is_text(node.this) is not False:
            node.set("this", _as_key(node.this))
            query = node.args["query"]
            select = query.this if isinstance(query, exp.Subquery) else query
            _trim_projection(select)
        return node
    if is_text(node.this) is not False:
        node.set("this", _as_key(node.this))
        node.set("expressions", [_as_key(item) for item in node.expressions])
    return node


def _trim_projection(select: exp.Expr) -> None:
    if not isinstance(select, exp.Select):
        raise not_supported("IN with a set operation over text")
    first = select.expressions[0]
    inner = first.this if isinstance(first, exp.Alias) else first
    if is_text(inner) is not False:
        select.set("expressions", [_as_key(inner.copy() if inner.parent else inner), *select.expressions[1:]])


def _between(node: exp.Between) -> exp.Expr:
    parts = [node.this, node.args["low"], node.args["high"]]
    if any(is_text(part) for part in parts):
        this, low, high = (_as_key(part) for part in parts)
        return exp.Between(this=this, low=low, high=high)
    return node


def _case(node: exp.Case) -> exp.Expr:
    subject = node.this
    if subject is None:
        return node
    pairs = [
        exp.If(this=_comparison(exp.EQ(this=subject.copy(), expression=pair.this)), true=pair.args["true"])
        for pair in node.args["ifs"]
    ]
    for pair in pairs:
        pair.this.left.type = subject.type
    return exp.Case(ifs=pairs, default=node.args.get("default"))


def _divide(node: exp.Div) -> exp.Expr:
    left, right = exp.Paren(this=node.left), exp.Paren(this=node.right)
    types = (node.left.type, node.right.type)
    if any(type_ is None or type_.this.name in {"UNKNOWN", "NULL"} for type_ in types):
        return call("rs_internal.rs_div", node.left, node.right)
    if any(numerics.is_numeric(type_) for type_ in types) and all(
        numerics.is_numeric(type_) or numerics.is_integer(type_) for type_ in types
    ):
        shape = numerics.of_quotient(numerics.shape(node.left), numerics.shape(node.right))
        made = cast(exp.IntDiv(this=left, expression=right), f"DECIMAL({shape[0]},{shape[1]})")
        made.type = numerics.decimal(shape)
        return made
    return exp.Paren(this=_raw_divide(left, right))


def _raw_divide(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.IntDiv(this=left, expression=right)


def _arithmetic(node: exp.Binary) -> exp.Expr:
    if _is_super(node.left) or _is_super(node.right):
        raise not_supported("arithmetic with a SUPER value: cast it")
    for side, other in (("this", node.right), ("expression", node.left)):
        if isinstance(node.args[side], exp.Literal) and node.args[side].is_string and not is_text(other):
            node.set(side, _number_of(node.args[side], other))
    if is_text(node.left) and is_text(node.right):
        raise SqlError(f"operator does not exist: character varying {_SIGNS[type(node)]} character varying")
    if node.type is not None and node.type.this.name == "INT" and node.left.type and node.left.type.is_type("DATE"):
        return cast(node, "INT")
    if node.type is not None and node.type.is_type("DATE") and not isinstance(node, exp.Mul):
        return cast(node, "DATE")
    return node


def _number_of(literal: exp.Expr, other: exp.Expr) -> exp.Expr:
    """A quoted number in arithmetic takes the type of the other side, such as a parameter of the Data API."""
    type_ = other.type
    if type_ is None or type_.this.name not in {"SMALLINT", "INT", "BIGINT", "DOUBLE", "FLOAT"}:
        return literal
    made = _literal_as(literal, other)
    return made if made is not literal else cast(literal, "DOUBLE")


_SIGNS = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Mod: "%"}


def _cast(node: exp.Cast) -> exp.Expr:  # noqa: PLR0911  one line per case
    target = parse_type(node.args["to"].sql(dialect="redshift"))
    value = node.this
    if isinstance(value, exp.Anonymous) and value.name == "json_extract" and target.name == "super":
        return value
    if _is_super(value):
        return _super_cast(value, target)
    if target.is_text:
        made = to_text(value)
        written = node.args["to"].expressions
        if written and target.size:
            made = call("rs_internal.rs_cut", made, exp.Literal.number(target.size))
        return call("rtrim", made, text(" ")) if target.name == "character" else made
    if target.name == "super":
        return call("to_json", value)
    if is_text(value) and target.name in {"smallint", "integer", "bigint"}:
        return cast(call("rs_internal.rs_text_integer", value), target.duckdb)
    if is_text(value) is None and target.name in {"smallint", "integer", "bigint"}:
        return cast(call("rs_internal.rs_any_integer", value), target.duckdb)
    return cast(value, target.duckdb)


def to_text(value: exp.Expr) -> exp.Expr:
    """A cast to text as Redshift writes values: no booleans, floating point without a trailing .0."""
    if _is(value, "BOOLEAN"):
        raise SqlError("cannot cast type boolean to character varying")
    if _is(value, "DOUBLE") or _is(value, "FLOAT"):
        return call("rs_internal.rs_float_text", value)
    return value if is_text(value) else cast(value, "VARCHAR")


def _is(node: exp.Expr, name: str) -> bool:
    return node.type is not None and node.type.this.name == name


def _super_cast(value: exp.Expr, target: Any) -> exp.Expr:
    if target.is_text:
        found: exp.Expr = call("rs_internal.rs_super_as_text", value)
        return call("rs_internal.rs_cut", found, exp.Literal.number(target.size)) if target.size else found
    if target.name == "super":
        return value
    if target.name == "boolean":
        return call("rs_internal.rs_super_bool", value)
    if target.name in {"date", "timestamp without time zone"}:
        return cast(call("rs_internal.rs_super_text", value), target.duckdb)
    return cast(call("rs_internal.rs_super_as_number", value), target.duckdb)


def _function(node: exp.Anonymous) -> exp.Expr:
    name = node.name.lower()
    arguments = list(node.expressions)
    if name == "rs_internal.json_path":
        return call("json_extract", *arguments)
    if name in dates.SPECIAL:
        return dates.SPECIAL[name](arguments)
    function = FUNCTIONS.get(name)
    if function is None or not function.least <= len(arguments) <= function.most:
        raise no_function(name, [_shown(argument) for argument in arguments])
    if function.window_only and not isinstance(node.parent, (exp.Window, exp.IgnoreNulls, exp.RespectNulls)):
        raise SqlError(f"window function {name} requires an OVER clause")
    if function.aggregate:
        return aggregate(name, function, node)
    if name == "trunc" or name in _BY_DECIMAL:
        return _decimal_function(name, function, arguments)
    return _qualified(function.build(arguments))


_BY_DECIMAL = ("round", "abs", "ceil", "ceiling", "floor")


def _decimal_function(name: str, function: Function, arguments: list[exp.Expr]) -> exp.Expr:
    if arguments and is_text(arguments[0]):
        raise no_function(name, [_shown(argument) for argument in arguments])
    made = _qualified(function.build(arguments))
    type_ = arguments[0].type
    if name == "trunc" and numerics.is_numeric(type_):
        precision, scale = numerics.shape(arguments[0])
        return cast(made, f"DECIMAL({precision},{scale})")
    return made


def _qualified(made: exp.Expr) -> exp.Expr:
    for inner in made.find_all(exp.Anonymous):
        if inner.name.startswith("rs_") and "." not in inner.name:
            inner.set("this", f"rs_internal.{inner.name}")
    return made


def _shown(argument: exp.Expr) -> str:
    type_ = argument.type
    if type_ is None or type_.this.name in {"UNKNOWN", "NULL"}:
        return "unknown"
    try:
        return parse_type(type_.sql("redshift")).name
    except SqlError:
        return str(type_.sql("redshift").lower())


def _like(node: exp.Binary) -> exp.Expr:
    """The escape character is a backslash unless ESCAPE names another (r_patternmatching_condition_like.html)."""
    if not is_text(node.this):
        raise SqlError(f"operator does not exist: {_shown(node.this)} ~~ unknown")
    if isinstance(node.parent, exp.Escape):
        return node
    return exp.Escape(this=node, expression=text("\\"))


def _similar(node: exp.SimilarTo) -> exp.Expr:
    pattern = node.expression
    if not isinstance(pattern, exp.Literal) or "\\" in pattern.name:
        raise not_supported("SIMILAR TO with an escape or a pattern that is not a literal")
    translated = "".join({"%": ".*", "_": ".", ".": "\\.", "^": "\\^", "$": "\\$"}.get(c, c) for c in pattern.name)
    return call("regexp_full_match", node.this, text(translated))


def _matches(node: exp.RegexpLike) -> exp.Expr:
    return call("regexp_matches", node.this, node.expression)


def _joined(node: exp.DPipe) -> exp.Expr:
    if _is_super(node.left) or _is_super(node.right):
        raise not_supported("|| with a SUPER value")
    node.args.pop("safe", None)
    return exp.DPipe(this=_as_text(node.left), expression=_as_text(node.right))


def _as_text(node: exp.Expr) -> exp.Expr:
    if is_text(node) or isinstance(node, exp.Null):
        return node
    if is_text(node) is None:
        raise not_supported("|| with a value of unknown type: cast it")
    return to_text(node)


def _trim(node: exp.Trim) -> exp.Expr:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    return call(name, node.this, node.expression or text(" "))


_RULES: dict[Any, Callable[[Any], exp.Expr]] = {
    **dict.fromkeys(_COMPARISONS, _comparison),
    exp.In: _in,
    exp.Between: _between,
    exp.Case: _case,
    exp.Div: _divide,
    exp.Cast: _cast,
    exp.Anonymous: _function,
    exp.Window: window,
    exp.WithinGroup: within_group,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: lambda node: node,
    exp.SimilarTo: _similar,
    exp.RegexpLike: _matches,
    exp.DPipe: _joined,
    exp.Trim: _trim,
    exp.StrPosition: lambda node: cast(call("strpos", node.this, node.args["substr"]), "INT"),
    exp.Substring: lambda node: call(
        "rs_internal.rs_substring",
        *[part for part in (node.this, node.args.get("start"), node.args.get("length")) if part is not None],
    ),
    exp.Extract: lambda node: dates.extract(node, node.expression),
    exp.Add: _arithmetic,
    exp.Sub: _arithmetic,
    exp.Mul: _arithmetic,
    exp.Mod: _arithmetic,
    exp.Table: structure.table,
    exp.Select: structure.select,
    exp.Join: structure.join,
    exp.Star: structure.star,
    exp.Column: structure.column,
    exp.CurrentTimestamp: structure.timestamp,
    exp.IgnoreNulls: lambda node: node,
    exp.RespectNulls: lambda node: node.this,
}
