"""The engine's values as Athena writes them, and its types as Athena names them.

A value leaves as text: `VarCharValue` in GetQueryResults and a cell of the result CSV are the same. Arrays are
`[1, 2]`, maps `{a=1}`, rows `{x=1, y=2}`, binary is hex with blanks, timestamps have at least three decimals, doubles
are written as Java does (`1.0E10`). NULL has no text at all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Format = Callable[[Any], str]

_UNBOUNDED = 2147483647
#: precision per type, as Athena's ResultSetMetadata reports it; types not listed have 0
_PRECISION = {
    "varchar": _UNBOUNDED,
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "float": 17,
    "double": 17,
    "timestamp": 3,
    "timestamp with time zone": 3,
    "time": 3,
    "time with time zone": 3,
    "varbinary": 1073741824,
}
_RENAMED = {"real": "float"}


@dataclass(frozen=True)
class Type:
    """A type of the engine: its name, numeric arguments, and parts (of arrays, maps and rows)."""

    name: str
    numbers: tuple[int, ...] = ()
    parts: tuple[Type, ...] = ()
    fields: tuple[str | None, ...] = ()

    @property
    def athena_name(self) -> str:
        """The name in `ColumnInfo.Type`: without arguments, `real` is `float`."""
        return _RENAMED.get(self.name, self.name)


@dataclass(frozen=True)
class Column:
    """One column of a result."""

    name: str
    type: Type

    @property
    def info(self) -> dict[str, Any]:
        """The `ColumnInfo` structure."""
        name = self.type.athena_name
        numbers = self.type.numbers
        precision = numbers[0] if numbers and name in {"varchar", "char", "decimal"} else _PRECISION.get(name, 0)
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": name,
            "Precision": precision,
            "Scale": numbers[1] if name == "decimal" and len(numbers) > 1 else 0,
            "Nullable": "UNKNOWN",
            "CaseSensitive": name in {"varchar", "char"},
        }


def type_of(signature: dict[str, Any]) -> Type:
    """A type from the `typeSignature` of the engine's protocol."""
    numbers: list[int] = []
    parts: list[Type] = []
    fields: list[str | None] = []
    for argument in signature.get("arguments") or []:
        kind, value = argument["kind"], argument["value"]
        if kind == "LONG":
            numbers.append(min(int(value), _UNBOUNDED))
        elif kind == "TYPE":
            parts.append(type_of(value))
        elif kind == "NAMED_TYPE":
            parts.append(type_of(value["typeSignature"]))
            fields.append((value.get("fieldName") or {}).get("name"))
    return Type(signature["rawType"], tuple(numbers), tuple(parts), tuple(fields))


def simple_column(name: str, type_name: str = "varchar") -> Column:
    """A column of a statement that Athena answers by itself."""
    return Column(name, Type(type_name))


def java_double(value: float | str) -> str:
    """A double as `Double.toString` writes it: plain between 1e-3 and 1e7, otherwise `d.dddE±n`."""
    if isinstance(value, str):  # NaN and infinities travel as text
        return value
    number = float(value)
    text = repr(number)
    size = abs(number)
    if 1e-3 <= size < 1e7 or size == 0:
        return text if "." in text else text + ".0"
    if text in {"nan", "inf", "-inf"}:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]
    mantissa, _, exponent = f"{text}e".partition("e")
    digits, power = _digits(mantissa.lstrip("-"))
    power += int(exponent.rstrip("e") or 0)
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"


def _digits(mantissa: str) -> tuple[str, int]:
    """Significant digits of a plain number and the power of ten of the first."""
    whole, _, fraction = mantissa.partition(".")
    both = whole + fraction
    stripped = both.lstrip("0")
    power = len(whole) - 1 - (len(both) - len(stripped))
    return stripped.rstrip("0") or "0", power


_SECONDS = re.compile(r":\d\d(?:\.(\d+))?")


def _with_millis(text: str) -> str:
    """A time with at least three decimals of a second; more are kept."""
    match = _SECONDS.search(text, text.find(":") + 1)
    if match is None:
        return text
    decimals = match[1] or ""
    if len(decimals) >= 3:
        return text
    dot = "" if match[1] else "."
    return text[: match.end()] + dot + "0" * (3 - len(decimals)) + text[match.end() :]


def _hex(text: str) -> str:
    return base64.b64decode(text).hex(" ")


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def formatter(type_: Type) -> Format:
    """The function that writes a value of this type (never NULL) as text."""
    if type_.name in _NESTED:
        return _NESTED[type_.name](type_)
    return _PLAIN.get(type_.name, str)


def _array(type_: Type) -> Format:
    item = _nullable(formatter(type_.parts[0]))
    return lambda value: "[" + ", ".join([item(part) for part in value]) + "]"


def _map(type_: Type) -> Format:
    key, item = _map_key(type_.parts[0]), _nullable(formatter(type_.parts[1]))
    return lambda value: "{" + ", ".join([f"{key(name)}={item(part)}" for name, part in value.items()]) + "}"


def _map_key(type_: Type) -> Format:
    """Keys arrive as texts; only those whose text differs from Athena's are rewritten."""
    if type_.name in {"double", "real"}:
        return lambda text: java_double(text if text in {"NaN", "Infinity", "-Infinity"} else float(text))
    return formatter(type_) if type_.name in {"varbinary", "timestamp"} else str


def _row(type_: Type) -> Format:
    items = [_nullable(formatter(part)) for part in type_.parts]
    names = [name or f"field{index}" for index, name in enumerate(type_.fields)]

    def write(value: Sequence[Any] | dict[str, Any]) -> str:
        parts = list(value.values()) if isinstance(value, dict) else value
        cells = [f"{name}={item(part)}" for name, item, part in zip(names, items, parts, strict=True)]
        return "{" + ", ".join(cells) + "}"

    return write


def _nullable(write: Format) -> Format:
    return lambda value: "null" if value is None else write(value)


_PLAIN: dict[str, Format] = {
    "boolean": _boolean,
    "double": java_double,
    "real": java_double,
    "varbinary": _hex,
    "timestamp": _with_millis,
    "timestamp with time zone": _with_millis,
    "time": _with_millis,
    "time with time zone": _with_millis,
}
_NESTED: dict[str, Callable[[Type], Format]] = {"array": _array, "map": _map, "row": _row}
