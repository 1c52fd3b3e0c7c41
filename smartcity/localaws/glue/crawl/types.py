"""Column types of the catalog, how two of them become one, and where Parquet's types come out.

A type is a text such as `bigint` or `decimal(10,2)`, or a list for what is nested:
["array", T], ["map", K, V], ["struct", [[name, T], …]]. Lists of texts go through JSON unchanged.
"""

from __future__ import annotations

import re
from typing import Any

GlueType = str | list[Any]

#: The type of a JSON value that was always null so far: it takes whatever type another file shows.
UNKNOWN = "null"

_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_FLOATS = ("float", "double")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_MAX_PRECISION = 38


def render(kind: GlueType) -> str:
    """A type as Glue writes it, such as `array<struct<a:int,b:string>>`."""
    if isinstance(kind, str):
        return "string" if kind == UNKNOWN else kind
    if kind[0] == "struct":
        return f"struct<{','.join(f'{name}:{render(field)}' for name, field in kind[1])}>"
    return f"{kind[0]}<{','.join(render(part) for part in kind[1:])}>"


def merge(one: GlueType, other: GlueType) -> GlueType | None:
    """The narrowest type that holds both without loss of meaning, or None: then only `string` would."""
    if other in (one, UNKNOWN):
        return one
    if one == UNKNOWN:
        return other
    if isinstance(one, str) and isinstance(other, str):
        return _merge_plain(one, other)
    if isinstance(one, list) and isinstance(other, list) and one[0] == other[0]:
        return _merge_nested(one, other)
    return None


def widen(one: GlueType, other: GlueType) -> GlueType:
    """`merge`, with `string` for what does not fit, as AWS's crawler does."""
    merged = merge(one, other)
    return "string" if merged is None else merged


def _merge_plain(one: str, other: str) -> str | None:
    if one in _INTEGERS and other in _INTEGERS:
        return max(one, other, key=_INTEGERS.index)
    if one in (*_INTEGERS, *_FLOATS) and other in (*_INTEGERS, *_FLOATS):
        return "double"
    if {one, other} == {"date", "timestamp"}:
        return "timestamp"
    decimals = _DECIMAL.fullmatch(one), _DECIMAL.fullmatch(other)
    if decimals[0] and decimals[1]:
        (p1, s1), (p2, s2) = (tuple(map(int, found.groups())) for found in decimals if found)
        scale, whole = max(s1, s2), max(p1 - s1, p2 - s2)
        return f"decimal({min(whole + scale, _MAX_PRECISION)},{scale})"
    return None


def _merge_nested(one: list[Any], other: list[Any]) -> list[Any] | None:
    if one[0] == "struct":
        fields: dict[str, GlueType] = dict(one[1])
        for name, kind in other[1]:
            fields[name] = widen(fields[name], kind) if name in fields else kind
        return ["struct", [[name, kind] for name, kind in fields.items()]]
    return [one[0], *(widen(a, b) for a, b in zip(one[1:], other[1:], strict=True))]


def of_arrow(kind: Any) -> GlueType:
    """The Glue type of a Parquet column, given as the Arrow type that pyarrow reads it as."""
    import pyarrow as pa

    check = pa.types
    if check.is_dictionary(kind):
        return of_arrow(kind.value_type)
    if check.is_list(kind) or check.is_large_list(kind) or check.is_fixed_size_list(kind):
        return ["array", of_arrow(kind.value_type)]
    if check.is_map(kind):
        return ["map", of_arrow(kind.key_type), of_arrow(kind.item_type)]
    if check.is_struct(kind):
        return ["struct", [[field.name, of_arrow(field.type)] for field in kind]]
    return _plain(kind, check)


def _plain(kind: Any, check: Any) -> str:
    if check.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if check.is_timestamp(kind):
        return "timestamp"
    return _PLAIN.get(str(kind), "string" if check.is_null(kind) else "binary")


#: Parquet's annotations for unsigned numbers take the next wider type, so that every value fits.
_PLAIN = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "int",
    "uint32": "bigint",
    "uint64": "decimal(20,0)",
    "halffloat": "float",
    "float": "float",
    "double": "double",
    "string": "string",
    "large_string": "string",
    "string_view": "string",
    "date32[day]": "date",
    "date64[ms]": "date",
    "time32[ms]": "int",
    "time64[us]": "bigint",
    "time64[ns]": "bigint",
}
