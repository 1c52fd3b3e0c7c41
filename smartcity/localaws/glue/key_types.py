"""Values of partition keys: texts in the catalog, compared by the type that the table declares.

The types are those that AWS documents for the expression of GetPartitions; any other raises InvalidInputException.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from smartcity.localaws.glue.faults import invalid

#: Hive's text for "this row has no value for the key".
NULL_VALUE = "__HIVE_DEFAULT_PARTITION__"

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?", re.ASCII)

Reader = Callable[[str], Any]


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueError(f'"{text}" is not an integer.')
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text} is not a decimal.") from None
    if not value.is_finite():
        raise ValueError(f"{text} is not a decimal.")
    return value


def _date(text: str) -> date:
    found = _DATE.fullmatch(text.strip())
    try:
        year, month, day = (int(part) for part in found.groups()) if found else (0, 0, 0)
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"{text} is not a date.") from None


def _timestamp(text: str) -> tuple[datetime, int]:
    """Seconds and nanoseconds apart, since Python's datetime ends at microseconds."""
    found = _TIMESTAMP.fullmatch(text.strip())
    try:
        second = datetime.strptime(found[1] if found else "", "%Y-%m-%d %H:%M:%S")
    except ValueError:
        sentence = f"Timestamp format must be yyyy-mm-dd hh:mm:ss[.fffffffff], {text} is not a timestamp."
        raise ValueError(sentence) from None
    return second, int(((found[2] if found else None) or "0").ljust(9, "0"))


_READERS: dict[str, Reader] = {
    **dict.fromkeys(("string", "char", "varchar"), str),
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint", "long"), _integer),
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
}


def base_type(declared: str) -> str:
    """`decimal` of `decimal(10,2)`."""
    return declared.split("(", 1)[0].strip().lower()


def reader_for(declared: str) -> Reader:
    """The function that reads a text as a value of the declared type.

    It raises `ValueError` with the sentence to show. Raises InvalidInputException for a type that no filter may use.
    """
    reader = _READERS.get(base_type(declared))
    if reader is None:
        raise invalid(f"Unknown type : '{declared}'")
    return reader
