"""When an engine's answer counts as the recorded one.

Values are first made comparable by their Trino type: numbers as numbers (decimals exactly, doubles to 1e-9), times
as instants, maps without order, JSON by content. Rows are compared as a multiset unless the query orders them.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Row = Sequence[Any]

RELATIVE = 1e-9
ABSOLUTE = 1e-12

_TIMESTAMP = re.compile(r"^(-?\d{4,6})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?: (.+))?$")
_DAYS = re.compile(r"^(-?)(\d+) (\d+):(\d+):(\d+)\.(\d+)$")
_MONTHS = re.compile(r"^(-?)(\d+)-(\d+)$")
_FIELD_NAME = re.compile(r'^("[^"]+"|\w+) (?=\S)')


def comparable(value: Any, type_: str) -> Any:
    """A recorded or returned JSON value in a form in which equal means the same answer.

    Takes maps both as recorded, sorted [key, value] pairs, and as Trino sends them, JSON objects; varbinary both as
    recorded, 0x and hexadecimal digits, and as sent, base64.
    """
    if value is None:
        return None
    kind = type_.partition("(")[0].split(" ")[0]
    return _KINDS.get(kind, _same)(value, type_)


def _same(value: Any, _type: str) -> Any:
    return value


def _array(value: Any, type_: str) -> Any:
    return [comparable(one, type_[6:-1]) for one in value]


def _map(value: Any, type_: str) -> Any:
    key_type, value_type = split_arguments(type_[4:-1])
    pairs = value.items() if isinstance(value, Mapping) else value
    integer = key_type in {"bigint", "integer", "smallint", "tinyint"}
    made = [(comparable(int(key) if integer else key, key_type), comparable(one, value_type)) for key, one in pairs]
    return ("map", sorted(made, key=repr))


def _row(value: Any, type_: str) -> Any:
    fields = (field.strip() for field in split_arguments(type_[4:-1]))
    types = [field if field.startswith(("timestamp", "interval")) else _FIELD_NAME.sub("", field) for field in fields]
    return [comparable(one, field) for one, field in zip(value, types, strict=True)]


def _instant(value: str, _type: str) -> Any:
    match = _TIMESTAMP.match(value)
    if match is None:
        return ("text", value)
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    micros = int((match[7] or "0").ljust(6, "0")[:6])
    moment = dt.datetime(year, month, day, int(match[4] or 0), int(match[5] or 0), int(match[6] or 0), micros)
    if match[8] is None:
        return ("local", moment)
    return ("instant", moment.replace(tzinfo=_zone(match[8])).astimezone(dt.UTC).replace(tzinfo=None))


def _zone(name: str) -> dt.tzinfo:
    if name[0] in "+-":
        offset = dt.timedelta(hours=int(name[1:3]), minutes=int(name[4:6]))
        return dt.timezone(offset if name[0] == "+" else -offset)
    return dt.UTC if name == "UTC" else zoneinfo.ZoneInfo(name)


def _interval(value: str, _type: str) -> Any:
    days, months = _DAYS.match(value), _MONTHS.match(value)
    if days is not None:
        seconds = ((int(days[2]) * 24 + int(days[3])) * 60 + int(days[4])) * 60 + int(days[5]) + int(days[6]) / 1000
        return ("seconds", -seconds if days[1] else seconds)
    if months is not None:
        count = int(months[2]) * 12 + int(months[3])
        return ("months", -count if months[1] else count)
    return ("text", value)


def _time(value: str, _type: str) -> Any:
    return ("time", re.sub(r"\.?0*$", "", value) if "." in value else value)


def _binary(value: str, _type: str) -> Any:
    return bytes.fromhex(value[2:]) if value.startswith("0x") else base64.b64decode(value)


_KINDS: Mapping[str, Callable[[Any, str], Any]] = {
    "array": _array,
    "map": _map,
    "row": _row,
    "double": lambda value, _: float(value),
    "real": lambda value, _: float(value),
    "decimal": lambda value, _: Decimal(value),
    "date": _instant,
    "timestamp": _instant,
    "interval": _interval,
    "time": _time,
    "json": lambda value, _: ("json", json.dumps(json.loads(value), sort_keys=True)),
    "varbinary": _binary,
}


def split_arguments(text: str) -> list[str]:
    """The arguments of a type, cut at the commas outside brackets."""
    found, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return [one.strip() for one in found]


def same(one: Any, other: Any, relative: float = RELATIVE) -> bool:
    """Whether two comparable values are the same answer."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if _is_number(one) and _is_number(other):
        return _same_number(one, other, relative)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(same(a, b, relative) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _same_number(one: Any, other: Any, relative: float) -> bool:
    if not (isinstance(one, float) or isinstance(other, float)):
        return bool(one == other) if relative <= RELATIVE else abs(one - other) <= relative * max(abs(one), abs(other))
    a, b = float(one), float(other)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or (not math.isinf(a) and math.isclose(a, b, rel_tol=relative, abs_tol=ABSOLUTE))


def first_difference(
    expected: Sequence[Row], found: Sequence[Row], *, ordered: bool, tolerance: Mapping[str, float] | None = None
) -> str:
    """What differs first between rows of comparable values, or nothing. `tolerance`: column number → relative."""
    if len(expected) != len(found):
        return f"{len(expected)} rows expected, {len(found)} found"
    if not ordered:
        expected, found = sorted(expected, key=_sort_key), sorted(found, key=_sort_key)
    for number, (want, have) in enumerate(zip(expected, found, strict=True)):
        if len(want) != len(have):
            return f"row {number}: {len(want)} columns expected, {len(have)} found"
        for column, (a, b) in enumerate(zip(want, have, strict=True)):
            if not same(a, b, (tolerance or {}).get(str(column), RELATIVE)):
                return f"row {number}, column {column}: {str(a)[:90]!r} expected, {str(b)[:90]!r} found"
    return ""


def _sort_key(row: Row) -> list[tuple[int, str]]:
    """Rows that differ in the last digits of a double only must sort alike."""
    return [_value_key(value) for value in row]


def _value_key(value: Any) -> tuple[int, str]:
    if value is None:
        return (0, "")
    if isinstance(value, bool):
        return (1, str(value))
    return (2, f"{float(value):.7g}") if _is_number(value) else (3, repr(value))
