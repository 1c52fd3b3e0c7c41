"""Every function that a statement may call: its arguments, its result type and what it is in DuckDB.

What is not in this table does not exist, as far as a statement is concerned: a function that DuckDB happens to have
under the same name could answer differently. Macros named `rs_…` are defined in `macros`.
Pages: https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from smartcity.localaws.redshift.faults import SqlError, not_supported

Builder = Callable[[list[exp.Expr]], exp.Expr]
#: A type's text, the position of the argument whose type is the result's, or None when it cannot be told
Returns = str | int | None


@dataclass(frozen=True)
class Function:
    """One function: `build` makes the DuckDB expression from translated arguments."""

    build: Builder
    returns: Returns
    least: int
    most: int
    aggregate: bool = False
    window_only: bool = False


def call(name: str, *args: exp.Expr) -> exp.Anonymous:
    """A call that is written out as it stands."""
    return exp.Anonymous(this=name, expressions=list(args))


def cast(value: exp.Expr, type_: str) -> exp.Cast:
    """A DuckDB cast."""
    return exp.Cast(this=value, to=exp.DataType.build(type_, dialect="duckdb"))


def text(value: str) -> exp.Literal:
    """A string literal."""
    return exp.Literal.string(value)


def _to(name: str, result: str | None = None) -> Builder:
    def build(args: list[exp.Expr]) -> exp.Expr:
        made = call(name, *args)
        return cast(made, result) if result else made

    return build


def _plain(name: str, returns: Returns, least: int = 1, most: int | None = None, result: str | None = None) -> Function:
    return Function(_to(name, result), returns, least, most if most is not None else least)


def _nvl2(args: list[exp.Expr]) -> exp.Expr:
    given = exp.Not(this=exp.Is(this=args[0], expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=given, true=args[1])], default=args[2])


def _decode(args: list[exp.Expr]) -> exp.Expr:
    """DECODE matches NULL with NULL (https://docs.aws.amazon.com/redshift/latest/dg/r_DECODE_expression.html)."""
    subject, rest = args[0], args[1:]
    pairs = [
        exp.If(this=exp.NullSafeEQ(this=subject.copy(), expression=rest[at]), true=rest[at + 1])
        for at in range(0, len(rest) - 1, 2)
    ]
    return exp.Case(ifs=pairs, default=rest[-1] if len(rest) % 2 else None)


def _json_path(args: list[exp.Expr]) -> exp.Expr:
    last = args[-1]
    lenient = isinstance(last, exp.Boolean)
    path = args[1:-1] if lenient else args[1:]
    if not path or not all(isinstance(part, exp.Literal) and part.is_string for part in path):
        raise not_supported("JSON_EXTRACT_PATH_TEXT with a path that is not a literal")
    pointer = "".join("/" + part.name.replace("~", "~0").replace("/", "~1") for part in path)
    document = call("rs_json_checked", args[0], exp.Boolean(this=bool(lenient and last.this)))
    return call("json_extract_string", document, text(pointer))


def _listagg(args: list[exp.Expr]) -> exp.Expr:
    separator = args[1] if len(args) > 1 else text("")
    return call("string_agg", args[0], separator)


def _concat(args: list[exp.Expr]) -> exp.Expr:
    return exp.DPipe(this=args[0], expression=args[1])


def _regexp_replace(args: list[exp.Expr]) -> exp.Expr:
    replacement = args[2] if len(args) > 2 else text("")
    if not isinstance(replacement, exp.Literal) or set(replacement.name) & {"\\", "$"}:
        raise not_supported("REGEXP_REPLACE with back references")
    return call("regexp_replace", args[0], args[1], replacement, text("g"))


def _super_list(args: list[exp.Expr]) -> exp.Expr:
    return call("json_array", *args)


def _super_object(args: list[exp.Expr]) -> exp.Expr:
    if len(args) % 2:
        raise SqlError("function object requires an even number of arguments")
    return call("json_object", *args)


def _trunc(args: list[exp.Expr]) -> exp.Expr:
    kind = args[0].type
    if kind is not None and kind.is_type(*exp.DataType.TEMPORAL_TYPES):
        return cast(args[0], "DATE")
    return call("rs_trunc", args[0], args[1] if len(args) > 1 else exp.Literal.number(0))


def _literal_choice(args: list[exp.Expr], at: int, allowed: dict[str, str], what: str) -> str:
    value = args[at]
    if not isinstance(value, exp.Literal) or value.name.lower() not in allowed:
        raise not_supported(f"{what} {value.sql()}")
    return allowed[value.name.lower()]


def _sha2(args: list[exp.Expr]) -> exp.Expr:
    _literal_choice(args, 1, {"256": "256", "0": "256"}, "SHA2 with a length of")
    return call("sha256", args[0])


_DECIMAL_OR_SELF = 0

FUNCTIONS: dict[str, Function] = {
    # text: https://docs.aws.amazon.com/redshift/latest/dg/String_functions_header.html
    "upper": _plain("upper", 0),
    "lower": _plain("lower", 0),
    "len": _plain("length", "INT", result="INT"),
    "length": _plain("length", "INT", result="INT"),
    "char_length": _plain("length", "INT", result="INT"),
    "character_length": _plain("length", "INT", result="INT"),
    "octet_length": _plain("rs_bytes", "INT", result="INT"),
    "substring": _plain("rs_substring", "VARCHAR", 2, 3),
    "substr": _plain("rs_substring", "VARCHAR", 2, 3),
    "left": _plain("rs_left", "VARCHAR", 2),
    "right": _plain("rs_right", "VARCHAR", 2),
    "ltrim": _plain("ltrim", "VARCHAR", 1, 2),
    "rtrim": _plain("rtrim", "VARCHAR", 1, 2),
    "btrim": _plain("trim", "VARCHAR", 1, 2),
    "trim": _plain("trim", "VARCHAR", 1, 2),
    "lpad": _plain("rs_lpad", "VARCHAR", 2, 3),
    "rpad": _plain("rs_rpad", "VARCHAR", 2, 3),
    "replace": _plain("replace", "VARCHAR", 3),
    "translate": _plain("translate", "VARCHAR", 3),
    "reverse": _plain("reverse", "VARCHAR"),
    "repeat": _plain("rs_repeat", "VARCHAR", 2),
    "replicate": _plain("rs_repeat", "VARCHAR", 2),
    "concat": Function(_concat, "VARCHAR", 2, 2),
    "strpos": _plain("strpos", "INT", 2, result="INT"),
    "charindex": Function(lambda a: cast(call("strpos", a[1], a[0]), "INT"), "INT", 2, 2),
    "split_part": _plain("rs_split_part", "VARCHAR", 3),
    "chr": _plain("chr", "VARCHAR"),
    "ascii": _plain("rs_ascii", "INT", result="INT"),
    "initcap": _plain("rs_initcap", "VARCHAR"),
    "md5": _plain("md5", "VARCHAR"),
    "sha1": _plain("sha1", "VARCHAR"),
    "func_sha1": _plain("sha1", "VARCHAR"),
    "sha2": Function(_sha2, "VARCHAR", 2, 2),
    "regexp_replace": Function(_regexp_replace, "VARCHAR", 2, 3),
    "regexp_substr": _plain("regexp_extract", "VARCHAR", 2),
    "regexp_count": _plain("rs_regexp_count", "INT", 2),
    "regexp_instr": _plain("rs_regexp_instr", "INT", 2),
    # numbers: https://docs.aws.amazon.com/redshift/latest/dg/Math_functions.html
    "abs": _plain("abs", _DECIMAL_OR_SELF),
    "ceil": _plain("ceil", _DECIMAL_OR_SELF),
    "ceiling": _plain("ceil", _DECIMAL_OR_SELF),
    "floor": _plain("floor", _DECIMAL_OR_SELF),
    "round": _plain("round", _DECIMAL_OR_SELF, 1, 2),
    "trunc": Function(_trunc, None, 1, 2),
    "sqrt": _plain("sqrt", "DOUBLE"),
    "cbrt": _plain("cbrt", "DOUBLE"),
    "exp": _plain("exp", "DOUBLE"),
    "ln": _plain("ln", "DOUBLE"),
    "log": _plain("log10", "DOUBLE"),
    "power": _plain("power", "DOUBLE", 2),
    "pow": _plain("power", "DOUBLE", 2),
    "mod": Function(lambda a: exp.Mod(this=exp.Paren(this=a[0]), expression=exp.Paren(this=a[1])), 1, 2, 2),
    "sign": _plain("sign", "INT", result="INT"),
    "pi": _plain("pi", "DOUBLE", 0),
    "random": _plain("random", "DOUBLE", 0),
    "sin": _plain("sin", "DOUBLE"),
    "cos": _plain("cos", "DOUBLE"),
    "tan": _plain("tan", "DOUBLE"),
    "asin": _plain("asin", "DOUBLE"),
    "acos": _plain("acos", "DOUBLE"),
    "atan": _plain("atan", "DOUBLE"),
    "atan2": _plain("atan2", "DOUBLE", 2),
    "radians": _plain("radians", "DOUBLE"),
    "degrees": _plain("degrees", "DOUBLE"),
    "greatest": _plain("greatest", 0, 1, 100),
    "least": _plain("least", 0, 1, 100),
    # conditions: https://docs.aws.amazon.com/redshift/latest/dg/c_conditional_expressions.html
    "coalesce": _plain("coalesce", 0, 1, 100),
    "nvl": _plain("coalesce", 0, 1, 100),
    "nvl2": Function(_nvl2, 1, 3, 3),
    "nullif": _plain("nullif", 0, 2),
    "decode": Function(_decode, 2, 3, 201),
    # dates: https://docs.aws.amazon.com/redshift/latest/dg/Date_functions_header.html
    "getdate": _plain("rs_getdate", "TIMESTAMP", 0),
    "getsysdate": _plain("rs_sysdate", "TIMESTAMP", 0),
    "add_months": _plain("rs_add_months", "TIMESTAMP", 2),
    "last_day": _plain("last_day", "DATE"),
    "date_part_year": _plain("year", "INT", result="INT"),
    "convert_timezone": Function(
        lambda a: call("rs_convert_timezone", *([text("UTC"), *a] if len(a) == 2 else a)), "TIMESTAMP", 2, 3
    ),
    # SUPER and JSON: https://docs.aws.amazon.com/redshift/latest/dg/json-functions.html
    "json_parse": _plain("rs_json_parse", "SUPER"),
    "json_serialize": _plain("rs_json_text", "VARCHAR"),
    "json_typeof": _plain("rs_json_typeof", "VARCHAR"),
    "is_valid_json": _plain("rs_is_valid_json", "BOOLEAN"),
    "is_valid_json_array": _plain("rs_is_valid_json_array", "BOOLEAN"),
    "json_extract_path_text": Function(_json_path, "VARCHAR", 2, 7),
    "json_extract_array_element_text": _plain("rs_json_element", "VARCHAR", 2),
    "json_array_length": _plain("rs_json_array_length", "INT", result="INT"),
    "get_array_length": _plain("rs_array_length", "INT", result="INT"),
    "array": Function(_super_list, "SUPER", 0, 100),
    "object": Function(_super_object, "SUPER", 0, 100),
    # aggregates: https://docs.aws.amazon.com/redshift/latest/dg/c_Aggregate_Functions.html
    "count": Function(_to("count"), "BIGINT", 1, 1, aggregate=True),
    "min": Function(_to("min"), 0, 1, 1, aggregate=True),
    "max": Function(_to("max"), 0, 1, 1, aggregate=True),
    "sum": Function(_to("sum"), None, 1, 1, aggregate=True),
    "avg": Function(_to("avg"), None, 1, 1, aggregate=True),
    "any_value": Function(_to("any_value"), 0, 1, 1, aggregate=True),
    "stddev": Function(_to("stddev_samp"), "DOUBLE", 1, 1, aggregate=True),
    "stddev_samp": Function(_to("stddev_samp"), "DOUBLE", 1, 1, aggregate=True),
    "stddev_pop": Function(_to("stddev_pop"), "DOUBLE", 1, 1, aggregate=True),
    "variance": Function(_to("var_samp"), "DOUBLE", 1, 1, aggregate=True),
    "var_samp": Function(_to("var_samp"), "DOUBLE", 1, 1, aggregate=True),
    "var_pop": Function(_to("var_pop"), "DOUBLE", 1, 1, aggregate=True),
    "bool_and": Function(_to("bool_and"), "BOOLEAN", 1, 1, aggregate=True),
    "bool_or": Function(_to("bool_or"), "BOOLEAN", 1, 1, aggregate=True),
    "median": Function(_to("median"), None, 1, 1, aggregate=True),
    "listagg": Function(_listagg, "VARCHAR", 1, 2, aggregate=True),
    "percentile_cont": Function(_to("quantile_cont"), None, 1, 1, aggregate=True),
    "percentile_disc": Function(_to("quantile_disc"), None, 1, 1, aggregate=True),
    "approximate_count": Function(_to("approx_count_distinct"), "BIGINT", 1, 1, aggregate=True),
    # windows: https://docs.aws.amazon.com/redshift/latest/dg/c_Window_functions.html
    "row_number": Function(_to("row_number"), "BIGINT", 0, 0, window_only=True),
    "rank": Function(_to("rank"), "BIGINT", 0, 0, window_only=True),
    "dense_rank": Function(_to("dense_rank"), "BIGINT", 0, 0, window_only=True),
    "ntile": Function(_to("ntile"), "BIGINT", 1, 1, window_only=True),
    "percent_rank": Function(_to("percent_rank"), "DOUBLE", 0, 0, window_only=True),
    "cume_dist": Function(_to("cume_dist"), "DOUBLE", 0, 0, window_only=True),
    "lag": Function(_to("lag"), 0, 1, 2, window_only=True),
    "lead": Function(_to("lead"), 0, 1, 2, window_only=True),
    "first_value": Function(_to("first_value"), 0, 1, 1, window_only=True),
    "last_value": Function(_to("last_value"), 0, 1, 1, window_only=True),
    "nth_value": Function(_to("nth_value"), 0, 2, 2, window_only=True),
    # the session
    "current_database": Function(lambda _: text("dev"), "VARCHAR", 0, 0),
    "current_schema": Function(lambda _: text("public"), "VARCHAR", 0, 0),
    "version": Function(lambda _: text("PostgreSQL 8.0.2 on local AWS, Redshift 1.0 (DuckDB)"), "VARCHAR", 0, 0),
}

#: Handled in `rewrite` and `dates` because their first argument is a date part or their meaning needs types.
SPECIAL = ("dateadd", "datediff", "date_trunc", "date_part", "to_char", "to_date", "to_timestamp")


def names() -> list[str]:
    """Every function supported, in alphabetical order (the table of docs/redshift-support.md)."""
    return sorted({*FUNCTIONS, *SPECIAL, "extract", "position"} - {"getsysdate", "approximate_count"})
