"""Results: Arrow on disk, and the records that GetStatementResult pages through.

Values are typed as the Data API documents: integers `longValue`, floating point `doubleValue`, booleans `booleanValue`,
all others text (https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_Field.html).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from smartcity.localaws.redshift.types import RsType, of_duckdb

PAGE_ROWS = 1000
PAGE_BYTES = 1 << 20


def column_metadata(names: list[str], types: list[RsType]) -> list[dict[str, Any]]:
    """`ColumnMetadata` of a result."""
    return [_column(name, type_) for name, type_ in zip(names, types, strict=True)]


def _column(name: str, type_: RsType) -> dict[str, Any]:
    precision, scale = _PRECISION.get(type_.name, (0, 0))
    if type_.name == "numeric":
        precision, scale = type_.size or 0, type_.scale or 0
    if type_.is_text:
        precision = type_.size or 256
    return {
        "name": name,
        "label": name,
        "typeName": type_.api_name,
        "nullable": 1,
        "precision": precision,
        "scale": scale,
        "length": 0,
        "isSigned": type_.name in _SIGNED,
        "isCaseSensitive": type_.is_text,
        "isCurrency": False,
        "schemaName": "",
        "tableName": "",
    }


_SIGNED = {"smallint", "integer", "bigint", "real", "double precision", "numeric"}
_PRECISION = {"smallint": (5, 0), "integer": (10, 0), "bigint": (19, 0), "real": (8, 8), "double precision": (17, 17)}


def result_types(described: list[str], known: list[RsType | None]) -> list[RsType]:
    """The shown type of each column: DuckDB's, with the declared length, CHAR or SUPER where the translator knows."""
    shown = []
    for at, text in enumerate(described):
        actual = of_duckdb(text)
        declared = known[at] if at < len(known) else None
        keep = declared is not None and declared.duckdb == actual.duckdb
        shown.append(declared if keep and declared is not None else actual)
    return shown


def save(data: Any, path: Path) -> int:
    """Write an Arrow table so that it is either whole or not there; returns its bytes."""
    from pyarrow import feather

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    feather.write_feather(data, str(partial), compression="lz4")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    return path.stat().st_size


def load_page(path: Path, types: list[RsType], start: int) -> tuple[list[list[dict[str, Any]]], int | None]:
    """Records from row `start` on, at most about 1 MB, and where the next page begins."""
    data = _open(path)
    records: list[list[dict[str, Any]]] = []
    size, at = 0, start
    rows = data.slice(start, PAGE_ROWS)
    columns = [rows.column(index).to_pylist() for index in range(rows.num_columns)]
    for row in range(rows.num_rows):
        record = [field(column[row], type_) for column, type_ in zip(columns, types, strict=True)]
        records.append(record)
        size += sum(len(str(next(iter(value.values())))) for value in record)
        at += 1
        if size > PAGE_BYTES:
            break
    return records, at if at < data.num_rows else None


def load_csv(path: Path, names: list[str], types: list[RsType], start: int) -> tuple[str, int | None]:
    """The same page as CSV, with the column names on top of the first (GetStatementResultV2)."""
    data = _open(path)
    rows = data.slice(start, PAGE_ROWS)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if start == 0:
        writer.writerow(names)
    columns = [rows.column(index).to_pylist() for index in range(rows.num_columns)]
    for row in range(rows.num_rows):
        values = [column[row] for column in columns]
        writer.writerow(
            [None if value is None else _shown(value, type_) for value, type_ in zip(values, types, strict=True)]
        )
    after = start + rows.num_rows
    return out.getvalue(), after if after < data.num_rows else None


def _open(path: Path) -> Any:
    from pyarrow import feather

    return feather.read_table(str(path), memory_map=True)


def field(value: Any, type_: RsType) -> dict[str, Any]:
    """One `Field`."""
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": _shown(value, type_)}


def _shown(value: Any, type_: RsType) -> str:
    if type_.name == "character" and type_.size:
        return str(value).ljust(type_.size)
    return as_text(value)


def as_text(value: Any) -> str:
    """A value as Redshift writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        naive = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        return naive.isoformat(" ") + ("" if value.tzinfo is None else "+00")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
