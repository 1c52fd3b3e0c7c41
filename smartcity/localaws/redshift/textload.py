"""COPY of CSV, delimited text and JSON: every field is text until the column's type accepts it or the row is refused.

Codes and reasons: https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from smartcity.localaws.redshift.catalog import ColumnInfo
from smartcity.localaws.redshift.faults import SqlError, not_supported
from smartcity.localaws.redshift.files import Object
from smartcity.localaws.redshift.types import RsType

if TYPE_CHECKING:
    from smartcity.localaws.redshift.copy import CopyPlan

Row = tuple[int, list[str | None] | None, int, str, str]  #: line, fields or None, error code, reason, raw line
_CHUNK = 100_000


def load(plan: CopyPlan, bodies: Iterable[tuple[Object, bytes]], run: Callable[..., Any]) -> int:
    """Load all objects; raises `LoadFailure` when more rows were refused than MAXERROR allows."""
    from smartcity.localaws.redshift.copy import LoadFailure, gunzipped

    loaded, refused = 0, list[dict[str, Any]]()
    for item, body in bodies:
        text = gunzipped(body, bool(plan.options.get("gzip")))
        for chunk in _chunks(_rows(plan, text)):
            good, bad = _apply(plan, chunk, item, run)
            loaded += good
            refused += bad
            if len(refused) > int(plan.options.get("maxerror", 0)):
                raise LoadFailure(
                    f"Load into table '{plan.table.name}' failed.  "
                    "Check 'sys_load_error_detail' system table for details.",
                    refused,
                )
    if refused:
        plan.options["refused"] = refused
    return loaded


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(plan: CopyPlan, text: str) -> Iterator[Row]:
    if plan.format == "json":
        return _json_rows(plan, text)
    return _csv_rows(plan, text) if plan.format == "csv" else _delimited_rows(plan, text)


def _csv_rows(plan: CopyPlan, text: str) -> Iterator[Row]:
    options = plan.options
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=options.get("delimiter", ","),
        quotechar=options.get("quote", '"'),
        strict=True,
    )
    skipped = options.get("ignoreheader", 0)
    try:
        for fields in reader:
            blank = not fields and options.get("ignoreblanklines")
            if reader.line_num <= skipped or blank:
                continue
            yield _checked(plan, reader.line_num, fields or [""], ",".join(fields))
    except csv.Error as error:
        yield reader.line_num, None, 1220, f"Invalid quote formatting for CSV: {error}", ""


def _delimited_rows(plan: CopyPlan, text: str) -> Iterator[Row]:
    delimiter = plan.options.get("delimiter", "|")
    if len(delimiter) != 1:
        raise SqlError("COPY delimiter must be a single character")
    for number, line in enumerate(text.splitlines(), 1):
        if number > plan.options.get("ignoreheader", 0) and (line or not plan.options.get("ignoreblanklines")):
            fields = line.split(delimiter)
            if len(fields) == len(plan.columns) + 1 and fields[-1] == "":
                fields.pop()  # a delimiter may end the line
            yield _checked(plan, number, fields, line)


def _checked(plan: CopyPlan, number: int, fields: list[str], raw: str) -> Row:
    wanted = len(plan.columns)
    if len(fields) > wanted:
        return number, None, 1202, "Extra column(s) found", raw
    if len(fields) < wanted:
        return number, None, 1214, "Delimiter not found", raw
    return number, [_field(plan, column, value) for column, value in zip(plan.columns, fields, strict=True)], 0, "", raw


def _field(plan: CopyPlan, column: ColumnInfo, value: str) -> str | None:
    options = plan.options
    if value == options.get("null", "\\N"):
        return None
    if options.get("trimblanks") and column.type.name == "character varying":
        value = value.rstrip(" ")
    if value == "" and (options.get("emptyasnull") or not column.type.is_text):
        return None
    if options.get("blanksasnull") and column.type.is_text and value and not value.strip(" "):
        return None
    return value if column.type.is_text else value.strip()


def _json_rows(plan: CopyPlan, text: str) -> Iterator[Row]:
    decoder, at, number = json.JSONDecoder(), 0, 1
    while True:
        while at < len(text) and text[at] in " \r\n\t":
            number += text[at] == "\n"
            at += 1
        if at >= len(text):
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError as error:
            yield number, None, 1216, f"Invalid JSON format: {error}", text[at : at + 200]
            return
        if isinstance(value, list):
            raise not_supported("JSON with an array at the top")
        if not isinstance(value, dict):
            yield number, None, 1216, "Invalid value: a JSON object is expected", text[at:end]
        else:
            yield number, _json_fields(plan, value), 0, "", text[at : min(end, at + 1000)]
        number += text.count("\n", at, end)
        at = end


def _json_fields(plan: CopyPlan, value: dict[str, Any]) -> list[str | None]:
    ignore_case = plan.options["json"] == "auto ignorecase"
    known = {key.lower() if ignore_case else key: item for key, item in value.items()}
    return [_json_text(column.type, known.get(column.name)) for column in plan.columns]


def _json_text(type_: RsType, value: Any) -> str | None:
    if value is None:
        return None
    if type_.name == "super":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _apply(plan: CopyPlan, rows: list[Row], item: Object, run: Callable[..., Any]) -> tuple[int, list[dict[str, Any]]]:
    import pyarrow as pa

    refused = [
        _error(plan, item, line, code, reason, raw) for line, fields, code, reason, raw in rows if fields is None
    ]
    good = [row for row in rows if row[1] is not None]
    if not good or (refused and not plan.options.get("maxerror")):
        return 0, refused
    columns = [[row[1][at] for row in good] for at in range(len(plan.columns))]  # type: ignore[index]
    data = pa.table(
        {f"c{at}": pa.array(values, pa.string()) for at, values in enumerate(columns)}
        | {"row": pa.array(range(len(good)))}
    )
    wrong: dict[int, tuple[int, str, ColumnInfo]] = {}
    for at, column in enumerate(plan.columns):
        for row, value in run(f"SELECT row, c{at} FROM rs_input WHERE {_misfit(plan, column, at)}", data):  # noqa: S608
            wrong.setdefault(row, (*_reason(column, value), column))
    for row, (code, reason, column) in sorted(wrong.items()):
        refused.append(_error(plan, item, good[row][0], code, reason, good[row][4], column, good[row][1]))
    if refused and len(refused) > int(plan.options.get("maxerror", 0)):
        return 0, refused
    if plan.options.get("noload"):
        return 0, refused
    if wrong:
        data = data.filter(pa.array([at not in wrong for at in range(len(good))]))
    listed = ", ".join(f'"{column.name}"' for column in plan.columns)
    values = ", ".join(_converted(plan, column.type, f"c{at}") for at, column in enumerate(plan.columns))
    run(f"INSERT INTO {plan.table.quoted} ({listed}) SELECT {values} FROM rs_input ORDER BY row", data)  # noqa: S608
    return data.num_rows, refused


def _misfit(plan: CopyPlan, column: ColumnInfo, at: int) -> str:
    name, type_ = f"c{at}", column.type
    checks = [] if column.nullable else [f"{name} IS NULL"]
    if type_.is_text and type_.size and not plan.options.get("truncatecolumns"):
        checks.append(f"octet_length(encode(rtrim({name}, ' '))) > {type_.size}")
    elif type_.name in {"smallint", "integer", "bigint"}:
        checks.append(
            f"{name} IS NOT NULL AND (NOT regexp_full_match({name}, '[+-]?[0-9]+') "
            f"OR TRY_CAST({name} AS {type_.duckdb}) IS NULL)"
        )
    elif type_.name == "super":
        checks.append(f"NOT json_valid({name})")
    elif not type_.is_text:
        checks.append(f"{name} IS NOT NULL AND TRY_CAST({name} AS {type_.duckdb}) IS NULL")
    return " OR ".join(f"({check})" for check in checks) or "false"


def _converted(plan: CopyPlan, type_: RsType, name: str) -> str:
    if not type_.is_text:
        return f"CAST({name} AS {type_.duckdb})"
    if type_.size and plan.options.get("truncatecolumns"):
        return f"rs_internal.rs_cut({name}, {type_.size})"
    if type_.size is None:
        return name
    macro = "rs_store_char" if type_.name == "character" else "rs_store_varchar"
    return f"rs_internal.{macro}({name}, {type_.size})"


def _reason(column: ColumnInfo, value: str | None) -> tuple[int, str]:  # noqa: PLR0911  one line per case
    if value is None:
        return 1213, "Missing data for not-null field"
    if column.type.is_text:
        return 1204, "String length exceeds DDL length"
    name = column.type.name
    if name == "date":
        return 1205, "Invalid Date Format - length must be 10 or more"
    if name.startswith("timestamp"):
        return 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"
    if name == "boolean":
        return 1210, "Unknown boolean format"
    if name == "super":
        return 1224, "Invalid JSON format in SUPER column"
    return 1207, f"Invalid digit, Value '{value[:1]}', Pos 0, Type: {_SHORT.get(name, name.title())}"


_SHORT = {
    "smallint": "Short",
    "integer": "Integer",
    "bigint": "Long",
    "numeric": "Decimal",
    "double precision": "Double",
}


def _error(  # noqa: PLR0917  the columns of STL_LOAD_ERRORS
    plan: CopyPlan,
    item: Object,
    line: int,
    code: int,
    reason: str,
    raw: str,
    column: ColumnInfo | None = None,
    fields: list[str | None] | None = None,
) -> dict[str, Any]:
    value = fields[plan.columns.index(column)] if column and fields else None
    return {
        "table_name": plan.table.name,
        "filename": item.uri,
        "line_number": line,
        "colname": column.name if column else "",
        "type": column.type.api_name if column else "",
        "col_length": str(column.type.size or "") if column else "",
        "raw_line": raw[:1024],
        "raw_field_value": (value or "")[:1024],
        "err_code": code,
        "err_reason": reason,
    }
