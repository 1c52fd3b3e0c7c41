"""JSON and CSV, recognised from the first megabyte of a file by the rules of AWS's built-in classifiers.

https://docs.aws.amazon.com/glue/latest/dg/add-classifier.html, "Built-in CSV classifier".
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterable
from typing import Any

import orjson

from smartcity.localaws.glue.crawl.facts import CSV, JSON, UNKNOWN_FORMAT, Facts
from smartcity.localaws.glue.crawl.types import UNKNOWN, GlueType, widen

_DELIMITERS = (",", "|", "\t", ";", "\x01")
_MAX_HEADER_CHARS = 150
_HEADER_NAME = re.compile(r"[^\x00-\x1f]{1,255}")
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GZIP = b"\x1f\x8b"
_INT_LIMIT = 2**31


def from_sample(sample: bytes, size: int) -> Facts:
    """Facts of a text file of `size` bytes that starts with `sample`; rows are estimated if it goes on."""
    compression, plain, used = "none", sample, len(sample)
    if sample.startswith(_GZIP):
        compression = "gzip"
        plain, used = _gunzip(sample)
    complete = used >= size
    try:
        text = plain.decode("utf-8-sig", "strict" if complete else "ignore")
    except UnicodeDecodeError:
        return Facts(UNKNOWN_FORMAT)
    if not complete:
        text = text[: text.rfind("\n") + 1]
    share = 1.0 if complete else size / max(1, used)
    return _json(text, compression, share) or _csv(text, compression, share) or Facts(UNKNOWN_FORMAT)


def _gunzip(sample: bytes) -> tuple[bytes, int]:
    """What unpacks from the sample, up to 8 MB, and how many of its bytes that took."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(sample, 8 << 20)
    except zlib.error:
        return b"\xff", len(sample)
    return plain, max(1, len(sample) - len(unpacker.unconsumed_tail))


def _json(text: str, compression: str, share: float) -> Facts | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    records = _records(text)
    if not records:
        return None
    columns: dict[str, GlueType] = {}
    for record in records:
        for name, value in record.items():
            kind = _json_type(value)
            columns[name] = widen(columns[name], kind) if name in columns else kind
    return Facts(JSON, tuple(columns.items()), round(len(records) * share), compression)


def _records(text: str) -> list[dict[str, Any]]:
    """Objects one a line (what Athena reads), or one document: an object, or an array of objects."""
    try:
        records = [orjson.loads(line) for line in text.splitlines() if line.strip()]
    except orjson.JSONDecodeError:
        try:
            records = [orjson.loads(text)]
        except orjson.JSONDecodeError:
            return []
    if len(records) == 1 and isinstance(records[0], list):
        records = records[0]
    return records if all(isinstance(record, dict) for record in records) else []


def _json_type(value: Any) -> GlueType:
    if isinstance(value, list):
        item: GlueType = UNKNOWN
        for element in value:
            item = widen(item, _json_type(element))
        return ["array", item]
    if isinstance(value, dict):
        return ["struct", [[name, _json_type(field)] for name, field in value.items()]]
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -_INT_LIMIT <= value < _INT_LIMIT else "bigint"
    return _JSON_PLAIN[type(value)]


_JSON_PLAIN = {type(None): UNKNOWN, bool: "boolean", float: "double", str: "string"}


def _csv(text: str, compression: str, share: float) -> Facts | None:
    for delimiter in _DELIMITERS:
        rows = _rows(text, delimiter)
        if rows:
            return _csv_facts(rows, text, delimiter, compression, share)
    return None


def _rows(text: str, delimiter: str) -> list[list[str]] | None:
    """The rows, if there are at least two of at least two columns each, all of the same length."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if row]
    except csv.Error:
        return None
    fits = len(rows) > 1 and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)
    return rows if fits else None


def _csv_facts(rows: list[list[str]], text: str, delimiter: str, compression: str, share: float) -> Facts:
    body = [_column_type(row[index] for row in rows[1:]) for index in range(len(rows[0]))]
    header = _is_header(rows[0], body)
    names = [name.strip().lower() for name in rows[0]] if header else [f"col{number}" for number in range(len(body))]
    whole = body if header else [_column_type(row[index] for row in rows) for index in range(len(body))]
    options = {"delimiter": delimiter, "areColumnsQuoted": "true" if f'"{delimiter}' in text else "false"}
    if header:
        options["skip.header.line.count"] = "1"
    count = round((len(rows) - (1 if header else 0)) * share)
    return Facts(CSV, tuple(zip(names, whole, strict=True)), count, compression, tuple(sorted(options.items())))


def _is_header(first: list[str], body: list[GlueType]) -> bool:
    """AWS's rule: all names are distinct short strings, and some column below is not a string."""
    plausible = all(
        name.strip() and _HEADER_NAME.fullmatch(name) and _column_type([name]) == "string" for name in first
    )
    short = all(len(name) < _MAX_HEADER_CHARS for name in first[:-1])
    distinct = len({name.strip().lower() for name in first}) == len(first)
    return plausible and short and distinct and any(kind != "string" for kind in body)


def _column_type(values: Iterable[str]) -> GlueType:
    kinds = {_value_type(value.strip()) for value in values} - {UNKNOWN}
    if not kinds:
        return "string"
    if kinds <= {"bigint", "double"}:
        return "double" if "double" in kinds else "bigint"
    return kinds.pop() if len(kinds) == 1 else "string"


def _value_type(value: str) -> str:
    if not value:
        return UNKNOWN
    if _INTEGER.fullmatch(value):
        return "bigint" if -(2**63) <= int(value) < 2**63 else "double"
    if _NUMBER.fullmatch(value):
        return "double"
    return "boolean" if value.lower() in ("true", "false") else "string"
