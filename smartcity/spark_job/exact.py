"""What a good event is, decided one record at a time, with the reason why it is not.

This is the definition; `parse.py` is its fast equal for whole chunks and sends every doubtful record here.
JSON is RFC 8259 in UTF-8 without a byte order mark; a field given twice is an error, a field unknown is ignored.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from smartcity.events import MAX_EVENT_BYTES, TS_MAX, TS_MIN, Column, Topic

#: The one form of a time: UTC, three digits of a second. Python's `\\d` would accept other scripts' digits.
_TS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INT_BITS = {"int": 31, "bigint": 63}
#: Deeper nesting than this in an ignored field is refused: the standard parser's recursion has a limit of its own.
_MAX_DEPTH = 100


@dataclass(frozen=True)
class Fault:
    """Why a record is quarantined: a code for counting, and a sentence."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class _Bad(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(code, detail)


def parse_ts_ms(text: str) -> int:
    """Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS.mmmZ`. Raises `ValueError` for any other form or no such day."""
    if not _TS.fullmatch(text):
        raise ValueError("not YYYY-MM-DDTHH:MM:SS.mmmZ")
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


TS_MIN_MS = parse_ts_ms(TS_MIN)
TS_MAX_MS = parse_ts_ms(TS_MAX)


def check(topic: Topic, value: bytes | None, event_type: str | None) -> dict[str, Any] | Fault:
    """The event's columns (`ts` in milliseconds since 1970), or why it is none. Total: raises nothing."""
    try:
        _check_envelope(topic, value, event_type)
        fields = _fields(value or b"", {column.name for column in topic.columns})
        return {column.name: _typed(column, fields) for column in topic.columns}
    except _Bad as bad:
        return bad.fault


def _check_envelope(topic: Topic, value: bytes | None, event_type: str | None) -> None:
    if value is None:
        raise _Bad("tombstone", "the record has no value")
    if not value:
        raise _Bad("empty", "the value has no bytes")
    if len(value) > MAX_EVENT_BYTES:
        raise _Bad("too_long", f"{len(value):,} bytes, more than {MAX_EVENT_BYTES:,}")
    if event_type is not None and event_type != topic.event_type:
        raise _Bad("unknown_version", f"header ce_type is {event_type[:80]!r}, not {topic.event_type!r}")


def _fields(value: bytes, names: set[str]) -> dict[str, Any]:
    """The object's fields; refuses a known field that is given twice."""

    def only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return _Pairs(pairs)

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Bad("not_utf8", f"byte {error.start}: {error.reason}") from None
    try:
        fields = json.loads(text, object_pairs_hook=only_once, parse_constant=constant, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise _Bad("not_json", str(error)[:200]) from None
    if not isinstance(fields, _Pairs):
        raise _Bad("not_an_object", f"the value is a JSON {type(fields).__name__}")
    if _depth(text) > _MAX_DEPTH:
        raise _Bad("not_json", f"nested deeper than {_MAX_DEPTH} levels")
    for name in fields.twice & names:
        raise _Bad("duplicate_field", f"{name} is given twice")
    if not _is_unicode(text):
        raise _Bad("not_json", "half of a surrogate pair")
    return fields


class _Pairs(dict[str, Any]):
    """A JSON object that remembers which of its fields were given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice: set[str] = set()
        if len(self) < len(pairs):
            self.twice = {name for name, times in Counter(name for name, _ in pairs).items() if times > 1}


def _integer(digits: str) -> int | float:
    """An integer; one of absurd length becomes infinite, which no bound admits (Python refuses beyond 4,300 digits)."""
    return int(digits) if len(digits) < 300 else float("-inf" if digits[0] == "-" else "inf")


def _depth(text: str) -> int:
    """An upper bound of the nesting: brackets inside texts count as well."""
    if text.count("{") + text.count("[") <= _MAX_DEPTH:
        return 1
    depth = deepest = 0
    for char in text:
        depth += (char in "{[") - (char in "}]")
        deepest = max(deepest, depth)
    return deepest


def _is_unicode(text: str) -> bool:
    r"""Whether escapes such as `\ud800` pair up: a half is not a character and has no UTF-8."""
    if "\\u" not in text:
        return True
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, ValueError, RecursionError):
        return False
    return True


def _typed(column: Column, fields: dict[str, Any]) -> Any:
    value = fields.get(column.name)
    if value is None:
        if column.nullable:
            return None
        raise _Bad("missing_field", f"{column.name} is {'null' if column.name in fields else 'absent'}")
    if column.type == "timestamp":
        return _time(column, value)
    if column.type == "string":
        return _text(column, value)
    return _number(column, value)


def _text(column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise _Bad("wrong_type", f"{column.name} is {_kind(value)}, not a string")
    if column.name == "event_id" and not _UUID.fullmatch(value):
        raise _Bad("bad_event_id", f"event_id {value[:60]!r} is not a UUID in lower case")
    return value


def _time(column: Column, value: Any) -> int:
    if not isinstance(value, str):
        raise _Bad("wrong_type", f"{column.name} is {_kind(value)}, not a string")
    try:
        milliseconds = parse_ts_ms(value)
    except ValueError:
        raise _Bad("bad_time", f"{column.name} {value[:60]!r} is not a time like 2026-03-01T07:00:00.000Z") from None
    if not TS_MIN_MS <= milliseconds <= TS_MAX_MS:
        raise _Bad("out_of_range", f"{column.name} {value} is not between {TS_MIN} and {TS_MAX}")
    return milliseconds


def _number(column: Column, value: Any) -> int | float:
    whole = column.type in _INT_BITS
    allowed = (int,) if whole else (int, float)
    infinite = isinstance(value, float) and value in (float("inf"), float("-inf"))
    if isinstance(value, bool) or not (isinstance(value, allowed) or infinite):
        raise _Bad("wrong_type", f"{column.name} is {_kind(value)}, not {'an integer' if whole else 'a number'}")
    bits = _INT_BITS.get(column.type)
    low = column.minimum if column.minimum is not None else (-(2**bits) if bits else float("-inf"))
    high = column.maximum if column.maximum is not None else (2**bits - 1 if bits else float("inf"))
    if not low <= value <= high or infinite:
        raise _Bad("out_of_range", f"{column.name} {value} is not between {low:g} and {high:g}")
    return value if whole else float(value)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), type(value).__name__)
